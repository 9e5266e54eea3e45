"""A series cut into stretches that are judged.

The rule. A stretch is cut into three equal parts (fewer, if there are fewer buckets). Each part
must have data, and at least half of the stretch's buckets. It is above if the mean of each part is,
and below if none is. Only complete buckets that begin after the release was deployed count.

What a bucket means that is missing is the policy's (``missing_data``):
``inconclusive``: it says nothing. ``breaching``, ``not_breaching``: it is known, and bad, or fine;
a part of which more buckets are missing than there is what the missing ones are. ``ignore``: it is
skipped; the stretch is judged by the parts that have data, if it has three datapoints (``raw``:
one). A bucket is missing once a later one has come, or three minutes after its end: CloudWatch may
be that late. A bucket whose number cannot be is not missing; it is neither bad nor fine.

While new tasks warm up, their response times are left out as if these buckets had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import NamedTuple

from lastgood.decisions.metrics import (
    AT_LEAST,
    LATE,
    UNIT,
    MetricTrigger,
    breaches,
    buckets_of,
    is_datapoint,
    period_of,
)
from lastgood.decisions.series import Point, ceil_to, floor_to
from lastgood.decisions.verdicts import ENOUGH
from lastgood.policy_triggers import ResponseTimeTrigger


class WarmUp(NamedTuple):
    """When new tasks began to serve, and for how long they may be slow."""

    started: tuple[datetime, ...] = ()
    lasts: timedelta = timedelta(0)

    def holds(self, trigger: MetricTrigger, moment: datetime) -> bool:
        """Whether a bucket that begins then is left out."""
        if not isinstance(trigger, ResponseTimeTrigger) or not self.lasts:
            return False
        return any(start <= moment < start + self.lasts for start in self.started)


class Span(NamedTuple):
    """A stretch, judged. No model: a window has thousands."""

    start: datetime
    end: datetime
    left: int
    right: int
    """Its buckets in the grid: from, and up to without."""
    mean: float | None
    """None where nothing was there, and the policy says what that means."""
    above: bool
    below: bool
    """No part is above the threshold. Neither of both: it is mixed."""


class Grid:
    """Prefix sums over all complete buckets, so that each stretch costs the same."""

    def __init__(
        self,
        trigger: MetricTrigger,
        points: tuple[Point, ...],
        since: datetime,
        until: datetime,
        warm_up: WarmUp = WarmUp(),  # noqa: B008 - it is frozen
    ) -> None:
        self.trigger = trigger
        self.period = period = period_of(trigger)
        self.start = start = ceil_to(since, period)
        self.size = max(0, int((floor_to(until, period) - start) / period))
        self.points: dict[int, Point] = {}
        """The buckets that say something."""
        broken: dict[int, str] = {}
        newest = -1
        for point in points:
            index = int((point.start - start) / period)
            if point.start < start or index >= self.size:
                continue
            newest = max(newest, index)
            if point.value is None:
                broken[index] = point.problem or "it has no value"
            elif is_datapoint(trigger, point):
                self.points[index] = point
        self.left_out = {
            index
            for index in range(self.size if warm_up.lasts and warm_up.started else 0)
            if warm_up.holds(trigger, start + index * period)
        }
        for index in self.left_out:
            self.points.pop(index, None)
        self.broken = tuple(broken.values())
        """What is wrong with buckets whose number cannot be."""
        self.counted = any(point.counted for point in self.points.values())
        come = max(newest + 1, int((until - LATE - start) / period))
        self.missing = [
            index < come
            and index not in self.points
            and index not in broken
            and index not in self.left_out
            for index in range(self.size)
        ]
        self._sums()

    def _sums(self) -> None:
        weights, sums, present = [0] * self.size, [0] * self.size, [0] * self.size
        for index, point in self.points.items():
            weights[index] = round(point.weight * UNIT)
            sums[index] = round(point.weight * (point.value or 0.0) * UNIT)
            present[index] = 1
        self._weights = (0, *accumulate(weights))
        self._sum = (0, *accumulate(sums))
        self._present = (0, *accumulate(present))
        self._gone = (0, *accumulate(int(one) for one in self.missing))

    def at(self, index: int) -> datetime:
        """When a bucket begins."""
        return self.start + index * self.period

    def mean(self, left: int, right: int) -> float | None:
        """The mean by weight; None without data."""
        weight = self._weights[right] - self._weights[left]
        return (self._sum[right] - self._sum[left]) / weight if weight else None

    def volume(self, left: int, right: int) -> tuple[float, float]:
        """How many requests there were, and how many of them failed; only where ``counted``."""
        weight, failed = self._weights, self._sum
        return (weight[right] - weight[left]) / UNIT, (failed[right] - failed[left]) / UNIT

    def present(self, left: int, right: int) -> int:
        """How many buckets have data."""
        return self._present[right] - self._present[left]

    def gone(self, left: int, right: int) -> int:
        """How many buckets are missing."""
        return self._gone[right] - self._gone[left]

    def coverage(self) -> float:
        """The share of buckets of which is known what they mean."""
        size = self.size - len(self.left_out)
        return self._known(0, self.size) / size if size else 0.0

    def _known(self, left: int, right: int) -> int:
        missing = self.gone(left, right) if self._means_something else 0
        return self.present(left, right) + missing

    @property
    def _means_something(self) -> bool:
        return self.trigger.missing_data in ("breaching", "not_breaching")

    def _above(self, left: int, right: int) -> bool | None:
        """Whether a part is above; None if that is not known."""
        if self._means_something and self.gone(left, right) > self.present(left, right):
            return self.trigger.missing_data == "breaching"
        mean = self.mean(left, right)
        return None if mean is None else breaches(self.trigger, mean)

    def span(self, right: int, buckets: int) -> Span | None:
        """The stretch that ends there; None if it cannot be judged."""
        left, trigger = right - buckets, self.trigger
        skips = trigger.missing_data == "ignore"
        least = (1 if trigger.raw else AT_LEAST) if skips else ENOUGH * buckets
        if self._known(left, right) < min(least, buckets):
            return None
        count = min(AT_LEAST, buckets)
        edges = [left + round(number * buckets / count) for number in range(count + 1)]
        said = [self._above(a, b) for a, b in pairwise(edges)]
        parts = [part for part in said if part is not None]
        if not parts or (len(parts) < count and not skips):
            return None
        return Span(
            start=self.at(left),
            end=self.at(right),
            left=left,
            right=right,
            mean=self.mean(left, right),
            above=all(parts),
            below=not any(parts),
        )

    def spans(self, buckets: int | None = None) -> Iterator[Span]:
        """All stretches that can be judged, the oldest first."""
        buckets = buckets or buckets_of(self.trigger)
        judged = (self.span(right, buckets) for right in range(buckets, self.size + 1))
        return (span for span in judged if span)

    def newest(self, buckets: int) -> Span | None:
        """The newest stretch that can be judged."""
        judged = (self.span(right, buckets) for right in range(self.size, buckets - 1, -1))
        return next((span for span in judged if span), None)


def judged_share(window: Grid, spans: tuple[Span, ...]) -> float:
    """The share of a window's buckets that belong to a stretch that could be judged.

    Args:
        window: the window's own buckets.
        spans: stretches that may begin before it.
    """
    judged, upto = 0, 0
    for span in spans:
        left = round((span.start - window.start) / window.period)
        right = min(window.size, round((span.end - window.start) / window.period))
        first = max(upto, left, 0)
        judged += sum(1 for index in range(first, right) if index not in window.left_out)
        upto = max(upto, right)
    size = window.size - len(window.left_out)
    return judged / size if size else 0.0
