"""What a regression trigger concludes, in words that people on call can trust.

The rule. It fails when its evidence decided. It passes if there were requests (or probes, if these
alone are compared) in at least half of the window's minutes (of its twentieths, if these are
shorter; of its buckets, if these are longer), and a rate of one half would have been seen for
certain. Else it is inconclusive, and says what was missing: a baseline, data, or requests.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from lastgood.decisions.false_alarms import Evidence
from lastgood.decisions.metrics import MetricTrigger, warm_up_of
from lastgood.decisions.regression import Regression, Stream, excludes
from lastgood.decisions.regression_words import NAMES, counted, in_words, odds, rates
from lastgood.decisions.samples import SLOW, Baseline, Sample
from lastgood.decisions.statistics.binomial import divergence, upper_bound
from lastgood.decisions.verdicts import ENOUGH
from lastgood.model import Measurement, Reading, Status, Verdict
from lastgood.policy_triggers import ErrorRateTrigger, RegressionTrigger

_OVERHEAD = 3.0
"""Nats that not knowing rate, size and start of a rise costs."""
_VISIBLE = 0.5


class Followed:
    """The evidence about a release as it comes in, and what the trigger says of it.

    Args:
        trigger: the policy's.
        baseline: what is normal.
        since: when the release was deployed, in seconds since the epoch.
        started: when tasks of the release began to serve, likewise.
        period: of a bucket, in seconds.
        window: how long the release is watched.
        keep: of so many of the newest buckets, at least, the evidence is remembered.
    """

    def __init__(
        self,
        trigger: RegressionTrigger,
        baseline: Baseline,
        *,
        since: float,
        started: Iterable[float],
        period: float,
        window: timedelta,
        keep: int = 2000,
    ) -> None:
        warm_up = warm_up_of(trigger, window).total_seconds()
        self._trigger = trigger
        self._keep = keep
        self.regression = Regression(
            trigger,
            baseline,
            since=since,
            period=period,
            window=window.total_seconds(),
            warm=[(begin, begin + warm_up) for begin in started],
        )
        self._ends, self._values = array("d"), array("d")
        self.fired: Verdict | None = None
        """Its verdict of the moment when the evidence first decided."""

    def feed(self, sample: Sample) -> None:
        """Take the next bucket into account."""
        regression = self.regression
        regression.feed(sample)
        end = sample.at + regression.period
        self._ends.append(end)
        self._values.append(regression.value)
        if len(self._ends) >= 2 * self._keep:
            del self._ends[: -self._keep], self._values[: -self._keep]
        if self.fired is None and self.decides:
            self.fired = verdict(self._trigger, regression, until=end)

    @property
    def decides(self) -> bool:
        """Whether the evidence is strong enough now."""
        return bool(self.regression.streams) and self.regression.value >= self.regression.decides

    def at(self, moment: datetime) -> float | None:
        """The evidence at the end of a bucket; None if it is not known, or there can be none."""
        if not self.regression.streams:
            return None
        fired = self.fired
        index = bisect_left(self._ends, moment.timestamp())
        if index < len(self._ends) and self._ends[index] == moment.timestamp():
            return self._values[index]
        # After it fired, whoever feeds it need not know as much any more.
        return fired.value if fired and moment > fired.at else None

    def evidence_for(self, trigger: MetricTrigger, period: float) -> Evidence | None:
        """The evidence that a plain threshold's breach must have beside it.

        None where it could say nothing of this metric, or not soon enough: errors that are not
        counted, a baseline too small to tell the threshold from normal, longer buckets.
        """
        if self.regression.period > period:
            return None
        names = {stream.name: stream for stream in self.regression.streams}
        if isinstance(trigger, ErrorRateTrigger):
            errors = names.get("errors")
            return self.at if errors and excludes(errors.normal, trigger.threshold) else None
        return self.at if names.keys() & SLOW.keys() else None

    def verdict(self, until: float) -> Verdict:
        """What it says at the window's end: what it said when it fired, if it did."""
        return self.fired or verdict(self._trigger, self.regression, until=until)


def verdict(trigger: RegressionTrigger, regression: Regression, *, until: float) -> Verdict:
    """What the evidence says, now or at the window's end.

    Args:
        trigger: the policy's.
        regression: fed with all buckets so far.
        until: the time up to which it was to be fed, in seconds since the epoch.
    """
    strongest = regression.strongest
    fires = strongest is not None and regression.value >= regression.decides
    if fires and strongest:
        status, reason = Status.FAIL, in_words(strongest, regression)
    else:
        status, reason = _over_the_window(regression, until)
    told = f"{trigger.message}: {reason}" if trigger.message and fires else reason
    return Verdict(
        trigger=trigger.type,
        status=status,
        at=datetime.fromtimestamp(until, UTC),
        reason=told,
        value=round(min(regression.value, 1e12), 4),
        threshold=regression.decides,
        message=trigger.message,
        evidence=_evidence(regression, until),
    )


def latest(regression: Regression) -> str:
    """The evidence in one line, for whoever follows the release."""
    strongest = regression.strongest
    if strongest is None:
        return f"regression: {_no_baseline(regression)}"
    told = f"{rates(strongest, regression)}; " if strongest.seen else ""
    return (
        f"regression: {told}evidence {odds(regression.value)} "
        f"({regression.decides:,.0f} to 1 decides)"
    )


def _over_the_window(regression: Regression, until: float) -> tuple[Status, str]:
    stream = _to_tell(regression)
    if stream is None:
        return Status.INCONCLUSIVE, f"Nothing to compare with: {_no_baseline(regression)}."
    lasted = until - regression.since
    there = regression.buckets / max(1, math.floor(lasted / regression.period))
    if there < ENOUGH:
        return Status.INCONCLUSIVE, f"regression had data for only {there:.0%} of the window."
    served = regression.pieces / max(1, math.floor(lasted / regression.piece))
    if served < ENOUGH:
        return (
            Status.INCONCLUSIVE,
            f"regression saw requests in only {served:.0%} of the window: "
            f"{counted(stream, stream.seen)} in all.",
        )
    visible = min((smallest_rise(one) for one in regression.streams), default=1.0)
    told = f"no worse than {regression.baseline.text}, as far as chance allows: "
    told += f"{rates(stream, regression)}; evidence {odds(regression.value)} "
    told += f"({regression.decides:,.0f} to 1 decides)"
    own = smallest_rise(stream)
    if visible >= _VISIBLE:
        return (
            Status.INCONCLUSIVE,
            f"Too few requests to tell: even half of them failing would not have been certain "
            f"({counted(stream, stream.seen)} in the window).",
        )
    if own < _VISIBLE:
        told += f"; a rise by {own * 100:.1f} points would have been seen"
    return Status.PASS, told + _left_out(regression)


def _to_tell(regression: Regression) -> Stream | None:
    """The stream that speaks most against the release; where none does, the first there is."""
    strongest = regression.strongest
    if strongest is None or strongest.value >= 1:
        return strongest
    return next((one for one in regression.streams if one.seen), strongest)


def smallest_rise(stream: Stream) -> float:
    """The smallest rise that the requests so far would have shown, as a share; 1 for none."""
    requests = stream.seen
    if requests <= 0:
        return 1.0
    normal = stream.normal
    known = normal.requests / normal.dispersion
    high = min(upper_bound(normal.rate * known, known, 0.05) + stream.tolerance, 0.98)
    needed = math.log(1 / (stream.false_alarm * stream.weight)) + _OVERHEAD
    low, top = 0.0, 0.99 - high
    if requests / normal.dispersion * divergence(high + top, high) < needed:
        return 1.0
    for _ in range(30):
        middle = (low + top) / 2
        enough = requests / normal.dispersion * divergence(high + middle, high) >= needed
        low, top = (low, middle) if enough else (middle, top)
    return top + high - normal.rate


def _no_baseline(regression: Regression) -> str:
    if regression.too_small:
        names = ", ".join(NAMES[name] for name in regression.too_small)
        return f"too few requests in {regression.baseline.text} to know what is normal ({names})"
    return f"no data in {regression.baseline.text}"


def _left_out(regression: Regression) -> str:
    told = ""
    if regression.too_small:
        names = ", ".join(NAMES[name] for name in regression.too_small)
        told = f"; not compared, as {regression.baseline.text} has too few: {names}"
    silent = ", ".join(NAMES[one.name] for one in regression.streams if not one.seen)
    return f"{told}; not measured since the release: {silent}" if silent else told


def _evidence(regression: Regression, at: float) -> tuple[Measurement, ...]:
    moment = datetime.fromtimestamp(at, UTC)
    strongest = regression.strongest
    return tuple(
        Measurement(
            at=moment,
            reading=_reading(one, regression),
            text=f"{rates(one, regression)}; evidence {odds(one.value)}",
            value=one.bad / one.requests if one.requests else None,
        )
        for one in sorted(regression.streams, key=lambda one: one is not strongest)
    )


def _reading(stream: Stream, regression: Regression) -> Reading:
    if stream.seen <= 0:
        return Reading.NO_DATA
    bad = stream.weight * stream.value * len(regression.streams) >= regression.decides
    return Reading.UNHEALTHY if bad else Reading.HEALTHY
