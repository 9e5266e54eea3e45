"""What a verdict was decided from: written down with it, and judged again from it.

The rule. A verdict that fired, or concludes a window, or tells what a dry run would have done, has
a record of all that its pure decision was given: series, baseline, times, the evidence at the
moments that were asked for, the checks that failed in a row. Judged again with the same policy it
says the same, of the same moment, with the same value; unless the decision itself has changed since
then, which is told. A record that would be too long says so, and cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from lastgood.contracts import ProbeAnswer, Tally, WatchedTrigger, WatchOrder
from lastgood.decisions import band, regression_verdicts, thresholds, verdicts
from lastgood.decisions.band import Gauge
from lastgood.decisions.false_alarms import Evidence
from lastgood.decisions.health import look_at_alarm, look_at_health
from lastgood.decisions.record_columns import Columns, pack, unpack
from lastgood.decisions.recorded import (
    KINDS,
    Given,
    OfAlarm,
    OfBand,
    OfCounts,
    OfHealth,
    OfRegression,
    OfThreshold,
    columns_of,
    gauges_again,
    points_again,
    samples_again,
)
from lastgood.decisions.samples import Sample
from lastgood.model import Reading, Status, Verdict
from lastgood.policy import Policy
from lastgood.policy_triggers import BandTrigger, RegressionTrigger, Trigger

_MOST_EVIDENCE = 1e300
_LONG = 8000
"""Characters: a longer record is in no heartbeat. After a crash it is not there."""
_COUNTS = ("latest", "healthy", "unhealthy", "no_data", "error")


class Noted:
    """Evidence as it is, that remembers what was asked of it."""

    def __init__(self, evidence: Evidence | None) -> None:
        self._evidence = evidence
        self._asked: dict[datetime, float | None] = {}

    def __call__(self, at: datetime) -> float | None:
        """What it says of a moment."""
        value = self._evidence(at) if self._evidence else None
        self._asked[at] = value if value is None else min(value, _MOST_EVIDENCE)
        return value

    @property
    def asked(self) -> tuple[tuple[datetime, float | None], ...] | None:
        """What it said; None if there is none."""
        return tuple(self._asked.items()) if self._evidence else None


def record_of(given: Given, *series: Columns) -> str:
    """Write a record.

    Args:
        given: what the decision was given.
        series: with it, of what compares: the samples, or for each gauge its datapoints.
    """
    written = given.model_dump(mode="json", exclude_defaults=True, exclude={"points"})
    written |= {"kind": given.kind}
    if isinstance(given, OfThreshold):
        series = (columns_of(given.points),)
        written["problems"] = [one.problem for one in given.points if one.problem]
    cut = next((one for one in series if not one.whole), None)
    if cut:
        return pack({"kind": given.kind, "cut": f"only the first of {cut.rows:,} rows were kept"})
    return pack({**written, "series": [one.as_json() for one in series]})


def wanted(order: WatchOrder, watched: WatchedTrigger, tally: Tally, *, last: bool) -> bool:
    """Whether what a look decides is written down: what fires, and what a window says.

    Of a dry run the first time that it would have fired. Not what is good again after a rollback.
    """
    told = watched.trigger.dry_run and tally.would is not None
    return order.goal == "breach" and (last or not told)


def with_record(tally: Tally, record: str) -> Tally:
    """A tally whose verdicts have the record, if they have none."""
    update = {
        name: verdict.model_copy(update={"record": record})
        for name in ("failing", "conclusion")
        if (verdict := getattr(tally, name)) and not verdict.record
    }
    return tally.model_copy(update=update) if update else tally


def light(tally: Tally) -> Tally:
    """A tally for a heartbeat, which is sent every few seconds."""
    would = tally.would
    if would and would.record and len(would.record) > _LONG:
        would = would.bare
    return bare(tally).model_copy(update={"would": would})


def bare(tally: Tally) -> Tally:
    """A tally whose verdicts have no record, but for what its dry run would have done."""
    failing, conclusion = tally.failing, tally.conclusion
    update = {
        "failing": failing.bare if failing else None,
        "conclusion": conclusion.bare if conclusion else None,
    }
    return tally.model_copy(update=update)


# --- Judging again -----------------------------------------------------------------------------


def why_not(verdict: Verdict) -> str | None:
    """Why a verdict cannot be judged again, in words; None: it can."""
    if verdict.record is None:
        return "it has no record"
    try:
        written = unpack(verdict.record)
    except ValueError as error:
        return str(error)
    if written.get("kind") not in KINDS:
        return "its record is of a newer Lastgood"
    cut = written.get("cut")
    return f"its record is not whole: {cut}" if cut else None


def trigger_of(policy: Policy, verdict: Verdict) -> Trigger | None:
    """The policy's trigger that a verdict is of: its key begins with its position."""
    position = (verdict.key or "").split(" ")[0]
    of_type = [one for one in policy.triggers if one.type == verdict.trigger]
    if not position.isdecimal():
        return of_type[0] if len(of_type) == 1 else None
    at = int(position)
    here = policy.triggers[at] if at < len(policy.triggers) else None
    return here if here and here.type == verdict.trigger else None


def opened(verdict: Verdict) -> tuple[Given, list[Any]]:
    """What a recorded verdict was decided from, and its series; see ``why_not``.

    The series are columns as they were written: the samples of a regression, or for each gauge of
    a band its datapoints. A threshold's points are in what it was given.

    Raises:
        ValueError: if the record cannot be read.
    """
    problem = why_not(verdict)
    if problem or verdict.record is None:
        raise ValueError(problem)
    written = unpack(verdict.record)
    series = written.pop("series", [])
    problems = written.pop("problems", [])
    given = KINDS[written["kind"]].model_validate(written)
    if isinstance(given, OfThreshold):
        points = points_again(series[0], problems)
        return given.model_copy(update={"points": points}), []
    return given, series


def judge_again(trigger: Trigger, verdict: Verdict) -> Verdict:
    """What the decisions of today say of a recorded verdict's input.

    Args:
        trigger: the policy's, as it was.
        verdict: with its record; see ``why_not``.

    Raises:
        ValueError: if it cannot be judged again.
    """
    given, series = opened(verdict)
    watched = WatchedTrigger(key=verdict.key or "", trigger=trigger)
    if isinstance(given, OfThreshold):
        said = _by_threshold(watched, given)
    elif isinstance(given, OfRegression):
        said = _by_regression(trigger, given, samples_again(series[0]))
    elif isinstance(given, OfBand):
        said = _by_band(trigger, given, [gauges_again(one) for one in series])
    else:
        said = _polled(watched, given)
    said = said or _fires_not(trigger, verdict)
    return _told_like(verdict, verdicts.said_by(trigger, said))


def same(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts say the same, with the same numbers."""
    return (one.status, one.reason, one.at, one.value) == (
        other.status,
        other.reason,
        other.at,
        other.value,
    )


def _told_like(verdict: Verdict, again: Verdict) -> Verdict:
    """As the first one was told: with its key, and a dry run's over what it would have done."""
    would = verdict.dry_run and again.status is Status.FAIL and verdicts.is_would_have(verdict)
    told = verdicts.would_have(again) if would else again
    return told.model_copy(update={"key": verdict.key, "record": verdict.record})


def _fires_not(trigger: Trigger, verdict: Verdict) -> Verdict:
    return Verdict(
        trigger=trigger.type,
        status=Status.PASS,
        at=verdict.at,
        reason=f"{trigger.type} would not fire.",
    )


def _evidence(asked: tuple[tuple[datetime, float | None], ...] | None) -> Evidence | None:
    return dict(asked).get if asked is not None else None


def _by_threshold(watched: WatchedTrigger, given: OfThreshold) -> Verdict | None:
    known: dict[str, Any] = {
        "before": given.before,
        "evidence": _evidence(given.asked),
        "started": given.started,
        "warm_up": given.warm_up,
    }
    tally = Tally(key=watched.key, latest=given.latest, value=given.value, error=given.error)
    looked = thresholds.look(
        watched,
        tally,
        given.points,
        since=given.since,
        now=given.now,
        not_before=given.not_before,
        **known,
    )
    if looked.failing or given.covers_from is None:
        return looked.failing
    return thresholds.conclude_metric(
        watched,
        tally,
        given.points,
        since=given.since,
        covers_from=given.covers_from,
        until=given.now,
        **known,
    )


def _by_regression(trigger: Trigger, given: OfRegression, samples: Iterable[Sample]) -> Verdict:
    if not isinstance(trigger, RegressionTrigger):
        raise TypeError(f"{trigger.type} is no regression trigger")
    followed = regression_verdicts.Followed(
        trigger,
        given.baseline,
        since=given.since,
        started=given.started,
        period=given.period,
        window=given.window,
    )
    for sample in samples:
        followed.feed(sample)
    return regression_verdicts.verdict(trigger, followed.regression, until=given.until)


def _by_band(trigger: Trigger, given: OfBand, gauges: Sequence[Sequence[Gauge]]) -> Verdict:
    if not isinstance(trigger, BandTrigger):
        raise TypeError(f"{trigger.type} is no band trigger")
    evidence = _evidence(given.asked)
    bands = [band.Followed(trigger, facts, given.warm, evidence) for facts in given.facts]
    for one, points in zip(bands, gauges, strict=True):
        for point in points:
            one.feed(point)
    return band.verdict(trigger, bands, until=given.until, ever=False)


def _polled(watched: WatchedTrigger, given: OfHealth | OfAlarm | OfCounts) -> Verdict | None:
    if isinstance(given, OfHealth):
        tally = Tally(key=watched.key, streak=given.before, reading=Reading.UNHEALTHY)
        for one in given.checks:
            ok = one.reading is Reading.HEALTHY
            answer = ProbeAnswer(ok=ok, text=one.text, milliseconds=0.0)
            tally = look_at_health(watched, tally, answer, one.at)
        return tally.failing
    if isinstance(given, OfAlarm):
        watched = watched.model_copy(update={"muted_until_ok": given.muted})
        tally = Tally(key=watched.key, seen_ok=given.seen_ok, alarm=given.alarm)
        return look_at_alarm(watched, tally, given.state, given.now, given.changes).failing
    counts = {name: getattr(given, name) for name in _COUNTS}
    tally = Tally(key=watched.key, **counts)
    return verdicts.conclude(tally, watched.trigger, given.expected, given.at)
