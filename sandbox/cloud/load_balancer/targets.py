"""Target groups with their targets, and what health checks make of them."""

import time
from dataclasses import dataclass, field


@dataclass
class HealthCheck:
    """How a target group checks its targets."""

    path: str = "/"
    codes: str = "200"
    healthy_after: int = 5
    unhealthy_after: int = 2
    timeout: float = 2.0

    def accepts(self, status: int) -> bool:
        """Whether a status matches codes such as `200`, `200,204` or `200-399`."""
        for part in self.codes.split(","):
            low, _, high = part.strip().partition("-")
            if low.isdigit() and int(low) <= status <= int(high or low):
                return True
        return False


@dataclass
class Target:
    """One registered target: a port of a task's process."""

    port: int
    task: str
    service: str
    version: str
    group: str = ""
    host: str = "127.0.0.1"
    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = "Target registration is in progress"
    passes: int = 0
    failures: int = 0
    in_flight: int = 0
    draining_since: float | None = None
    next_probe: float = 0.0

    def note(self, check: HealthCheck, status: int | None) -> None:
        """Take one health check's answer into account; None stands for no answer in time."""
        if self.state == "draining":
            return
        if status is not None and check.accepts(status):
            self.passes, self.failures = self.passes + 1, 0
            if self.state != "unhealthy" or self.passes >= check.healthy_after:
                self._become("healthy", None, None)
            return
        self.passes, self.failures = 0, self.failures + 1
        if self.failures >= check.unhealthy_after:
            if status is None:
                self._become("unhealthy", "Target.Timeout", "Request timed out")
            else:
                self._become(
                    "unhealthy",
                    "Target.ResponseCodeMismatch",
                    f"Health checks failed with these codes: [{status}]",
                )

    def drain(self) -> None:
        """Stop sending it requests; those in flight may finish."""
        if self.draining_since is None:
            self.draining_since = time.time()
            self._become(
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress",
            )

    def drained(self, now: float, least: float, most: float) -> bool:
        """Whether deregistration is over."""
        if self.draining_since is None:
            return True
        waited = now - self.draining_since
        return waited >= most or (waited >= least and self.in_flight == 0)

    def _become(self, state: str, reason: str | None, description: str | None) -> None:
        self.state, self.reason, self.description = state, reason, description


@dataclass
class TargetGroup:
    """A target group: its check, its targets, and whose turn it is."""

    arn: str
    check: HealthCheck = field(default_factory=HealthCheck)
    in_use: bool = False
    targets: tuple[Target, ...] = ()
    service: str = ""
    _turn: int = 0

    def add(self, target: Target) -> None:
        """Register a target."""
        self.targets = (*self.targets, target)

    def remove(self, target: Target) -> None:
        """Forget a target that is drained or gone."""
        self.targets = tuple(known for known in self.targets if known is not target)

    def candidates(self) -> list[Target]:
        """Return the targets that get requests: healthy ones, or else all (fail-open)."""
        open_targets = [target for target in self.targets if target.state != "draining"]
        return [t for t in open_targets if t.state == "healthy"] or open_targets

    def pick(self) -> Target | None:
        """Return the next target that gets requests."""
        candidates = self.candidates()
        if not candidates:
            return None
        self._turn += 1
        return candidates[self._turn % len(candidates)]

    def count(self, state: str) -> int:
        """Return how many targets are in a state."""
        return sum(target.state == state for target in self.targets)
