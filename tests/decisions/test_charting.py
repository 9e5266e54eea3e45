"""What pictures show: what was judged, from the records of verdicts, and when what happened."""

from datetime import timedelta
from typing import Any

import pytest

from lastgood.contracts import AlarmChange, AlarmState
from lastgood.decisions import recorded, records
from lastgood.decisions.band import BandFacts, Gauge
from lastgood.decisions.charting import chart_of
from lastgood.decisions.charts import Chart, Level, Stretch
from lastgood.decisions.moments import deciding, moments_of
from lastgood.decisions.record_columns import Columns
from lastgood.decisions.samples import Baseline, Normal, Sample, Side
from lastgood.decisions.series import Point
from lastgood.model import Action, Measurement, Outcome, Reading, Status, Verdict
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    HealthCheckTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)
from tests.decisions.made import T0, at, error_rate
from tests.decisions.told import recorded_release

SECONDS = T0.timestamp()


def drawn(trigger: Trigger, given: recorded.Given, *series: Columns) -> Chart:
    verdict = Verdict(trigger=trigger.type, status=Status.FAIL, reason="bad", at=at(600))
    chart = chart_of(
        trigger, verdict.model_copy(update={"record": records.record_of(given, *series)})
    )
    assert chart is not None
    return chart


def of_threshold(points: list[Point], **more: Any) -> recorded.OfThreshold:
    return recorded.OfThreshold(points=tuple(points), since=T0, now=at(600), **more)


def test_a_threshold_shows_its_points_in_percent_with_what_was_normal() -> None:
    points = [Point(start=at(60 * n), value=n / 100) for n in range(4)]
    chart = drawn(error_rate(), of_threshold(points, before=0.004))
    [panel] = chart.panels
    assert panel.curves[0].points == tuple((SECONDS + 60 * n, pytest.approx(n)) for n in range(4))
    assert panel.period == 60
    assert panel.limit == Level(pytest.approx(5), "threshold 5 %")
    assert panel.normal == Level(pytest.approx(0.4), "the hour before 0.4 %")
    assert chart.notes == ()
    assert (chart.begin, chart.end) == (SECONDS, SECONDS + 240)


def test_what_is_missing_stays_missing_and_is_said() -> None:
    points = [Point(start=at(60 * n), value=900.0) for n in (0, 1, 4)]
    points.append(Point(start=at(300), value=None, problem="it is negative"))
    trigger = ResponseTimeTrigger(threshold=timedelta(seconds=1))
    chart = drawn(trigger, of_threshold(points))
    assert [when - SECONDS for when, _ in chart.panels[0].curves[0].points] == [0, 60, 240]
    assert chart.panels[0].limit == Level(1000.0, "threshold 1,000 ms")
    assert chart.notes == (
        "2 of 6 datapoints are missing: the line has gaps there.",
        "Some datapoints could not be used: it is negative.",
    )


BASELINE = Baseline(
    text="the 1h before the release",
    errors=Normal(requests=48120, bad=192),
    buckets=360,
)


def of_regression(samples: list[Sample]) -> Chart:
    given = recorded.OfRegression(
        baseline=BASELINE,
        since=SECONDS,
        started=(SECONDS,),
        period=10,
        window=timedelta(minutes=10),
        until=SECONDS + 600,
    )
    columns = recorded.kept_samples()
    for one in samples:
        columns.add(recorded.flat(one))
    return drawn(RegressionTrigger(), given, columns)


def test_a_regression_shows_the_rate_and_its_evidence_as_it_grew_past_what_decides() -> None:
    samples = [Sample(SECONDS + 10 * n, 100.0, 0.4 if n < 20 else 20.0) for n in range(40)]
    rate, evidence = of_regression(samples).panels
    assert rate.title == "failed requests, %"
    assert [value for _, value in rate.curves[0].points][-1] == 20
    assert rate.normal == Level(pytest.approx(0.399, abs=1e-3), "the 1h before the release 0.399 %")
    assert evidence.limit == Level(100, "100 to 1 decides")
    assert evidence.log
    values = [value for _, value in evidence.curves[0].points]
    assert values[15] < 1 < 100 <= values[-1] <= 10_000


def test_old_and_new_tasks_side_by_side_are_two_curves() -> None:
    samples = [
        Sample(SECONDS + 10 * n, 10.0, 2.0, beside=(Side(50, 20), Side(50, 0))) for n in range(40)
    ]
    given = recorded.OfRegression(
        baseline=BASELINE.model_copy(update={"beside": True}),
        since=SECONDS,
        started=(SECONDS,),
        period=10,
        window=timedelta(minutes=10),
        until=SECONDS + 600,
    )
    columns = recorded.kept_samples()
    for one in samples:
        columns.add(recorded.flat(one))
    rate = drawn(RegressionTrigger(), given, columns).panels[0]
    assert [(one.name, one.points[0][1]) for one in rate.curves] == [
        ("old tasks", 0),
        ("new tasks", 40),
    ]


def test_without_a_past_a_regression_shows_the_rate_alone() -> None:
    given = recorded.OfRegression(
        baseline=Baseline(text="the 1h before the release"),
        since=SECONDS,
        period=10,
        window=timedelta(minutes=10),
        until=SECONDS + 600,
    )
    columns = recorded.kept_samples()
    columns.add(recorded.flat(Sample(SECONDS, 100.0, 3.0)))
    [panel] = drawn(RegressionTrigger(), given, columns).panels
    assert (panel.curves[0].points, panel.normal) == (((SECONDS, 3.0),), None)


def test_a_band_is_drawn_around_its_gauge() -> None:
    facts = BandFacts(
        kind="gauge", mean=10, deviation=1, datapoints=60, deviations=3, duration=180, period=60
    )
    columns = recorded.kept_gauges()
    for n in range(5):
        columns.add(Gauge(SECONDS + 60 * n, 10.0 + n))
    trigger = BandTrigger.model_validate(
        {"type": "band", "metric": {"namespace": "Shop", "name": "QueueDepth"}}
    )
    chart = drawn(trigger, recorded.OfBand(facts=(facts,), until=SECONDS + 300), columns)
    [panel] = chart.panels
    assert panel.title == "QueueDepth"
    assert panel.band[0] == (SECONDS, 7, 13)
    assert panel.curves[0].points[-1] == (SECONDS + 240, 14)
    assert chart.notes == ("The shaded band is where it may be.",)


def test_failed_checks_rise_to_their_threshold() -> None:
    checks = tuple(
        Measurement(at=at(10 * n), reading=Reading.UNHEALTHY, text="answered 500") for n in range(2)
    )
    [panel] = drawn(HealthCheckTrigger(), recorded.OfHealth(checks=checks, before=1)).panels
    assert panel.curves[0].points == ((SECONDS, 2.0), (SECONDS + 10, 3.0))
    assert panel.limit == Level(3.0, "threshold 3")
    assert panel.period == 0


def test_an_alarm_is_shown_in_its_states() -> None:
    changes = (
        AlarmChange(at=at(60), old="OK", new="ALARM"),
        AlarmChange(at=at(0), old="ALARM", new="OK"),
    )
    state = AlarmState(name="web-5xx", state="ALARM", since=at(60))
    trigger = AlarmTrigger(alarm="web-5xx")
    chart = drawn(trigger, recorded.OfAlarm(state=state, changes=changes, now=at(90)))
    assert chart.panels[0].stretches == (
        Stretch(SECONDS, SECONDS + 60, "OK", "good"),
        Stretch(SECONDS + 60, SECONDS + 90, "ALARM", "bad"),
    )
    alone = drawn(trigger, recorded.OfAlarm(state=state, now=at(90)))
    assert alone.panels[0].stretches == (Stretch(SECONDS + 60, SECONDS + 90, "ALARM", "bad"),)


def test_what_has_no_record_or_no_series_has_no_picture() -> None:
    verdict = Verdict(trigger="error-rate", status=Status.FAIL, reason="bad", at=T0)
    assert chart_of(error_rate(), verdict) is None
    counts = recorded.OfCounts(
        latest="200", healthy=9, unhealthy=0, no_data=0, error=0, expected=9, at=T0
    )
    for record in ("no record", records.record_of(counts), records.record_of(of_threshold([]))):
        assert chart_of(error_rate(), verdict.model_copy(update={"record": record})) is None, record


# --- Moments -----------------------------------------------------------------------------------


def test_the_moments_of_a_rollback() -> None:
    _, told, result = recorded_release("rolled_back")
    verdict = deciding(told, result)
    assert verdict is not None
    assert verdict.key == "0 error-rate"
    moments = moments_of(told, result, verdict)
    assert [(one.text, one.tone) for one in moments] == [
        ("deployed", "plain"),
        ("rolled out", "plain"),
        ("fires", "bad"),
        ("rolls back", "bad"),
        ("verified", "good"),
    ]
    assert [one.at for one in moments] == sorted(one.at for one in moments)


def test_nothing_decided_a_clean_window() -> None:
    _, told, result = recorded_release("healthy")
    assert deciding(told, result) is None
    dry = next(one for one in told.verdicts if one.dry_run and one.status is Status.FAIL)
    texts = [one.text for one in moments_of(told, result, dry)]
    assert texts[-1] == "window ends"
    assert "would fire" in texts


def test_what_a_person_did_is_marked_and_what_ecs_did() -> None:
    _, told, result = recorded_release("rolled_back")
    action = Action(at=result.rollback.started_at, actor="ann", verb="hold", reason="odd")
    told = told.model_copy(update={"actions": (action,)})
    by_ecs = result.model_copy(update={"outcome": Outcome.ROLLED_BACK_BY_ECS})
    texts = [one.text for one in moments_of(told, by_ecs)]
    assert "hold" in texts
    assert "ECS rolls back" in texts
    assert "fires" not in texts


def test_an_inconclusive_window_that_is_held_was_decided_by_what_was_unclear() -> None:
    _, told, result = recorded_release("healthy")
    unclear = told.verdicts[1].model_copy(update={"status": Status.INCONCLUSIVE})
    told = told.model_copy(update={"verdicts": (told.verdicts[0], unclear)})
    held = result.model_copy(update={"outcome": Outcome.HELD})
    assert deciding(told, held) == unclear
    assert deciding(told, result) is None
