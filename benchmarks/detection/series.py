"""A window as rules read it: at the resolution they want, and the last so many seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.detection.latencies import BOUNDS
from benchmarks.detection.windows import Bucket, Window

Metric = Callable[[Bucket], float | None]
MINUTE = 60


def error_rate(one: Bucket) -> float | None:
    """The share of requests that failed; nothing without requests."""
    return one.errors / one.requests if one.requests else None


def mean_latency(one: Bucket) -> float | None:
    """Milliseconds; nothing without requests."""
    return one.latency_avg


def percentile(one: Bucket, share: float) -> float | None:
    """Milliseconds, within a histogram's cell as Prometheus has it: evenly spread."""
    if not one.requests:
        return None
    wanted, low, below = share * one.requests, 0.0, 0
    for bound, count in zip(BOUNDS, one.at_most, strict=True):
        if count >= wanted:
            return low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return float(BOUNDS[-1])


class Views:
    """One window at several resolutions, each worked out once."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.deployed_at = window.deployed_at
        self.until = window.until
        self._known = {window.resolution: window}

    def at(self, resolution: int) -> Window:
        """The window with datapoints of so many seconds."""
        if resolution not in self._known:
            self._known[resolution] = self.window.resampled(resolution)
        return self._known[resolution]

    def ticks(self, every: int) -> Iterator[int]:
        """The moments of a clock that starts with the deployment; not the deployment itself."""
        yield from range(self.deployed_at + every, self.until + 1, every)

    def values(self, metric: Metric, begin: int, end: int, resolution: int = MINUTE) -> list[float]:
        """What a metric was between two moments, where it was anything."""
        found = (metric(one) for one in self.at(resolution).buckets if begin <= one.time < end)
        return [value for value in found if value is not None]


def summed(buckets: Sequence[Bucket], begin: int, end: int) -> tuple[float | None, float | None]:
    """Error rate and mean latency of all requests between two moments."""
    within = [one for one in buckets if begin <= one.time < end]
    requests = sum(one.requests for one in within)
    if not requests:
        return None, None
    spent = sum(one.requests * (one.latency_avg or 0) for one in within)
    return sum(one.errors for one in within) / requests, spent / requests


def earliest(*moments: int | None) -> int | None:
    """The first of those that there are."""
    return min((one for one in moments if one is not None), default=None)
