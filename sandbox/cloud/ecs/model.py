"""The nouns of ECS: service, deployment, task, container; the rest is in `service_deployment`."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.cloud.ecs.service_deployment import Revision, ServiceDeployment
from sandbox.cloud.identifiers import Account, deployment_id, deployment_suffix, event_id
from sandbox.cloud.load_balancer.targets import Target
from sandbox.cloud.processes import TaskProcess

RolloutState = Literal["IN_PROGRESS", "COMPLETED", "FAILED"]


@dataclass
class Container:
    """One container of a task, which is one process."""

    name: str
    image: str
    digest: str
    essential: bool
    checked: bool
    environment: dict[str, str]
    process: TaskProcess | None = None
    exit_code: int | None = None
    check: Target | None = None

    @property
    def health(self) -> str:
        """ECS's healthStatus, from the container's own health check."""
        states = {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}
        return states.get(self.check.state, "UNKNOWN") if self.check else "UNKNOWN"


@dataclass
class Task:
    """One task of a service. `status` is ECS's lastStatus."""

    arn: str
    task_definition: str
    deployment: "Deployment"
    containers: list[Container]
    created: float
    status: str = "PROVISIONING"
    wanted: str = "RUNNING"
    targets: list[Target] = field(default_factory=list)
    was_healthy: bool = False
    started: float | None = None
    stopping: float | None = None
    signalled: float | None = None
    stopped: float | None = None
    stop_code: str | None = None
    stop_reason: str | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs or is meant to come to run."""
        return self.wanted == "RUNNING"

    @property
    def running(self) -> bool:
        """Whether it counts as running."""
        return self.alive and self.status == "RUNNING"

    @property
    def checked(self) -> bool:
        """Whether anything tells its health."""
        return bool(self.targets) or any(c.checked for c in self.containers)

    @property
    def healthy(self) -> bool:
        """Whether it is RUNNING and all its health checks pass."""
        return (
            self.running
            and all(target.state == "healthy" for target in self.targets)
            and all(c.health == "HEALTHY" for c in self.containers if c.checked)
        )

    def unhealthy(self, grace: float, now: float) -> bool:
        """Whether a health check says that it is bad, after the grace period of targets."""
        if not self.running or self.started is None:
            return False
        if any(container.health == "UNHEALTHY" for container in self.containers):
            return True
        bad = any(target.state == "unhealthy" for target in self.targets)
        return bad and now >= self.started + grace


@dataclass(eq=False)
class Deployment:
    """One entry of a service's `deployments`."""

    revision: Revision
    record: ServiceDeployment
    created: float
    id: str = field(default_factory=deployment_id)
    status: str = "PRIMARY"
    rollout: RolloutState = "IN_PROGRESS"
    reason: str = ""
    updated: float = 0.0
    desired: int = 0
    failed_tasks: int = 0
    failed: bool = False
    first_running: float | None = None
    steady_since: float | None = None
    alarms_watched: bool = False
    crashes: int = 0
    launch_not_before: float = 0.0
    leaving: bool = False
    production: float | None = None
    test: float | None = None
    """Percentages of the traffic, where a strategy shifts it."""

    def say(self, state: RolloutState, reason: str, now: float) -> None:
        """Set the rollout state with its reason in words."""
        self.rollout, self.reason, self.updated = state, reason, now


@dataclass
class Service:
    """One ECS service with all that belongs to it."""

    account: Account
    cluster: str
    name: str
    desired: int
    settings: dict[str, Any]
    created: float
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    last_completed: Deployment | None = None
    records: list[ServiceDeployment] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    ended: "deque[Task]" = field(default_factory=lambda: deque(maxlen=500))
    events: "deque[dict[str, Any]]" = field(default_factory=lambda: deque(maxlen=100))
    tags: dict[str, str] = field(default_factory=dict)
    rollbacks_fail: bool = False
    """Whether the sandbox was told to let its rollbacks fail."""
    snapshots: "deque[tuple[float, dict[str, Any]]]" = field(default_factory=deque)

    @property
    def arn(self) -> str:
        """The service's ARN."""
        return self.account.ecs_arn("service", self.cluster, self.name)

    @property
    def cluster_arn(self) -> str:
        """Its cluster's ARN."""
        return self.account.ecs_arn("cluster", self.cluster)

    @property
    def primary(self) -> Deployment:
        """The deployment that ECS is to bring about."""
        return self.deployments[0]

    @property
    def configuration(self) -> dict[str, Any]:
        """Its deploymentConfiguration."""
        found: dict[str, Any] = self.settings["deploymentConfiguration"]
        return found

    @property
    def balancers(self) -> list[dict[str, Any]]:
        """Its loadBalancers."""
        found: list[dict[str, Any]] = self.settings.get("loadBalancers") or []
        return found

    @property
    def shifting(self) -> bool:
        """Whether its deployments stand side by side while traffic is shifted between them."""
        record = self.primary.record
        return record.shifts and (not record.over or len(self.deployments) > 1)

    @property
    def grace(self) -> float:
        """Seconds for which unhealthy targets of a new task are ignored."""
        return float(self.settings.get("healthCheckGracePeriodSeconds") or 0)

    def tasks_of(self, deployment: Deployment) -> list[Task]:
        """Return a deployment's tasks that are not STOPPED."""
        return [task for task in self.tasks if task.deployment is deployment]

    def say(self, message: str) -> None:
        """Add an event, newest first."""
        event = {"id": event_id(), "createdAt": time.time()}
        self.events.appendleft({**event, "message": f"(service {self.name}) {message}"})

    def new_arn(self, kind: str) -> str:
        """Return a new ARN of a service-deployment or service-revision."""
        return self.account.ecs_arn(kind, self.cluster, self.name, deployment_suffix())
