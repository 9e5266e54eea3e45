"""The scheduler: starts and stops tasks so that each service comes to what it should be.

Every tick, for each service: tasks take their next step; tasks of the PRIMARY deployment are
started as far as maximumPercent allows; those of older deployments are stopped as far as
minimumHealthyPercent allows; then the rollout is judged. When maximumPercent is full, tasks
that are good for nothing make room first, or a rollback could never begin.
"""

import math

from sandbox.cloud.ecs.crew import Crew
from sandbox.cloud.ecs.model import Service, Task
from sandbox.cloud.ecs.rollout import AlarmStates, judge
from sandbox.cloud.ecs.shifts import Shifts
from sandbox.cloud.ecs.side_by_side import SideBySide
from sandbox.cloud.pace import Pace


class Scheduler:
    """Moves services on; every call is made under the cloud's lock."""

    def __init__(self, crew: Crew, shifts: Shifts, pace: Pace, alarm_states: AlarmStates) -> None:
        self._crew = crew
        self._shifts = shifts
        self._side_by_side = SideBySide(crew)
        self._pace = pace
        self._alarm_states = alarm_states

    def tick(self, service: Service, now: float) -> None:
        """Move one service on."""
        for task in list(service.tasks):
            self._crew.advance(service, task, now)
        if service.status != "ACTIVE":
            self._crew.close_down(service, now)
        elif service.shifting:
            self._shifts.assign(service)
            self._side_by_side.tick(service, now)
            self._shifts.advance(service, now)
        else:
            self._roll(service, now)

    def _roll(self, service: Service, now: float) -> None:
        self._replace_unhealthy(service, now)
        self._make_room(service, now)
        self._start_missing(service, now)
        self._stop_surplus(service, now)
        self._forget_drained(service, now)
        judge(service, now, self._pace, self._alarm_states)

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
                self._crew.stop_unhealthy(service, task, now)

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
        if primary.failed or primary.record.held_before_start:
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
            self._crew.scale_in(service, task, now)
        missing -= len(useless[:missing])
        healthy = sum(task.healthy for task in self._alive(service))
        spare = max(0, healthy - self._least(service))
        for task in [t for t in older if t.healthy][: min(missing, spare)]:
            self._crew.scale_in(service, task, now)

    def _start_missing(self, service: Service, now: float) -> None:
        count = min(self._missing(service, now), self._room(service))
        self._crew.start(service, service.primary, count, now)

    def _stop_surplus(self, service: Service, now: float) -> None:
        primary = service.primary
        alive = self._alive(service)
        own = [task for task in alive if task.deployment is primary]
        own.sort(key=lambda task: (task.healthy, task.created), reverse=True)
        for task in own[service.desired :]:
            if not task.unhealthy(service.grace, now):
                self._crew.scale_in(service, task, now)
        healthy = sum(task.healthy for task in own[: service.desired])
        older = [task for task in alive if task.deployment is not primary]
        for task in older:
            if not task.healthy:
                self._crew.scale_in(service, task, now)
        serving = [task for task in older if task.healthy]
        wanted = service.desired if not primary.failed else len(serving)
        surplus = healthy + len(serving) - wanted
        for task in serving[: max(0, surplus)]:
            self._crew.scale_in(service, task, now)

    def _forget_drained(self, service: Service, now: float) -> None:
        primary = service.primary
        for deployment in list(service.deployments):
            if deployment is not primary and not service.tasks_of(deployment):
                self._crew.forget(service, deployment, now)
