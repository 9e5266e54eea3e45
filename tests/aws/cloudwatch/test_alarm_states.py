"""How alarms change their state; time is what the tests pass to `tick`."""

import json

import pytest

DIMENSIONS = [{"Name": "Service", "Value": "web"}]


def test_an_alarm_starts_without_data_and_follows_its_metric(
    engine, put_alarm, publish, describe, history, now
):
    put_alarm("errors", AlarmDescription="too many")
    created = describe("errors")
    assert created["StateValue"] == "INSUFFICIENT_DATA"
    assert created["StateReason"] == "Unchecked: Initial alarm creation"
    assert (created["Threshold"], created["Period"]) == (0.0, 10)
    assert created["Dimensions"] == DIMENSIONS
    publish(at=-10, values=[0.0])
    engine.tick(now)
    assert describe("errors")["StateValue"] == "OK"
    publish(at=5, values=[1.0, 1.0])
    engine.tick(now + 10.6)
    alarm = describe("errors")
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateTransitionedTimestamp"].timestamp() == pytest.approx(now + 10.6, abs=0.001)
    assert "1 out of the last 1 datapoints [2.0 (" in alarm["StateReason"]
    assert "was greater than the threshold (0.0)" in alarm["StateReason"]
    data = json.loads(alarm["StateReasonData"])
    assert (data["recentDatapoints"], data["threshold"], data["period"]) == ([2.0], 0.0, 10)
    assert history("errors") == [
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
        'Alarm "errors" created',
    ]
    assert engine.alarm_states(["errors", "unknown"]) == {"errors": "ALARM"}


def test_an_alarm_is_evaluated_once_per_step(engine, put_alarm, publish, now):
    put_alarm("errors")
    publish(at=-10, values=[0.0])
    engine.tick(now)
    publish(at=-5)
    engine.tick(now + 9.9)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}
    engine.tick(now + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}


@pytest.mark.parametrize(
    ("treatment", "state"),
    [
        (None, "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA"),
        ("breaching", "ALARM"),
        ("notBreaching", "OK"),
    ],
)
def test_silence_is_treated_as_asked(engine, put_alarm, treatment, state, now):
    put_alarm("errors", TreatMissingData=treatment)
    engine.tick(now)
    assert engine.alarm_states(["errors"]) == {"errors": state}


def test_two_of_three_datapoints_must_breach(engine, put_alarm, publish, now):
    put_alarm("errors", EvaluationPeriods=3, DatapointsToAlarm=2, Period=1)
    for second, errors in ((-3, 1.0), (-2, 0.0), (-1, 0.0)):
        publish(at=second, values=[errors])
    engine.tick(now)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}
    publish(at=0)
    publish(at=1)
    engine.tick(now + 2.5)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}


def test_a_publishing_delay_delays_the_alarm(engine, put_alarm, publish, now):
    engine.publish_delay = 10_000.0
    put_alarm("errors")
    publish(at=-5)
    engine.tick(now)
    assert engine.alarm_states(["errors"]) == {"errors": "INSUFFICIENT_DATA"}
    engine.publish_delay = 0.0
    engine.tick(now + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}


def test_an_alarm_on_metric_math(engine, put_alarm, publish, namespace, describe, now):
    def metric(query_id, name):
        what = {"Namespace": namespace, "MetricName": name, "Dimensions": DIMENSIONS}
        stat = {"Metric": what, "Period": 10, "Stat": "Sum"}
        return {"Id": query_id, "MetricStat": stat, "ReturnData": False}

    single = ("Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    put_alarm(
        "rate",
        Threshold=30,
        Metrics=[
            {"Id": "rate", "Expression": "IF(r >= 10, 100 * FILL(e, 0) / r)"},
            metric("r", "Requests"),
            metric("e", "Errors"),
        ],
        **dict.fromkeys(single),
    )
    publish(at=-10, name="Requests", values=[1.0] * 10)
    engine.tick(now)
    assert engine.alarm_states(["rate"]) == {"rate": "OK"}
    publish(at=0, name="Requests", values=[1.0] * 10)
    publish(at=0, name="Errors", values=[1.0] * 4)
    engine.tick(now + 10.6)
    alarm = describe("rate")
    assert alarm["StateValue"] == "ALARM"
    assert alarm["Metrics"][0]["Expression"].startswith("IF(")
    assert "MetricName" not in alarm


def test_a_percentile_alarm_can_ignore_few_samples(engine, put_alarm, publish, now):
    percentile = {"Statistic": None, "ExtendedStatistic": "p90", "Threshold": 2}
    put_alarm("eager", **percentile)
    put_alarm("calm", **percentile, EvaluateLowSampleCountPercentile="ignore")
    publish(at=-5, values=[9.0] * 50)
    engine.tick(now)
    assert engine.alarm_states(["eager", "calm"]) == {"eager": "ALARM", "calm": "INSUFFICIENT_DATA"}
    publish(at=5, values=[9.0] * 100)
    engine.tick(now + 10.6)
    assert engine.alarm_states(["calm"]) == {"calm": "ALARM"}


def test_only_whole_periods_are_evaluated(engine, put_alarm, publish, now):
    put_alarm("errors")
    publish(at=-5, values=[0.0])
    publish(at=2)
    engine.tick(now + 4)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}


def test_periods_of_30_seconds_slide_by_10(engine, put_alarm, publish, now):
    put_alarm("errors", Period=30)
    publish(at=5)
    engine.tick(now + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}
