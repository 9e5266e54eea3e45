"""The life of a task: PROVISIONING, PENDING, RUNNING, DEACTIVATING, STOPPING, STOPPED."""

import json
import os
import signal
from typing import Any

from sandbox.cloud.ecs.model import Container, Deployment, Service, Task
from sandbox.cloud.identifiers import name_of, task_id
from sandbox.cloud.images import Digests
from sandbox.cloud.load_balancer.front import Front
from sandbox.cloud.load_balancer.targets import HealthCheck, Target
from sandbox.cloud.pace import Pace
from sandbox.cloud.processes import Reader, TaskProcess

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")

_CONTAINER_CHECK = HealthCheck(path="/health", healthy_after=1, unhealthy_after=3)
"""Stands for a container's healthCheck, whatever its command."""


class TaskRunner:
    """Moves tasks through their life; every call is made under the cloud's lock."""

    def __init__(self, front: Front, reader: Reader, digests: Digests, pace: Pace) -> None:
        self._front = front
        self._reader = reader
        self._digests = digests
        self._pace = pace

    def create(
        self, service: Service, deployment: Deployment, definition: dict[str, Any], now: float
    ) -> Task:
        """Create a task; its processes start a little later."""
        identity = task_id()
        containers = [
            self._container(service, deployment, identity, container)
            for container in definition["containerDefinitions"]
        ]
        task = Task(
            arn=service.account.ecs_arn("task", service.cluster, identity),
            task_definition=deployment.revision.task_definition,
            deployment=deployment,
            containers=containers,
            created=now,
        )
        service.tasks.append(task)
        return task

    def _container(
        self, service: Service, deployment: Deployment, identity: str, definition: dict[str, Any]
    ) -> Container:
        image, name = definition["image"], definition["name"]
        digest = self._digests.digest_of(image)
        if definition.get("versionConsistency") != "disabled":
            digest = deployment.revision.digest_of(name) or digest
        pinned = self._digests.pin(image, digest)
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= {
            "SANDBOX_TAG": self._digests.tag_of(pinned),
            "SANDBOX_SERVICE": service.name,
            "SANDBOX_TASK": identity,
            "SANDBOX_HEALTH_PATH": self._health_path(service, deployment, name),
        }
        if deployment.first_running is not None:
            environment["SANDBOX_SINCE"] = str(deployment.first_running)
        for variable in definition.get("environment") or []:
            environment[variable["name"]] = variable.get("value", "")
        return Container(
            name=name,
            image=image,
            digest=digest,
            essential=bool(definition.get("essential", True)),
            checked=bool(definition.get("healthCheck")),
            environment=environment,
        )

    def _health_path(self, service: Service, deployment: Deployment, container: str) -> str:
        for balancer in service.balancers:
            if balancer.get("containerName") == container and balancer.get("targetGroupArn"):
                return self._front.group(deployment.revision.group_of(balancer)).check.path
        return "/health"

    def advance(self, service: Service, task: Task, now: float) -> None:
        """Take the next step, if it is time for it."""
        if task.status == "PROVISIONING":
            self._start(task, now)
        elif task.status == "PENDING" and task.wanted == "RUNNING":
            self._come_up(service, task, now)
        elif task.status == "RUNNING" and task.wanted == "RUNNING":
            self._exited(task, now)
        if task.wanted == "STOPPED":
            self._go_down(service, task, now)

    def _start(self, task: Task, now: float) -> None:
        for container in task.containers:
            pinned = self._digests.pin(container.image, container.digest)
            if self._digests.find(pinned) is None:
                reason = (
                    "CannotPullContainerError: pull image manifest has been retried 1 time(s):"
                    f" failed to resolve ref {pinned}: not found"
                )
                self.stop(task, reason, "TaskFailedToStart", now)
                return
        for container in task.containers:
            container.process = TaskProcess(container.environment)
            self._reader.add(container.process)
        task.status = "PENDING"

    def _come_up(self, service: Service, task: Task, now: float) -> None:
        if self._exited(task, now):
            return
        up = all(container.process and container.process.port for container in task.containers)
        if up and now >= task.created + self._pace.start:
            task.status, task.started = "RUNNING", now
            if task.deployment.first_running is None:
                task.deployment.first_running = now
            self._register(service, task)
            self._check_containers(service, task)

    def _check_containers(self, service: Service, task: Task) -> None:
        group = self._front.group(f"containers of {service.arn}")
        group.check = _CONTAINER_CHECK
        for container in task.containers:
            if container.checked and container.process and container.process.port:
                container.check = Target(container.process.port, task.arn, service.arn, "")
                group.add(container.check)

    def _register(self, service: Service, task: Task) -> None:
        for balancer in service.balancers:
            container = next(
                (c for c in task.containers if c.name == balancer.get("containerName")), None
            )
            if container is None or container.process is None or container.process.port is None:
                continue
            group = self._front.group(task.deployment.revision.group_of(balancer))
            group.service = service.arn
            target = Target(
                port=container.process.port,
                task=task.arn,
                service=service.arn,
                version=container.environment["SANDBOX_TAG"],
                group=group.arn,
            )
            group.add(target)
            task.targets.append(target)

    def _exited(self, task: Task, now: float) -> bool:
        for container in task.containers:
            code = container.process.exit_code() if container.process else None
            if code is not None:
                container.exit_code = code
                if container.essential:
                    reason = "Essential container in task exited"
                    self.stop(task, reason, "EssentialContainerExited", now)
                    return True
        return False

    def stop(self, task: Task, reason: str, code: str, now: float) -> None:
        """Begin to stop a task: no new requests first, then SIGTERM."""
        if task.wanted == "STOPPED":
            return
        task.wanted, task.stopping = "STOPPED", now
        task.stop_reason, task.stop_code = reason, code
        for target in task.targets:
            target.drain()
        task.status = "DEACTIVATING" if task.targets else "STOPPING"

    def _go_down(self, service: Service, task: Task, now: float) -> None:
        least = 0.0 if task.stop_code == "EssentialContainerExited" else self._pace.drain
        if task.status == "DEACTIVATING":
            if not all(t.drained(now, least, self._pace.drain_limit) for t in task.targets):
                return
            for target in task.targets:
                self._front.group(target.group).remove(target)
            task.status = "STOPPING"
        if task.signalled is None:
            task.signalled = now
            self._signal(task, signal.SIGTERM)
        elif now >= task.signalled + self._pace.stop:
            self._signal(task, signal.SIGKILL)
        if all(c.process is None or c.process.exit_code() is not None for c in task.containers):
            self._bury(service, task, now)

    def _signal(self, task: Task, number: int) -> None:
        for container in task.containers:
            if container.process is not None:
                container.process.signal(number)

    def _bury(self, service: Service, task: Task, now: float) -> None:
        for container in task.containers:
            if container.process is not None:
                self._reader.remove(container.process)
                container.exit_code = container.process.exit_code()
                container.process.close()
        checks = self._front.group(f"containers of {service.arn}")
        for container in task.containers:
            if container.check is not None:
                checks.remove(container.check)
        task.status, task.stopped = "STOPPED", now
        service.tasks.remove(task)
        service.ended.appendleft(task)

    def kill(self, task: Task, number: int = signal.SIGKILL) -> None:
        """Send a signal to a task's processes, as a crash would."""
        self._signal(task, number)

    def discard(self, service: Service) -> None:
        """End all processes of a service at once; the sandbox is ending."""
        for task in service.tasks:
            for container in task.containers:
                if container.process is not None:
                    self._reader.remove(container.process)
                    container.process.close()

    @staticmethod
    def log_lines(task: Task) -> list[str]:
        """Return the last lines that a task's containers wrote, metrics aside."""
        return [
            json.dumps({"container": name_of(container.name), "line": line})
            for container in task.containers
            if container.process is not None
            for line in list(container.process.lines)
        ]
