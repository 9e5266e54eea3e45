"""The scheduler of services that shift traffic: each deployment has all the tasks it is to have.

Neither maximumPercent nor minimumHealthyPercent matters here, for the new tasks stand beside the
old ones; which deployment is to have tasks at all is said by its `desired`, which `shifts` sets.
"""

from sandbox.cloud.ecs.crew import Crew
from sandbox.cloud.ecs.model import Deployment, Service


class SideBySide:
    """Keeps each deployment at its own number of tasks."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def tick(self, service: Service, now: float) -> None:
        """Start and stop what is missing and what is too many."""
        for deployment in list(service.deployments):
            self._replace_unhealthy(service, deployment, now)
            self._start_missing(service, deployment, now)
            self._stop_surplus(service, deployment, now)
            if deployment.leaving and not service.tasks_of(deployment):
                self._crew.forget(service, deployment, now)

    def _replace_unhealthy(self, service: Service, deployment: Deployment, now: float) -> None:
        """Stop a task that fails its checks; one that has served only when it is replaced."""
        tasks = service.tasks_of(deployment)
        replaced = sum(task.healthy for task in tasks) >= deployment.desired
        for task in tasks:
            bad = task.unhealthy(service.grace, now)
            if bad and (not task.was_healthy or replaced or deployment.failed):
                self._crew.stop_unhealthy(service, task, now)

    def _start_missing(self, service: Service, deployment: Deployment, now: float) -> None:
        if deployment.failed:
            return
        good = [
            task
            for task in service.tasks_of(deployment)
            if task.alive and not task.unhealthy(service.grace, now)
        ]
        self._crew.start(service, deployment, deployment.desired - len(good), now)

    def _stop_surplus(self, service: Service, deployment: Deployment, now: float) -> None:
        alive = [task for task in service.tasks_of(deployment) if task.alive]
        alive.sort(key=lambda task: (task.healthy, task.created), reverse=True)
        for task in alive[deployment.desired :]:
            if deployment.desired == 0 or not task.unhealthy(service.grace, now):
                self._crew.scale_in(service, task, now)
