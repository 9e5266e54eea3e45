"""Plain thresholds: error-rate and response-time.

The rule. A trigger fires when its metric is above the threshold for its whole ``duration``, which
is three datapoints at least (``metrics``): the duration is cut into three equal parts, and each
must be above (``stretches``, also for what missing data means). A duration that is no multiple of
the period is rounded up: a breach must last at least as long as the policy says. Guards against
false alarms may say that a breach does not count (``false_alarms``). With ``datapoints`` or
``consecutive`` it fires as a CloudWatch alarm would (``datapoints``).

It is good again when a whole ``duration`` after the rollback has data and no part is above.

What the end of a window says is in ``metric_windows``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from lastgood.contracts import Tally, WatchedTrigger
from lastgood.decisions import datapoints
from lastgood.decisions.false_alarms import Breach, Evidence, Known, judge, muted
from lastgood.decisions.metric_windows import over_the_window
from lastgood.decisions.metrics import (
    LATE,
    breaches,
    in_words,
    lasts_in_words,
    limit_in_words,
    threshold_of,
)
from lastgood.decisions.metrics import MetricTrigger as MetricTrigger
from lastgood.decisions.metrics import buckets_of as buckets_of
from lastgood.decisions.metrics import lasts_of as lasts_of
from lastgood.decisions.metrics import late_of as late_of
from lastgood.decisions.metrics import period_of as period_of
from lastgood.decisions.metrics import reach_of as reach_of
from lastgood.decisions.metrics import warm_up_of as warm_up_of
from lastgood.decisions.readings import counted, measurements
from lastgood.decisions.series import Point
from lastgood.decisions.stretches import Grid, Span
from lastgood.decisions.verdicts import over_error_limit, said_by
from lastgood.model import Reading, Status, Verdict
from lastgood.policy import format_duration


def spans(
    trigger: MetricTrigger, points: tuple[Point, ...], since: datetime, now: datetime
) -> tuple[Span, ...]:
    """All stretches between two moments that can be judged, before any guard."""
    return tuple(Grid(trigger, points, since, now).spans())


def value_before(points: Sequence[Point]) -> float | None:
    """A metric's value before a release, for ``look``; None without data."""
    known = [(point.value, point.weight) for point in points if point.value is not None]
    weight = math.fsum(weight for _, weight in known)
    return math.fsum(value * weight for value, weight in known) / weight if weight else None


def look(
    watched: WatchedTrigger,
    tally: Tally,
    points: tuple[Point, ...],
    *,
    since: datetime,
    now: datetime,
    not_before: datetime | None = None,
    before: float | None = None,
    evidence: Evidence | None = None,
    started: tuple[datetime, ...] = (),
    warm_up: timedelta = timedelta(0),
) -> Tally:
    """Judge the newest points: the tally with its latest reading, ``failing``, ``recovered``.

    Args:
        watched: an error-rate or response-time trigger.
        tally: what was remembered before.
        points: the series, from well before ``now``: see ``reach_of``.
        since: nothing before this counts.
        now: the time of this look.
        not_before: with a cooldown, only a breach that reaches past its end counts.
        before: the metric's value before the release, as a ratio or in milliseconds; None if it is
            not known.
        evidence: how much speaks for a regression at a moment, to 1; None of it: no such trigger.
        started: when tasks of the release began to serve.
        warm_up: for how long response times do not count after that; see ``warm_up_of``.
    """
    trigger = _metric_trigger(watched)
    known = Known(before, evidence, started, warm_up)
    points = tuple(point for point in points if point.start >= since)
    grid = Grid(trigger, points, since, now, known.warming)
    if trigger.counted:
        return datapoints.look(trigger, tally, points, grid, now, not_before)
    judged = judge(grid, grid.spans(), known, not_before)
    newest = grid.newest(max(1, math.ceil(trigger.duration / grid.period)))
    reading, text, value = _latest(trigger, points, newest, now)
    unheeded = muted(trigger, before)
    doubt = unheeded or (judged.last.doubt if judged.lasts and judged.last else None)
    fires = judged.fires if not unheeded else None
    return counted(tally, reading, f"{text}: {doubt}" if doubt else text, now).model_copy(
        update={
            "value": value,
            "failing": _fired(grid, fires) if fires else None,
            "recovered": bool(newest and newest.below and reading is Reading.HEALTHY),
            "breach_since": judged.last.began if judged.lasts and judged.last else None,
        }
    )


def conclude_metric(
    watched: WatchedTrigger,
    tally: Tally,
    points: tuple[Point, ...],
    *,
    since: datetime,
    covers_from: datetime,
    until: datetime,
    before: float | None = None,
    evidence: Evidence | None = None,
    started: tuple[datetime, ...] = (),
    warm_up: timedelta = timedelta(0),
) -> Verdict:
    """What the whole window says, judged by the data's own time and not by our polls.

    Args:
        watched: an error-rate or response-time trigger that did not fire.
        tally: what was remembered.
        points: the series of the whole window.
        since: nothing before this counts.
        covers_from: the window's begin.
        until: the window's end.
        before: as for ``look``.
        evidence: as for ``look``.
        started: as for ``look``.
        warm_up: as for ``look``.
    """
    trigger = _metric_trigger(watched)
    known = Known(before, evidence, started, warm_up)
    grid = Grid(trigger, points, since, until, known.warming)
    window = Grid(trigger, points, covers_from, until, known.warming)
    if why := muted(trigger, before):
        status, reason = Status.PASS, f"{trigger.type} is {why}"
    elif too_many := over_error_limit(trigger, tally):
        status, reason = Status.INCONCLUSIVE, too_many
    elif trigger.counted:
        status, reason = datapoints.conclude(trigger, tally, grid, window)
    else:
        spans = tuple(grid.spans())
        judged = judge(grid, spans, known)
        status, reason = over_the_window(trigger, tally, window, spans, judged)
    verdict = Verdict(
        trigger=trigger.type,
        status=status,
        at=until,
        reason=reason,
        threshold=threshold_of(trigger),
        value=tally.value,
    )
    return said_by(trigger, verdict)


def _metric_trigger(watched: WatchedTrigger) -> MetricTrigger:
    if not isinstance(watched.trigger, MetricTrigger):
        raise TypeError(f"{watched.trigger.type} is not judged by a threshold on a metric")
    return watched.trigger


def _fired(grid: Grid, breach: Breach) -> Verdict:
    """The verdict over a breach that counts."""
    trigger, span = grid.trigger, breach.span
    limit = f"(threshold {limit_in_words(trigger)})"
    lasts = lasts_in_words(trigger)
    if span.mean is None:
        text = f"{trigger.type} has had no data for {lasts}, which counts as a breach {limit}"
    else:
        text = f"{trigger.type} {in_words(trigger, span.mean)} over {lasts} {limit}"
        text += _missing_in_words(grid, span) + _volume_in_words(grid, breach)
    verdict = Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {text}" if trigger.message else text,
        at=span.end,
        value=span.mean,
        threshold=threshold_of(trigger),
        message=trigger.message,
        evidence=measurements(grid, span.left, span.right),
    )
    return said_by(trigger, verdict)


def _missing_in_words(grid: Grid, span: Span) -> str:
    gone = grid.gone(span.left, span.right)
    if not gone or grid.trigger.missing_data != "breaching":
        return ""
    are = "is" if gone == 1 else "are"
    return f"; {gone} of {span.right - span.left} datapoints {are} missing, which counts as bad"


def _volume_in_words(grid: Grid, breach: Breach) -> str:
    if not grid.counted or grid.trigger.type != "error-rate":
        return ""
    requests, failed = grid.volume(breach.left, breach.span.right)
    lasted = format_duration(breach.span.end - breach.began)
    return f"; {failed:,.0f} of {requests:,.0f} requests failed in {lasted}"


def _latest(
    trigger: MetricTrigger, points: tuple[Point, ...], newest: Span | None, now: datetime
) -> tuple[Reading, str, float | None]:
    limit = limit_in_words(trigger)
    oldest = now - trigger.duration - max(LATE, 3 * period_of(trigger))
    recent = [p for p in points if p.start >= oldest]
    broken = next((p for p in reversed(recent) if p.problem), None)
    if broken:
        return Reading.ERROR, f"{trigger.type} cannot be used: {broken.problem}", None
    if newest and newest.end >= oldest:
        reading = Reading.UNHEALTHY if newest.above else Reading.HEALTHY
        if newest.mean is None:
            means = "a breach" if newest.above else "fine"
            return reading, f"{trigger.type} has no data now, which counts as {means}", None
        text = f"{trigger.type} {in_words(trigger, newest.mean)} (threshold {limit})"
        return reading, text, newest.mean
    if recent and recent[-1].value is not None:
        value = recent[-1].value
        reading = Reading.UNHEALTHY if breaches(trigger, value) else Reading.HEALTHY
        return reading, f"{trigger.type} {in_words(trigger, value)} (threshold {limit})", value
    return Reading.NO_DATA, f"{trigger.type}: no recent datapoint", None
