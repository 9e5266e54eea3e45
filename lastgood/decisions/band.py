"""The band trigger: has a gauge left the band in which it was before?

The rule. The baseline's datapoints have a mean and a deviation. A datapoint is outside if it is
further from the mean than ``deviations`` times the deviation, and also further than what matters:
``tolerance`` for an error rate, the square root of ``slowdown`` for a response time, ``margin`` for
any other gauge. It fires when all datapoints of ``duration`` are outside on the same side.
Datapoints with too few requests, and response times during the warm-up, are left out; a gap in
which nothing was measured for as long as ``duration`` begins the run anew. A baseline of fewer than
five datapoints is too small: then it is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from lastgood.model import Model
from lastgood.policy_triggers import BandTrigger

LEAST = 5
"""Datapoints that a baseline must have."""
FINE = 10.0
"""Seconds: data as fine as this is looked at in datapoints of this length."""

Kind = Literal["error-rate", "response-time", "gauge"]


class Gauge(NamedTuple):
    """One datapoint. No model: a window has thousands."""

    at: float
    """When it begins, in seconds since the epoch."""
    value: float
    requests: float | None = None
    """None where nobody counts."""


class BandFacts(Model):
    """What a gauge was before, and how far it may go."""

    kind: Kind
    mean: float
    deviation: float
    datapoints: int
    deviations: float
    duration: float
    """Seconds."""
    period: float
    """Seconds."""


class Left(NamedTuple):
    """A stretch outside of the band."""

    begin: float
    end: float
    mean: float
    """Of the stretch."""
    low: float
    high: float


def period_for(trigger: BandTrigger, period: float) -> float:
    """The length of a datapoint in seconds: as the policy says; else 10 s or a minute."""
    if trigger.period:
        return max(period, trigger.period.total_seconds())
    return max(period, FINE if period <= FINE else 60.0)


def facts_of(
    trigger: BandTrigger, kind: Kind, baseline: Sequence[Gauge], period: float
) -> BandFacts:
    """Mean and deviation of a baseline's datapoints, weighted by requests where these are known."""
    used = [one for one in baseline if one.requests is None or one.requests > 0]
    weights = [1.0 if one.requests is None else one.requests for one in used]
    whole = math.fsum(weights)
    mean = (
        math.fsum(w * one.value for w, one in zip(weights, used, strict=True)) / whole
        if used
        else 0
    )
    spread = math.fsum((one.value - mean) ** 2 for one in used) / max(1, len(used) - 1)
    fine = period <= FINE
    lasts = trigger.duration.total_seconds() if trigger.duration else 60.0 if fine else 180.0
    return BandFacts(
        kind=kind,
        mean=mean,
        deviation=math.sqrt(spread),
        datapoints=len(used),
        deviations=trigger.deviations or (4.0 if fine else 3.0),
        duration=max(lasts, 3 * period),
        period=period,
    )


def limits(trigger: BandTrigger, facts: BandFacts, requests: float | None) -> tuple[float, float]:
    """The band around a datapoint with so many requests."""
    deviation = facts.deviation
    if facts.kind == "error-rate" and requests:
        rate = min(max(facts.mean, 0.25 / requests), 0.5)
        deviation = max(deviation, math.sqrt(rate * (1 - rate) / requests))
    width = facts.deviations * deviation
    if facts.kind == "error-rate":
        matters = trigger.tolerance
    elif facts.kind == "response-time":
        matters = facts.mean * (math.sqrt(trigger.slowdown) - 1)
    else:
        matters = abs(facts.mean) * trigger.margin
    return facts.mean - max(width, matters), facts.mean + max(width, matters)


def first_outside(
    trigger: BandTrigger,
    facts: BandFacts,
    points: Iterable[Gauge],
    warm: Sequence[tuple[float, float]] = (),
) -> Left | None:
    """The first stretch of the trigger's duration outside of the band; None if there is none."""
    needed = max(3, math.ceil(facts.duration / facts.period))
    run: list[Gauge] = []
    side = 0
    for point in points:
        if _unused(trigger, facts, point, warm):
            continue
        if run and point.at - run[-1].at > facts.duration:
            run = []
        low, high = limits(trigger, facts, point.requests)
        now = _side(trigger, point.value, low, high)
        if now == 0 or now != side:
            run = []
        side = now
        if now:
            run.append(point)
        if len(run) >= needed:
            last = run[-needed:]
            mean = math.fsum(one.value for one in last) / needed
            return Left(last[0].at, point.at + facts.period, mean, low, high)
    return None


def _side(trigger: BandTrigger, value: float, low: float, high: float) -> int:
    if value > high and trigger.direction != "below":
        return 1
    return -1 if value < low and trigger.direction != "above" else 0


def _unused(
    trigger: BandTrigger, facts: BandFacts, point: Gauge, warm: Sequence[tuple[float, float]]
) -> bool:
    if point.requests is not None and point.requests < trigger.min_requests:
        return True
    cold = any(begin <= point.at < end for begin, end in warm)
    return cold and facts.kind == "response-time"
