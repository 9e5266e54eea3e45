"""The metric engine: one account's CloudWatch in one region, answering inside moto."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from sandbox.cloud.cloudwatch import alarm_clock, moto_patches
from sandbox.cloud.cloudwatch.alarm import Alarm
from sandbox.cloud.cloudwatch.alarm_api import AlarmApi
from sandbox.cloud.cloudwatch.alarm_book import AlarmBook
from sandbox.cloud.cloudwatch.metric_api import MetricApi
from sandbox.cloud.cloudwatch.series import MetricKey, MetricStore, StatisticSet


class MetricEngine:
    """Stores metrics and keeps alarms; `tick` is what makes alarms move."""

    def __init__(
        self, account_id: str, region: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._store = MetricStore()
        self._book = AlarmBook(account_id, region, self._act)
        self._metrics = MetricApi(self._store, clock)
        self._alarms = AlarmApi(self._book, clock)

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
        if not weighted and not statistic_set:
            return
        with self._lock:
            self._store.put(key, unit, timestamp, values=weighted, statistic_set=statistic_set)

    def tick(self, now: float) -> None:
        """Evaluate every alarm that is due at this time."""
        with self._lock:
            alarm_clock.tick(self._book, self._metrics.read, now)

    def alarm_states(self, names: Sequence[str]) -> dict[str, str]:
        """The state of each named alarm that exists, metric and composite."""
        with self._lock:
            return {alarm.name: alarm.state for alarm in self._book.named(names)}

    def answer(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a call by its name in snake case."""
        owner = self._metrics if hasattr(self._metrics, action) else self._alarms
        with self._lock:
            result: dict[str, Any] = getattr(owner, action)(params)
            return result

    def _act(self, alarm: Alarm, action: str, subject: str, message: str) -> None:
        """Act in a thread of its own: a topic's HTTP subscriber may be slow or call back."""
        arguments = (alarm, action, subject, message)
        threading.Thread(target=self._publish, args=arguments, daemon=True).start()

    def _publish(self, alarm: Alarm, action: str, subject: str, message: str) -> None:
        failure = None
        try:
            if not action.startswith("arn:aws:sns:"):
                raise ValueError("The sandbox acts through SNS only.")
            moto_patches.publish(action, subject, message)
        except Exception as error:  # noqa: BLE001 - any failure belongs into the alarm's history
            failure = str(error) or type(error).__name__
        with self._lock:
            self._book.history.acted(alarm, action, failure, self._clock())
