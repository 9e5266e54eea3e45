"""A metric that turns bad at a chosen moment, and somebody independent who reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from activities.metric_series import points_of, queries_of
from lastgood.contracts import MetricSource, WatchedTrigger
from lastgood.decisions import thresholds
from lastgood.policy_triggers import ErrorRateTrigger

_NAMESPACE, _NAME = "Benchmarks", "ErrorRate"
_DIMENSION = "Service"
_GOOD, _BAD = 0.0, 1.0

MakeClient = Callable[..., Any]


class Publisher(threading.Thread):
    """Publishes one datapoint a second: the second that is over."""

    def __init__(self, client: MakeClient, service: str) -> None:
        super().__init__(daemon=True)
        self._cloudwatch = client("cloudwatch")
        self._service = service
        self._bad_from: float | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._published = int(time.time()) - 1
        self._next = time.time()

    def turn_bad(self, moment: float) -> None:
        """From then on every datapoint is bad; they come at that moment and each second after."""
        with self._lock:
            self._bad_from = self._next = moment

    def turn_good(self) -> None:
        """Every datapoint is good again."""
        with self._lock:
            self._bad_from = None

    def run(self) -> None:
        """Publish until the end."""
        while not self._ended.wait(0.01):
            with self._lock:
                now = time.time()
                if now < self._next:
                    continue
                bad = self._bad_from is not None
                self._next += 1
            for second in range(self._published + 1, int(now)):
                self._put(second, _BAD if bad else _GOOD)
                self._published = second

    def _put(self, second: int, value: float) -> None:
        datum = {
            "MetricName": _NAME,
            "Dimensions": [{"Name": _DIMENSION, "Value": self._service}],
            "Timestamp": datetime.fromtimestamp(second, UTC),
            "Value": value,
            "StorageResolution": 1,
        }
        with suppress(Exception):  # the sandbox ends first when somebody presses Ctrl-C
            self._cloudwatch.put_metric_data(Namespace=_NAMESPACE, MetricData=[datum])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(timeout=5)


def policy_metric(service: str) -> dict[str, Any]:
    """The metric as a policy names it."""
    return {"namespace": _NAMESPACE, "name": _NAME, "dimensions": {_DIMENSION: service}}


@dataclass(frozen=True)
class _Answer:
    asked: datetime
    at: float
    series: dict[str, dict[datetime, float]]


class Reader(threading.Thread):
    """Reads the metric every 75 ms with a client of its own, and keeps each answer."""

    EVERY = 0.075

    def __init__(self, client: MakeClient, service: str, trigger: ErrorRateTrigger) -> None:
        super().__init__(daemon=True)
        self._cloudwatch = client("cloudwatch")
        source = MetricSource(
            kind="metric", namespace=_NAMESPACE, name=_NAME, dimensions={_DIMENSION: service}
        )
        self._watched = WatchedTrigger(key="0 error-rate", trigger=trigger, source=source)
        self._trigger = trigger
        self._stretch = thresholds.lasts_of(trigger) + timedelta(seconds=5)
        self._ended = threading.Event()
        self._answers: list[_Answer] = []

    def run(self) -> None:
        """Read until the end."""
        queries = queries_of(self._watched, "t")
        while not self._ended.wait(self.EVERY):
            asked = datetime.now(UTC)
            with suppress(Exception):  # as above
                answer = self._cloudwatch.get_metric_data(
                    MetricDataQueries=queries,
                    StartTime=asked - self._stretch,
                    EndTime=asked,
                )
                series = {
                    one["Id"]: dict(zip(one["Timestamps"], one["Values"], strict=True))
                    for one in answer["MetricDataResults"]
                }
                self._answers.append(_Answer(asked, time.time(), series))

    def readable_at(self) -> float:
        """When an answer first showed enough bad datapoints for the trigger's rule."""
        for answer in self._answers:
            points = points_of(self._watched, "t", answer.series)
            since = answer.asked - self._stretch
            spans = thresholds.spans(self._trigger, points, since, answer.asked)
            if any(span.above for span in spans):
                return answer.at
        raise LookupError("the bad datapoints were never readable")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(timeout=35)
