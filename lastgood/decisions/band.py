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
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from lastgood.decisions.false_alarms import Evidence
from lastgood.decisions.verdicts import ENOUGH
from lastgood.model import Measurement, Model, Reading, Status, Verdict
from lastgood.policy import format_duration
from lastgood.policy_triggers import BandTrigger

LEAST = 5
"""Datapoints that a baseline must have."""
CORROBORATES = 1.0
"""The evidence for a regression that a band of error rate or response time must have beside it."""
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


class Band(NamedTuple):
    """One gauge: what it was before, and what it was since."""

    facts: BandFacts
    points: Sequence[Gauge]


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


class Followed:
    """One gauge as it comes in; fed with its datapoints in the order of time, each once.

    Args:
        trigger: the policy's.
        facts: what it was before.
        warm: stretches of time in which new tasks may be slow.
        evidence: how much speaks for a regression at a moment, to 1.
        since: when its window began; left out: with its first datapoint.
    """

    def __init__(
        self,
        trigger: BandTrigger,
        facts: BandFacts,
        warm: Sequence[tuple[float, float]] = (),
        evidence: Evidence | None = None,
        since: float | None = None,
    ) -> None:
        self.facts = facts
        self._trigger = trigger
        self._warm = warm
        self._evidence = evidence
        self._needed = max(3, math.ceil(facts.duration / facts.period))
        self._run: list[Gauge] = []
        self._side = 0
        self.left: Left | None = None
        """The stretch outside that lasts now, if it is long enough."""
        self.first: Left | None = None
        """The first such stretch."""
        self.begin = since
        """From when on there should have been datapoints."""
        self.datapoints = 0

    def feed(self, point: Gauge) -> None:
        """Take the next datapoint into account."""
        self.begin = point.at if self.begin is None else self.begin
        self.datapoints += 1
        if _unused(self._trigger, self.facts, point, self._warm):
            return
        if self._run and point.at - self._run[-1].at > self.facts.duration:
            self._run = []
        low, high = limits(self._trigger, self.facts, point.requests)
        side = _side(self._trigger, point.value, low, high)
        if side == 0 or side != self._side:
            self._run, self.left = [], None
        self._side = side
        if side:
            self._run = [*self._run[1 - self._needed :], point]
        if len(self._run) >= self._needed and _corroborated(self.facts, point, self._evidence):
            mean = math.fsum(one.value for one in self._run) / self._needed
            end = point.at + self.facts.period
            self.left = Left(self._run[0].at, end, mean, low, high)
            self.first = self.first or self.left

    def enough(self, until: float) -> bool:
        """Whether at least half of the datapoints up to then were there."""
        if self.begin is None:
            return False
        return self.datapoints * self.facts.period >= ENOUGH * (until - self.begin)


def _corroborated(facts: BandFacts, point: Gauge, evidence: Evidence | None) -> bool:
    if evidence is None or facts.kind == "gauge":
        return True
    value = evidence(datetime.fromtimestamp(point.at + facts.period, UTC))
    return value is None or value >= CORROBORATES


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


def verdict(
    trigger: BandTrigger, followed: Sequence[Followed], *, until: float, ever: bool = True
) -> Verdict:
    """What the bands of one trigger say.

    Args:
        trigger: the policy's.
        followed: its gauges, fed from the release on.
        until: the end of the window, or now, in seconds since the epoch.
        ever: whether it counts that a gauge was outside and is no longer.
    """
    useful = [one for one in followed if one.facts.datapoints >= LEAST]
    left = [(one.facts, out) for one in useful if (out := one.first if ever else one.left)]
    if left:
        facts, first = min(left, key=lambda pair: pair[1].end)
        return _fired(trigger, facts, first)
    judged = [one for one in useful if one.enough(until)]
    if judged:
        status, reason = Status.PASS, "; ".join(_inside(trigger, one.facts) for one in judged)
    elif not useful:
        status, reason = Status.INCONCLUSIVE, f"Too few datapoints before ({LEAST} are needed)."
    else:
        status, reason = Status.INCONCLUSIVE, "band had data for less than half of the window."
    return Verdict(
        trigger=trigger.type, status=status, at=datetime.fromtimestamp(until, UTC), reason=reason
    )


def _fired(trigger: BandTrigger, facts: BandFacts, left: Left) -> Verdict:
    lasts = format_duration(timedelta(seconds=left.end - left.begin))
    low, high = in_words(facts, max(left.low, 0.0)), in_words(facts, left.high)
    text = (
        f"{_name(trigger, facts)} was {in_words(facts, left.mean)} for {lasts}, outside of its "
        f"band {low} to {high} (before: {in_words(facts, facts.mean)} on average)"
    )
    at = datetime.fromtimestamp(left.end, UTC)
    return Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {text}" if trigger.message else text,
        at=at,
        value=left.mean,
        threshold=left.high if left.mean > facts.mean else left.low,
        message=trigger.message,
        evidence=(Measurement(at=at, reading=Reading.UNHEALTHY, text=text, value=left.mean),),
    )


def _inside(trigger: BandTrigger, facts: BandFacts) -> str:
    low, high = limits(trigger, facts, None)
    name, top, bottom = _name(trigger, facts), in_words(facts, high), in_words(facts, max(low, 0.0))
    lasts = format_duration(timedelta(seconds=facts.duration))
    return f"{name} never left {bottom} to {top} for {lasts}"


def _name(trigger: BandTrigger, facts: BandFacts) -> str:
    return trigger.metric.name if trigger.metric else facts.kind


def in_words(facts: BandFacts, value: float) -> str:
    """A gauge's value as people write it."""
    if facts.kind == "error-rate":
        return f"{value * 100:.1f} %"
    return f"{value:,.0f} ms" if facts.kind == "response-time" else f"{value:,.4g}"
