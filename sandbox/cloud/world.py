"""The whole cloud: one lock, one clock, and everything that hangs on them."""

import logging
import threading
import time
import traceback
from collections import deque
from typing import Any

from sandbox.cloud import moto_seams
from sandbox.cloud.app_metrics import put_embedded
from sandbox.cloud.cloudwatch import MetricEngine
from sandbox.cloud.ecs.crew import Crew
from sandbox.cloud.ecs.describe import describe_service
from sandbox.cloud.ecs.model import Service
from sandbox.cloud.ecs.registry import Registry
from sandbox.cloud.ecs.rollouts import Rollouts
from sandbox.cloud.ecs.scheduler import Scheduler
from sandbox.cloud.ecs.services import Services
from sandbox.cloud.ecs.shifts import Shifts
from sandbox.cloud.ecs.task_operations import Tasks
from sandbox.cloud.ecs.tasks import TaskRunner
from sandbox.cloud.ecs.traffic_shares import Shares
from sandbox.cloud.faults import Faults
from sandbox.cloud.identifiers import Account
from sandbox.cloud.images import Digests
from sandbox.cloud.journal import Journal
from sandbox.cloud.load_balancer.front import Front
from sandbox.cloud.load_balancer.rules import Weights
from sandbox.cloud.load_balancer.statistics import NAMESPACE, publish, publish_hosts
from sandbox.cloud.load_balancer.traffic import Rates
from sandbox.cloud.pace import Pace
from sandbox.cloud.processes import Reader

log = logging.getLogger("sandbox")


class World:
    """Everything the sandbox is, but the HTTP server in front of it."""

    def __init__(self, account: Account, traffic: float, pace: Pace) -> None:
        self.account = account
        self.pace = pace
        self.lock = threading.RLock()
        self.faults = Faults()
        self.journal = Journal()
        self.troubles: deque[str] = deque(maxlen=100)
        """What went wrong in the sandbox itself, which should be nothing."""
        self.moto = moto_seams.Moto(account)
        self.metrics = MetricEngine.install(account.id, account.region)
        self.front = Front(Rates(traffic), pace.probe)
        self.digests = Digests()
        self._reader = Reader()
        self.runner = TaskRunner(self.front, self._reader, self.digests, pace)
        alarm_states = self.metrics.alarm_states
        self._shifts = Shifts(pace, alarm_states, Shares(self._weigh))
        self.registry = Registry(account, self.moto, self.digests, alarm_states, self._shifts)
        crew = Crew(self.runner, self._definition)
        self._scheduler = Scheduler(crew, self._shifts, pace, alarm_states)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._published = int(time.time())
        self._install()

    def _definition(self, arn: str) -> dict[str, Any]:
        found = self.moto.task_definition(arn)
        if found is None:
            raise LookupError(arn)
        return found

    def _install(self) -> None:
        services = Services(self.registry, self.journal.effect, self._staleness)
        rollouts = Rollouts(self.registry, self._shifts, self.journal.effect)
        tasks = Tasks(self.registry, self.runner, self.journal.effect)
        operations: dict[str, moto_seams.Operation] = {
            "create_service": services.create,
            "update_service": services.update,
            "delete_service": services.delete,
            "describe_services": services.describe,
            "list_services": services.list,
            "list_service_deployments": rollouts.list,
            "describe_service_deployments": rollouts.describe,
            "describe_service_revisions": rollouts.revisions,
            "stop_service_deployment": rollouts.stop,
            "continue_service_deployment": rollouts.go_on,
            "list_tasks": tasks.list,
            "describe_tasks": tasks.describe,
            "stop_task": tasks.stop,
        }
        moto_seams.install_ecs(operations, services)
        moto_seams.install_ecr(self.digests, self.account)
        moto_seams.install_ses()
        moto_seams.install_elb(self.sync, self.front.groups.get)

    def _staleness(self) -> float:
        fault = self.faults.take("stale", "DescribeServices")
        return fault.seconds if fault else 0.0

    def start(self) -> None:
        """Start all threads."""
        self._reader.start()
        self.front.start()
        self._thread.start()

    def stop(self) -> None:
        """End all tasks and threads."""
        self._stopping.set()
        self._thread.join(timeout=3)
        with self.lock:
            for service in self.registry.all():
                self.runner.discard(service)
        self.front.stop()
        self._reader.stop()

    def sync(self) -> None:
        """Let the data plane follow the control plane."""
        listeners = self.moto.listeners(self.registry.test_rules())
        self.moto.set_ports(self.front.sync(listeners, self.moto.groups()))

    def _weigh(self, rule: str, weights: Weights) -> None:
        self.moto.weigh(rule, weights)
        self.sync()

    def _run(self) -> None:
        turn = 0
        while not self._stopping.wait(self.pace.tick):
            turn += 1
            try:
                with self.lock:
                    self._tick(turn)
            except Exception:  # one service's trouble must not stop the world
                log.exception("a scheduler tick failed")
                self.troubles.append(traceback.format_exc())

    def _tick(self, turn: int) -> None:
        now = time.time()
        self._take_metrics()
        self._publish(int(now))
        for service in self.registry.all():
            if service.status != "INACTIVE":
                self._scheduler.tick(service, now)
                self._remember(service, now)
            self._route(service)
        if turn % 10 == 0:
            self.sync()
        if turn % 3 == 0:
            self.metrics.tick(now)

    def _take_metrics(self) -> None:
        for service in self.registry.all():
            for task in [*service.tasks, *list(service.ended)[:20]]:
                for container in task.containers:
                    while container.process is not None and container.process.metrics:
                        put_embedded(self.metrics, container.process.metrics.popleft())

    def _publish(self, second: int) -> None:
        if second <= self._published:
            return
        self._published = second

        def put(
            name: str, dimensions: dict[str, str], unit: str, at: float, values: list[float]
        ) -> None:
            self.metrics.put(NAMESPACE, name, dimensions, unit, at, values=values)

        publish(put, self.front.statistics.take(second))
        for group in list(self.front.groups.values()):
            balancer = self.front.balancer_of(group)
            if balancer is not None:
                publish_hosts(put, second - 1, balancer, group)

    def _remember(self, service: Service, now: float) -> None:
        shape = describe_service(service)
        if not service.snapshots or service.snapshots[-1][1] != shape:
            service.snapshots.append((now, shape))
        while len(service.snapshots) > 1 and service.snapshots[1][0] < now - self.pace.history:
            service.snapshots.popleft()

    def _route(self, service: Service) -> None:
        """Send traffic straight to the tasks of a service without load balancer."""
        if service.settings.get("loadBalancers"):
            return
        if service.status == "INACTIVE":
            self.front.forget_direct(service.arn)
            return
        tasks = tuple(
            (container.process.port, container.environment["SANDBOX_TAG"])
            for task in service.tasks
            if task.running
            for container in task.containers[:1]
            if container.process is not None and container.process.port is not None
        )
        self.front.send_direct(service.arn, service.name, tasks)
