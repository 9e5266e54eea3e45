"""The nouns of ECS's history: service revision, service deployment, and the run of a hook."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.cloud.ecs.model import Deployment

TERMINAL = {"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}


@dataclass
class Revision:
    """A service revision: what a deployment wants to run."""

    arn: str
    task_definition: str
    images: list[dict[str, str]]
    created: float
    alternate: bool = False
    """Whether its tasks are in the alternate target groups."""

    def group_of(self, balancer: dict[str, Any]) -> str:
        """Return the ARN of the target group for its tasks, of one entry of `loadBalancers`."""
        advanced = balancer.get("advancedConfiguration") or {}
        other = advanced.get("alternateTargetGroupArn") if self.alternate else None
        return str(other or balancer["targetGroupArn"])

    def digest_of(self, container: str) -> str | None:
        """Return the digest that a container's image had when the revision was made."""
        found = [i["imageDigest"] for i in self.images if i["containerName"] == container]
        return found[0] if found else None


@dataclass
class Hook:
    """One run of a lifecycle hook: what a deployment waits for at a stage."""

    id: str
    stage: str
    kind: str
    status: str
    target: str | None = None
    expires: float | None = None
    action: str | None = None


@dataclass(eq=False)
class ServiceDeployment:
    """ECS's record of one request to deploy, which outlives the deployment itself."""

    arn: str
    source: list[Revision]
    target: Revision
    created: float
    status: str = "PENDING"
    reason: str | None = None
    started: float | None = None
    finished: float | None = None
    stopped: float | None = None
    updated: float = 0.0
    rollback: dict[str, Any] | None = None
    failures: int = 0
    threshold: int = 0
    breaker: str = "DISABLED"
    alarms: str = "DISABLED"
    alarm_names: list[str] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)
    configuration: dict[str, Any] = field(default_factory=dict)
    stage: str = "SCALE_UP"
    stage_since: float = 0.0
    stage_begun: bool = False
    hooks: list[Hook] = field(default_factory=list)
    blue: "Deployment | None" = None
    doomed: bool = False
    """Whether its rollback, which was asked for, is going to fail."""

    def set(self, status: str, now: float, reason: str | None = None) -> None:
        """Change the status and the time stamps that go with it."""
        self.status, self.updated = status, now
        self.reason = reason or self.reason
        if status == "IN_PROGRESS":
            self.started = now
        if status in TERMINAL:
            self.finished = now
            if status == "STOPPED":
                self.stopped = now

    @property
    def over(self) -> bool:
        """Whether it reached its end."""
        return self.status in TERMINAL

    @property
    def shifts(self) -> bool:
        """Whether it runs new tasks beside the old ones and shifts traffic to them."""
        return bool(self.configuration.get("strategy", "ROLLING") != "ROLLING")

    @property
    def held(self) -> bool:
        """Whether a lifecycle hook holds it."""
        return any(hook.status == "AWAITING_ACTION" for hook in self.hooks)

    @property
    def held_before_start(self) -> bool:
        """Whether a lifecycle hook holds it before any of its tasks is started."""
        return self.held and self.stage == "PRE_SCALE_UP"
