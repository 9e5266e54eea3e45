"""What both schedulers do with tasks: start, replace, stop, and count what fails."""

from collections.abc import Callable
from typing import Any

from sandbox.cloud.ecs.model import Deployment, Service, Task
from sandbox.cloud.ecs.tasks import TaskRunner

SCALING = "Scaling activity initiated by"
_UNHEALTHY = "Task failed ELB health checks in"
_CALM_FAILURES = 10  # so many failures in a row are replaced at once, later ones more slowly
_LONGEST_PAUSE = 8.0

Definitions = Callable[[str], dict[str, Any]]
"""Returns a task definition by its ARN, as RegisterTaskDefinition took it."""


class Crew:
    """Starts and stops the tasks of a service; every call is made under the cloud's lock."""

    def __init__(self, runner: TaskRunner, definitions: Definitions) -> None:
        self._runner = runner
        self._definitions = definitions

    def advance(self, service: Service, task: Task, now: float) -> None:
        """Let a task take its next step, and take note when it becomes healthy or ends."""
        was_alive = task.alive
        self._runner.advance(service, task, now)
        deployment = task.deployment
        if task.healthy and not task.was_healthy:
            task.was_healthy = True
            if deployment.rollout == "IN_PROGRESS":
                deployment.failed_tasks = 0
        if was_alive and not task.alive:
            self._count_failure(service, task, now)

    def _count_failure(self, service: Service, task: Task, now: float) -> None:
        """Count a task that ended by itself, and let the next one wait a little."""
        deployment = task.deployment
        if task.was_healthy:
            self._pause(deployment, now)
            return
        self._note_failed(service, deployment)
        over = deployment.failed_tasks - _CALM_FAILURES
        if over > 0:
            deployment.launch_not_before = now + min(_LONGEST_PAUSE, 0.5 * over)

    @staticmethod
    def _pause(deployment: Deployment, now: float) -> None:
        """Replace the first failed task at once, later ones after a growing pause."""
        deployment.crashes += 1
        if deployment.crashes > 1:
            pause = min(_LONGEST_PAUSE, 2.0 ** (deployment.crashes - 2))
            deployment.launch_not_before = max(deployment.launch_not_before, now + pause)

    @staticmethod
    def _note_failed(service: Service, deployment: Deployment) -> None:
        if deployment.rollout == "IN_PROGRESS":
            deployment.failed_tasks += 1
        if deployment.failed_tasks == _CALM_FAILURES:
            service.say("is unable to consistently start tasks successfully.")

    def start(self, service: Service, deployment: Deployment, count: int, now: float) -> None:
        """Start tasks of a deployment, unless it has to wait after failures."""
        if count <= 0 or now < deployment.launch_not_before:
            return
        definition = self._definitions(deployment.revision.task_definition)
        started = [self._runner.create(service, deployment, definition, now) for _ in range(count)]
        names = " ".join(f"(task {task.arn.rsplit('/', 1)[-1]})" for task in started)
        service.say(f"has started {count} tasks: {names}.")

    def stop_unhealthy(self, service: Service, task: Task, now: float) -> None:
        """Stop a task that fails its health checks."""
        where = ", ".join(
            f"(port {t.port}) is unhealthy due to (reason {t.description})" for t in task.targets
        )
        service.say(where or f"(task {task.arn}) failed container health checks.")
        if task.deployment.rollout == "IN_PROGRESS" and task.deployment is service.primary:
            self._note_failed(service, task.deployment)
        else:
            self._pause(task.deployment, now)
        reason = (
            f"{_UNHEALTHY} (service {service.name})"
            if task.targets
            else ("Task failed container health checks")
        )
        self._runner.stop(task, reason, "ServiceSchedulerInitiated", now)

    def scale_in(self, service: Service, task: Task, now: float) -> None:
        """Stop a task that is not wanted any more."""
        if task.alive:
            identity = task.arn.rsplit("/", 1)[-1]
            reason = f"{SCALING} (deployment {task.deployment.id})"
            self._runner.stop(task, reason, "ServiceSchedulerInitiated", now)
            service.say(f"has stopped 1 running tasks: (task {identity}).")

    def close_down(self, service: Service, now: float) -> None:
        """Stop the tasks of a deleted service; without tasks it is INACTIVE."""
        for task in service.tasks:
            self._runner.stop(task, f"{SCALING} service deletion", "ServiceSchedulerInitiated", now)
        if not service.tasks:
            service.status = "INACTIVE"
            service.deployments.clear()

    @staticmethod
    def forget(service: Service, deployment: Deployment, now: float) -> None:
        """Take a deployment whose tasks are gone out of the service's list."""
        deployment.status, deployment.updated = "INACTIVE", now
        service.deployments.remove(deployment)
