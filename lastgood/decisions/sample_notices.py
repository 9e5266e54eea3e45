"""Notices of every kind, as templates are tried with, and as `docs/notifications.md` shows them.

Made by the same functions as real ones, from a release that went as badly as can be; with the
characters in it that break what is put together carelessly.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lastgood.contracts import Alert, Incident, Notice, OperatorRequest
from lastgood.decisions import alerts, incidents, notices
from lastgood.model import (
    ContainerImage,
    Outcome,
    ReleaseResult,
    Revision,
    RollbackRecord,
    RollbackSummary,
    Status,
    Verdict,
)
from lastgood.policy_notify import NotifyPolicy

_AT = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
_ARN = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web"
_WHY = "Error rate exceeded: error-rate 8.0 % over 60s (threshold 5.0 %)"
_TYPED = 'the "old" one <works> & \\ well'
"""What an operator typed."""

_BEFORE, _AFTER = (
    Revision(
        task_definition=f"{_ARN}:{number}",
        images=(ContainerImage(container="app", image=f"shop/web:{version}"),),
    )
    for number, version in ((41, "1.4.0"), (42, "1.5.0"))
)
_FIRED = Verdict(
    trigger="error-rate", status=Status.FAIL, reason=_WHY, at=_AT, value=0.08, threshold=0.05
)
_CONTEXT = notices.NoticeContext(
    service="shop/web",
    region="us-east-1",
    release="run-17",
    what="shop/web:1.5.0",
    actor="ci",
    from_revision=_BEFORE,
    to_revision=_AFTER,
    rollbacks_counted=1,
    max_rollbacks=3,
    per=timedelta(hours=24),
    link="https://temporal.example.com/namespaces/default/workflows/release",
    at=_AT,
)
_BY = OperatorRequest(actor="ann", reason=_TYPED)


def samples() -> tuple[Notice, ...]:
    """One notice of each kind, and of each way to end."""
    started = notices.rollback_started(_CONTEXT, reason=_WHY, fired=_FIRED)
    until = _AT + timedelta(minutes=5)
    last = RollbackRecord(
        release="run-16", started_at=_AT, trigger=None, reason="", actor="ann", to=f"{_ARN}:41"
    )
    cooldown = notices.cooldown(_CONTEXT, reason=_WHY, until=until, fired=_FIRED, last=last)
    why = "The window ended without enough data to judge."
    held = notices.held(_CONTEXT, reason=why, until=_AT + timedelta(hours=24))
    resumed = notices.resumed(_CONTEXT, by=_BY.actor, reason=_BY.reason)
    ends = {outcome: _ended(outcome) for outcome in Outcome}
    failed = ends[Outcome.ROLLBACK_FAILED]
    every = timedelta(minutes=15)
    alert = Alert(
        release="run-17", notice=failed, notify=NotifyPolicy(), every=every, next_at=_AT + every
    )
    incident = Incident(release="run-17", notice=failed, notify=NotifyPolicy(), threads=())
    return (
        started,
        cooldown,
        held,
        resumed,
        *ends.values(),
        alerts.reminder(alert, _AT + every),
        incidents.acknowledged(incident, _BY, _AT + every),
        incidents.recovered(incident, _result(Outcome.HEALTHY), _AT + 2 * every),
    )


_REASONS = {
    Outcome.HEALTHY: "The window ended clean.",
    Outcome.ROLLED_BACK: f"{_WHY}. web:41 serves again, and what fired is good again.",
    Outcome.ROLLED_BACK_BY_ECS: "ECS's circuit breaker went back to web:41.",
    Outcome.ROLLBACK_FAILED: f"{_WHY}. web:41 was not steady within 10m.",
    Outcome.HELD: "Nobody decided within 24h.",
    Outcome.SUPERSEDED: "Somebody deployed web:43.",
    Outcome.REFUSED: "The service is frozen: weekend.",
    Outcome.CANCELLED: f"ann cancelled it: {_TYPED}.",
}


def _ended(outcome: Outcome) -> Notice:
    fired = _FIRED if outcome in (Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED) else None
    return notices.ended(_CONTEXT, result=_result(outcome), fired=fired)


def _result(outcome: Outcome) -> ReleaseResult:
    back = RollbackSummary(
        to=f"{_ARN}:41",
        started_at=_AT - timedelta(seconds=48),
        finished_at=_AT,
        verified=outcome is Outcome.ROLLED_BACK,
    )
    went_back = outcome in (Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED)
    return ReleaseResult(
        release="run-17",
        workflow_id="release",
        run_id="",
        service="shop/web",
        outcome=outcome,
        reason=_REASONS[outcome],
        started_at=_AT - timedelta(minutes=4),
        finished_at=_AT,
        rollback=back if went_back else None,
    )
