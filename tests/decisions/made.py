"""Nouns for tests of decisions, made with as little text as possible."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lastgood.contracts import ServiceWatchOrder, Tally, WatchedTrigger
from lastgood.decisions.series import Point
from lastgood.model import (
    EcsDeployment,
    Revision,
    RollbackRecord,
    ServiceRef,
    ServiceState,
    Status,
    Verdict,
)
from lastgood.policy_triggers import ErrorRateTrigger, Trigger

T0 = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
"""On a whole hour: every period's buckets begin here."""
REF = ServiceRef(region="us-east-1", cluster="shop", name="web")
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:{}"
OLD, NEW, OTHER = ARN.format(1), ARN.format(2), ARN.format(3)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def at(number: float) -> datetime:
    """So many seconds after T0."""
    return T0 + seconds(number)


def error_rate(**keys: Any) -> ErrorRateTrigger:
    return ErrorRateTrigger.model_validate({"threshold": 0.05, "duration": "60s", **keys})


def watched(trigger: Trigger, *, muted: bool = False) -> WatchedTrigger:
    return WatchedTrigger(key=f"0 {trigger.type}", trigger=trigger, muted_until_ok=muted)


def tally(**keys: Any) -> Tally:
    return Tally(key="0", **keys)


def points(
    *values: float | None, period: float = 10, start: datetime = T0, weight: float = 1
) -> tuple[Point, ...]:
    """A series; None is a bucket without a datapoint."""
    return tuple(
        Point(start=start + n * seconds(period), value=value, weight=weight)
        for n, value in enumerate(values)
        if value is not None
    )


def verdict(
    status: Status = Status.FAIL, trigger: str = "error-rate", moment: float = 0
) -> Verdict:
    return Verdict(trigger=trigger, status=status, reason=f"{trigger} says {status}", at=at(moment))


def deployment(task_definition: str = NEW, **keys: Any) -> EcsDeployment:
    """One that is complete with two tasks, unless said otherwise."""
    defaults = {"id": "ecs-svc/2", "status": "PRIMARY", "desired": 2, "running": 2}
    return EcsDeployment.model_validate(
        {**defaults, "rollout_state": "COMPLETED", "task_definition": task_definition, **keys}
    )


def service(*deployments: EcsDeployment, **keys: Any) -> ServiceState:
    """A service with these deployments; its counts are theirs, unless said otherwise."""
    first = deployments[0].task_definition if deployments else ""
    return ServiceState.model_validate(
        {
            "arn": "arn:aws:ecs:us-east-1:123456789012:service/shop/web",
            "status": "ACTIVE",
            "task_definition": first,
            "desired": 2,
            "running": sum(one.running for one in deployments),
            "pending": sum(one.pending for one in deployments),
            "deployments": deployments,
            **keys,
        }
    )


def follow(goal: str = "rollout", **keys: Any) -> ServiceWatchOrder:
    """Our deployment ecs-svc/2 of NEW, after ecs-svc/1 of OLD."""
    return ServiceWatchOrder.model_validate(
        {
            "service": REF,
            "task_definition": NEW,
            "deployment": "ecs-svc/2",
            "wrong": (OLD,),
            "previous_deployments": ("ecs-svc/1",),
            "deployed_at": T0,
            "until": at(300),
            "interval": seconds(10),
            "goal": goal,
            **keys,
        }
    )


def revision(number: int, **keys: Any) -> Revision:
    return Revision(task_definition=ARN.format(number), **keys)


def record(started: float, finished: float | None = None, **keys: Any) -> RollbackRecord:
    defaults: dict[str, Any] = {"release": "r", "trigger": "alarm", "reason": "x", "to": OLD}
    return RollbackRecord.model_validate(
        {
            **defaults,
            "actor": "lastgood",
            "started_at": at(started),
            "finished_at": None if finished is None else at(finished),
            **keys,
        }
    )
