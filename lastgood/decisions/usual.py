"""What is usual for a service: its traffic, its error rate, its response time, by the hour.

The rule. A rate or a mean of an hour is what a release would be compared with. The usual time is
the median of the hours, the usual rate that of 19 of 20; a bad hour's is that which 99 of 100 hours
do not exceed. Traffic is that of a
quiet hour: nine of ten have more. The quiet day is the full day on which the least failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.replaying import resampled

HOUR, DAY = 3600.0, 86400.0
_USUAL = 0.95
"""The worst of twenty hours is not usual."""
_FULL = 0.5
"""The share of a day that must have data."""


@dataclass(frozen=True)
class Usual:
    """A service as it is when nothing is wrong."""

    requests: float | None
    """A minute, in a quiet hour; None where nobody counts."""
    error_rate: float | None
    high_error_rate: float | None
    """Which 99 of 100 hours do not exceed."""
    time: float | None
    """Milliseconds."""
    high_time: float | None
    """Which 99 of 100 hours do not exceed."""
    hours: int


def usual_of(recording: Recording) -> Usual:
    """What is usual in a recording."""
    rows = [row for row in resampled(recording.rows, HOUR) if _has_data(row)]
    counted = [row for row in rows if row.requests is not None]
    buckets = _buckets_of_hours(recording)
    traffic = sorted(
        (row.requests or 0.0) / (buckets[row.at] * recording.period / 60) for row in counted
    )
    rates = sorted(
        row.errors / row.requests for row in counted if row.requests and row.errors is not None
    )
    times = sorted(row.average for row in rows if row.average is not None)
    return Usual(
        requests=quantile(traffic, 0.1),
        error_rate=_usual_rate(counted, quantile(rates, _USUAL)),
        high_error_rate=quantile(rates, 0.99),
        time=quantile(times, 0.5),
        high_time=quantile(times, 0.99),
        hours=len(rows),
    )


def _usual_rate(hours: Iterable[Row], most: float | None) -> float | None:
    """The share of failed requests in all hours but the worst: few requests have no median."""
    if most is None:
        return None
    known = [
        (row.requests, row.errors)
        for row in hours
        if row.requests and row.errors is not None and row.errors / row.requests <= most
    ]
    return math.fsum(bad for _, bad in known) / math.fsum(n for n, _ in known)


def _has_data(row: Row) -> bool:
    return row.requests is not None or row.average is not None


def _buckets_of_hours(recording: Recording) -> dict[float, int]:
    found: dict[float, int] = {}
    for row in recording.rows:
        if not row.problem:
            at = row.at // HOUR * HOUR
            found[at] = found.get(at, 0) + 1
    return found


def error_rate_of(row: Row) -> float | None:
    """The share of failed requests; None without requests."""
    return row.errors / row.requests if row.requests and row.errors is not None else None


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of the values does not exceed; None without values."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def quiet_day(recording: Recording, value_of: Callable[[Row], float | None]) -> list[Row]:
    """The rows of the full day whose mean is lowest; nothing if no day is full."""
    days: dict[float, list[Row]] = {}
    for row in recording.rows:
        if not row.problem and value_of(row) is not None:
            days.setdefault(row.at // DAY, []).append(row)
    full = [rows for rows in days.values() if len(rows) * recording.period >= _FULL * DAY]
    return min(full, key=lambda rows: _mean(rows, value_of), default=[])


def highest(
    rows: Iterable[Row],
    value_of: Callable[[Row], float | None],
    period: float,
    lasts: float,
    least: float = 0.0,
) -> float | None:
    """The highest mean over so many seconds, cut into equal pieces; None without data.

    Args:
        rows: of the past.
        value_of: what is looked at.
        period: of a row, in seconds.
        lasts: the length of a piece, in seconds.
        least: pieces with fewer requests are left out, where requests are counted.
    """
    pieces: dict[float, list[Row]] = {}
    for row in rows:
        if value_of(row) is not None:
            pieces.setdefault(row.at // max(lasts, period), []).append(row)
    enough = (some for some in pieces.values() if _counted(some) >= least)
    return max((_mean(some, value_of) for some in enough), default=None)


def _counted(rows: Iterable[Row]) -> float:
    return math.fsum(math.inf if row.requests is None else row.requests for row in rows)


def _mean(rows: Sequence[Row], value_of: Callable[[Row], float | None]) -> float:
    known = [(row.requests, value) for row in rows if (value := value_of(row)) is not None]
    weights = [1.0 if n is None else n for n, _ in known]
    whole = math.fsum(weights)
    return (
        math.fsum(w * v for w, (_, v) in zip(weights, known, strict=True)) / whole if whole else 0
    )
