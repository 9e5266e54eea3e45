"""M of N datapoints, as a CloudWatch alarm counts them.

The rule is AWS's, from "Configuring how CloudWatch alarms treat missing data"
(docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html):

1. More buckets than N are looked at (the evaluation range), and missing datapoints are used as few
   times as possible.
2. With N real datapoints or more in the range the newest N decide; gaps do not matter.
3. With fewer, gaps are filled up to N: ``breaching`` and ``not_breaching`` fill with that.
   ``inconclusive`` (AWS: missing) and ``ignore`` fill with nothing: M that breach are an alarm,
   and any one that does not makes it good.
4. Where all real datapoints breach and they are fewer than M, ``ignore`` keeps the state.
   ``inconclusive`` alarms once the oldest of them is M buckets old, as all later ones breach or are
   missing; until then, and with no datapoint at all, the data is insufficient. (AWS: avoiding
   premature transitions to alarm state.)

Ours is which buckets there are. What was before the release is no datapoint and no gap. The newest
buckets are no gaps before a later one has come or three minutes have gone by. A bucket with fewer
requests than ``min_requests`` is no datapoint, where requests are counted. A number that cannot be,
and a response time while new tasks warm up, are left out as if their bucket had not been.

It is good again when N buckets have gone by, the state is good, and the newest datapoint does not
breach. A window passes if its state is good and at least half of its buckets have a datapoint;
gaps count as such where the policy says what they mean, and are not asked for with ``ignore``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from lastgood.contracts import Tally
from lastgood.decisions.metrics import (
    LATE,
    MetricTrigger,
    above_in_words,
    breaches,
    in_words,
    limit_in_words,
    threshold_of,
)
from lastgood.decisions.readings import counted, measurements
from lastgood.decisions.series import Point
from lastgood.decisions.stretches import Grid
from lastgood.decisions.verdicts import ENOUGH, said_by
from lastgood.model import Reading, Status, Verdict
from lastgood.policy import format_duration
from lastgood.policy_triggers import MissingData

State = Literal["good", "alarm", "insufficient"]


def evaluation_range(of: int) -> int:
    """How many of the newest buckets are looked at.

    AWS documents one example, 5 for N = 3, and that it grows with N and the period.
    """
    return of + max(2, math.ceil(of / 3))


def evaluate(
    breached: Sequence[bool | None], *, most: int, of: int, missing_data: MissingData
) -> State | None:
    """Judge the evaluation range, the oldest first; None in it is a gap.

    Args:
        breached: at most ``evaluation_range(of)`` buckets.
        most: M, as many breaches are an alarm.
        of: N.
        missing_data: what gaps mean.

    Returns:
        The state; None if it stays what it was.
    """
    real = [one for one in breached if one is not None][-of:]
    gaps = sum(1 for one in breached if one is None)
    breaching, filled = sum(real), min(of - len(real), gaps)
    if missing_data == "breaching":
        return "alarm" if breaching + filled >= most else "good"
    if breaching >= most:
        return "alarm"
    if missing_data == "not_breaching" or len(real) == of or breaching < len(real):
        return "good" if real or filled else "insufficient"
    if missing_data == "ignore":
        return None
    oldest = next((n for n, one in enumerate(breached) if one), len(breached))
    return "alarm" if len(breached) - oldest >= most else "insufficient"


class _Moment(NamedTuple):
    """The state at the end of one bucket."""

    state: State | None
    """None: nothing could be said yet."""
    first: int
    newest: int
    """The evaluation range, in the grid's buckets."""
    buckets: int
    """How many there have been."""


def _moments(grid: Grid, trigger: MetricTrigger) -> Iterator[_Moment]:
    most, of = trigger.counted or (1, 1)
    seen: list[tuple[int, bool | None]] = []
    state: State | None = None
    for index, gone in enumerate(grid.missing):
        point = grid.points.get(index)
        if not gone and (point is None or point.value is None):
            continue
        value = point.value if point else None
        seen.append((index, None if value is None else breaches(trigger, value)))
        newest = seen[-evaluation_range(of) :]
        said = evaluate(
            [one for _, one in newest], most=most, of=of, missing_data=trigger.missing_data
        )
        state = said or state
        yield _Moment(state, newest[0][0], index, len(seen))


def look(
    trigger: MetricTrigger,
    tally: Tally,
    points: tuple[Point, ...],
    grid: Grid,
    now: datetime,
    not_before: datetime | None,
) -> Tally:
    """The tally with its latest reading, ``failing``, ``recovered``."""
    moments = tuple(_moments(grid, trigger))
    newest = moments[-1] if moments else None
    late = (one for one in moments if not_before is None or grid.at(one.newest + 1) > not_before)
    alarm = next((one for one in late if one.state == "alarm"), None)
    reading, text, value = _latest(trigger, points, grid, newest, now)
    _, of = trigger.counted or (1, 1)
    good = newest is not None and newest.state == "good" and newest.buckets >= of
    return counted(tally, reading, text, now).model_copy(
        update={
            "value": value,
            "failing": _fired(trigger, grid, alarm) if alarm else None,
            "recovered": good and reading is Reading.HEALTHY,
        }
    )


def _latest(
    trigger: MetricTrigger,
    points: tuple[Point, ...],
    grid: Grid,
    newest: _Moment | None,
    now: datetime,
) -> tuple[Reading, str, float | None]:
    _, of = trigger.counted or (1, 1)
    oldest = now - evaluation_range(of) * grid.period - LATE
    recent = [point for point in points if point.start >= oldest]
    broken = next((point for point in reversed(recent) if point.problem), None)
    if broken:
        return Reading.ERROR, f"{trigger.type} cannot be used: {broken.problem}", None
    usable = max((n for n in grid.points if grid.at(n) >= oldest), default=None)
    value = None if usable is None else grid.points[usable].value
    if value is not None:
        reading = Reading.UNHEALTHY if breaches(trigger, value) else Reading.HEALTHY
        text = f"{trigger.type} {in_words(trigger, value)} (threshold {limit_in_words(trigger)})"
        return reading, text, value
    if newest and trigger.missing_data in ("breaching", "not_breaching"):
        bad = newest.state == "alarm"
        means = "a breach" if trigger.missing_data == "breaching" else "fine"
        reading = Reading.UNHEALTHY if bad else Reading.HEALTHY
        return reading, f"{trigger.type} has no data now, which counts as {means}", None
    return Reading.NO_DATA, f"{trigger.type}: no recent datapoint", None


def _fired(trigger: MetricTrigger, grid: Grid, alarm: _Moment) -> Verdict:
    most, of = trigger.counted or (1, 1)
    left, right = alarm.first, alarm.newest + 1
    real = [grid.points[index] for index in range(left, right) if index in grid.points][-of:]
    bad = [one.value for one in real if one.value is not None and breaches(trigger, one.value)]
    gone = grid.gone(left, right)
    text = (
        f"{trigger.type} {above_in_words(trigger)} in {len(bad)} of {of} datapoints of "
        f"{format_duration(grid.period)} ({most} are enough)"
    )
    if bad:
        text += f", in the newest of them {in_words(trigger, bad[-1])}"
    if len(bad) < most:
        means = ", which counts as a breach" if trigger.missing_data == "breaching" else ""
        text += f"; {gone} {'is' if gone == 1 else 'are'} missing{means}"
    verdict = Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {text}" if trigger.message else text,
        at=grid.at(right),
        value=bad[-1] if bad else None,
        threshold=threshold_of(trigger),
        message=trigger.message,
        evidence=measurements(grid, left, right),
    )
    return said_by(trigger, verdict)


def conclude(trigger: MetricTrigger, tally: Tally, grid: Grid, window: Grid) -> tuple[Status, str]:
    """What the whole window says.

    Args:
        trigger: its rule, which did not fire.
        tally: what was remembered.
        grid: all buckets since the release.
        window: the window's buckets.
    """
    most, of = trigger.counted or (1, 1)
    moments = tuple(_moments(grid, trigger))
    newest = moments[-1] if moments else None
    share = window.coverage()
    enough = share >= ENOUGH and newest is not None and newest.buckets >= most
    ignores = trigger.missing_data == "ignore" and bool(window.points or not window.broken)
    rule = f"{most} of {of} datapoints of {format_duration(grid.period)}"
    if (enough and newest and newest.state == "good") or ignores:
        told = "" if enough else "; the policy ignores missing data"
        return Status.PASS, (
            f"{trigger.type} was never {above_in_words(trigger)} in {rule}; "
            f"data for {share:.0%} of the window{told}"
        )
    note = f" ({window.broken[0]})" if window.broken else ""
    if share < ENOUGH:
        why = f"{trigger.type} had datapoints for only {share:.0%} of the window{note}."
    else:
        why = f"{trigger.type} has too few datapoints in the window to be judged by {rule}."
    return Status.INCONCLUSIVE, f"{why} Last: {tally.latest}"
