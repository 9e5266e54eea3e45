"""How verdicts are combined, and what a window with too little data means.

The worst verdict counts: fail before inconclusive before pass. A trigger that saw data for less
than half of its window is inconclusive: no data is not good, and an outage of the monitoring is
not a bad release. Nor is a window good in which most measurements were bad, though never as many in
a row as its trigger asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lastgood.contracts import Tally, WatchedTrigger, WatchReport
from lastgood.model import Status, Verdict
from lastgood.policy_triggers import HealthCheckTrigger

ENOUGH = 0.5
"""The share of a window that must have been measured."""

_ORDER = {Status.PASS: 0, Status.INCONCLUSIVE: 1, Status.FAIL: 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that counts; the earliest of equals; None if there are none."""
    ordered = sorted(verdicts, key=lambda one: (-_ORDER[one.status], one.at))
    return ordered[0] if ordered else None


def conclude(tally: Tally, trigger: str, expected: float, at: datetime) -> Verdict:
    """What a polled trigger says at the end of its window.

    Args:
        tally: the counts of its measurements.
        trigger: its type.
        expected: how many measurements the window should have had.
        at: the end of the window.
    """
    measured = tally.healthy + tally.unhealthy
    counts = (
        f"{measured} of about {max(1, round(expected))} measurements said something "
        f"({tally.no_data} without data, {tally.error} failed)"
    )
    if tally.unhealthy > tally.healthy:
        return Verdict(
            trigger=trigger,
            status=Status.INCONCLUSIVE,
            at=at,
            reason=f"{tally.unhealthy} of {measured} measurements were bad. Last: {tally.latest}",
        )
    if measured and measured >= ENOUGH * expected:
        return Verdict(
            trigger=trigger, status=Status.PASS, at=at, reason=f"Last: {tally.latest}; {counts}"
        )
    return Verdict(
        trigger=trigger,
        status=Status.INCONCLUSIVE,
        at=at,
        reason=f"Too little was measured: {counts}. Last: {tally.latest}",
    )


def with_keys(report: WatchReport) -> WatchReport:
    """A watch's report whose verdicts name the very triggers that they are of.

    Its verdicts are the conclusions of its tallies, in their order; two may say the same.
    """
    keys = (tally.key for tally in report.tallies if tally.conclusion)
    named = tuple(
        verdict.model_copy(update={"key": next(keys, None)}) for verdict in report.verdicts
    )
    failing = (tally.key for tally in report.tallies if tally.failing == report.fired)
    fired = report.fired
    if fired:
        fired = fired.model_copy(update={"key": next(failing, None)})
    return report.model_copy(update={"verdicts": named, "fired": fired})


def to_verify(
    triggers: tuple[WatchedTrigger, ...], fired: Verdict | None
) -> tuple[WatchedTrigger, ...]:
    """What must be good again after a rollback: the health checks, and the trigger that fired.

    Not another one of the same type: an alarm may have been red before the release.
    """
    return tuple(
        one.model_copy(update={"muted_until_ok": False})
        for one in triggers
        if isinstance(one.trigger, HealthCheckTrigger) or (fired and _is_of(fired, one))
    )


def _is_of(fired: Verdict, watched: WatchedTrigger) -> bool:
    if fired.key is not None:
        return fired.key == watched.key
    return fired.trigger == watched.trigger.type and not watched.muted_until_ok
