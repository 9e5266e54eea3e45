"""The regression trigger: is the release worse than this service was before?

The rule. Four streams are watched, as far as they are measured: requests that fail, requests slower
than the baseline's 75 % and 95 % quantiles (by more than the square root of ``slowdown``), and
HTTP probes that fail. Each has evidence of its own against "no worse than before, plus a tolerance"
(``statistics.evidence``); their weighted mean is the release's evidence. It fires when that reaches
1/``false_alarm``. Slow requests do not count during the warm-up, unless they turn out to be no cold
start (``cold_start``): then all of them count. A bucket without data says nothing.

Where new and old tasks serve side by side and are counted apart, they are compared with each other
instead: what hits both, a neighbour's outage say, is no regression. While tasks are replaced one by
one, only the new ones' share of the requests can have become worse, and the bets know it.

A burst decides nothing by itself: within one block of time the evidence of each stream, and all
of it together, grows by no more than a factor. So an outage that all streams see is one burst.

A stream whose baseline is so small that it could not tell a doubtful rate from a normal one is left
out, and that is said. Where the baseline is burstier than chance, evidence counts for less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from lastgood.decisions.cold_start import ColdStart
from lastgood.decisions.samples import Baseline, Normal, Sample, Side
from lastgood.decisions.statistics.binomial import divergence, upper_bound
from lastgood.decisions.statistics.conditional import ConcurrentEvidence
from lastgood.decisions.statistics.evidence import TwoSampleEvidence
from lastgood.policy_triggers import RegressionTrigger

_WEIGHTS = {"errors": 0.4, "slow": 0.2, "slower": 0.15, "slowest": 0.15, "probes": 0.1}
_PROBE_RISE = 0.1
"""The smallest rise of failed probes that is bet on; half of it never counts."""
_SLOW_RISE = 1.3
"""The smallest factor of slow requests that is bet on; and the smallest share more of them."""
_MORE_SLOW = 0.02
_PICKED = 0.001
"""How likely the rate since may lie below what is claimed: a run was picked because it looks bad,
so that its bound has to be stricter."""
_MISSED = 0.01
"""How likely the rate before may lie above what is claimed."""
_USELESS = 0.5
"""A baseline that cannot exclude a rate this high is too small."""
_STARTS = 20
_TILT = 0.5
_PIECE = 60.0
"""Seconds; of a long window's pieces."""
_FINENESS = 2
"""A burst of the length that is tolerated is cut into so many blocks: it touches one more."""
_ALMOST = 0.95
"""Of what decides: so far a burst may come."""


Counted = tuple[float, float]
"""Requests, and how many of them were bad."""


@dataclass
class Stream:
    """One kind of bad request, what is normal of it, and the evidence that it rose."""

    name: str
    """``errors``, ``probes``, or one of ``samples.SLOW``."""
    normal: Normal
    weight: float
    evidence: TwoSampleEvidence
    smallest: float
    """The smallest rate that is bet on."""
    tolerance: float
    false_alarm: float
    usual: float = 0.0
    """Milliseconds, of slow requests: the baseline's quantile."""
    limit: float = 0.0
    """Milliseconds: slower than this is slow."""
    requests: float = 0.0
    bad: float = 0.0
    first: float = 0.0
    """When the first of them came."""
    since: float = 0.0
    """When the present run of bad ones began."""
    run: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Of that run: its log likelihood ratio, requests, bad ones."""
    beside: ConcurrentEvidence | None = None
    """Where new and old tasks are counted apart."""
    sides: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])
    """Requests and bad ones of the new tasks, then of the old ones, while both served."""

    @property
    def value(self) -> float:
        """The evidence of this stream."""
        if self.beside is None:
            return self.evidence.value
        return (self.evidence.value + self.beside.value) / 2

    @property
    def seen(self) -> float:
        """How many requests of the release were counted, in whatever comparison."""
        return self.requests + self.sides[0]

    @property
    def is_beside(self) -> bool:
        """Whether it is the comparison side by side that speaks."""
        return self.beside is not None and self.beside.value > self.evidence.value

    def start(self) -> None:
        """A fault may begin now. Opens a block."""
        self.evidence.start()
        if self.beside:
            self.beside.start()

    def open_block(self) -> None:
        """A new block of time begins."""
        self.evidence.open_block()
        if self.beside:
            self.beside.open_block()

    def take_beside(self, at: float, new: Counted, old: Counted) -> None:
        """Count what new and old tasks answered at the same time."""
        if self.beside is None:
            return
        self.first = self.first or at
        self.beside.update(*new, *old)
        counted = zip(self.sides, (*new, *old), strict=True)
        self.sides = [before + now for before, now in counted]

    def take(self, at: float, requests: float, bad: float, share: float = 1.0) -> None:
        """Count some requests, of which new tasks answered a share."""
        if requests <= 0:
            return
        self.first = self.first or at
        self.requests += requests
        self.bad += bad
        self.evidence.update(requests, bad, share)
        self._follow_run(at, requests, bad)

    def _follow_run(self, at: float, requests: float, bad: float) -> None:
        usual = min(max(self.normal.rate, 0.25 / self.normal.requests), 0.98)
        high = max(self.smallest, usual * 1.01)
        fine = math.log((1 - high) / (1 - usual))
        gain = bad * math.log(high / usual) + (requests - bad) * fine
        ratio, counted, failed = self.run
        if ratio <= 0:
            self.since, ratio, counted, failed = at, 0.0, 0.0, 0.0
        self.run = [max(0.0, ratio + gain), counted + requests, failed + bad]

    @property
    def certain_rise(self) -> float:
        """By how much the rate rose at least, as far as the counts of its run can tell."""
        _, requests, bad = self.run
        if requests <= 0:
            return 0.0
        now, before = requests / self.normal.dispersion, self.normal.requests
        low = 1 - upper_bound(max(0.0, requests - bad) / requests * now, now, _PICKED)
        high = upper_bound(self.normal.bad, before, _MISSED)
        return max(0.0, low - high)

    @property
    def unit(self) -> str:
        """What is counted."""
        return "probes" if self.name == "probes" else "requests"


class Regression:
    """Evidence against one release; fed with its buckets in the order of time, each once.

    Args:
        trigger: the policy's.
        baseline: what is normal.
        since: when the release was deployed, in seconds since the epoch.
        period: of a bucket, in seconds.
        window: how long the release is watched, in seconds.
        warm: stretches of time in which new tasks may be slow.
    """

    def __init__(
        self,
        trigger: RegressionTrigger,
        baseline: Baseline,
        *,
        since: float,
        period: float,
        window: float,
        warm: Iterable[tuple[float, float]] = (),
    ) -> None:
        self.since = since
        self.baseline = baseline
        self.period = period
        self.buckets = 0
        """How many said something."""
        self.pieces = 0
        """The window is cut into pieces: in how many there was a request; if requests are not
        compared, a probe."""
        self.piece = max(period, min(_PIECE, window / _STARTS))
        """Seconds."""
        self._in_piece = -1
        self._slow = [slow.name for slow in baseline.slow]
        self._warm = tuple(warm)
        self._cold = ColdStart(max((begin for begin, _ in self._warm), default=math.inf))
        self._held_back: list[Sample] = []
        """Of the last warm-up: what counts after all once it is no cold start."""
        burst = trigger.burst.total_seconds()
        self._block = max(period, burst / _FINENESS)
        blocks = math.ceil(burst / self._block) + 2
        self._restart = max(3 * burst, self._block, window / _STARTS)
        self._in_block = -1
        self._started = -math.inf
        self.decides = 1 / trigger.false_alarm
        self.streams, self.too_small = _streams(trigger, baseline, blocks)
        self.value = self._mean()
        # From 1 on it would take ``blocks`` of them to decide, whatever the streams say.
        self._growth = (_ALMOST * self.decides) ** (1 / (blocks - 1))
        self._room = self._growth

    def feed(self, sample: Sample) -> None:
        """Take one bucket into account."""
        self._open_block(sample.at)
        said = sample.requests is not None or sample.timed is not None or sample.probes > 0
        self.buckets += int(said)
        piece = int((sample.at - self.since) // self.piece)
        served = sample.requests or sample.timed
        if all(stream.name == "probes" for stream in self.streams):
            served = sample.probes
        if piece != self._in_piece and served:
            self._in_piece = piece
            self.pieces += 1
        if not self._cold.excluded and self._is_warm(sample.at):
            self._hold_back(sample)
        for stream in self.streams:
            self._take(stream, sample)
        # What one stream says alone has been held back by that stream already.
        alone = max((one.weight * one.value for one in self.streams), default=0.0)
        self.value = max(min(self._mean(), self._room), alone)

    def _open_block(self, at: float) -> None:
        block = int((at - self.since) // self._block)
        if block == self._in_block:
            return
        self._in_block = block
        self._room = self._growth * max(1.0, self.value)
        again = at - self._started >= self._restart - self._block / 2
        if again:
            self._started = at
        for stream in self.streams:
            if again:
                stream.start()
            else:
                stream.open_block()

    def _take(self, stream: Stream, sample: Sample) -> None:
        if stream.beside is None or sample.beside is None:
            requests, bad = self._counts(stream.name, sample)
            stream.take(sample.at, requests, bad, sample.share)
            return
        new, old = (self._of_side(stream.name, side, sample.at) for side in sample.beside)
        stream.take_beside(sample.at, new, old)

    def _of_side(self, name: str, side: Side, at: float) -> Counted:
        if name == "errors":
            return side.requests, side.errors
        if self._is_warm(at) or not side.slow:
            return 0.0, 0.0
        return side.timed, side.slow[self._slow.index(name)]

    def _is_warm(self, at: float) -> bool:
        if self._cold.excluded and at >= self._cold.begin:
            return False
        return any(begin <= at < end for begin, end in self._warm)

    def _hold_back(self, sample: Sample) -> None:
        """Keep what a warm-up leaves out; count it all the same once it is no cold start."""
        if "slower" not in self._slow or sample.slow is None or not sample.timed:
            return
        usual = self._slow.index("slower")
        self._cold.take(sample.at, sample.timed, sample.slow[usual], sample.share)
        if not self._cold.excluded:
            self._held_back.append(sample)
            return
        slow = [stream for stream in self.streams if stream.name in self._slow]
        block = -1
        for one in self._held_back:
            now = int((one.at - self.since) // self._block)
            for stream in slow:
                if now != block:
                    stream.open_block()
                self._take(stream, one)
            block = now
        self._held_back = []
        for stream in slow:
            stream.open_block()

    def _counts(self, name: str, sample: Sample) -> tuple[float, float]:
        if name == "errors":
            known = sample.requests is not None and sample.errors is not None
            return (sample.requests or 0.0, sample.errors or 0.0) if known else (0.0, 0.0)
        if name == "probes":
            return sample.probes, sample.failed
        if self._is_warm(sample.at) or sample.slow is None or not sample.timed:
            return 0.0, 0.0
        return sample.timed, sample.slow[self._slow.index(name)]

    def _mean(self) -> float:
        return math.fsum(stream.weight * stream.value for stream in self.streams)

    @property
    def strongest(self) -> Stream | None:
        """The stream that speaks most against the release."""
        return max(self.streams, key=lambda one: one.weight * one.value, default=None)


def _streams(
    trigger: RegressionTrigger, baseline: Baseline, blocks: int
) -> tuple[list[Stream], tuple[str, ...]]:
    found: list[tuple[str, Normal, float, float, float, float, float]] = []
    if baseline.errors:
        smallest = baseline.errors.rate + trigger.tolerance
        tolerance = trigger.tolerance / 2
        found.append(("errors", baseline.errors, _WEIGHTS["errors"], tolerance, smallest, 0.0, 0.0))
    for slow in baseline.slow:
        rate = slow.normal.rate
        smallest = max(_SLOW_RISE * rate, rate + _MORE_SLOW)
        weight = _WEIGHTS[slow.name]
        found.append((slow.name, slow.normal, weight, 0.0, smallest, slow.usual, slow.limit))
    if baseline.probes:
        smallest = baseline.probes.rate + _PROBE_RISE
        tolerance = _PROBE_RISE / 2
        found.append(("probes", baseline.probes, _WEIGHTS["probes"], tolerance, smallest, 0.0, 0.0))
    useful = [one for one in found if excludes(one[1], _USELESS)]
    small = tuple(one[0] for one in found if not excludes(one[1], _USELESS))
    whole = math.fsum(one[2] for one in useful)
    streams = []
    for name, normal, share, tolerance, smallest, usual, limit in useful:
        apart = baseline.beside and name != "probes"
        weight, eta = share / whole, 1 / normal.dispersion
        own = weight / 2 if apart else weight
        streams.append(
            Stream(
                name=name,
                normal=normal,
                weight=weight,
                evidence=TwoSampleEvidence(
                    normal.requests,
                    normal.bad,
                    tolerance=tolerance,
                    smallest=min(smallest, 0.95),
                    false_alarm=trigger.false_alarm,
                    weight=own,
                    eta=eta,
                    blocks=blocks,
                    tilt=_TILT,
                ),
                smallest=min(smallest, 0.95),
                tolerance=tolerance,
                false_alarm=trigger.false_alarm,
                usual=usual,
                limit=limit,
                beside=ConcurrentEvidence(
                    false_alarm=trigger.false_alarm, weight=own, blocks=blocks
                )
                if apart
                else None,
            )
        )
    return streams, small


def excludes(normal: Normal, rate: float) -> bool:
    """Whether the baseline speaks clearly against a rate."""
    if normal.requests <= 0 or normal.rate >= rate:
        return False
    distance = divergence(normal.rate, rate)
    return normal.requests / normal.dispersion * distance >= math.log(100)
