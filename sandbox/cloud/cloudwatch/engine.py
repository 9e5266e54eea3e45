"""The metric engine: one account's CloudWatch in one region, answering inside moto."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from sandbox.cloud.cloudwatch import moto_patches
from sandbox.cloud.cloudwatch.errors import CloudWatchError
from sandbox.cloud.cloudwatch.metric_api import MetricApi
from sandbox.cloud.cloudwatch.series import MetricKey, MetricStore, StatisticSet


class MetricEngine:
    """Stores metrics and keeps alarms; `tick` is what makes alarms move."""

    def __init__(
        self, account_id: str, region: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._lock = threading.RLock()
        self._store = MetricStore()
        self._metrics = MetricApi(self._store, clock)

    @classmethod
    def install(cls, account_id: str, region: str) -> Self:
        """A new, empty engine that answers moto's CloudWatch for this account and region."""
        engine = cls(account_id, region)
        moto_patches.register(account_id, region, engine)
        return engine

    @property
    def publish_delay(self) -> float:
        """Seconds after its time at which a point becomes readable, for alarms too."""
        return self._metrics.publish_delay

    @publish_delay.setter
    def publish_delay(self, delay: float) -> None:
        self._metrics.publish_delay = delay

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: dict[str, str],
        unit: str,
        timestamp: float,
        *,
        values: Sequence[float] | None = None,
        statistic_set: StatisticSet | None = None,
    ) -> None:
        """Add single values or a (count, sum, min, max), at a resolution of one second."""
        key = MetricKey.of(namespace, name, dimensions)
        weighted = [(float(value), 1.0) for value in values or ()]
        with self._lock:
            self._store.put(key, unit, timestamp, values=weighted, statistic_set=statistic_set)

    def answer(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a call by its name in snake case."""
        with self._lock:
            handler = getattr(self._metrics, action, None)
            if handler is None:
                raise CloudWatchError("InvalidAction", f"Could not find operation {action}.")
            result: dict[str, Any] = handler(params)
            return result

    def tick(self, now: float) -> None:
        """Evaluate every alarm that is due at this time."""

    def alarm_states(self, names: Sequence[str]) -> dict[str, str]:
        """The state of each named alarm that exists, metric and composite."""
        return {}
