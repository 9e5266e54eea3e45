"""CloudWatch's raw series: all metrics of a watch are read at once.

A look is one GetMetricData, in as many pages as it takes. It needs more than one only where there
are more than 500 series, or where datapoints of less than a minute, which are kept for three hours,
are asked for together with what is older.

An answer that is incomplete, or cannot be, is trouble of the triggers that it is for, and of no
other. It never is a number.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from temporalio.exceptions import ApplicationError

from activities.compared_series import BALANCER_COUNT as _BALANCER_COUNT
from activities.compared_series import BY_GROUP, NO_COUNTS, Stat, stats_compared
from activities.compared_series import COUNTS as _COUNTS
from activities.failures import aws_call
from lastgood.contracts import MetricSource, WatchedTrigger
from lastgood.decisions import comparing, thresholds
from lastgood.decisions.plain import one_line
from lastgood.decisions.series import Point, Series, floor_to, from_counts, from_values, worst_of
from lastgood.decisions.series import summed as together
from lastgood.policy_triggers import (
    BandTrigger,
    ErrorRateTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
)

FINE_KEPT = timedelta(hours=3)
"""How long CloudWatch keeps datapoints of less than a minute."""

_CALL = "cloudwatch:GetMetricData"
_MOST_QUERIES = 500
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_UNANSWERED = "NoAnswer"
_LASTING = ("InternalError", "Forbidden")
"""What a later page does not make good."""


class Asked(NamedTuple):
    """A trigger, and from when on its series are needed."""

    watched: WatchedTrigger
    start: datetime


class Read(NamedTuple):
    """What there is of a trigger's series."""

    points: tuple[Point, ...]
    """Of a threshold's metric."""
    series: Mapping[str, Series]
    """Of a trigger that compares: what there is, by the names of ``compared_series``."""
    newest: datetime | None
    """The start of the newest bucket of which there is anything, be it a count of zero."""
    trouble: ApplicationError | None
    """Why the points cannot be used."""


def metric_trigger(watched: WatchedTrigger) -> tuple[thresholds.MetricTrigger, MetricSource]:
    """A metric trigger and its source.

    Raises:
        TypeError: if it is none, or was not resolved.
    """
    if not isinstance(watched.trigger, ErrorRateTrigger | ResponseTimeTrigger):
        raise TypeError(f"{watched.trigger.type} is not measured by a metric")
    if watched.source is None:
        raise TypeError(f"{watched.key} was not resolved")
    return watched.trigger, watched.source


def period_of(watched: WatchedTrigger) -> timedelta:
    """The length of a trigger's datapoint."""
    if isinstance(watched.trigger, RegressionTrigger | BandTrigger):
        return comparing.period_of(watched.trigger)
    return thresholds.period_of(metric_trigger(watched)[0])


def queries_of(watched: WatchedTrigger, prefix: str) -> list[dict[str, Any]]:
    """The MetricDataQueries of one trigger; ids are ``prefix`` and a number."""
    period = int(period_of(watched).total_seconds())
    return [
        {"Id": f"{prefix}n{n}", "MetricStat": {**stat.as_query(), "Period": period}}
        for n, stat in enumerate(_stats(watched))
    ]


def _stats(watched: WatchedTrigger) -> list[Stat]:
    if isinstance(watched.trigger, RegressionTrigger | BandTrigger):
        return stats_compared(watched)
    trigger, source = metric_trigger(watched)
    space, groups = source.namespace, (source.dimensions, *source.further)
    if source.kind == "metric":
        return [Stat("", space, one, source.name, source.statistic) for one in groups]
    if not isinstance(trigger, ErrorRateTrigger):
        name, statistic = "TargetResponseTime", source.statistic
        return [Stat("", space, one, name, statistic) for one in groups]
    wanted = [Stat("", space, one, name, "Sum") for one in groups for name in _COUNTS]
    if source.load_balancer:
        wanted.append(Stat("", space, source.load_balancer, _BALANCER_COUNT, "Sum"))
    return wanted


def points_of(
    watched: WatchedTrigger, prefix: str, series: Mapping[str, Series]
) -> tuple[Point, ...]:
    """The points of one trigger, joined from its series."""
    trigger, source = metric_trigger(watched)
    own = [series.get(query["Id"], {}) for query in queries_of(watched, prefix)]
    is_ratio = isinstance(trigger, ErrorRateTrigger)
    if source.kind == "load-balancer" and is_ratio:
        return _points_from_counts(own, 1 + len(source.further))
    return worst_of([from_values(one, scale=source.scale, ratio=is_ratio) for one in own])


def _points_from_counts(own: Sequence[Series], groups: int) -> tuple[Point, ...]:
    step = len(_COUNTS)
    counts = [own[n * step : (n + 1) * step] for n in range(groups)]
    each = [from_counts(requests, (bad,), refused) for requests, bad, refused in counts]
    if len(own) == groups * step:
        return worst_of(each)
    # Which group the load balancer's own errors are of is not known: they are the service's.
    requests, bad, refused = (together(some) for some in zip(*counts, strict=True))
    whole = from_counts(requests, (bad,), refused, own[-1])
    return worst_of([whole] if groups == 1 else [*each, whole])


async def read(client: Any, asked: Sequence[Asked], end: datetime) -> list[Read]:
    """The series of some triggers, each at least from its own start on and to before ``end``."""
    answers: dict[str, _Result] = {}
    for start, numbers in _calls(asked, end):
        queries = [q for n in numbers for q in queries_of(asked[n].watched, f"t{n}")]
        for first in range(0, len(queries), _MOST_QUERIES):
            answers |= await _get(client, queries[first : first + _MOST_QUERIES], start, end)
    return [_joined(one.watched, f"t{n}", answers) for n, one in enumerate(asked)]


def _calls(asked: Sequence[Asked], end: datetime) -> Iterator[tuple[datetime, Sequence[int]]]:
    """The starts to ask from, and the numbers of what is asked from each: all at once, if it can.

    A start is whole for each period that is asked from it, or CloudWatch's buckets are not ours.
    """
    if not asked:
        return
    periods = [period_of(one.watched) for one in asked]
    first = min(one.start for one in asked)
    start = floor_to(first, _common(periods))
    fine = min(periods) < _MINUTE and start < end - FINE_KEPT
    if not fine and first - start < _DAY:
        yield start, range(len(asked))
        return
    for period in sorted(set(periods)):
        numbers = [n for n, own in enumerate(periods) if own == period]
        yield floor_to(min(asked[n].start for n in numbers), period), numbers


def _common(periods: Iterable[timedelta]) -> timedelta:
    """The shortest time that is whole for each of these."""
    return timedelta(seconds=math.lcm(*(int(one.total_seconds()) for one in periods)))


async def _get(
    client: Any, queries: list[dict[str, Any]], start: datetime, end: datetime
) -> dict[str, _Result]:
    """What all pages of one GetMetricData say."""
    results = {q["Id"]: _Result(q["MetricStat"]["Metric"]["MetricName"]) for q in queries}
    token: dict[str, str] = {}
    said: list[str] = []
    while True:
        with aws_call(_CALL):
            answer = await asyncio.to_thread(
                client.get_metric_data,
                MetricDataQueries=queries,
                StartTime=start,
                EndTime=max(end, start + timedelta(seconds=1)),
                ScanBy="TimestampAscending",
                **token,
            )
            said += _messages(answer)
            for result in answer.get("MetricDataResults", []):
                if result["Id"] in results:
                    results[result["Id"]].take(result)
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    for one in results.values():
        one.said += said
    return results


@dataclass
class _Result:
    """What all pages say of one query."""

    name: str
    values: dict[datetime, float] = field(default_factory=dict)
    status: str = _UNANSWERED
    uneven: str = ""
    said: list[str] = field(default_factory=list)

    def take(self, result: Mapping[str, Any]) -> None:
        """Note what one page says."""
        times, values = result.get("Timestamps") or [], result.get("Values") or []
        if len(times) != len(values):
            self.uneven = f"{len(times)} times and {len(values)} values"
        pairs = zip(times, values, strict=False)
        self.values |= {at.astimezone(UTC): float(value) for at, value in pairs}
        self.said += _messages(result)
        if self.status not in _LASTING:
            # On a page before the last it is PartialData.
            self.status = result.get("StatusCode") or "Complete"

    @property
    def trouble(self) -> ApplicationError | None:
        """Why the numbers cannot be used; None if they can."""
        if self.status != "Complete":
            text = f"{_CALL} answered {self.status} for {self.name}: the numbers are not complete"
        elif self.uneven:
            text = f"{_CALL} answered {self.uneven} for {self.name}: they cannot be used"
        else:
            return None
        notes = f" ({'; '.join(dict.fromkeys(self.said))})" if self.said else ""
        return ApplicationError(
            f"{text}{notes}.",
            type="UnevenAnswer" if self.status == "Complete" else self.status,
            non_retryable=self.status == "Forbidden",
        )


def _messages(part: Mapping[str, Any]) -> list[str]:
    """What CloudWatch says beside its numbers, of the whole answer or of one result."""
    found = [(one.get("Code"), one.get("Value")) for one in part.get("Messages") or []]
    return [one_line(": ".join(str(text) for text in one if text)) for one in found]


def _joined(watched: WatchedTrigger, prefix: str, answers: Mapping[str, _Result]) -> Read:
    queries = queries_of(watched, prefix)
    own = {query["Id"]: answers[query["Id"]] for query in queries}
    troubles = [one.trouble for one in own.values() if one.trouble]
    troubles.sort(key=lambda one: not one.non_retryable)
    compares = isinstance(watched.trigger, RegressionTrigger | BandTrigger)
    values = {name: one.values for name, one in own.items()}
    return Read(
        points=() if compares else points_of(watched, prefix, values),
        series=_by_name(watched, list(values.values())) if compares else {},
        newest=max((at for one in own.values() for at in one.values), default=None),
        trouble=next(iter(troubles), None),
    )


def _by_name(watched: WatchedTrigger, values: Sequence[Series]) -> dict[str, Series]:
    """The series of a trigger that compares; those of several target groups are added up."""
    named: dict[str, list[Series]] = {}
    apart: dict[str, Series] = {}
    for stat, one in zip(stats_compared(watched), values, strict=True):
        named.setdefault(stat.label, []).append(one)
        apart[stat.label + BY_GROUP.format(stat.group)] = one
    whole = {
        # A quantile of two groups is no sum: that of the group with the most data is taken.
        label: max(some, key=len) if label in NO_COUNTS else together(some)
        for label, some in named.items()
    }
    return whole | apart
