"""What a recording says about one release: its baseline, its samples, its datapoints.

Watches read CloudWatch and ``lastgood backtest`` reads a file; both make the same nouns of it, so
that the decisions are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lastgood.decisions.band import Band, Gauge, facts_of, period_for
from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.samples import (
    SLOW,
    Baseline,
    Histogram,
    Normal,
    Sample,
    SlowNormal,
    normal_of,
)
from lastgood.decisions.series import Point
from lastgood.policy_triggers import BandTrigger, FixedBaseline, RegressionTrigger

_SURE = 1_000_000.0
"""A rate that a person wrote down counts as if seen in so many requests."""


def baseline_of(
    recording: Recording, rows: Sequence[Row], trigger: RegressionTrigger, text: str
) -> Baseline:
    """What was normal in these rows."""
    rows = [row for row in rows if not row.problem]
    counted = [
        (row.at, row.requests, row.errors)
        for row in rows
        if row.requests is not None and row.errors is not None
    ]
    probed = [(row.at, row.probes, row.failed or 0.0) for row in rows if row.probes]
    return Baseline(
        text=text,
        errors=normal_of(counted, recording.period),
        slow=_slow(recording, rows, math.sqrt(trigger.slowdown)),
        probes=normal_of(probed, recording.period),
        buckets=len(counted),
    )


def _slow(recording: Recording, rows: Sequence[Row], factor: float) -> tuple[SlowNormal, ...]:
    timed = [(row.at, row.requests, row.upto) for row in rows if row.upto and row.requests]
    if not timed:
        return ()
    times = Histogram(recording.bounds)
    total = math.fsum(n for _, n, _ in timed)
    whole = [math.fsum(column) for column in zip(*(upto for *_, upto in timed), strict=True)]
    found = []
    for name, (share, more) in SLOW.items():
        quantile = times.quantile(whole, total, share)
        if quantile is None:
            continue
        usual = quantile * more
        counts = [(at, n, times.above(upto, n, usual)) for at, n, upto in timed]
        normal = normal_of(counts, recording.period)
        limit = min(factor * usual, recording.bounds[-1])
        if normal and limit > usual:
            found.append(SlowNormal(name=name, usual=usual, limit=limit, normal=normal))
    return tuple(found)


def fixed_baseline(fixed: FixedBaseline, trigger: RegressionTrigger) -> Baseline:
    """What is normal, as the policy says it."""
    factor = math.sqrt(trigger.slowdown)
    times = {"slow": fixed.p75, "slower": fixed.p95}
    slow = tuple(
        SlowNormal(
            name=name,
            usual=usual.total_seconds() * 1000,
            limit=factor * usual.total_seconds() * 1000,
            normal=Normal(requests=_SURE, bad=(1 - SLOW[name][0]) * _SURE),
        )
        for name, usual in times.items()
        if usual
    )
    errors = fixed.error_rate
    return Baseline(
        text="what the policy says is normal",
        errors=None if errors is None else Normal(requests=_SURE, bad=errors * _SURE),
        slow=slow,
        written=True,
    )


def samples_of(recording: Recording, rows: Sequence[Row], baseline: Baseline) -> Iterator[Sample]:
    """The buckets of a release; what cannot be or is missing says nothing."""
    times = Histogram(recording.bounds) if recording.bounds else None
    limits = [slow.limit for slow in baseline.slow]
    for row in rows:
        if row.problem:
            continue
        slow = None
        if times and row.upto and row.requests:
            slow = tuple(times.above(row.upto, row.requests, limit) for limit in limits)
        yield Sample(
            at=row.at,
            requests=row.requests,
            errors=row.errors,
            timed=row.requests if slow else None,
            slow=slow,
            average=row.average,
            probes=row.probes or 0.0,
            failed=row.failed or 0.0,
        )


def error_points(rows: Sequence[Row]) -> tuple[Point, ...]:
    """The error rate, for the plain threshold."""
    return tuple(
        _point(row, row.errors / row.requests)
        for row in rows
        if not row.problem and row.requests and row.errors is not None
    ) + _problems(rows)


def time_points(rows: Sequence[Row]) -> tuple[Point, ...]:
    """The mean response time, for the plain threshold."""
    return tuple(
        _point(row, row.average) for row in rows if not row.problem and row.average is not None
    ) + _problems(rows)


def _point(row: Row, value: float) -> Point:
    return Point(
        start=datetime.fromtimestamp(row.at, UTC),
        value=value,
        weight=row.requests or 1.0,
        counted=row.requests is not None,
    )


def _problems(rows: Sequence[Row]) -> tuple[Point, ...]:
    return tuple(
        Point(start=datetime.fromtimestamp(row.at, UTC), value=None, problem=row.problem)
        for row in rows
        if row.problem
    )


def resampled(rows: Sequence[Row], period: float) -> list[Row]:
    """Rows of a coarser period: counts added up, times weighted by requests.

    Where errors were counted, only those requests count of which it is known how they ended.
    """
    groups: dict[float, list[Row]] = {}
    for row in rows:
        if not row.problem:
            groups.setdefault(row.at // period * period, []).append(row)
    return [_together(at, groups[at]) for at in sorted(groups)]


def _together(at: float, rows: Sequence[Row]) -> Row:
    known = [row for row in rows if row.errors is not None] or rows
    timed = [
        (1.0 if row.requests is None else row.requests, row.average)
        for row in rows
        if row.average is not None
    ]
    weight = math.fsum(n for n, _ in timed)
    return Row(
        at,
        _sum([row.requests for row in known]),
        _sum([row.errors for row in known]),
        math.fsum(n * average for n, average in timed) / weight if weight else None,
        probes=_sum([row.probes for row in rows]),
        failed=_sum([row.failed for row in rows]),
    )


def _sum(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return math.fsum(known) if known else None


def error_gauges(rows: Sequence[Row]) -> list[Gauge]:
    """The error rate, for a band."""
    return [
        Gauge(row.at, row.errors / row.requests, row.requests)
        for row in rows
        if not row.problem and row.requests and row.errors is not None
    ]


def time_gauges(rows: Sequence[Row]) -> list[Gauge]:
    """The mean response time, for a band."""
    return [
        Gauge(row.at, row.average, row.requests)
        for row in rows
        if not row.problem and row.average is not None
    ]


def band_of(
    trigger: BandTrigger, before: Sequence[Row], rows: Sequence[Row], period: float
) -> tuple[Band, ...]:
    """The bands of error rate and response time, and what they are to hold."""
    coarse = period_for(trigger, period)
    if coarse > period:
        before, rows = resampled(before, coarse), resampled(rows, coarse)
    return (
        Band(facts_of(trigger, "error-rate", error_gauges(before), coarse), error_gauges(rows)),
        Band(facts_of(trigger, "response-time", time_gauges(before), coarse), time_gauges(rows)),
    )
