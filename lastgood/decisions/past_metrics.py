"""A service's past in CloudWatch: what is asked for, and how it becomes a recording.

The rule. A load balancer's requests, failed ones, mean response time and how many took at most some
milliseconds, in buckets of a minute; older than fifteen days, CloudWatch keeps only five minutes,
and beyond 63 days an hour. Counts of several target groups are added up. Counts are joined on their
times: an error count that is absent is 0 only where there were requests. A request has failed if
its target answered 5xx, or none was reached: the larger of connection errors and the load
balancer's own 5xx, as for a release.

A metric of the policy's own takes the place of the load balancer's. A ratio without requests cannot
be judged, as nobody knows of how many it is; beside a load balancer its requests are taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from lastgood.decisions.recording import Recording, Row, problem_of
from lastgood.policy import Policy
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    Metric,
    RegressionTrigger,
    ResponseTimeTrigger,
)

BOUNDS = (10, 25, 50, 75, 100, 150, 200, 300, 450, 650, 1000, 1500, 2500, 5000, 10000)
"""Milliseconds: of the counts ``le_MS``."""
MOST_QUERIES = 500
MOST_POINTS = 100_800
"""Of one GetMetricData."""
MOST_DAYS = 455
_KEPT = ((timedelta(days=15), 60), (timedelta(days=63), 300), (timedelta(days=MOST_DAYS), 3600))
_NAMESPACE = "AWS/ApplicationELB"

Dimensions = tuple[tuple[str, str], ...]
Values = Mapping[datetime, float]


class Series(NamedTuple):
    """One series of CloudWatch."""

    namespace: str
    name: str
    dimensions: Dimensions
    statistic: str


@dataclass(frozen=True)
class Balanced:
    """The load balancer that a service is behind; as CloudWatch's dimensions have them."""

    load_balancer: str
    target_groups: tuple[str, ...]
    exclusive: bool = False
    """Whether all of its target groups are the service's: then its own 5xx are, too."""


class Timed(NamedTuple):
    """A metric with one value for each answer."""

    namespace: str
    name: str
    dimensions: Dimensions
    milliseconds: float
    """Of its unit."""

    def of(self, statistic: str) -> Series:
        """One statistic of it."""
        return Series(self.namespace, self.name, self.dimensions, statistic)

    @property
    def upto(self) -> list[Series]:
        """How many took at most each of the bounds."""
        return [self.of(f"TC(:{bound / self.milliseconds:g})") for bound in BOUNDS]


@dataclass
class Wanted:
    """What is read for a policy, and what cannot be judged by it."""

    balanced: Balanced | None = None
    ratio: Metric | None = None
    time: Metric | None = None
    requests: Metric | None = None
    errors: Metric | None = None
    timed: list[Timed] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def series(self) -> list[Series]:
        """All that is to be read."""
        found = [one for three in self.counted for one in three]
        if self.balanced and self.balanced.exclusive:
            found.append(self.own)
        metrics = (self.ratio, self.time, self.requests, self.errors)
        found += [series_of(metric) for metric in metrics if metric]
        for one in self.timed:
            found += [one.of("Average"), one.of("SampleCount"), *one.upto]
        return list(dict.fromkeys(found))

    @property
    def counted(self) -> list[tuple[Series, Series, Series]]:
        """Requests, 5xx and connection errors of each target group."""
        names = ("RequestCount", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount")
        found = []
        for pairs in _groups(self.balanced):
            requests, bad, refused = (Series(_NAMESPACE, name, pairs, "Sum") for name in names)
            found.append((requests, bad, refused))
        return found

    @property
    def own(self) -> Series:
        """The load balancer's own 5xx."""
        name = self.balanced.load_balancer if self.balanced else ""
        return Series(_NAMESPACE, "HTTPCode_ELB_5XX_Count", (("LoadBalancer", name),), "Sum")


def _groups(balanced: Balanced | None) -> list[Dimensions]:
    if balanced is None:
        return []
    own = ("LoadBalancer", balanced.load_balancer)
    return [(own, ("TargetGroup", group)) for group in balanced.target_groups]


def wanted_of(policy: Policy, balanced: Balanced | None) -> Wanted:
    """What to read for the triggers of a policy."""
    found = Wanted(balanced=balanced)
    for pairs in _groups(balanced):
        found.timed.append(Timed(_NAMESPACE, "TargetResponseTime", pairs, 1000.0))
    for trigger in policy.triggers:
        if isinstance(trigger, ErrorRateTrigger):
            found.ratio = found.ratio or trigger.metric
        elif isinstance(trigger, ResponseTimeTrigger):
            found.time = found.time or trigger.metric
        elif isinstance(trigger, RegressionTrigger) and trigger.metrics and not balanced:
            found.requests, found.errors = trigger.metrics.requests, trigger.metrics.errors
            answers = trigger.metrics.response_time
            if answers:
                pairs, unit = _pairs(answers), 1000.0 if answers.unit == "s" else 1.0
                found.timed = [Timed(answers.namespace, answers.name, pairs, unit)]
    found.remarks = list(_remarks(policy, found))
    return found


def _remarks(policy: Policy, found: Wanted) -> Iterator[str]:
    kinds = {type(trigger) for trigger in policy.triggers}
    if HealthCheckTrigger in kinds:
        yield "health checks of the past are not in CloudWatch: health-check is not judged"
    if AlarmTrigger in kinds:
        yield "past states of alarms are not read: alarm is not judged"
    if any(isinstance(one, BandTrigger) and one.metric for one in policy.triggers):
        yield "gauges are not read: a band with a metric of its own is not judged"
    if found.balanced and any(getattr(one, "metrics", None) for one in policy.triggers):
        yield "regression is judged by the load balancer's counts, not by its metrics"
    if found.ratio and not (found.requests or found.balanced):
        yield (
            f"{found.ratio.name} is a share of an unknown number of requests: error-rate is not "
            "judged. Count them: regression.metrics.requests, or a load balancer"
        )
    elif found.ratio:
        yield f"errors are {found.ratio.name} times the number of requests"
    if found.time and found.time.statistic != "Average":
        yield f"latency_avg is the {found.time.statistic} of {found.time.name}, as the policy says"


def _pairs(metric: Metric) -> Dimensions:
    return tuple(sorted(metric.dimensions.items()))


def series_of(metric: Metric) -> Series:
    """The series of a policy's own metric."""
    return Series(metric.namespace, metric.name, _pairs(metric), metric.statistic)


# --- How it is asked for -----------------------------------------------------------------------


def period_for(since: timedelta) -> int:
    """The finest period that CloudWatch still has of all of it, in seconds."""
    return next((period for kept, period in _KEPT if since <= kept), _KEPT[-1][1])


class Call(NamedTuple):
    """One GetMetricData: which series, and of when."""

    numbers: range
    begin: float
    end: float


def calls_of(count: int, begin: float, end: float, period: int) -> list[Call]:
    """Calls small enough for CloudWatch: 500 series and 100,800 datapoints at most."""
    begin = math.floor(begin / period) * period
    found = []
    for first in range(0, count, MOST_QUERIES):
        numbers = range(first, min(count, first + MOST_QUERIES))
        stretch = MOST_POINTS // len(numbers) * period
        at = begin
        while at < end:
            found.append(Call(numbers, at, min(end, at + stretch)))
            at += stretch
    return found


# --- What it becomes ---------------------------------------------------------------------------


def recording_of(wanted: Wanted, read: Mapping[Series, Values], period: int) -> Recording:
    """A recording of all buckets of which anything is known."""
    times = sorted({at for values in read.values() for at in values})
    rows = [row for at in times if (row := _row(wanted, read, at))]
    columns = {
        *({"requests"} if any(row.requests is not None for row in rows) else ()),
        *({"errors"} if any(row.errors is not None for row in rows) else ()),
        *({"latency_avg"} if any(row.average is not None for row in rows) else ()),
        *({"le"} if any(row.upto is not None for row in rows) else ()),
    }
    bounds = tuple(map(float, BOUNDS)) if "le" in columns else ()
    return Recording(float(period), rows, bounds, frozenset({"time", *columns}), iso=True)


def _row(wanted: Wanted, read: Mapping[Series, Values], at: datetime) -> Row | None:
    """One bucket; None if nothing of it says anything."""

    def value(one: Series | None) -> float | None:
        return read.get(one, {}).get(at) if one else None

    def metric(one: Metric | None) -> float | None:
        return value(series_of(one)) if one else None

    requests, errors = _counts(wanted, value)
    if wanted.requests:
        requests = metric(wanted.requests)
        known = wanted.errors is not None and requests is not None
        errors = (metric(wanted.errors) or 0.0) if known else None
    if wanted.ratio:
        ratio = metric(wanted.ratio)
        scale = 0.01 if wanted.ratio.unit == "percent" else 1.0
        known = ratio is not None and requests is not None
        errors = (ratio or 0.0) * scale * (requests or 0.0) if known else None
    average, upto = _times(wanted, value, requests)
    if wanted.time:
        own = metric(wanted.time)
        average = None if own is None else own * (1000.0 if wanted.time.unit == "s" else 1.0)
    if requests is None and average is None:
        return None
    row = Row(at.timestamp(), requests, errors, average, upto)
    row.problem = problem_of(row)
    return row


Value = Callable[[Series | None], float | None]


def _counts(wanted: Wanted, value: Value) -> tuple[float | None, float | None]:
    """Requests and failed ones at the load balancer."""
    counts = [tuple(value(one) for one in three) for three in wanted.counted]
    own = value(wanted.own) if wanted.balanced and wanted.balanced.exclusive else None
    if own is None and all(one is None for three in counts for one in three):
        return None, None
    requests, bad, refused = (math.fsum(three[n] or 0.0 for three in counts) for n in range(3))
    failed = bad + max(refused, own or 0.0)
    return max(requests, failed), failed


def _times(
    wanted: Wanted, value: Value, requests: float | None
) -> tuple[float | None, tuple[float, ...] | None]:
    """The mean in ms, and how many took at most each of the bounds.

    Requests that were never answered took no time that is known: they count as quick ones.
    """
    means = [(one, value(one.of("Average")), value(one.of("SampleCount"))) for one in wanted.timed]
    known = [(one, mean, n or 1.0) for one, mean, n in means if mean is not None]
    if not known:
        return None, None
    answers = math.fsum(n for *_, n in known)
    average = math.fsum(mean * n * one.milliseconds for one, mean, n in known) / answers
    said = [[value(series) for series in one.upto] for one, *_ in known]
    if requests is None or any(all(n is None for n in column) for column in said):
        return average, None  # a metric that is put as statistics has no counts
    counts = [[n or 0.0 for n in column] for column in said]
    unanswered = max(0.0, requests - answers)
    upto = (min(requests, unanswered + math.fsum(column)) for column in zip(*counts, strict=True))
    return average, tuple(upto)
