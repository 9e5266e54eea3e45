"""What was counted in one bucket of time, and what was normal before.

A bucket is complete or not there; what it does not know is None, never 0.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from lastgood.decisions.statistics.binomial import dispersion
from lastgood.model import Model

_BLOCKS = (60.0, 300.0)
"""Seconds: over such blocks a baseline's burstiness is measured, beside its own buckets."""
SLOW = {"slow": (0.75, 1.0), "slower": (0.95, 1.0), "slowest": (0.95, 2.0)}
"""What counts as slow: slower than a quantile of the baseline times a factor, and than that by more
than the tolerance."""


class Side(NamedTuple):
    """What the old or the new tasks alone answered in a bucket."""

    requests: float
    errors: float
    timed: float = 0.0
    slow: tuple[float, ...] = ()
    """As in ``Sample``."""


class Sample(NamedTuple):
    """One bucket. No model: a window has thousands."""

    at: float
    """When it begins, in seconds since the epoch."""
    requests: float | None = None
    errors: float | None = None
    timed: float | None = None
    """Requests whose response time is known."""
    slow: tuple[float, ...] | None = None
    """How many of these took longer than each of the baseline's limits."""
    average: float | None = None
    """Milliseconds."""
    probes: float = 0.0
    failed: float = 0.0
    """Of the probes."""
    beside: tuple[Side, Side] | None = None
    """The new tasks and the old ones, where both served at the same time and are counted apart."""
    share: float = 1.0
    """The share of new tasks among all, while they replace the old ones."""


Count = tuple[float, float, float]
"""When a bucket begins, how many requests, how many of these were bad."""

CHANCE = 1.0
"""Standard errors of a dispersion that are put down to chance."""


class Normal(Model):
    """A rate as it was before."""

    requests: float
    bad: float
    dispersion: float = 1.0
    """How much burstier than chance; at least 1."""

    @property
    def rate(self) -> float:
        """The share of bad ones."""
        return self.bad / self.requests if self.requests else 0.0


class SlowNormal(Model):
    """How many requests were slow before."""

    name: str
    """One of ``SLOW``."""
    usual: float
    """Milliseconds: the baseline's quantile times its factor."""
    limit: float
    """Milliseconds: what is slower than this counts as slow now."""
    normal: Normal
    """How many were slower than ``usual``."""


class Baseline(Model):
    """What is normal for a service, from one stretch of its past."""

    text: str
    """Which stretch: ``the hour before the release``."""
    errors: Normal | None = None
    slow: tuple[SlowNormal, ...] = ()
    probes: Normal | None = None
    buckets: int = 0
    beside: bool = False
    """Whether new tasks are counted apart from the old ones, where both serve."""
    written: bool = False
    """A person wrote it down: nothing was counted."""


def normal_of(counts: Sequence[Count], period: float) -> Normal | None:
    """Sum a baseline's buckets; None without requests.

    Args:
        counts: its buckets.
        period: the length of a bucket in seconds.
    """
    requests = math.fsum(n for _, n, _ in counts)
    if not requests:
        return None
    sizes = {period, *(size for size in _BLOCKS if size > period)}
    spread = max(1.0, *(_dispersion(counts, size) for size in sizes))
    return Normal(requests=requests, bad=math.fsum(k for *_, k in counts), dispersion=spread)


def _dispersion(counts: Iterable[Count], size: float) -> float:
    """The dispersion over blocks of a length, less what chance alone makes of so few blocks."""
    blocks: dict[float, tuple[float, float]] = {}
    for at, requests, bad in counts:
        before = blocks.get(at // size, (0.0, 0.0))
        blocks[at // size] = (before[0] + requests, before[1] + bad)
    used = [(n, k) for n, k in blocks.values() if n > 0]
    if len(used) < 2:
        return 1.0
    chance = 1 + CHANCE * math.sqrt(2 / (len(used) - 1))
    return dispersion([n for n, _ in used], [k for _, k in used]) / chance


class Histogram:
    """Response times as cumulative counts: how many took at most each bound.

    Between two bounds it is interpolated geometrically; beyond the last one nothing is known, so
    that those requests count as taking just longer than it.

    Args:
        bounds: milliseconds, rising.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)

    def above(self, cumulative: Sequence[float], total: float, limit: float) -> float:
        """How many took longer than ``limit`` milliseconds."""
        right = bisect_left(self.bounds, limit)
        if right == len(self.bounds):
            return 0.0
        high = self.bounds[right]
        upto = cumulative[right]
        if limit < high:
            low, before = (self.bounds[right - 1], cumulative[right - 1]) if right else (0.0, 0.0)
            part = math.log(limit / low) / math.log(high / low) if low else limit / high
            upto = before + (upto - before) * part
        return max(0.0, total - upto)

    def quantile(self, cumulative: Sequence[float], total: float, share: float) -> float | None:
        """The time that ``share`` of the requests did not exceed; None beyond the last bound."""
        wanted = share * total
        edges = [(0.0, 0.0), *zip(self.bounds, cumulative, strict=True)]
        for (low, before), (high, upto) in pairwise(edges):
            if upto >= wanted and upto > before:
                part = (wanted - before) / (upto - before)
                return low * (high / low) ** part if low else high * part
        return None
