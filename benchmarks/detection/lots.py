"""Draws of counts: as many requests at once as a bucket has, never one by one where they are many.

Means of twelve and more are drawn from the normal approximation.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

_MANY = 12
_NEVER = 1e-7


def poisson(rng: Random, mean: float) -> int:
    """How many came, of so many expected."""
    if mean >= _MANY:
        return max(0, round(mean + math.sqrt(mean) * rng.gauss(0, 1)))
    left, count = rng.random(), 0
    share = math.exp(-mean)
    while left > share and share > 0:
        left -= share
        count += 1
        share *= mean / count
    return count


def binomial(rng: Random, n: int, p: float) -> int:
    """How many of ``n`` are of a kind that each is of with probability ``p``."""
    if n == 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if p > 0.5:
        return n - binomial(rng, n, 1 - p)
    mean, q = n * p, 1 - p
    if mean >= _MANY:
        return min(n, max(0, round(mean + math.sqrt(mean * q) * rng.gauss(0, 1))))
    left, count, share = rng.random(), 0, q**n
    while left > share and count < n:
        left -= share
        count += 1
        share *= p / q * (n - count + 1) / count
    return count


@dataclass(frozen=True)
class Cells:
    """Probabilities of a histogram's cells, in the forms that drawing needs."""

    probabilities: tuple[float, ...]
    cumulative: tuple[float, ...]
    conditional: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, probabilities: Sequence[float]) -> Cells:
        """Cells of these probabilities, which sum to one."""
        held = [(cell, p) for cell, p in enumerate(probabilities) if p > _NEVER]
        left = sum(p for _, p in held)
        conditional = []
        for cell, p in held:
            conditional.append((cell, p / left))
            left -= p
        conditional[-1] = (held[-1][0], 1.0)
        return cls(tuple(probabilities), tuple(accumulate(probabilities)), tuple(conditional))


def multinomial(rng: Random, n: int, cells: Cells) -> list[int]:
    """How many of ``n`` fell into each cell."""
    counts = [0] * len(cells.probabilities)
    if n <= _MANY:
        last = len(counts) - 1
        for _ in range(n):
            counts[min(last, bisect_left(cells.cumulative, rng.random()))] += 1
        return counts
    for cell, p in cells.conditional:
        drawn = binomial(rng, n, p)
        counts[cell] = drawn
        n -= drawn
        if n == 0:
            break
    return counts
