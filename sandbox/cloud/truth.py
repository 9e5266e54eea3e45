"""What is really so: processes, versions and what they served, not what an API would say."""

from typing import Any

from sandbox.cloud.ecs.describe import describe_service
from sandbox.cloud.ecs.model import Service, Task
from sandbox.cloud.ecs.tasks import TaskRunner
from sandbox.cloud.load_balancer.front import Front


def tell(service: Service, front: Front) -> dict[str, Any]:
    """Return everything about a service, as JSON."""
    deployments = describe_service(service)["deployments"]
    for deployment in deployments:
        for name in ("createdAt", "updatedAt"):
            deployment[name] = deployment[name].timestamp()
    return {
        "service": service.arn,
        "status": service.status,
        "desiredCount": service.desired,
        "taskDefinition": service.settings["taskDefinition"],
        "versions": sorted({_version(task) for task in service.tasks if task.running}),
        "images": sorted({task.containers[0].image for task in service.tasks if task.running}),
        "steady": _is_steady(service),
        "tasks": [_task(task) for task in service.tasks],
        "stopped": [_task(task) for task in service.ended],
        "deployments": deployments,
        "events": [event["message"] for event in service.events],
        "production": _production(service, front),
        "timeline": front.timeline.of(service.arn),
    }


def _production(service: Service, front: Front) -> list[dict[str, Any]]:
    """Return what share of the production traffic each revision gets, in percent.

    That is what the load balancer does with the next requests: by the weights of its rule and by
    the targets that are healthy now. Without a load balancer all running tasks get the same.
    """
    shares = _shares(service, front)
    found = []
    for deployment in service.deployments:
        tasks = service.tasks_of(deployment)
        found.append(
            {
                "deployment": deployment.id,
                "revision": deployment.revision.arn,
                "taskDefinition": deployment.revision.task_definition,
                "versions": sorted({_version(task) for task in tasks}),
                "targetGroups": [deployment.revision.group_of(b) for b in service.balancers],
                "weight": round(100 * sum(shares.get(task.arn, 0.0) for task in tasks), 1),
            }
        )
    return found


def _shares(service: Service, front: Front) -> dict[str, float]:
    if not service.balancers:
        running = [task.arn for task in service.tasks if task.running]
        return {arn: 1 / len(running) for arn in running}
    balancer = service.balancers[0]
    advanced = balancer.get("advancedConfiguration") or {}
    rule = front.rule_for(advanced.get("productionListenerRule"), balancer["targetGroupArn"])
    return {} if rule is None else rule.shares()


def _is_steady(service: Service) -> bool:
    return (
        len(service.deployments) == 1
        and service.primary.rollout == "COMPLETED"
        and len(service.tasks) == service.desired
        and all(task.healthy for task in service.tasks)
    )


def _version(task: Task) -> str:
    return task.containers[0].environment["SANDBOX_TAG"]


def _task(task: Task) -> dict[str, Any]:
    processes = [c.process for c in task.containers if c.process is not None]
    return {
        "arn": task.arn,
        "status": task.status,
        "deployment": task.deployment.id,
        "taskDefinition": task.task_definition,
        "image": task.containers[0].image,
        "digest": task.containers[0].digest,
        "version": _version(task),
        "healthy": task.healthy,
        "pids": [process.pid for process in processes],
        "ports": [process.port for process in processes],
        "createdAt": task.created,
        "startedAt": task.started,
        "stoppedAt": task.stopped,
        "stoppedReason": task.stop_reason,
        "exitCodes": [container.exit_code for container in task.containers],
        "log": TaskRunner.log_lines(task),
    }
