"""What is really so: processes, versions and what they served, not what an API would say."""

from typing import Any

from sandbox.cloud.ecs.describe import describe_service
from sandbox.cloud.ecs.model import Service, Task
from sandbox.cloud.ecs.tasks import TaskRunner
from sandbox.cloud.load_balancer.statistics import Timeline


def tell(service: Service, timeline: Timeline) -> dict[str, Any]:
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
        "timeline": timeline.of(service.arn),
    }


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
