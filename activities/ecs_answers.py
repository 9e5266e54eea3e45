"""ECS's answers as our nouns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lastgood.decisions.balancing import shift_of
from lastgood.model import AwaitingHook, EcsDeployment, Hook, ServiceDeploymentState, ServiceState

_HOOKS_WAIT = timedelta(days=1)
"""How long a PAUSE hook waits, unless its configuration says otherwise."""


def parse_service(raw: dict[str, Any]) -> ServiceState:
    """A service as DescribeServices and UpdateService give it."""
    configuration = raw.get("deploymentConfiguration", {})
    return ServiceState(
        arn=raw["serviceArn"],
        status=raw.get("status", "ACTIVE"),
        task_definition=raw.get("taskDefinition", ""),
        desired=raw.get("desiredCount", 0),
        running=raw.get("runningCount", 0),
        pending=raw.get("pendingCount", 0),
        deployments=tuple(_parse_deployment(one) for one in raw.get("deployments", [])),
        controller=raw.get("deploymentController", {}).get("type", "ECS"),
        scheduling=raw.get("schedulingStrategy", "REPLICA"),
        strategy=configuration.get("strategy", "ROLLING"),
        bake=timedelta(minutes=configuration.get("bakeTimeInMinutes", 0)),
        shift=shift_of(configuration),
        hooks=tuple(_parse_hook(one) for one in configuration.get("lifecycleHooks", [])),
        service_deployment=raw.get("currentServiceDeployment"),
        tags={one["key"]: one.get("value", "") for one in raw.get("tags", [])},
        target_groups=tuple(
            one["targetGroupArn"] for one in raw.get("loadBalancers", []) if "targetGroupArn" in one
        ),
        alternate_target_groups=_alternates(raw.get("loadBalancers", [])),
        **_second_net(configuration),
        service_revision=_running_revision(raw.get("currentServiceRevisions", [])),
    )


def _second_net(configuration: dict[str, Any]) -> dict[str, Any]:
    """What ECS itself does about a bad deployment."""
    breaker = configuration.get("deploymentCircuitBreaker", {})
    alarms = configuration.get("alarms", {})
    return {
        "circuit_breaker": bool(breaker.get("enable")),
        "breaker_rolls_back": bool(breaker.get("rollback")),
        "deployment_alarms": tuple(alarms.get("alarmNames", ())),
        "alarms_roll_back": bool(alarms.get("enable") and alarms.get("rollback")),
    }


def _running_revision(revisions: list[dict[str, Any]]) -> str | None:
    """The one that has tasks to run; in a rollout nothing says which of two is which."""
    wanted = [one for one in revisions if one.get("requestedTaskCount", 1)] or revisions
    return wanted[0].get("arn") if len(wanted) == 1 else None


def _parse_deployment(raw: dict[str, Any]) -> EcsDeployment:
    return EcsDeployment(
        id=raw["id"],
        status=raw["status"],
        task_definition=raw["taskDefinition"],
        desired=raw.get("desiredCount", 0),
        running=raw.get("runningCount", 0),
        pending=raw.get("pendingCount", 0),
        failed=raw.get("failedTasks", 0),
        rollout_state=raw.get("rolloutState"),
        reason=raw.get("rolloutStateReason", ""),
    )


def _alternates(balancers: list[dict[str, Any]]) -> tuple[str, ...]:
    """The group that the first load balancer's group alternates with; it is the one measured."""
    first = next(iter(balancers), {})
    arn = first.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
    return (arn,) if arn else ()


def _parse_hook(raw: dict[str, Any]) -> Hook:
    limit = raw.get("timeoutConfiguration", {})
    pauses = raw.get("targetType") == "PAUSE"
    minutes = limit.get("timeoutInMinutes")
    waits = _HOOKS_WAIT if minutes is None else timedelta(minutes=minutes)
    return Hook(
        stages=tuple(raw.get("lifecycleStages", ())),
        pauses=pauses,
        timeout=waits if pauses else None,
        on_timeout=limit.get("action", "ROLLBACK"),
    )


def parse_service_deployment(raw: dict[str, Any]) -> ServiceDeploymentState:
    """A service deployment as DescribeServiceDeployments gives it."""
    target = raw.get("targetServiceRevision", {})
    return ServiceDeploymentState(
        arn=raw["serviceDeploymentArn"],
        status=raw["status"],
        stage=raw.get("lifecycleStage"),
        awaiting=tuple(
            AwaitingHook(
                id=one["hookId"],
                expires_at=one.get("expiresAt"),
                on_timeout=one.get("timeoutAction", "ROLLBACK"),
            )
            for one in raw.get("lifecycleHookDetails", [])
            if one.get("status") == "AWAITING_ACTION" and one.get("targetType") == "PAUSE"
        ),
        sources=tuple(one["arn"] for one in raw.get("sourceServiceRevisions", []) if "arn" in one),
        target=target.get("arn"),
        production_weight=target.get("requestedProductionTrafficWeight"),
        rollback_to=raw.get("rollback", {}).get("serviceRevisionArn"),
        reason=raw.get("rollback", {}).get("reason") or raw.get("statusReason", ""),
    )
