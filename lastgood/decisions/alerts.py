"""Failures that nobody has acknowledged yet, and when people are told of them again.

A rollback that failed leaves a service as it should not be, and nothing more happens by itself.
People are told at once, and again at intervals (``rollback.remind_every``) until somebody
acknowledges it, or a later release or rollback brings the service into a good state.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lastgood.contracts import Alert, GuardState, Notice
from lastgood.decisions.wording import took
from lastgood.model import Outcome, ReleaseResult
from lastgood.policy import Policy

NO_TIME = timedelta(0)
GOOD = (Outcome.HEALTHY, Outcome.ROLLED_BACK, Outcome.ROLLED_BACK_BY_ECS)
"""How a release or a rollback ends that leaves the service in a good state."""


def after(
    state: GuardState, result: ReleaseResult, notice: Notice, policy: Policy, now: datetime
) -> GuardState:
    """The alerts after a release or a rollback ended: one more if it failed."""
    if result.outcome is not Outcome.ROLLBACK_FAILED:
        return resolved(state, result)
    every = policy.rollback.remind_every
    alert = Alert(
        release=result.release,
        notice=notice,
        notify=policy.notify,
        every=every,
        next_at=now + every,
    )
    others = tuple(one for one in state.alerts if one.release != result.release)
    return state.model_copy(update={"alerts": (*others, alert)})


def resolved(state: GuardState, result: ReleaseResult) -> GuardState:
    """The alerts after a release or a rollback brought the service into a good state: none."""
    return state.model_copy(update={"alerts": ()}) if result.outcome in GOOD else state


def next_at(state: GuardState) -> datetime | None:
    """When somebody is to be told next; None if of nothing."""
    return min((one.next_at for one in state.alerts), default=None)


def due(state: GuardState, now: datetime) -> tuple[Alert, ...]:
    """The alerts to tell of now."""
    return tuple(one for one in state.alerts if one.next_at <= now)


def told(state: GuardState, alert: Alert, now: datetime) -> GuardState:
    """People are told of this alert now, and next after its interval."""
    update = {"told": alert.told + 1, "next_at": now + alert.every}
    again = tuple(
        one.model_copy(update=update) if one.release == alert.release else one
        for one in state.alerts
    )
    return state.model_copy(update={"alerts": again})


def reminder(alert: Alert, now: datetime) -> Notice:
    """The notice of the failure, as it is told again."""
    first = alert.notice
    since = took(now - first.at)
    summary = (
        f"Nobody has acknowledged this for {since}. {first.summary} To stop being told: "
        f'lastgood acknowledge {first.service} --reason "…"'
    )
    update = {
        "dedup": f"{alert.release}/reminder-{alert.told}",
        "kind": "reminder",
        "title": f"Still open: {first.title}",
        "summary": summary,
        "at": now,
    }
    return first.model_copy(update=update)


def acknowledged(state: GuardState) -> GuardState:
    """Somebody takes care of them."""
    return state.model_copy(update={"alerts": ()})
