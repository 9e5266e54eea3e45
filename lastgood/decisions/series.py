"""From CloudWatch's raw series to points that can be judged.

A bucket without a datapoint stays missing; it is never 0. Counts are joined on their timestamps:
an absent error count is 0 only where the request count of the same bucket exists. A number that
cannot be (not finite, negative, a ratio above 1, an answer after more than a day) is an error that
says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from lastgood.model import Model

_MOST_MS = 86_400_000.0
_MOST_COUNT = 1e15


class Point(Model):
    """One bucket."""

    start: datetime
    value: float | None
    """A ratio or milliseconds; None if the bucket's numbers cannot be."""
    weight: float = 1.0
    """Requests behind the value; 1 where CloudWatch does not say."""
    counted: bool = False
    """Whether the weight is a number of requests that were counted."""
    problem: str | None = None


def floor_to(moment: datetime, period: timedelta) -> datetime:
    """The start of the bucket that holds this moment; buckets count from the epoch."""
    seconds = period.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def ceil_to(moment: datetime, period: timedelta) -> datetime:
    """The first bucket that starts at or after this moment."""
    floor = floor_to(moment, period)
    return floor if floor == moment else floor + period


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


def from_values(
    values: Mapping[datetime, float], *, scale: float, ratio: bool
) -> tuple[Point, ...]:
    """Points from one metric; ``scale`` turns its unit into a ratio or milliseconds."""
    points = []
    for start, raw in sorted(values.items()):
        value = raw * scale
        problem = _problem(value, ratio=ratio)
        points.append(Point(start=start, value=None if problem else value, problem=problem))
    return tuple(points)


def from_counts(
    requests: Mapping[datetime, float],
    errors: tuple[Mapping[datetime, float], ...],
) -> tuple[Point, ...]:
    """The share of failed requests from raw counts.

    A bucket with errors and no request count holds at least as many requests as errors.
    """
    starts = set(requests).union(*errors)
    points = []
    for start in sorted(starts):
        counts = [series.get(start, 0.0) for series in errors]
        total = requests.get(start, 0.0)
        problem = next((p for c in (*counts, total) if (p := _no_count(c))), None)
        if problem:
            points.append(Point(start=start, value=None, problem=problem))
            continue
        failed = sum(counts)
        total = max(total, failed)
        if total:
            points.append(Point(start=start, value=failed / total, weight=total, counted=True))
    return tuple(points)


def worst_of(groups: Sequence[tuple[Point, ...]]) -> tuple[Point, ...]:
    """For each bucket the worst of those that have a value; who has no traffic says nothing.

    While traffic shifts, old and new tasks are in target groups of their own: the few requests
    that the new ones get must not vanish among the many that the old ones answer well.
    """
    if len(groups) == 1:
        return groups[0]
    worst: dict[datetime, Point] = {}
    for point in (one for group in groups for one in group):
        other = worst.get(point.start)
        if other is None or _badness(point) > _badness(other):
            worst[point.start] = point
    return tuple(worst[start] for start in sorted(worst))


def _badness(point: Point) -> float:
    return -1.0 if point.value is None else point.value
