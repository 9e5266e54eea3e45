"""How long requests take: log-normal with a Pareto tail, as a histogram.

The histogram's bounds are those of the E12 series, each about a fifth above the one before: fine
enough for a rule that tells a slowdown of a fifth from none. What a cell's requests took on average
is taken to be its geometric middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.detection.lots import Cells

_E12 = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)
BOUNDS = (*(step * decade for decade in (1, 10, 100) for step in _E12), 10_000)
"""Upper bounds of the cells in milliseconds; above the last is one cell more."""

_LONGEST = 30_000.0
MIDDLES = (
    0.7 * BOUNDS[0],
    *(math.sqrt(low * high) for low, high in pairwise(BOUNDS)),
    math.sqrt(BOUNDS[-1] * _LONGEST),
)


@dataclass(frozen=True)
class Latency:
    """The distribution of a service's latencies while nothing is wrong."""

    median_ms: float
    sigma: float
    tail_share: float
    tail_shape: float

    def at_most(self, ms: float) -> float:
        """The share of requests that take at most so long."""
        z = math.log(ms / self.median_ms) / self.sigma
        body = 0.5 * math.erfc(-z / math.sqrt(2))
        start = self.median_ms * math.exp(self.sigma)
        tail = 1 - (start / ms) ** self.tail_shape if ms > start else 0.0
        return (1 - self.tail_share) * body + self.tail_share * tail


class Histograms:
    """Cells of one service's latencies, by how slow it is at the moment; each worked out once."""

    def __init__(self, latency: Latency, factor: float) -> None:
        self._latency = latency
        self._factor = factor
        self._known: dict[tuple[int, int], Cells] = {}

    def cells(self, level: float, share: float = 0.0) -> Cells:
        """All requests take ``exp(level)`` as long; a share of them the fault's factor on top.

        Both are rounded to hundredths.
        """
        key = (round(level * 100), round(share * 100))
        if key not in self._known:
            self._known[key] = self._worked_out(math.exp(key[0] / 100), key[1] / 100)
        return self._known[key]

    def _worked_out(self, level: float, share: float) -> Cells:
        below = self._below(level)
        if share:
            slow = self._below(level * self._factor)
            below = [
                (1 - share) * one + share * other for one, other in zip(below, slow, strict=True)
            ]
        return Cells.of(
            [high - low for low, high in zip([0.0, *below], [*below, 1.0], strict=True)]
        )

    def _below(self, level: float) -> list[float]:
        return [self._latency.at_most(bound / level) for bound in BOUNDS]


def mean_ms(counts: Sequence[int]) -> float | None:
    """The mean of so many requests in each cell; none if there was no request."""
    n = sum(counts)
    if not n:
        return None
    spent = sum(count * middle for count, middle in zip(counts, MIDDLES, strict=True) if count)
    return round(spent / n, 3)
