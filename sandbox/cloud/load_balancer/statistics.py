"""What the load balancers count, second by second, and the metrics they make of it."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sandbox.cloud.identifiers import load_balancer_dimension, target_group_dimension
from sandbox.cloud.load_balancer.targets import TargetGroup

NAMESPACE = "AWS/ApplicationELB"


@dataclass
class Second:
    """The counts of one load balancer and target group in one second."""

    requests: int = 0
    target: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    own: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    connection_errors: int = 0
    times: list[float] = field(default_factory=list)


class Statistics:
    """Counts requests; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[tuple[int, str, str | None], Second] = {}

    def target_answered(
        self, now: float, balancer: str, group: str, status: int, seconds: float
    ) -> None:
        """Count an answer that came from a target."""
        with self._lock:
            second = self._second(now, balancer, group)
            second.requests += 1
            second.target[f"{status // 100}XX"] += 1
            second.times.append(seconds)

    def balancer_answered(
        self,
        now: float,
        balancer: str,
        group: str | None,
        status: int,
        *,
        chose: bool,
        connected: bool,
    ) -> None:
        """Count an answer of the load balancer's own, and how far it had come by then."""
        with self._lock:
            second = self._second(now, balancer, group)
            second.requests += int(chose)
            second.own[f"{status // 100}XX"] += 1
            second.own[str(status)] += 1
            second.connection_errors += int(not connected)

    def take(self, before: int) -> list[tuple[int, str, str | None, Second]]:
        """Hand over all seconds that are over."""
        with self._lock:
            done = sorted((key for key in self._seconds if key[0] < before), key=lambda key: key[0])
            return [(*key, self._seconds.pop(key)) for key in done]

    def _second(self, now: float, balancer: str, group: str | None) -> Second:
        return self._seconds.setdefault((int(now), balancer, group), Second())


Put = Callable[[str, dict[str, str], str, float, list[float]], None]
"""Takes name, dimensions, unit, time stamp and values of one metric."""


def publish(put: Put, finished: Iterable[tuple[int, str, str | None, Second]]) -> None:
    """Publish finished seconds as ALB does: nothing when there is nothing."""
    for second, balancer, group, counts in finished:
        base = {"LoadBalancer": load_balancer_dimension(balancer)}
        both = [base]
        if group is not None:
            both.append({"TargetGroup": target_group_dimension(group), **base})
        for dimensions in both:
            _publish_targets(put, dimensions, float(second), counts)
        for code, count in counts.own.items():
            name = f"HTTPCode_ELB_{code}_Count"
            put(name, base, "Count", float(second), [1.0] * count)


def _publish_targets(put: Put, dimensions: dict[str, str], second: float, counts: Second) -> None:
    if counts.requests:
        put("RequestCount", dimensions, "Count", second, [1.0] * counts.requests)
    for family, count in counts.target.items():
        put(f"HTTPCode_Target_{family}_Count", dimensions, "Count", second, [1.0] * count)
    if counts.connection_errors:
        errors = [1.0] * counts.connection_errors
        put("TargetConnectionErrorCount", dimensions, "Count", second, errors)
    if counts.times:
        put("TargetResponseTime", dimensions, "Seconds", second, counts.times)


def publish_hosts(put: Put, second: int, balancer: str, group: TargetGroup) -> None:
    """Publish how many targets are healthy and unhealthy, when there are any."""
    if not group.targets:
        return
    dimensions = {
        "TargetGroup": target_group_dimension(group.arn),
        "LoadBalancer": load_balancer_dimension(balancer),
    }
    put("HealthyHostCount", dimensions, "Count", float(second), [float(group.count("healthy"))])
    put("UnHealthyHostCount", dimensions, "Count", float(second), [float(group.count("unhealthy"))])


class Timeline:
    """Who served what: per service and second, requests and errors by version."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: dict[str, dict[int, dict[str, list[int]]]] = {}

    def note(self, service: str, now: float, version: str, *, failed: bool) -> None:
        """Count one answer; `version` is empty when no task gave it."""
        with self._lock:
            seconds = self._services.setdefault(service, {})
            counts = seconds.setdefault(int(now), {}).setdefault(version, [0, 0])
            counts[0] += 1
            counts[1] += int(failed)
            while len(seconds) > 3600:
                seconds.pop(next(iter(seconds)))

    def of(self, service: str) -> list[dict[str, object]]:
        """Return the seconds of a service in order."""
        with self._lock:
            return [
                {
                    "second": second,
                    "versions": {
                        version: {"requests": requests, "errors": errors}
                        for version, (requests, errors) in versions.items()
                    },
                }
                for second, versions in sorted(self._services.get(service, {}).items())
            ]
