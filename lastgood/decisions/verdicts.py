"""How verdicts are combined, and what a window with too little data means.

The worst verdict counts: fail before inconclusive before pass. A trigger that saw data for less
than half of its window is inconclusive: no data is not good, and an outage of the monitoring is
not a bad release. Nor is a window good in which most measurements were bad, though never as many in
a row as its trigger asks for, nor one in which more measurements failed than ``error_limit``.

A trigger with ``dry_run`` is measured and told, and decides nothing: it ends no watch, its verdict
never counts, and nothing that went well is held for it. The first time that it would have
fired is remembered, and is its last word even if all was well afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from lastgood.contracts import Tally, WatchedTrigger, WatchReport
from lastgood.model import Status, Verdict
from lastgood.policy_triggers import HealthCheckTrigger, Trigger

ENOUGH = 0.5
"""The share of a window that must have been measured."""

_DRY = "dry run: "

_ORDER = {Status.PASS: 0, Status.INCONCLUSIVE: 1, Status.FAIL: 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that counts; the earliest of equals; None if there is none that does."""
    counting = (one for one in verdicts if not one.dry_run)
    ordered = sorted(counting, key=lambda one: (-_ORDER[one.status], one.at))
    return ordered[0] if ordered else None


def first_of(failing: Iterable[Verdict | None]) -> Verdict | None:
    """The first trigger that fires and may."""
    return next((one for one in failing if one and not one.dry_run), None)


def said_by(trigger: Trigger, verdict: Verdict) -> Verdict:
    """A verdict with what its trigger's policy says about it: dry run, severity."""
    if (verdict.dry_run, verdict.severity) == (trigger.dry_run, trigger.severity):
        return verdict
    anew = trigger.dry_run and not verdict.dry_run
    reason = f"{_DRY}{verdict.reason}" if anew else verdict.reason
    said = {"dry_run": trigger.dry_run, "severity": trigger.severity, "reason": reason}
    return verdict.model_copy(update=said)


def remembered(
    triggers: Sequence[WatchedTrigger],
    tallies: Sequence[Tally],
    *,
    now: datetime,
    not_before: datetime | None = None,
) -> tuple[Tally, ...]:
    """Tallies after a look: their verdicts marked, and when a dry run would have fired first.

    Args:
        triggers: the watched triggers.
        tallies: theirs, in the same order.
        now: the time of the look.
        not_before: with a cooldown, nothing would have fired before its end.
    """
    waits = not_before is not None and now < not_before
    return tuple(
        _remembered(watched.trigger, tally, waits)
        for watched, tally in zip(triggers, tallies, strict=True)
    )


def _remembered(trigger: Trigger, tally: Tally, waits: bool) -> Tally:
    failing = said_by(trigger, tally.failing) if tally.failing else None
    conclusion = said_by(trigger, tally.conclusion) if tally.conclusion else None
    marked = tally.model_copy(update={"failing": failing, "conclusion": conclusion})
    if not trigger.dry_run:
        return marked
    would = tally.would or (would_have(failing) if failing and not waits else None)
    since = f"{_DRY}would have rolled back at {would.at:%H:%M} UTC; now " if would else _DRY
    latest = tally.latest if tally.latest.startswith(_DRY) else f"{since}{tally.latest}"
    told = {"would": would, "latest": latest}
    if would and conclusion:
        told["conclusion"] = would
    return marked.model_copy(update=told)


def would_have(fired: Verdict) -> Verdict:
    """A dry run's verdict over the moment at which it would have fired."""
    text = fired.reason.removeprefix(_DRY)
    reason = f"{_DRY}would have rolled back at {fired.at:%H:%M} UTC: {text}"
    return fired.model_copy(update={"reason": reason, "dry_run": True})


def is_would_have(verdict: Verdict) -> bool:
    """Whether a dry run's verdict tells when it would have fired."""
    return verdict.reason.startswith(f"{_DRY}would have rolled back")


def over_error_limit(trigger: Trigger, tally: Tally) -> str | None:
    """Why so many failed measurements are too many, in words; None: they are not."""
    limit = trigger.error_limit
    if limit is None or tally.error <= limit:
        return None
    return (
        f"{tally.error} measurements of {trigger.type} failed, and error_limit is {limit}. "
        f"Last: {tally.latest}"
    )


def conclude(tally: Tally, trigger: str | Trigger, expected: float, at: datetime) -> Verdict:
    """What a polled trigger says at the end of its window.

    Args:
        tally: the counts of its measurements.
        trigger: the trigger; or its type, if its policy does not matter.
        expected: how many measurements the window should have had.
        at: the end of the window.
    """
    if isinstance(trigger, str):
        return _concluded(tally, trigger, expected, at)
    if too_many := over_error_limit(trigger, tally):
        verdict = Verdict(trigger=trigger.type, status=Status.INCONCLUSIVE, at=at, reason=too_many)
    else:
        verdict = _concluded(tally, trigger.type, expected, at)
    return tally.would or said_by(trigger, verdict)


def _concluded(tally: Tally, trigger: str, expected: float, at: datetime) -> Verdict:
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

    Its verdicts are the conclusions of its tallies, in their order; two may say the same. A dry
    run that would have fired is told even if the watch was cut short.
    """
    keys = (tally.key for tally in report.tallies if tally.conclusion)
    named = tuple(
        verdict.model_copy(update={"key": next(keys, None)}) for verdict in report.verdicts
    ) + tuple(
        tally.would.model_copy(update={"key": tally.key})
        for tally in report.tallies
        if tally.would and not tally.conclusion
    )
    fired = report.fired
    bare = fired.bare if fired else None
    failing = (one.key for one in report.tallies if one.failing and one.failing.bare == bare)
    if fired:
        fired = fired.model_copy(update={"key": next(failing, None)})
    return report.model_copy(update={"verdicts": named, "fired": fired})


def to_verify(
    triggers: tuple[WatchedTrigger, ...], fired: Verdict | None
) -> tuple[WatchedTrigger, ...]:
    """What must be good again after a rollback: the health checks, and the trigger that fired.

    Not another one of the same type: an alarm may have been red before the release. A dry run
    decides nothing here, too.
    """
    return tuple(
        one.model_copy(update={"muted_until_ok": False})
        for one in triggers
        if not one.trigger.dry_run
        and (isinstance(one.trigger, HealthCheckTrigger) or (fired and _is_of(fired, one)))
    )


def _is_of(fired: Verdict, watched: WatchedTrigger) -> bool:
    if fired.key is not None:
        return fired.key == watched.key
    return fired.trigger == watched.trigger.type and not watched.muted_until_ok
