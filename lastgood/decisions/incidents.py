"""What stays open about releases that ended badly, and what it is told afterwards.

A release that ended held, or with a failed rollback, leaves threads and incidents behind. They
are told when an operator acknowledges, and when a later release or rollback brings the service
into a good state; then they are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lastgood.contracts import Alert, GuardState, Incident, Notice, OperatorRequest, Thread
from lastgood.decisions.alerts import GOOD
from lastgood.decisions.wording import sentence
from lastgood.model import Outcome, ReleaseResult
from lastgood.policy_notify import NotifyPolicy

MOST = 10
"""Incidents that are remembered; older ones are left to people."""
_BADLY = (Outcome.HELD, Outcome.ROLLBACK_FAILED)


def after(
    state: GuardState,
    result: ReleaseResult,
    notice: Notice | None,
    notify: NotifyPolicy,
    threads: Iterable[Thread],
) -> GuardState:
    """The incidents after a release or a rollback ended: none if it is good, else its own too."""
    if result.outcome in GOOD:
        return state.model_copy(update={"incidents": ()})
    left = tuple(threads)
    if notice is None or not left or result.outcome not in _BADLY:
        return state
    incident = Incident(release=result.release, notice=notice, notify=notify, threads=left)
    others = (one for one in state.incidents if one.release != result.release)
    return state.model_copy(update={"incidents": (*others, incident)[-MOST:]})


def threads_of(state: GuardState, release: str) -> tuple[Thread, ...]:
    """What is open about one release."""
    return next((one.threads for one in state.incidents if one.release == release), ())


def reminded(state: GuardState, alert: Alert, threads: Iterable[Thread]) -> GuardState:
    """The state after people were told of a failure again; who acknowledged it meanwhile, or made
    it good, is not undone."""
    now = tuple(threads)
    known = any(one.release == alert.release for one in state.incidents)
    waiting = any(one.release == alert.release for one in state.alerts)
    if not known and not (waiting and now):
        return state
    incident = Incident(
        release=alert.release, notice=alert.notice, notify=alert.notify, threads=now
    )
    others = (one for one in state.incidents if one.release != alert.release)
    return state.model_copy(update={"incidents": (*others, incident)[-MOST:]})


def acknowledged(incident: Incident, request: OperatorRequest, now: datetime) -> Notice:
    """Somebody takes care of it."""
    first = incident.notice
    summary = f"{request.actor} takes care: {sentence(request.reason)} Nobody is reminded any more."
    update = {
        "dedup": f"{incident.release}/acknowledged",
        "kind": "acknowledged",
        "severity": "warning",
        "title": f"Acknowledged: {first.title}",
        "summary": summary,
        "at": now,
    }
    return first.model_copy(update=update)


def recovered(incident: Incident, result: ReleaseResult, now: datetime) -> Notice:
    """The service is good again, by a later release or rollback."""
    first = incident.notice
    update = {
        "dedup": f"{incident.release}/recovered",
        "kind": "recovered",
        "severity": "healthy",
        "title": f"{first.service} is good again",
        "summary": f"{result.release}: {sentence(result.reason)} Before: {sentence(first.title)}",
        "at": now,
    }
    return first.model_copy(update=update)
