"""The series of triggers that compare a release with the past: which they are, what they make.

Counts of several target groups are added up: it is the service that is compared. Quantiles and
averages cannot be added up: those of the group with the most data are taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from lastgood.contracts import MetricSource, WatchedTrigger
from lastgood.decisions.band import Gauge, Kind
from lastgood.decisions.samples import Sample, Side
from lastgood.decisions.series import Point, Series, from_counts, from_values
from lastgood.policy_triggers import BandTrigger

COUNTS = ("RequestCount", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount")
BALANCER_COUNT = "HTTPCode_ELB_5XX_Count"
BY_GROUP = "@{}"
"""How a series of one target group alone is named, behind its label."""
NO_COUNTS = ("p75", "p95", "average", "value")
QUANTILES = {"p75": 0.75, "p95": 0.95}

_TIME = "TargetResponseTime"
_LABELS = ("requests", "bad", "refused")


class Stat(NamedTuple):
    """One statistic of one metric."""

    label: str
    """What it is to whoever joins them."""
    namespace: str
    dimensions: Mapping[str, str]
    name: str
    statistic: str
    group: int = 0
    """Which target group it is of."""

    def as_query(self) -> dict[str, Any]:
        """A MetricStat without its period."""
        named = [{"Name": key, "Value": value} for key, value in self.dimensions.items()]
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": named}
        return {"Metric": metric, "Stat": self.statistic}


def stats_compared(watched: WatchedTrigger) -> list[Stat]:
    """All that a regression or band trigger reads; without limits also the usual times."""
    source = watched.source
    if source is None:
        raise TypeError(f"{watched.key} was not resolved")
    if source.kind == "metric":
        return [Stat("value", source.namespace, source.dimensions, source.name, source.statistic)]
    if source.kind == "counts":
        return _custom(source)
    groups = (source.dimensions, *source.further)
    stats = [
        Stat(label, source.namespace, group, name, "Sum", number)
        for number, group in enumerate(groups)
        for label, name in zip(_LABELS, COUNTS, strict=True)
    ]
    if source.load_balancer:
        own = source.load_balancer
        stats.append(Stat("balancer", source.namespace, own, BALANCER_COUNT, "Sum"))
    if isinstance(watched.trigger, BandTrigger):
        return stats + [
            Stat("average", source.namespace, group, _TIME, "Average", number)
            for number, group in enumerate(groups)
        ]
    return stats + [
        stat._replace(group=number)
        for number, group in enumerate(groups)
        for stat in _times(source, group, _TIME, 1000.0)
    ]


def _custom(source: MetricSource) -> list[Stat]:
    stats = []
    for label, key in (("requests", "requests"), ("bad", "errors")):
        if key in source.counts:
            one = source.counts[key]
            stats.append(Stat(label, one.namespace, one.dimensions, one.name, "Sum"))
    if "response_time" in source.counts:
        one = source.counts["response_time"]
        limits = one.model_copy(update={"limits": source.limits})
        stats += _times(limits, one.dimensions, one.name, one.scale)
    return stats


def _times(
    source: MetricSource, dimensions: Mapping[str, str], name: str, scale: float
) -> list[Stat]:
    """Counts of slow answers; before it is known what is slow, the quantiles that tell."""
    space = source.namespace
    stats = [Stat("timed", space, dimensions, name, "SampleCount")]
    if not source.limits:
        return stats + [Stat(one, space, dimensions, name, one) for one in QUANTILES]
    return stats + [
        Stat(f"over{n}", space, dimensions, name, f"TC({limit / scale:.6g}:)")
        for n, limit in enumerate(source.limits)
    ]


def scale_of_times(source: MetricSource) -> float:
    """What turns a response time into milliseconds."""
    if source.kind == "counts" and "response_time" in source.counts:
        return source.counts["response_time"].scale
    return 1000.0


def error_points(series: Mapping[str, Series]) -> tuple[Point, ...]:
    """The share of failed requests, with what is wrong with a bucket."""
    return from_counts(
        series.get("requests", {}),
        (series.get("bad", {}),),
        series.get("refused", {}),
        series.get("balancer", {}),
    )


def samples_of(series: Mapping[str, Series], limits: int) -> dict[float, Sample]:
    """The buckets of a release, by when they begin; a number that cannot be makes none."""
    points = {p.start: p for p in error_points(series) if p.problem is None}
    timed = series.get("timed", {})
    over = [series.get(f"over{n}", {}) for n in range(limits)]
    counts_errors = "bad" in series
    found = {}
    for start in {*points, *timed}:
        point, times = points.get(start), timed.get(start)
        slow = tuple(one.get(start, 0.0) for one in over) if times and limits else None
        usable = slow is None or _possible(times or 0.0, slow)
        requests = point.weight if point else None
        errors = point.weight * (point.value or 0.0) if point and counts_errors else None
        if point or usable:
            found[start.timestamp()] = Sample(
                at=start.timestamp(),
                requests=requests,
                errors=errors,
                timed=times if usable and slow else None,
                slow=slow if usable else None,
            )
    return found


def group_of(series: Mapping[str, Series], group: int) -> dict[str, Series]:
    """The series of one target group alone; ``BY_GROUP`` says how they are named."""
    ending = BY_GROUP.format(group)
    return {name.removesuffix(ending): one for name, one in series.items() if name.endswith(ending)}


def served(series: Mapping[str, Series]) -> float:
    """How many requests there were in all of the time that was read."""
    return math.fsum(series.get("requests", {}).values())


def beside(
    samples: Mapping[float, Sample], new: Mapping[float, Sample], old: Mapping[float, Sample]
) -> dict[float, Sample]:
    """The buckets of a release, with what new and old tasks answered where both did."""
    return {
        at: one._replace(beside=(_side(new[at]), _side(old[at])))
        if at in new and at in old and new[at].requests and old[at].requests
        else one
        for at, one in samples.items()
    }


def _side(one: Sample) -> Side:
    return Side(one.requests or 0.0, one.errors or 0.0, one.timed or 0.0, one.slow or ())


def _possible(timed: float, slow: tuple[float, ...]) -> bool:
    return all(math.isfinite(one) and 0 <= one <= timed for one in slow)


def problem_of(series: Mapping[str, Series], watched: WatchedTrigger) -> str | None:
    """What is wrong with the newest bucket whose number cannot be; None if all can."""
    points = error_points(series)
    if watched.source and watched.source.kind == "metric":
        points = from_values(series.get("value", {}), scale=watched.source.scale, ratio=False)
    broken = [point.problem for point in points if point.problem]
    return broken[-1] if broken and points[-1].problem else None


def gauges_of(series: Mapping[str, Series], source: MetricSource) -> dict[Kind, dict[float, Gauge]]:
    """The gauges of a band trigger by kind, each by when its buckets begin."""
    if source.kind == "metric":
        return {"gauge": _gauges(series.get("value", {}), source.scale, {})}
    points = [p for p in error_points(series) if p.value is not None]
    requests = {point.start: point.weight for point in points}
    rates = {
        p.start.timestamp(): Gauge(p.start.timestamp(), p.value or 0.0, p.weight) for p in points
    }
    return {
        "error-rate": rates,
        "response-time": _gauges(series.get("average", {}), source.scale, requests),
    }


def _gauges(values: Series, scale: float, requests: Mapping[datetime, float]) -> dict[float, Gauge]:
    return {
        at.timestamp(): Gauge(at.timestamp(), value * scale, requests.get(at))
        for at, value in values.items()
        if math.isfinite(value)
    }
