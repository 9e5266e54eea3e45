"""From CloudWatch's raw series to points that can be judged.

A bucket without a datapoint stays missing; it is never 0. Counts are joined on their timestamps:
an absent error count is 0 only where another count of the same bucket exists. A number that cannot
be (not finite, negative, a ratio above 1, an answer after more than a day) is an error that says
so.

A request has failed if its target answered 5xx, or if no target could be reached. The latter is
counted twice where the load balancer's own errors are ours: as a connection error, and as the 502
that the load balancer answered. The larger of both counts, so that dead targets, which answer
nothing at all, are seen and no request fails twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from lastgood.model import Model

_MOST_MS = 86_400_000.0
_MOST_COUNT = 1e15


Series = Mapping[datetime, float]
"""One value for each bucket that has one."""


class Point(Model):
    """One bucket."""

    start: datetime
    value: float | None
    """A ratio or milliseconds; None if the bucket's numbers cannot be used."""
    weight: float = 1.0
    """Requests behind the value; 1 where CloudWatch does not say."""
    counted: bool = False
    """Whether the weight is a number of requests that were counted."""
    problem: str | None = None
    """Why numbers of the bucket cannot be used; a value is another target group's then."""


def floor_to(moment: datetime, period: timedelta) -> datetime:
    """The start of the bucket that holds this moment; buckets count from the epoch."""
    seconds = period.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def ceil_to(moment: datetime, period: timedelta) -> datetime:
    """The first bucket that starts at or after this moment."""
    floor = floor_to(moment, period)
    return floor if floor == moment else floor + period


def delay_of(period: timedelta) -> timedelta:
    """How late CloudWatch may show a bucket of this length, counted from the bucket's end."""
    return timedelta(minutes=3) if period >= timedelta(minutes=1) else timedelta(seconds=10)


def is_awaited(
    newest: datetime | None, period: timedelta, *, since: datetime, until: datetime
) -> bool:
    """Whether the last complete bucket of a window is not readable yet.

    Args:
        newest: the start of the newest bucket that is.
        period: the length of a bucket.
        since: the window's begin.
        until: the window's end.
    """
    last = floor_to(until, period) - period
    return last >= since and (newest is None or newest < last)


def summed(some: Sequence[Series]) -> Series:
    """The sum of some series, for each bucket that is in any of them."""
    starts = {start for one in some for start in one}
    return {start: sum(one[start] for one in some if start in one) for start in starts}


def _problem(value: float, *, ratio: bool) -> str | None:
    if ratio and value > 1 and math.isfinite(value):
        return f"{value:g} is no ratio; if the metric is in percent, set unit: percent"
    if not ratio and value > _MOST_MS and math.isfinite(value):
        return f"{value:g} ms is more than a day; check the metric and its unit"
    return _no_count(value)


def _no_count(value: float) -> str | None:
    if not math.isfinite(value):
        return "it is not a finite number"
    if value < 0:
        return f"{value:g} is negative"
    return f"{value:g} is too many" if value > _MOST_COUNT else None


def from_values(values: Series, *, scale: float, ratio: bool) -> tuple[Point, ...]:
    """Points from one metric; ``scale`` turns its unit into a ratio or milliseconds."""
    points = []
    for start, raw in sorted(values.items()):
        value = raw * scale
        problem = _problem(value, ratio=ratio)
        points.append(Point(start=start, value=None if problem else value, problem=problem))
    return tuple(points)


def from_counts(
    requests: Series,
    errors: tuple[Series, ...],
    refused: Series | None = None,
    balancer: Series | None = None,
) -> tuple[Point, ...]:
    """The share of failed requests from raw counts.

    A bucket with errors and no request count holds at least as many requests as errors.

    Args:
        requests: all requests.
        errors: failed requests; none is in two of these.
        refused: requests for which no target could be reached.
        balancer: errors of the load balancer's own, which include ``refused``.
    """
    refused, balancer = refused or {}, balancer or {}
    points = []
    for start in sorted({*requests, *refused, *balancer}.union(*errors)):
        bad = [series.get(start, 0.0) for series in errors]
        unreached, own = refused.get(start, 0.0), balancer.get(start, 0.0)
        total = requests.get(start, 0.0)
        counts = (*bad, unreached, own, total)
        problem = next((p for count in counts if (p := _no_count(count))), None)
        if problem:
            points.append(Point(start=start, value=None, problem=problem))
            continue
        failed = sum(bad) + max(unreached, own)
        total = max(total, failed)
        if total:
            points.append(Point(start=start, value=failed / total, weight=total, counted=True))
    return tuple(points)


def worst_of(groups: Sequence[tuple[Point, ...]]) -> tuple[Point, ...]:
    """For each bucket the worst of those that have a value; who has no traffic says nothing.

    While traffic shifts, old and new tasks are in target groups of their own: the few requests
    that the new ones get must not vanish among the many that the old ones answer well. What
    cannot be used of one group is said, whatever the others' numbers are.
    """
    if len(groups) == 1:
        return groups[0]
    worst: dict[datetime, Point] = {}
    for point in (one for group in groups for one in group):
        other = worst.get(point.start)
        if other is None:
            worst[point.start] = point
            continue
        worse = max(other, point, key=_badness)
        problem = other.problem or point.problem
        worst[point.start] = worse.model_copy(update={"problem": problem})
    return tuple(worst[start] for start in sorted(worst))


def _badness(point: Point) -> float:
    return -1.0 if point.value is None else point.value
