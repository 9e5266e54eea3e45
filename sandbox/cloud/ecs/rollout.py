"""How a rollout ends: completed, failed, rolled back. The words are AWS's where known."""

import math
from collections.abc import Callable, Sequence

from sandbox.cloud.ecs.model import Deployment, Service, ServiceDeployment
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
            status = "STOPPED" if old.record.rollback is None else "ROLLBACK_FAILED"
            old.record.set(status, now, "Service deployment superseded by a newer one.")
    service.deployments.insert(0, deployment)
    service.records.insert(0, deployment.record)
    deployment.desired = service.desired
    deployment.say("IN_PROGRESS", f"ECS deployment {deployment.id} in progress.", now)
    _watch_alarms(service, deployment, alarm_states)
    breaker = service.configuration.get("deploymentCircuitBreaker") or {}
    if breaker.get("enable"):
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
    """Look at the PRIMARY deployment: has it failed, or is it complete?"""
    deployment = service.primary
    if deployment.rollout != "IN_PROGRESS" or deployment.failed:
        return
    if _trip_breaker(service, deployment, now):
        return
    if _trip_alarms(service, deployment, now, alarm_states):
        return
    if not _is_steady(service, deployment):
        deployment.steady_since = None
        return
    if deployment.steady_since is None:
        deployment.steady_since = now
    if now >= deployment.steady_since + _bake_time(service, deployment, pace):
        _complete(service, deployment, now)


def _bake_time(service: Service, deployment: Deployment, pace: Pace) -> float:
    if not deployment.alarms_watched:
        return 0.0
    minutes = service.configuration.get("bakeTimeInMinutes")
    return pace.bake if minutes is None else float(minutes)


def _is_steady(service: Service, deployment: Deployment) -> bool:
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


def _trip_alarms(
    service: Service, deployment: Deployment, now: float, alarm_states: AlarmStates
) -> bool:
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


def fail(
    service: Service,
    deployment: Deployment,
    now: float,
    *,
    mechanism: str,
    cause: str,
    rollback: bool,
) -> None:
    """Fail the PRIMARY deployment: no more tasks of it; back to the last completed one if asked."""
    deployment.failed = True
    deployment.say("FAILED", f"{mechanism}: {cause}", now)
    service.say(f"(deployment {deployment.id}) deployment failed: {cause}")
    record = deployment.record
    if record.rollback is not None:
        record.set("ROLLBACK_FAILED", now, f"{mechanism}: {cause}")
        return
    target = service.last_completed
    if not rollback or target is None or target is deployment:
        record.set("STOPPED", now, f"{mechanism}: {cause}")
        return
    roll_back(service, deployment, target, now, f"{mechanism}: {cause}", mechanism)


def roll_back(
    service: Service,
    deployment: Deployment,
    target: Deployment,
    now: float,
    reason: str,
    mechanism: str,
) -> None:
    """Make an earlier deployment PRIMARY again, under its own id."""
    deployment.status, deployment.desired, deployment.failed = "ACTIVE", 0, True
    target.status, target.failed, target.failed_tasks = "PRIMARY", False, 0
    target.desired, target.alarms_watched, target.steady_since = service.desired, False, None
    target.crashes, target.launch_not_before = 0, 0.0
    target.say("IN_PROGRESS", f"{mechanism}: rolling back to deploymentId {target.id}.", now)
    others = [known for known in service.deployments if known is not target]
    service.deployments[:] = [target, *others]
    service.last_completed = None
    service.settings["taskDefinition"] = target.revision.task_definition
    service.say(f"rolling back to deployment {target.id}.")
    record = deployment.record
    record.rollback = {
        "reason": reason,
        "startedAt": now,
        "serviceRevisionArn": target.revision.arn,
    }
    record.set("ROLLBACK_IN_PROGRESS", now, reason)
    record.breaker = "DISABLED" if record.breaker == "MONITORING" else record.breaker
    target.record = record


def _complete(service: Service, deployment: Deployment, now: float) -> None:
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
