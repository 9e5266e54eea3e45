"""From a verdict's record to the picture of what was judged.

The rule. A picture shows what the decision was given, and nothing that was read later: the points
that a threshold saw, the buckets that a regression trigger counted and the evidence as it grew, the
gauge within its band, the checks that failed in a row, the states of an alarm. Buckets that are
missing stay missing. A verdict without a record, and a count of looks, have no picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from lastgood.decisions import band, records, regression_verdicts
from lastgood.decisions.charts import Chart, Curve, Level, Panel, Stretch, Tone
from lastgood.decisions.metrics import MetricTrigger, period_of, threshold_of
from lastgood.decisions.plain import one_line
from lastgood.decisions.recorded import (
    OfAlarm,
    OfBand,
    OfHealth,
    OfRegression,
    OfThreshold,
    gauges_again,
    samples_again,
)
from lastgood.decisions.regression import Stream
from lastgood.decisions.samples import Sample
from lastgood.model import Verdict
from lastgood.policy_triggers import (
    BandTrigger,
    ErrorRateTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)

_BEYOND = 100.0
"""Evidence is drawn up to so many times what decides."""
_LEAST = 1e-3
_NAME = 100
"""Letters of an alarm's or a metric's name, at most."""
_STREAMS = {"errors": "failed requests, %", "probes": "failed probes, %"}
_TONES: dict[str, Tone] = {"OK": "good", "ALARM": "bad"}


def chart_of(trigger: Trigger, verdict: Verdict) -> Chart | None:
    """The picture of what a verdict was decided from; None if there is none to draw.

    Args:
        trigger: the policy's, as it was.
        verdict: with its record.
    """
    if records.why_not(verdict):
        return None
    given, series = records.opened(verdict)
    chart = None
    if isinstance(given, OfThreshold) and isinstance(
        trigger, ErrorRateTrigger | ResponseTimeTrigger
    ):
        chart = _of_threshold(trigger, given)
    elif isinstance(given, OfRegression) and isinstance(trigger, RegressionTrigger):
        chart = _of_regression(trigger, given, samples_again(series[0]))
    elif isinstance(given, OfBand) and isinstance(trigger, BandTrigger):
        chart = _of_band(trigger, given, series)
    elif isinstance(given, OfHealth):
        chart = _of_health(trigger, verdict, given)
    elif isinstance(given, OfAlarm):
        chart = _of_alarm(given)
    drawable = chart and any(one.stretches or _some(one.curves) for one in chart.panels)
    return chart if drawable else None


def _some(curves: Iterable[Curve]) -> bool:
    return any(curve.points for curve in curves)


# --- Thresholds --------------------------------------------------------------------------------


def _of_threshold(trigger: MetricTrigger, given: OfThreshold) -> Chart:
    percent = isinstance(trigger, ErrorRateTrigger)
    scale = 100.0 if percent else 1.0
    points = [(one.start.timestamp(), one.value) for one in given.points]
    known = tuple((at, value * scale) for at, value in points if value is not None)
    period = period_of(trigger).total_seconds()
    limit = threshold_of(trigger)
    before = given.before
    normal = None
    if before is not None:
        text = f"the hour before {_number(before * scale, percent)}"
        normal = Level(before * scale, text)
    panel = Panel(
        title="failed requests, %" if percent else "response time, ms",
        curves=(Curve(known),),
        period=period,
        limit=Level(limit * scale, f"threshold {_number(limit * scale, percent)}"),
        normal=normal,
    )
    problems = {one.problem for one in given.points if one.problem}
    notes = [*_missing([at for at, _ in points], period), *_unusable(sorted(problems))]
    return Chart(title=trigger.type, panels=(panel,), notes=tuple(notes))


def _number(value: float, percent: bool) -> str:
    return f"{value:,.3g} %" if percent else f"{value:,.0f} ms"


def _missing(begins: Sequence[float], period: float) -> list[str]:
    """What gaps there are, in a sentence."""
    gaps = [round((right - left) / period) - 1 for left, right in pairwise(sorted(begins))]
    lost = sum(gap for gap in gaps if gap > 0)
    whole = len(begins) + lost
    if not lost:
        return []
    are = "is" if lost == 1 else "are"
    return [f"{lost:,} of {whole:,} datapoints {are} missing: the line has gaps there."]


def _unusable(problems: Sequence[str]) -> list[str]:
    return [f"Some datapoints could not be used: {'; '.join(problems[:3])}."] if problems else []


# --- Regression --------------------------------------------------------------------------------


def _of_regression(
    trigger: RegressionTrigger, given: OfRegression, samples: Sequence[Sample]
) -> Chart:
    followed = regression_verdicts.Followed(
        trigger,
        given.baseline,
        since=given.since,
        started=given.started,
        period=given.period,
        window=given.window,
    )
    evidence = []
    for sample in samples:
        followed.feed(sample)
        evidence.append((sample.at + given.period, followed.regression.value))
    decides = followed.regression.decides
    panels = [_of_stream(followed.regression.strongest, given, samples)]
    if followed.regression.streams:
        within = tuple((at, min(max(v, _LEAST), decides * _BEYOND)) for at, v in evidence)
        panels.append(
            Panel(
                title="evidence that it is worse, to 1",
                curves=(Curve(within),),
                limit=Level(decides, f"{decides:,.0f} to 1 decides"),
                log=True,
            )
        )
    notes = _missing([one.at for one in samples], given.period)
    return Chart(title="regression", panels=tuple(panels), notes=tuple(notes))


def _of_stream(stream: Stream | None, given: OfRegression, samples: Sequence[Sample]) -> Panel:
    """What speaks most against the release; failed requests, if nothing can be compared."""
    name = stream.name if stream else "errors"
    limits = [slow.name for slow in given.baseline.slow]
    place = limits.index(name) if name in limits else None
    title = _STREAMS.get(name, "slow answers, %")
    if stream and stream.limit:
        title = f"answers over {stream.limit:,.0f} ms, %"
    if stream and stream.is_beside:
        curves = tuple(
            Curve(_rates(_beside(one, side, place) for one in samples), name)
            for side, name in ((1, "old tasks"), (0, "new tasks"))
        )
    else:
        curves = (Curve(_rates(_counted(one, name, place) for one in samples)),)
    normal = None
    if stream and not stream.is_beside:
        rate = 100 * stream.normal.rate
        text = "by the policy" if given.baseline.written else given.baseline.text
        normal = Level(rate, f"{text} {_number(rate, True)}")
    return Panel(title=title, curves=curves, period=given.period, normal=normal)


Counts = tuple[float, float | None, float | None]
"""When a bucket begins, of how many, how many were bad."""


def _counted(sample: Sample, name: str, place: int | None) -> Counts:
    if place is not None:
        slow = sample.slow
        return sample.at, sample.timed, slow[place] if slow and place < len(slow) else None
    if name == "probes":
        return sample.at, sample.probes, sample.failed
    return sample.at, sample.requests, sample.errors


def _beside(sample: Sample, side: int, place: int | None) -> Counts:
    if sample.beside is None:
        return sample.at, None, None
    one = sample.beside[side]
    if place is None:
        return sample.at, one.requests, one.errors
    return sample.at, one.timed, one.slow[place] if place < len(one.slow) else None


def _rates(counts: Iterable[Counts]) -> tuple[tuple[float, float], ...]:
    return tuple((at, 100 * bad / whole) for at, whole, bad in counts if whole and bad is not None)


# --- Bands, checks, alarms ---------------------------------------------------------------------


def _of_band(trigger: BandTrigger, given: OfBand, series: Sequence[Any]) -> Chart:
    panels, notes = [], []
    for facts, written in zip(given.facts, series, strict=True):
        points = gauges_again(written)
        scale = 100.0 if facts.kind == "error-rate" else 1.0
        edges = [(one.at, *band.limits(trigger, facts, one.requests)) for one in points]
        unit = {"error-rate": "failed requests, %", "response-time": "mean response time, ms"}
        named = one_line(trigger.metric.name, _NAME) if trigger.metric else facts.kind
        panels.append(
            Panel(
                title=unit.get(facts.kind, named),
                curves=(Curve(tuple((one.at, scale * one.value) for one in points)),),
                period=facts.period,
                normal=Level(scale * facts.mean, f"before {band.in_words(facts, facts.mean)}"),
                band=tuple((at, scale * max(low, 0.0), scale * high) for at, low, high in edges),
            )
        )
        notes += _missing([one.at for one in points], facts.period)
    notes.insert(0, "The shaded band is where it may be.")
    return Chart(title="band", panels=tuple(panels), notes=tuple(notes))


def _of_health(trigger: Trigger, verdict: Verdict, given: OfHealth) -> Chart:
    failed = tuple(
        (one.at.timestamp(), float(given.before + number))
        for number, one in enumerate(given.checks, start=1)
    )
    threshold = getattr(trigger, "threshold", None) or verdict.threshold or 0
    panel = Panel(
        title="failed checks in a row",
        curves=(Curve(failed),),
        limit=Level(float(threshold), f"threshold {threshold:g}"),
    )
    return Chart(title=verdict.trigger, panels=(panel,))


def _of_alarm(given: OfAlarm) -> Chart:
    changes = sorted(given.changes, key=lambda one: one.at)
    now, since = given.now.timestamp(), given.state.since or given.now
    marks = [(one.at.timestamp(), one.new) for one in changes] or [
        (min(since.timestamp(), now), given.state.state)
    ]
    ends = [*(at for at, _ in marks[1:]), now]
    held = [
        Stretch(begin, max(begin, end), state, _TONES.get(state, "plain"))
        for (begin, state), end in zip(marks, ends, strict=True)
    ]
    name = one_line(given.state.name, _NAME)
    panel = Panel(title=f"state of {name}", stretches=tuple(held))
    return Chart(title=f"alarm {name}", panels=(panel,))
