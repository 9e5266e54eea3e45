"""ListTasks, DescribeTasks, StopTask."""

import time

from sandbox.cloud.ecs.describe import describe_task
from sandbox.cloud.ecs.model import Service, Task
from sandbox.cloud.ecs.registry import Registry, Shape
from sandbox.cloud.ecs.services import Effect, page
from sandbox.cloud.ecs.tasks import TaskRunner
from sandbox.cloud.errors import invalid_parameter, service_not_found
from sandbox.cloud.identifiers import name_of


class Tasks:
    """The operations on tasks that belong to services."""

    def __init__(self, registry: Registry, runner: TaskRunner, effect: Effect) -> None:
        self._registry = registry
        self._runner = runner
        self._effect = effect

    def list(self, p: Shape) -> Shape:
        """ListTasks."""
        cluster = self._registry.cluster(p.get("cluster"))
        services = [s for s in self._registry.all() if s.cluster == cluster]
        if p.get("serviceName"):
            service = self._registry.find(cluster, p["serviceName"])
            if service is None:
                raise service_not_found()
            services = [service]
        wanted = p.get("desiredStatus") or "RUNNING"
        arns = [
            task.arn
            for service in services
            for task in [*service.tasks, *service.ended]
            if task.wanted == wanted and self._matches(task, p)
        ]
        return page(arns, "taskArns", p, limit=100)

    @staticmethod
    def _matches(task: Task, p: Shape) -> bool:
        if p.get("startedBy") and task.deployment.id != p["startedBy"]:
            return False
        family = name_of(task.task_definition).rpartition(":")[0]
        return not p.get("family") or family == p["family"]

    def describe(self, p: Shape) -> Shape:
        """DescribeTasks."""
        self._registry.cluster(p.get("cluster"))
        shapes: list[Shape] = []
        failures: list[Shape] = []
        for reference in p.get("tasks") or []:
            found = self._registry.find_task(reference)
            if found is None:
                failures.append({"arn": reference, "reason": "MISSING"})
            else:
                shapes.append(self._shape(*found))
        return {"tasks": shapes, "failures": failures}

    def stop(self, p: Shape) -> Shape:
        """StopTask; the scheduler then starts another one."""
        self._registry.cluster(p.get("cluster"))
        found = self._registry.find_task(p["task"])
        if found is None:
            raise invalid_parameter("The referenced task was not found.")
        service, task = found
        reason = p.get("reason") or "Task stopped by user"
        self._runner.stop(task, reason, "UserInitiated", time.time())
        self._effect(f"stopped {name_of(task.arn)}")
        return {"task": self._shape(service, task)}

    def _shape(self, service: Service, task: Task) -> Shape:
        definition = self._registry.catalogue.task_definition(task.task_definition) or {}
        return describe_task(service, task, definition)
