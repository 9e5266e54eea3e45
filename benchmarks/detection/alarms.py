"""CloudWatch's alarms: M of the last N datapoints are above a threshold.

Missing data is treated as ``missing``, the default. An alarm looks at a few datapoints more than N,
and takes the latest N that there are. Where there are fewer, it goes off with fewer than M too, if
all that there are breach and the oldest is at least M periods old. An alarm knows no deployment:
datapoints of before count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.detection.series import MINUTE, Metric, Views, earliest, error_rate, mean_latency

_MORE = 2
"""By how many periods the range is longer than N: in the documentation's examples 5 for 3."""

MOST_ERRORS, LONGEST_MS = 0.05, 1000.0
Breach = Callable[[float], bool]


def in_alarm(breaching: Mapping[int, bool], needed: int, of: int) -> bool:
    """By datapoints' age in periods, 1 being the last; those that are missing are left out."""
    ages = [age for age in range(1, of + _MORE + 1) if age in breaching]
    if sum(breaching[age] for age in ages[:of]) >= needed:
        return True
    all_breach = all(breaching[age] for age in ages)
    return 0 < len(ages) < of and all_breach and ages[-1] >= needed


class Alarm:
    """One alarm on one metric."""

    def __init__(self, views: Views, metric: Metric, breach: Breach, period: int) -> None:
        self._views = views
        self._period = period
        values = ((one.time, metric(one)) for one in views.at(period).buckets)
        self._breaching = {at: breach(value) for at, value in values if value is not None}

    def state(self, now: int, needed: int, of: int) -> bool:
        """Whether it is in ALARM at a moment at which a datapoint ends."""
        ages = {
            age: self._breaching[at]
            for age in range(1, of + _MORE + 1)
            if (at := now - age * self._period) in self._breaching
        }
        return in_alarm(ages, needed, of)

    def first(self, needed: int, of: int) -> int | None:
        """When it was first seen in ALARM after the deployment."""
        ticks = self._views.ticks(self._period)
        return next((now for now in ticks if self.state(now, needed, of)), None)


def cloudwatch(views: Views) -> dict[str, int | None]:
    """Alarms on the error rate and on the mean latency; whichever is first."""
    minute, fine = _both(views, MINUTE), _both(views, 10)
    at_start = any(one.state(views.deployed_at, 1, 1) for one in minute)
    single = _first(minute, 1, 1)
    return {
        "CloudWatch alarm 1 of 1 @60": single,
        "the same as ECS's deployment alarm": None if at_start else single,
        "CloudWatch alarm 3 of 5 @60": _first(minute, 3, 5),
        "CloudWatch alarm 3 of 3 @10": _first(fine, 3, 3),
    }


def _both(views: Views, period: int) -> list[Alarm]:
    return [
        Alarm(views, error_rate, lambda value: value > MOST_ERRORS, period),
        Alarm(views, mean_latency, lambda value: value > LONGEST_MS, period),
    ]


def _first(alarms: list[Alarm], needed: int, of: int) -> int | None:
    return earliest(*(one.first(needed, of) for one in alarms))
