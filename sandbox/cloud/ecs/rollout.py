"""How a rollout begins, what fails it, what completes it; in AWS's words where they are known."""

import math
from collections.abc import Callable, Sequence

from sandbox.cloud.ecs import hooks
from sandbox.cloud.ecs.model import Deployment, Service
from sandbox.cloud.ecs.rollback import fail, go_on_rolling_back
from sandbox.cloud.ecs.service_deployment import ServiceDeployment
from sandbox.cloud.pace import Pace

AlarmStates = Callable[[Sequence[str]], dict[str, str]]


def breaker_threshold(desired: int, configuration: dict[str, object]) -> int:
    """Return how many failed tasks trip the circuit breaker."""
    given = configuration.get("thresholdConfiguration")
    kind, value = "BOUNDED_PERCENT", 50
    if isinstance(given, dict):
        kind, value = str(given.get("type", kind)), int(given.get("value", value))
    if kind == "COUNT":
        return value
    share = math.ceil(desired * value / 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))


def begin(
    service: Service,
    deployment: Deployment,
    now: float,
    *,
    alarm_states: AlarmStates,
) -> None:
    """Make a deployment the PRIMARY one; what was PRIMARY drains or is superseded."""
    if service.deployments:
        old = service.deployments[0]
        old.status, old.desired, old.updated = "ACTIVE", 0, now
        if not old.record.over:
            hooks.give_up(old.record)
            status = "STOPPED" if old.record.rollback is None else "ROLLBACK_FAILED"
            old.record.set(status, now, "Service deployment superseded by a newer one.")
    service.deployments.insert(0, deployment)
    service.records.insert(0, deployment.record)
    deployment.desired = service.desired
    deployment.say("IN_PROGRESS", f"ECS deployment {deployment.id} in progress.", now)
    _watch_alarms(service, deployment, alarm_states)
    breaker = service.configuration.get("deploymentCircuitBreaker") or {}
    if breaker.get("enable") and not deployment.record.shifts:
        deployment.record.breaker = "MONITORING"
    deployment.record.set("IN_PROGRESS", now)


def _watch_alarms(service: Service, deployment: Deployment, alarm_states: AlarmStates) -> None:
    alarms = service.configuration.get("alarms") or {}
    if not alarms.get("enable") or not alarms.get("alarmNames"):
        return
    record = deployment.record
    record.alarm_names = list(alarms["alarmNames"])
    if "ALARM" in alarm_states(record.alarm_names).values():
        service.say(
            f"(deployment {deployment.id}) alarm detected before the deployment started;"
            " its alarms are ignored for this deployment."
        )
        return
    deployment.alarms_watched = True
    record.alarms = "MONITORING"


def judge(service: Service, now: float, pace: Pace, alarm_states: AlarmStates) -> None:
    """Look at the PRIMARY deployment of a rolling update: has it failed, or is it complete?"""
    deployment = service.primary
    if go_on_rolling_back(service, now):
        return
    if deployment.rollout != "IN_PROGRESS" or deployment.failed:
        return
    if _trip_breaker(service, deployment, now):
        return
    if trip_alarms(service, deployment, now, alarm_states):
        return
    if deployment.record.rollback is None and _hold(service, deployment, now):
        return
    if not is_steady(service, deployment):
        deployment.steady_since = None
        return
    if deployment.steady_since is None:
        deployment.steady_since = now
    if not _go_through_stages(deployment, now, pace):
        return
    if now >= deployment.steady_since + _bake_time(service, deployment, pace):
        complete(service, deployment, now)


def _hold(service: Service, deployment: Deployment, now: float) -> bool:
    """Whether a lifecycle hook holds a rolling update; one that timed out may roll it back."""
    record = deployment.record
    verdict = hooks.look(record, now)
    if verdict == "roll back":
        cause = f"the hook at {record.stage} timed out."
        mechanism = "ECS lifecycle hook"
        fail(service, deployment, now, mechanism=mechanism, cause=cause, rollback=True)
    elif verdict == "go" and record.stage == "PRE_SCALE_UP":
        record.stage = "SCALE_UP"
    return verdict != "go"


def _go_through_stages(deployment: Deployment, now: float, pace: Pace) -> bool:
    """Move a rolling update that is steady on to its bake time; whether it is there."""
    record = deployment.record
    if record.stage == "SCALE_UP" and record.rollback is None:
        hooks.arrive(record, "POST_SCALE_UP", now, pace.minute)
        deployment.steady_since = None if record.held else deployment.steady_since
        return False
    if record.stage == "POST_SCALE_UP":
        record.stage = "BAKE_TIME"
    return True


def _bake_time(service: Service, deployment: Deployment, pace: Pace) -> float:
    if not deployment.alarms_watched:
        return 0.0
    minutes = service.configuration.get("bakeTimeInMinutes")
    return pace.bake if minutes is None else float(minutes) * pace.minute


def is_steady(service: Service, deployment: Deployment) -> bool:
    """Whether a deployment is the only one, with all its tasks and these healthy."""
    tasks = service.tasks_of(deployment)
    return (
        len(service.deployments) == 1
        and len(service.tasks) == len(tasks) == service.desired
        and all(task.healthy for task in tasks)
    )


def _trip_breaker(service: Service, deployment: Deployment, now: float) -> bool:
    breaker = service.configuration.get("deploymentCircuitBreaker") or {}
    record = deployment.record
    threshold = breaker_threshold(service.desired, breaker)
    if record.rollback is None:
        record.threshold, record.failures = threshold, deployment.failed_tasks
    if not breaker.get("enable") or deployment.failed_tasks < threshold:
        return False
    record.breaker = "TRIGGERED"
    cause = "tasks failed to start."
    fail(
        service,
        deployment,
        now,
        mechanism="ECS deployment circuit breaker",
        cause=cause,
        rollback=bool(breaker.get("rollback")),
    )
    return True


def trip_alarms(
    service: Service, deployment: Deployment, now: float, alarm_states: AlarmStates
) -> bool:
    """Fail a deployment whose alarm is on; whether it is so."""
    if not deployment.alarms_watched:
        return False
    record = deployment.record
    states = alarm_states(record.alarm_names)
    triggered = [name for name in record.alarm_names if states.get(name) == "ALARM"]
    if not triggered:
        return False
    record.alarms, record.triggered = "TRIGGERED", triggered
    fail(
        service,
        deployment,
        now,
        mechanism="ECS deployment alarms",
        cause=f"alarm detected: {', '.join(triggered)}.",
        rollback=bool(service.configuration["alarms"].get("rollback")),
    )
    return True


def complete(service: Service, deployment: Deployment, now: float) -> None:
    """Take note that a deployment, or a rollback to it, is at its end."""
    deployment.say("COMPLETED", f"ECS deployment {deployment.id} completed.", now)
    service.last_completed = deployment
    record = deployment.record
    _finish_record(record, now)
    service.say(f"(deployment {deployment.id}) deployment completed.")
    service.say("has reached a steady state.")


def _finish_record(record: ServiceDeployment, now: float) -> None:
    if record.breaker == "MONITORING":
        record.breaker = "MONITORING_COMPLETE"
    if record.alarms == "MONITORING":
        record.alarms = "MONITORING_COMPLETE"
    if record.over:
        return
    record.set("SUCCESSFUL" if record.rollback is None else "ROLLBACK_SUCCESSFUL", now)
