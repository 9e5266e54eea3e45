"""The scheduler: starts and stops tasks so that each service comes to what it should be.

Every tick, for each service: tasks take their next step; tasks of the PRIMARY deployment are
started as far as maximumPercent allows; those of older deployments are stopped as far as
minimumHealthyPercent allows; then the rollout is judged. When maximumPercent is full, tasks
that are good for nothing make room first, or a rollback could never begin.
"""

import math
from collections.abc import Callable
from typing import Any

from sandbox.cloud.ecs.model import Deployment, Service, Task
from sandbox.cloud.ecs.rollout import AlarmStates, judge
from sandbox.cloud.ecs.tasks import TaskRunner
from sandbox.cloud.pace import Pace

_SCALING = "Scaling activity initiated by"
_UNHEALTHY = "Task failed ELB health checks in"
_CALM_FAILURES = 10  # so many failures in a row are replaced at once, later ones more slowly
_LONGEST_PAUSE = 8.0

Definitions = Callable[[str], dict[str, Any]]
"""Returns a task definition by its ARN, as RegisterTaskDefinition took it."""


class Scheduler:
    """Moves services on; every call is made under the cloud's lock."""

    def __init__(
        self, runner: TaskRunner, pace: Pace, alarm_states: AlarmStates, definitions: Definitions
    ) -> None:
        self._runner = runner
        self._pace = pace
        self._alarm_states = alarm_states
        self._definitions = definitions

    def tick(self, service: Service, now: float) -> None:
        """Move one service on."""
        for task in list(service.tasks):
            self._advance(service, task, now)
        if service.status != "ACTIVE":
            self._close_down(service, now)
            return
        self._replace_unhealthy(service, now)
        self._make_room(service, now)
        self._start_missing(service, now)
        self._stop_surplus(service, now)
        self._forget_drained(service, now)
        judge(service, now, self._pace, self._alarm_states)

    def _advance(self, service: Service, task: Task, now: float) -> None:
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

    def _close_down(self, service: Service, now: float) -> None:
        for task in service.tasks:
            self._runner.stop(
                task, f"{_SCALING} service deletion", "ServiceSchedulerInitiated", now
            )
        if not service.tasks:
            service.status = "INACTIVE"
            service.deployments.clear()

    def _replace_unhealthy(self, service: Service, now: float) -> None:
        """Stop a task that fails its checks once its replacement is healthy or has no room.

        A task that never was healthy is stopped at once: it serves nobody.
        """
        for task in service.tasks:
            if not task.unhealthy(service.grace, now):
                continue
            healthy = sum(t.healthy for t in service.tasks_of(service.primary))
            replaced = healthy >= service.desired
            coming = self._room(service) > 0 or self._has_starting(service)
            if not task.was_healthy or replaced or not coming:
                self._stop_unhealthy(service, task, now)

    def _stop_unhealthy(self, service: Service, task: Task, now: float) -> None:
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

    @staticmethod
    def _has_starting(service: Service) -> bool:
        return any(
            task.alive and not task.was_healthy for task in service.tasks_of(service.primary)
        )

    @staticmethod
    def _alive(service: Service) -> list[Task]:
        return [task for task in service.tasks if task.alive]

    def _room(self, service: Service) -> int:
        percent = int(service.configuration.get("maximumPercent", 200))
        return math.floor(service.desired * percent / 100) - len(self._alive(service))

    @staticmethod
    def _least(service: Service) -> int:
        percent = int(service.configuration.get("minimumHealthyPercent", 100))
        return math.ceil(service.desired * percent / 100)

    def _missing(self, service: Service, now: float) -> int:
        primary = service.primary
        if primary.failed:
            return 0
        good = [
            task
            for task in service.tasks_of(primary)
            if task.alive and not task.unhealthy(service.grace, now)
        ]
        return service.desired - len(good)

    def _make_room(self, service: Service, now: float) -> None:
        """Stop older deployments' tasks that are not healthy, then healthy ones if need be."""
        missing = self._missing(service, now) - self._room(service)
        if missing <= 0:
            return
        older = [t for t in self._alive(service) if t.deployment is not service.primary]
        useless = [task for task in older if not task.healthy]
        for task in useless[:missing]:
            self._scale_in(service, task, now)
        missing -= len(useless[:missing])
        healthy = sum(task.healthy for task in self._alive(service))
        spare = max(0, healthy - self._least(service))
        for task in [t for t in older if t.healthy][: min(missing, spare)]:
            self._scale_in(service, task, now)

    def _start_missing(self, service: Service, now: float) -> None:
        primary = service.primary
        if now < primary.launch_not_before:
            return
        count = min(self._missing(service, now), self._room(service))
        if count <= 0:
            return
        definition = self._definitions(primary.revision.task_definition)
        started = [self._runner.create(service, primary, definition, now) for _ in range(count)]
        names = " ".join(f"(task {task.arn.rsplit('/', 1)[-1]})" for task in started)
        service.say(f"has started {count} tasks: {names}.")

    def _stop_surplus(self, service: Service, now: float) -> None:
        primary = service.primary
        alive = self._alive(service)
        own = [task for task in alive if task.deployment is primary]
        own.sort(key=lambda task: (task.healthy, task.created), reverse=True)
        for task in own[service.desired :]:
            if not task.unhealthy(service.grace, now):
                self._scale_in(service, task, now)
        healthy = sum(task.healthy for task in own[: service.desired])
        older = [task for task in alive if task.deployment is not primary]
        for task in older:
            if not task.healthy:
                self._scale_in(service, task, now)
        serving = [task for task in older if task.healthy]
        wanted = service.desired if not primary.failed else len(serving)
        surplus = healthy + len(serving) - wanted
        for task in serving[: max(0, surplus)]:
            self._scale_in(service, task, now)

    def _scale_in(self, service: Service, task: Task, now: float) -> None:
        if task.alive:
            identity = task.arn.rsplit("/", 1)[-1]
            reason = f"{_SCALING} (deployment {task.deployment.id})"
            self._runner.stop(task, reason, "ServiceSchedulerInitiated", now)
            service.say(f"has stopped 1 running tasks: (task {identity}).")

    @staticmethod
    def _forget_drained(service: Service, now: float) -> None:
        primary = service.primary
        for deployment in list(service.deployments):
            if deployment is not primary and not service.tasks_of(deployment):
                deployment.status, deployment.updated = "INACTIVE", now
                service.deployments.remove(deployment)
