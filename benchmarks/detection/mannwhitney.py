"""Mann and Whitney's test, by the normal approximation with ties and continuity corrected.

The interval of the shift is what R's ``wilcox.test`` finds as a root (asymptotic, ``conf.int``):
its function of the shift is a staircase that steps at the differences between the samples, so the
root is one of them, and is counted off here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import NormalDist, median
from typing import NamedTuple

_NORMAL = NormalDist()


def u_of(first: Sequence[float], second: Sequence[float]) -> float:
    """In how many pairs the first sample's value is larger; equal ones count half."""
    marked = sorted([(value, 1) for value in first] + [(value, 0) for value in second])
    rank, total = 1, 0.0
    for _, group in groupby(marked, key=lambda one: one[0]):
        members = [of_first for _, of_first in group]
        total += sum(members) * (rank + (len(members) - 1) / 2)
        rank += len(members)
    return total - len(first) * (len(first) + 1) / 2


def _sigma(n: int, m: int, ties: Iterable[int]) -> float:
    total = n + m
    tied = sum(t**3 - t for t in ties) / (total * (total - 1))
    return math.sqrt(max(0.0, n * m / 12 * (total + 1 - tied)))


def p_value(first: Sequence[float], second: Sequence[float], *, greater: bool = False) -> float:
    """Of no difference; against any, or against the first being ``greater``. 1 if all are equal."""
    n, m = len(first), len(second)
    sigma = _sigma(n, m, Counter([*first, *second]).values())
    if not sigma:
        return 1.0
    off = u_of(first, second) - n * m / 2
    if greater:
        return 1 - _NORMAL.cdf((off - 0.5) / sigma)
    return min(1.0, 2 * (1 - _NORMAL.cdf((abs(off) - 0.5) / sigma)))


class Shift(NamedTuple):
    """By how much the first sample is larger: at least, and as Hodges and Lehmann estimate it."""

    low: float
    estimate: float


def shift(first: Sequence[float], second: Sequence[float], confidence: float) -> Shift | None:
    """None if nothing can be said, as all values within each sample are equal."""
    n, m = len(first), len(second)
    ties = [*Counter(first).values(), *Counter(second).values()]
    sigma = _sigma(n, m, ties)
    if not sigma or (len(set(first)) == 1 and len(set(second)) == 1):
        return None
    differences = sorted(one - other for one in first for other in second)
    z = _NORMAL.inv_cdf((1 + confidence) / 2)
    step = math.floor(n * m / 2 - 0.5 - z * sigma) + 1
    return Shift(differences[max(1, step) - 1], median(differences))
