"""Is it a cold start? New tasks are slow at first, and get faster; a slow release does not.

The rule. In the warm-up the share of slow requests is compared between two stretches of 20 s, the
later one 40 s after the earlier. A cold start that is over within two minutes has lost about half
of its slow requests by then. It is none if the later share is at least 85 % of the earlier one, and
with near certainty more than 65 %. On few requests that cannot be told, and the warm-up stays what
it is. So it does while old tasks are still being replaced: then others start cold all the time.
"""

from __future__ import annotations

import math
from collections import deque

_STRETCH, _APART = 20.0, 40.0
_SETTLED = 10.0
"""Seconds: so long nothing is compared at first."""
_AS_MUCH, _SURELY = 0.85, 0.65
_SURE = 2.5
"""Standard errors."""
_LEAST = 100.0
"""Requests in each stretch."""


class ColdStart:
    """What the requests of a warm-up say, bucket by bucket.

    Args:
        begin: when the last tasks began to serve, in seconds since the epoch.
    """

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.excluded = False
        """It is no cold start."""
        self._seen: deque[tuple[float, float, float]] = deque()
        self._rolling = False

    def take(self, at: float, requests: float, slow: float, share: float = 1.0) -> None:
        """Count a bucket that begins at ``at``; ``share``: of new tasks among all."""
        if at < self.begin:
            return
        self._rolling = self._rolling or share < 1
        self._seen.append((at, requests, slow))
        while self._seen[0][0] < at - _STRETCH - _APART:
            self._seen.popleft()
        self.excluded = not self._rolling and self._does_not_fall(at)

    def _does_not_fall(self, newest: float) -> bool:
        step = newest - self._seen[-2][0] if len(self._seen) > 1 else math.inf
        end = newest + step
        if end - _STRETCH - _APART < self.begin + _SETTLED:
            return False
        before, slow_before = self._sum(end - _STRETCH - _APART, end - _APART)
        now, slow_now = self._sum(end - _STRETCH, end)
        if min(before, now) < _LEAST or not slow_now:
            return False
        was, rate = slow_before / before, slow_now / now
        error = math.sqrt(rate * (1 - rate) / now + _SURELY**2 * was * (1 - was) / before)
        return rate >= _AS_MUCH * was and rate - _SURELY * was >= _SURE * error

    def _sum(self, begin: float, end: float) -> tuple[float, float]:
        within = [(n, k) for at, n, k in self._seen if begin <= at < end]
        return math.fsum(n for n, _ in within), math.fsum(k for _, k in within)
