"""How good a rule is: what it rolled back that was good, what it found that was bad, how soon.

A false rollback is one of a release that should be kept. A detection is one of a release that is
worse by at least the minimal effect (a point of errors, half as much latency again), after its
fault began; before, it is counted as a miss, and how often that was is said. The delay is from the
fault to the decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist, median, quantiles

from benchmarks.detection.judging import Judged
from benchmarks.detection.shapes import SLOT_S
from benchmarks.detection.windows import Truth

_Z = NormalDist().inv_cdf(0.975)


def wilson(found: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share, square = found / of, _Z * _Z / of
    middle = (share + square / 2) / (1 + square)
    spread = _Z / (1 + square) * math.sqrt(share * (1 - share) / of + square / (4 * of))
    return max(0.0, middle - spread), min(1.0, middle + spread)


@dataclass(frozen=True)
class Score:
    """A rule on some windows."""

    kept: int
    rolled_back: int  # of those to keep
    tolerable: int
    not_tolerated: int
    bad: int  # by at least the minimal effect
    early: int  # rolled back before the fault
    delays: tuple[int, ...]  # of those detected
    ratios: tuple[float, ...]  # of these to the limit, or to a datapoint of ten seconds

    @classmethod
    def of(cls, judged: Iterable[Judged], rule: str) -> Score:
        """Count."""
        decided = [(one.truth, one.decisions[rule]) for one in judged]
        keep = [at for truth, at in decided if truth.verdict == "keep"]
        tolerable = [at for truth, at in decided if truth.verdict == "tolerate"]
        bad = [(truth, at) for truth, at in decided if truth.above_minimum]
        delays = [delay for one in bad if (delay := delay_of(*one)) is not None]
        ratios = [
            delay / max(truth.limit_s, SLOT_S)
            for truth, at in bad
            if truth.limit_s is not None and (delay := delay_of(truth, at)) is not None
        ]
        return cls(
            kept=len(keep),
            rolled_back=sum(at is not None for at in keep),
            tolerable=len(tolerable),
            not_tolerated=sum(at is not None for at in tolerable),
            bad=len(bad),
            early=sum(at is not None for _, at in bad) - len(delays),
            delays=tuple(delays),
            ratios=tuple(ratios),
        )

    @property
    def false_rollbacks(self) -> float | None:
        """Per cent of those to keep."""
        return percent(self.rolled_back, self.kept)

    @property
    def detections(self) -> float | None:
        """Per cent of those that are bad enough."""
        return percent(len(self.delays), self.bad)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        missed = self.bad - len(self.delays)
        return _share(2 * len(self.delays), 2 * len(self.delays) + self.rolled_back + missed)

    @property
    def middle(self) -> float | None:
        """The median delay."""
        return median(self.delays) if self.delays else None

    @property
    def to_limit(self) -> float | None:
        """How many times the time it takes on average until anybody can know; the median."""
        return median(self.ratios) if self.ratios else None

    @property
    def p95(self) -> float | None:
        """What nineteen of twenty delays are within."""
        if len(self.delays) < 2:
            return self.middle
        return quantiles(self.delays, n=20, method="inclusive")[-1]


def delay_of(truth: Truth, at: int | None) -> int | None:
    """Seconds from the fault to the decision; none if there was none, or before the fault."""
    if at is None or truth.fault_at is None or at <= truth.fault_at:
        return None
    return at - truth.fault_at


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def percent(part: int, whole: int) -> float | None:
    """Of a whole, if there is one."""
    return 100 * part / whole if whole else None
