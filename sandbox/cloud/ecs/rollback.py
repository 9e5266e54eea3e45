"""How a deployment fails, and how ECS goes back to the one before; in AWS's words where known."""

from sandbox.cloud.ecs import hooks
from sandbox.cloud.ecs.model import Deployment, Service


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
    hooks.give_up(deployment.record)
    deployment.failed = True
    deployment.say("FAILED", f"{mechanism}: {cause}", now)
    service.say(f"(deployment {deployment.id}) deployment failed: {cause}")
    record = deployment.record
    if record.rollback is not None:
        record.set("ROLLBACK_FAILED", now, f"{mechanism}: {cause}")
        return
    target = rollback_target(service, deployment)
    if not rollback or target is None:
        record.set("STOPPED", now, f"{mechanism}: {cause}")
        return
    roll_back(service, target, now, f"{mechanism}: {cause}", mechanism)


def rollback_target(service: Service, deployment: Deployment) -> Deployment | None:
    """Return the deployment that the PRIMARY one would be rolled back to."""
    target = service.last_completed or deployment.record.blue
    return None if target is deployment else target


def roll_back(
    service: Service,
    target: Deployment,
    now: float,
    reason: str,
    mechanism: str,
    *,
    asked: bool = False,
) -> None:
    """Make an earlier deployment PRIMARY again, under its own id, unless rollbacks are to fail."""
    deployment = service.primary
    record = deployment.record
    hooks.give_up(record)
    record.rollback = {
        "reason": reason,
        "startedAt": now,
        "serviceRevisionArn": target.revision.arn,
    }
    record.set("ROLLBACK_REQUESTED" if asked else "ROLLBACK_IN_PROGRESS", now, reason)
    record.breaker = "DISABLED" if record.breaker == "MONITORING" else record.breaker
    if service.rollbacks_fail:
        record.doomed = True
        return
    if asked:
        deployment.say("FAILED", reason, now)
    deployment.status, deployment.desired, deployment.failed = "ACTIVE", 0, True
    target.status, target.failed, target.failed_tasks = "PRIMARY", False, 0
    target.desired, target.alarms_watched, target.steady_since = service.desired, False, None
    target.crashes, target.launch_not_before, target.leaving = 0, 0.0, False
    target.say("IN_PROGRESS", f"{mechanism}: rolling back to deploymentId {target.id}.", now)
    others = [known for known in service.deployments if known is not target]
    service.deployments[:] = [target, *others]
    service.last_completed = None
    service.settings["taskDefinition"] = target.revision.task_definition
    service.say(f"rolling back to deployment {target.id}.")
    target.record = record


def go_on_rolling_back(service: Service, now: float) -> bool:
    """Take the next step of a rollback that was asked for; whether there was one to take."""
    deployment = service.primary
    record = deployment.record
    if record.status == "ROLLBACK_REQUESTED":
        record.set("ROLLBACK_IN_PROGRESS", now)
        return True
    if record.doomed and not record.over:
        reason = "The rollback failed, as the sandbox was told."
        deployment.failed = True
        deployment.say("FAILED", reason, now)
        service.say(f"(deployment {deployment.id}) rollback failed.")
        record.set("ROLLBACK_FAILED", now, reason)
        return True
    return False
