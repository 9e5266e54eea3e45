"""From buckets to datapoints: statistics over periods, as a reader of CloudWatch sees them.

A period without data has no datapoint. `SampleCount`, `Sum`, `Average`, `Minimum`, `Maximum`,
percentiles (`p50`, `p99.9`) and what lies within bounds are known. Percentiles interpolate between
neighbours. `TC(a:b)` counts the values above `a` and up to `b`, `PR(a:b)` gives their percentage;
bounds are in the metric's own unit, and either one may be left out.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from sandbox.cloud.cloudwatch.errors import invalid_value
from sandbox.cloud.cloudwatch.series import ROLL_UPS, Bucket, Series

Points = dict[float, float]

_PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,10})?|100)")
_NUMBER = r"(\d+(?:\.\d+)?)?"
_WITHIN = re.compile(rf"(TC|PR)\({_NUMBER}:{_NUMBER}\)")
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def is_percentile(statistic: str) -> bool:
    """Whether this names a percentile."""
    return _PERCENTILE.fullmatch(statistic) is not None


class Bounds(NamedTuple):
    """What `TC(above:upto)` and `PR(above:upto)` ask for."""

    above: float
    upto: float
    percent: bool


def bounds_of(statistic: str) -> Bounds | None:
    """The bounds that a statistic names; None if it names none, or no stretch of values."""
    found = _WITHIN.fullmatch(statistic)
    if found is None or found[2] == found[3] is None:
        return None
    above, upto = float(found[2] or "-inf"), float(found[3] or "inf")
    return Bounds(above, upto, found[1] == "PR") if above < upto else None


def needs_values(statistic: str) -> bool:
    """Whether this is made of single values, which a statistic set does not have."""
    return is_percentile(statistic) or bounds_of(statistic) is not None


def check_statistic(statistic: str) -> None:
    """Refuse a statistic that CloudWatch does not know, or the sandbox does not."""
    if statistic not in STATISTICS and not needs_values(statistic):
        raise invalid_value(f"The value {statistic} for parameter Stat is not supported.")


def check_period(period: int) -> None:
    """Refuse a period that CloudWatch cannot aggregate to."""
    if period not in (1, 5, 10, 20, 30) and (period <= 0 or period % 60):
        raise invalid_value(
            f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {period}."
        )


def aggregate(
    series: Iterable[Series], start: float, end: float, period: int, *, with_values: bool
) -> dict[float, Bucket]:
    """Merge seconds into periods that begin at `start`; empty periods are absent."""
    periods: dict[float, Bucket] = {}
    width = next((w for w in ROLL_UPS if period % w == 0 and start % w == 0), 1)
    for one in series:
        for second, bucket in one.between(start, end, width):
            begin = start + (second - start) // period * period
            into = periods.get(begin)
            if into is None:
                into = periods[begin] = Bucket()
            into.merge(bucket, with_values=with_values)
    return dict(sorted(periods.items()))


def statistic_of(bucket: Bucket, statistic: str) -> float | None:
    """One statistic of a bucket; None where it has none (a percentile of unknown values)."""
    if not bucket.count:
        return None
    if is_percentile(statistic):
        return _percentile(bucket, float(statistic[1:]) / 100)
    bounds = bounds_of(statistic)
    if bounds:
        return _within(bucket, bounds)
    return {
        "SampleCount": bucket.count,
        "Sum": bucket.total,
        "Average": bucket.total / bucket.count,
        "Minimum": bucket.minimum,
        "Maximum": bucket.maximum,
    }[statistic]


def points(
    series: Iterable[Series], start: float, end: float, period: int, statistic: str
) -> Points:
    """The datapoints of one statistic, by the time at which their period begins."""
    periods = aggregate(series, start, end, period, with_values=needs_values(statistic))
    read = ((begin, statistic_of(bucket, statistic)) for begin, bucket in periods.items())
    return {begin: value for begin, value in read if value is not None}


def _within(bucket: Bucket, bounds: Bounds) -> float | None:
    if bucket.opaque or not bucket.values:
        return None
    weights = (n for value, n in bucket.values.items() if bounds.above < value <= bounds.upto)
    count = sum(weights)
    return 100 * count / sum(bucket.values.values()) if bounds.percent else float(count)


def _percentile(bucket: Bucket, share: float) -> float | None:
    if bucket.opaque or not bucket.values:
        return None
    if share == 1:
        return bucket.maximum  # which thinning never touches
    pairs = sorted(bucket.values.items())
    rank = share * (sum(weight for _, weight in pairs) - 1)
    seen = 0.0
    for index, (value, weight) in enumerate(pairs):
        seen += weight
        if rank <= seen - 1:
            return value
        if rank < seen and index + 1 < len(pairs):
            return value + (rank - (seen - 1)) * (pairs[index + 1][0] - value)
    return pairs[-1][0]
