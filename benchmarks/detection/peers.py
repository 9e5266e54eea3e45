"""How others judge a release, by their rules as their sources and documentation have them.

Each is given what it reads: minutes, of errors, mean latency or histogram. Where a rule leaves open
which metrics it is for, it gets the error rate and the mean latency. The thresholds are the same
everywhere but for Flagger, which has its own. A decision is made at the end of a datapoint.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from statistics import fmean, stdev

from benchmarks.detection.alarms import LONGEST_MS, MOST_ERRORS, Alarm, cloudwatch
from benchmarks.detection.mannwhitney import p_value, shift
from benchmarks.detection.series import (
    MINUTE,
    Metric,
    Views,
    earliest,
    error_rate,
    mean_latency,
    percentile,
    summed,
)

Decisions = dict[str, int | None]
Judge = Callable[[Views], Decisions]
_BOTH: tuple[Metric, ...] = (error_rate, mean_latency)
_LATEST = 5 * MINUTE


def plain_thresholds(views: Views) -> Decisions:
    """Above 5 % of errors or a mean of 1 s in the last minute, or three failed probes in a row."""
    probes = three_failed_probes(views)
    return {
        f"plain thresholds @{resolution}": earliest(probes, _above_for_a_minute(views, resolution))
        for resolution in (MINUTE, 10)
    }


def _above_for_a_minute(views: Views, every: int) -> int | None:
    buckets = views.at(every).release
    for now in views.ticks(every):
        if now - views.deployed_at >= MINUTE:
            errors, latency = summed(buckets, now - MINUTE, now)
            if _above(errors, MOST_ERRORS) or _above(latency, LONGEST_MS):
                return now
    return None


def _above(value: float | None, threshold: float) -> bool:
    return value is not None and value > threshold


def three_failed_probes(views: Views) -> int | None:
    """Three in a row; a probe that is missing is no failed one."""
    row = 0
    for one in views.at(10).release:
        if one.probes:
            row = row + 1 if one.probes_failed else 0
        if row == 3:
            return one.time + 10
    return None


def anomaly_band(views: Views) -> Decisions:
    """Three minutes in a row above the baseline's mean by so many standard deviations.

    An approximation: AWS's model is not public, and learns from up to two weeks.
    """
    found: Decisions = {}
    for width in (2, 4):
        first = []
        for metric in _BOTH:
            before = views.values(metric, 0, views.deployed_at)
            if len(before) >= 5:
                top = fmean(before) + width * stdev(before)
                first.append(Alarm(views, metric, partial(operator.lt, top), MINUTE).first(3, 3))
        found[f"anomaly band, {width} sd, 3 of 3 @60"] = earliest(*first)
    return found


def argo(views: Views) -> Decisions:
    """A measurement of the last five minutes each minute; more than three failed ones end it.

    Each metric has its own count. No data is an error: asked again after 10 s, and more than four
    in a row end it too.
    """
    buckets = views.at(10).buckets
    failed, errors, now = [0, 0], 0, views.deployed_at
    while now <= views.until:
        values = summed(buckets, now - _LATEST, now)
        no_data = values[0] is None
        errors = errors + 1 if no_data else 0
        for number, threshold in enumerate((MOST_ERRORS, LONGEST_MS)):
            failed[number] += _above(values[number], threshold)
        if max(failed) > 3 or errors > 4:
            return {"Argo Rollouts": now}
        now += 10 if no_data else MINUTE
    return {"Argo Rollouts": None}


def flagger(views: Views) -> Decisions:
    """Each minute: below 99 % of success or a p99 above 500 ms; no data fails too. Five in all."""
    minutes = {one.time: one for one in views.at(MINUTE).release}
    failed = 0
    for now in views.ticks(MINUTE):
        one = minutes.get(now - MINUTE)
        errors, p99 = (error_rate(one), percentile(one, 0.99)) if one else (None, None)
        failed += errors is None or errors > 0.01 or _above(p99, 500)
        if failed == 5:
            return {"Flagger": now}
    return {"Flagger": None}


def kayenta(views: Views) -> Decisions:
    """The judge of Netflix: a metric is high if the shift's 98 % interval is off the tolerance.

    The tolerance is a quarter of the estimated shift, whatever that is. Any high metric ends it.
    Looked at once at the end, as it is meant, and each minute, as one would to be quicker; from
    five minutes with data on, where Spinnaker's documentation asks for fifty.
    """
    allowed = (1.0, 1.5, 2.0)
    each_minute: Decisions = {f"Kayenta each minute, x{limit:g}": None for limit in allowed}
    at_end = False
    for now in views.ticks(MINUTE):
        increase = _kayentas_increase(views, now)
        at_end = increase >= allowed[0]
        for name, limit in zip(each_minute, allowed, strict=True):
            if increase >= limit and each_minute[name] is None:
                each_minute[name] = now
    return {"Kayenta at the end": views.until if at_end else None, **each_minute}


def _kayentas_increase(views: Views, now: int) -> float:
    """The largest ratio of means of the metrics that are high by now; 0 if none is."""
    increase = 0.0
    for metric in _BOTH:
        control = views.values(metric, 0, views.deployed_at)
        experiment = views.values(metric, views.deployed_at, now)
        if len(experiment) < 5 or not control:
            continue
        moved = shift(experiment, control, 0.98)
        if moved and moved.low > 0.25 * abs(moved.estimate):
            ratio = fmean(experiment) / fmean(control) if any(control) else math.inf
            increase = max(increase, ratio)
    return increase


def pipecd(views: Views) -> Decisions:
    """Every five minutes, those five against the same five after the release before.

    Significantly (5 %) higher, or no data, ends it. The release before is the baseline's first
    minutes here, as nothing was released there.
    """
    start = views.window.since
    for now in views.ticks(_LATEST):
        until = start + now - views.deployed_at
        for metric in _BOTH:
            values = views.values(metric, now - _LATEST, now)
            before = views.values(metric, until - _LATEST, until)
            if not values or not before or p_value(values, before, greater=True) <= 0.05:
                return {"PipeCD PREVIOUS": now}
    return {"PipeCD PREVIOUS": None}


PEERS: tuple[Judge, ...] = (
    plain_thresholds,
    cloudwatch,
    anomaly_band,
    argo,
    flagger,
    kayenta,
    pipecd,
)
