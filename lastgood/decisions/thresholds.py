"""Plain thresholds: error-rate and response-time.

The rule. A trigger fires when its metric is above the threshold for its whole ``duration``: the
duration is cut into three equal parts (fewer, if there are fewer datapoints), each part must have
data, its mean must be above the threshold, and at least half of the duration's buckets must have
data. Only complete buckets that begin after the release was deployed count. A duration that is no
multiple of the period is rounded up: a breach must last at least as long as the policy says.

It is good again when a whole ``duration`` after the rollback has data and no part is above.

At the end of a window it passes if at least half of the window's buckets have data, and at least
half of them belong to a stretch that could be judged: datapoints too sparse to fire prove nothing.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import NamedTuple

from lastgood.contracts import Tally, WatchedTrigger
from lastgood.decisions.series import Point, ceil_to, floor_to
from lastgood.decisions.verdicts import ENOUGH
from lastgood.model import Measurement, Reading, Status, Verdict
from lastgood.policy import format_duration
from lastgood.policy_triggers import ErrorRateTrigger, ResponseTimeTrigger

MetricTrigger = ErrorRateTrigger | ResponseTimeTrigger

_PARTS = 3
_FINE_PERIODS = (30, 20, 10, 5, 1)
_UNIT = 10**9
"""Sums are whole billionths, so that nothing is lost where large and small values meet."""
_LATE = timedelta(minutes=3)
"""How late CloudWatch may show a datapoint."""


def period_of(trigger: MetricTrigger) -> timedelta:
    """The length of a datapoint: the policy's; else a minute, or a third of a shorter duration.

    CloudWatch knows 1, 5, 10, 20, 30 seconds and whole minutes.
    """
    if trigger.period:
        return trigger.period
    seconds = trigger.duration.total_seconds()
    if seconds >= 60:
        return timedelta(seconds=60)
    return timedelta(seconds=next((p for p in _FINE_PERIODS if p * _PARTS <= seconds), 1))


def threshold_of(trigger: MetricTrigger) -> float:
    """The threshold as a number: a ratio, or milliseconds."""
    if isinstance(trigger, ErrorRateTrigger):
        return trigger.threshold
    return trigger.threshold.total_seconds() * 1000


def in_words(trigger: MetricTrigger, value: float) -> str:
    """A value as people write it: ``8.0 %`` or ``3,012 ms``."""
    if isinstance(trigger, ErrorRateTrigger):
        return f"{value * 100:.1f} %"
    return f"{value:,.0f} ms"


def buckets_of(trigger: MetricTrigger) -> int:
    """How many datapoints a breach must last."""
    return max(1, math.ceil(trigger.duration / period_of(trigger)))


def is_above(value: float, threshold: float) -> bool:
    """Above, not equal; what units and sums round away, less than a billionth, does not count."""
    return value > threshold + 1 / _UNIT


class Span(NamedTuple):
    """A stretch of ``duration``, judged. No model: a window has thousands."""

    start: datetime
    end: datetime
    parts: tuple[float, ...]
    """The mean of each part."""
    mean: float
    above: bool
    below: bool
    """No part is above the threshold. Neither of both: it is mixed."""


class _Grid:
    """Prefix sums over all complete buckets, so that each span costs the same."""

    def __init__(
        self, points: tuple[Point, ...], start: datetime, end: datetime, period: timedelta
    ) -> None:
        self.start, self.period = start, period
        self.size = max(0, int((end - start) / period))
        weights, sums, present = [0] * self.size, [0] * self.size, [0] * self.size
        for point in points:
            index = int((point.start - start) / period)
            if 0 <= index < self.size and point.start >= start and point.value is not None:
                weights[index] = round(point.weight * _UNIT)
                sums[index] = round(point.weight * point.value * _UNIT)
                present[index] = 1
        self.weights = (0, *accumulate(weights))
        self.sums = (0, *accumulate(sums))
        self.present = (0, *accumulate(present))

    def mean(self, left: int, right: int) -> float | None:
        weight = self.weights[right] - self.weights[left]
        return (self.sums[right] - self.sums[left]) / weight if weight else None

    def coverage(self) -> float:
        return self.present[self.size] / self.size if self.size else 0.0

    def span(self, right: int, buckets: int, threshold: float) -> Span | None:
        left = right - buckets
        if self.present[right] - self.present[left] < ENOUGH * buckets:
            return None
        count = min(_PARTS, buckets)
        edges = [left + round(number * buckets / count) for number in range(count + 1)]
        means = [self.mean(a, b) for a, b in pairwise(edges)]
        parts = tuple(mean for mean in means if mean is not None)
        whole = self.mean(left, right)
        if len(parts) < count or whole is None:
            return None
        return Span(
            start=self.start + left * self.period,
            end=self.start + right * self.period,
            parts=parts,
            mean=whole,
            above=all(is_above(part, threshold) for part in parts),
            below=not any(is_above(part, threshold) for part in parts),
        )


def spans(
    trigger: MetricTrigger, points: tuple[Point, ...], since: datetime, now: datetime
) -> tuple[Span, ...]:
    """All stretches of the trigger's duration between two moments that can be judged."""
    period = period_of(trigger)
    grid = _Grid(points, ceil_to(since, period), floor_to(now, period), period)
    buckets = buckets_of(trigger)
    threshold = threshold_of(trigger)
    judged = (grid.span(right, buckets, threshold) for right in range(buckets, grid.size + 1))
    return tuple(span for span in judged if span)


def coverage(
    trigger: MetricTrigger, points: tuple[Point, ...], since: datetime, until: datetime
) -> float:
    """The share of complete buckets between two moments that have a usable datapoint."""
    period = period_of(trigger)
    return _Grid(points, ceil_to(since, period), floor_to(until, period), period).coverage()


def judged_share(
    trigger: MetricTrigger,
    points: tuple[Point, ...],
    *,
    since: datetime,
    covers_from: datetime,
    until: datetime,
) -> float:
    """The share of the window's complete buckets that belong to a stretch that could be judged."""
    period = period_of(trigger)
    start = ceil_to(covers_from, period)
    size = max(0, int((floor_to(until, period) - start) / period))
    judged, upto = 0, 0
    for span in spans(trigger, points, since, until):
        left, right = round((span.start - start) / period), round((span.end - start) / period)
        judged += max(0, right - max(upto, left))
        upto = max(upto, right)
    return judged / size if size else 0.0


def fired(trigger: MetricTrigger, span: Span, points: tuple[Point, ...]) -> Verdict:
    """The verdict over a stretch that is above the threshold."""
    threshold = threshold_of(trigger)
    text = (
        f"{trigger.type} {in_words(trigger, span.mean)} over {format_duration(trigger.duration)} "
        f"(threshold {in_words(trigger, threshold)})"
    )
    evidence = tuple(
        Measurement(
            at=point.start,
            reading=Reading.UNHEALTHY if is_above(point.value, threshold) else Reading.HEALTHY,
            value=point.value,
            text=in_words(trigger, point.value),
        )
        for point in points
        if point.value is not None and span.start <= point.start < span.end
    )
    return Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {text}" if trigger.message else text,
        at=span.end,
        value=span.mean,
        threshold=threshold,
        message=trigger.message,
        evidence=evidence[-20:],
    )


def _latest(
    trigger: MetricTrigger, points: tuple[Point, ...], newest: Span | None, now: datetime
) -> tuple[Reading, str, float | None]:
    limit = in_words(trigger, threshold_of(trigger))
    oldest = now - trigger.duration - max(_LATE, 3 * period_of(trigger))
    recent = [p for p in points if p.start >= oldest]
    broken = next((p for p in reversed(recent) if p.problem), None)
    if broken:
        return Reading.ERROR, f"{trigger.type} cannot be used: {broken.problem}", None
    if newest and newest.end >= oldest:
        reading = Reading.UNHEALTHY if newest.above else Reading.HEALTHY
        text = f"{trigger.type} {in_words(trigger, newest.mean)} (threshold {limit})"
        return reading, text, newest.mean
    if recent and recent[-1].value is not None:
        value = recent[-1].value
        high = is_above(value, threshold_of(trigger))
        reading = Reading.UNHEALTHY if high else Reading.HEALTHY
        return reading, f"{trigger.type} {in_words(trigger, value)} (threshold {limit})", value
    return Reading.NO_DATA, f"{trigger.type}: no recent datapoint", None


def look(
    watched: WatchedTrigger,
    tally: Tally,
    points: tuple[Point, ...],
    *,
    since: datetime,
    now: datetime,
    not_before: datetime | None = None,
) -> Tally:
    """Judge the newest points: the tally with its latest reading, ``failing``, ``recovered``.

    Args:
        watched: an error-rate or response-time trigger.
        tally: what was remembered before.
        points: the series, from well before ``now``.
        since: nothing before this counts.
        now: the time of this look.
        not_before: with a cooldown, only a breach that reaches past its end counts.
    """
    trigger = watched.trigger
    if not isinstance(trigger, MetricTrigger):
        raise TypeError(f"{trigger.type} is not judged by a threshold on a metric")
    points = tuple(point for point in points if point.start >= since)
    judged = spans(trigger, points, since, now)
    newest = judged[-1] if judged else None
    above = [s for s in judged if s.above and (not_before is None or s.end > not_before)]
    reading, text, value = _latest(trigger, points, newest, now)
    return tally.model_copy(
        update={
            "latest": text,
            "reading": reading,
            "value": value,
            "measured_at": now,
            reading.value: getattr(tally, reading.value) + 1,
            "streak": tally.streak + 1 if reading == tally.reading else 1,
            "failing": fired(trigger, above[0], points) if above else None,
            "recovered": bool(newest and newest.below and reading is Reading.HEALTHY),
        }
    )


def conclude_metric(
    watched: WatchedTrigger,
    tally: Tally,
    points: tuple[Point, ...],
    *,
    since: datetime,
    covers_from: datetime,
    until: datetime,
) -> Verdict:
    """What the whole window says, judged by the data's own time and not by our polls.

    Args:
        watched: an error-rate or response-time trigger that did not fire.
        tally: what was remembered.
        points: the series of the whole window.
        since: nothing before this counts.
        covers_from: the window's begin.
        until: the window's end.
    """
    trigger = watched.trigger
    if not isinstance(trigger, MetricTrigger):
        raise TypeError(f"{trigger.type} is not judged by a threshold on a metric")
    share = coverage(trigger, points, covers_from, until)
    judged = judged_share(trigger, points, since=since, covers_from=covers_from, until=until)
    enough = share >= ENOUGH and judged >= ENOUGH
    limit, lasts = in_words(trigger, threshold_of(trigger)), format_duration(trigger.duration)
    return Verdict(
        trigger=trigger.type,
        status=Status.PASS if enough else Status.INCONCLUSIVE,
        at=until,
        reason=(
            f"{trigger.type} was never above {limit} for {lasts}; "
            f"data for {share:.0%} of the window"
            if enough
            else f"{_why_unjudged(trigger, points, share, covers_from, until)} Last: {tally.latest}"
        ),
        threshold=threshold_of(trigger),
        value=tally.value,
    )


def _why_unjudged(
    trigger: MetricTrigger,
    points: tuple[Point, ...],
    share: float,
    covers_from: datetime,
    until: datetime,
) -> str:
    period = period_of(trigger)
    problem = next((p.problem for p in points if p.problem and p.start >= covers_from), None)
    if ceil_to(covers_from, period) >= floor_to(until, period):
        return (
            f"The window holds no whole datapoint of {trigger.type} ({format_duration(period)} "
            "each): make monitor.window longer."
        )
    if share >= ENOUGH:
        return (
            f"{trigger.type} has too few datapoints in any {format_duration(trigger.duration)} to "
            f"be judged (a datapoint is {format_duration(period)}): make duration or period longer."
        )
    note = f" ({problem})" if problem else ""
    return f"{trigger.type} had data for only {share:.0%} of the window{note}."
