"""How soon anybody could know: Wald's bound, which no rule beats on average.

A test that is wrong at most once in a hundred healthy releases needs requests for a sum of
n KL(p1 || p0) of ln 100.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.detection.latencies import Histograms
from benchmarks.detection.lots import Cells
from benchmarks.detection.scenarios import Scenario

ALPHA = 0.01
ENOUGH = math.log(1 / ALPHA)
_LEAST_ERRORS = 0.001


class Information:
    """How much a window's requests can tell at most: the sum of n KL(p1 || p0) after the fault.

    Errors and the latencies' cells; a service without errors counts as one with 0.1 %.
    """

    def __init__(self, one: Scenario, histograms: Histograms) -> None:
        self._one = one
        self._histograms = histograms
        self._sum = 0.0
        self._enough_s: float | None = None
        self._per_request: dict[float, float] = {}

    def grow(self, requests: int, strength: float, until: int) -> None:
        """So many requests felt the fault by so much."""
        if strength not in self._per_request:
            self._per_request[strength] = self._of_one(strength)
        before, more = self._sum, requests * self._per_request[strength]
        self._sum += more
        if before < ENOUGH <= self._sum:
            self._enough_s = max(0.0, until - self._one.fault.start)

    def _of_one(self, strength: float) -> float:
        before = max(_LEAST_ERRORS, self._one.errors)
        after = min(1.0, before + self._one.fault.points * strength)
        errors = divergence([after, 1 - after], [before, 1 - before])
        share = round(self._one.fault.slow_share * strength, 2)
        return errors + _apart(self._histograms.cells(0, share), self._histograms.cells(0))

    @property
    def multiple(self) -> float:
        """How much there was, in multiples of what a decision needs."""
        return round(self._sum / ENOUGH, 3)

    @property
    def enough_s(self) -> float | None:
        """Seconds from the fault until there was enough."""
        return self._enough_s


def divergence(after: Sequence[float], before: Sequence[float]) -> float:
    """Kullback and Leibler's KL(after || before), in nats."""
    return sum(
        a * math.log(a / max(b, 1e-9)) for a, b in zip(after, before, strict=True) if a > 1e-12
    )


def _apart(after: Cells, before: Cells) -> float:
    if after is before:
        return 0.0
    return max(0.0, divergence(after.probabilities, before.probabilities))
