"""Counts drawn by chance, and what follows from all that chance could draw. No numpy."""

import math
from bisect import bisect
from collections.abc import Callable
from itertools import accumulate
from random import Random


def chances(n: int, rate: float) -> list[float]:
    """How likely each count from 0 to n is."""
    if rate in (0, 1):
        return [float(k == n * rate) for k in range(n + 1)]
    return [
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(rate)
            + (n - k) * math.log1p(-rate)
        )
        for k in range(n + 1)
    ]


def drawing(n: int, rate: float, lots: Random) -> Callable[[], int]:
    """Draws binomial counts."""
    steps = list(accumulate(chances(n, rate)))
    return lambda: min(n, bisect(steps, lots.random()))


def at_most(runs: int, rate: float, doubt: float = 1e-3) -> int:
    """So many of the runs an event of this probability may come up, but for a chance of doubt."""
    tail = 1.0
    for count, chance in enumerate(chances(runs, rate)):
        tail -= chance
        if tail < doubt:
            return count
    return runs
