"""Alarms as plain boto3 sees them; time is what the tests pass to `tick`."""

import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

NOW = time.time() // 60 * 60
DIMENSIONS = [{"Name": "Service", "Value": "web"}]


@pytest.fixture
def publish(engine, namespace):
    """Publishes values of `Errors` at seconds relative to NOW."""

    def publish(*, at, values=(1.0,), name="Errors"):
        engine.put(namespace, name, {"Service": "web"}, "Count", NOW + at, values=list(values))

    return publish


@pytest.fixture
def put_alarm(cloudwatch, namespace):
    """Puts an alarm for any error within 10 s, which may be changed in any way."""

    def put(name, **changes):
        config = {
            "AlarmName": name,
            "Namespace": namespace,
            "MetricName": "Errors",
            "Dimensions": DIMENSIONS,
            "Statistic": "Sum",
            "Period": 10,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
        } | changes
        cloudwatch.put_metric_alarm(**{k: v for k, v in config.items() if v is not None})

    return put


def describe(cloudwatch, name, kind="MetricAlarm"):
    answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=[kind])
    (alarm,) = answer[f"{kind}s"]
    return alarm


def history(cloudwatch, name, kind="MetricAlarm", **more):
    answer = cloudwatch.describe_alarm_history(AlarmName=name, AlarmTypes=[kind], **more)
    return [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]


def eventually(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it never came true")


def test_an_alarm_starts_without_data_and_follows_its_metric(
    cloudwatch, engine, put_alarm, publish
):
    put_alarm("errors", AlarmDescription="too many")
    created = describe(cloudwatch, "errors")
    assert created["StateValue"] == "INSUFFICIENT_DATA"
    assert created["StateReason"] == "Unchecked: Initial alarm creation"
    assert (created["Threshold"], created["Period"]) == (0.0, 10)
    assert created["Dimensions"] == DIMENSIONS
    publish(at=-10, values=[0.0])
    engine.tick(NOW)
    assert describe(cloudwatch, "errors")["StateValue"] == "OK"
    publish(at=5, values=[1.0, 1.0])
    engine.tick(NOW + 10.6)
    alarm = describe(cloudwatch, "errors")
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateTransitionedTimestamp"].timestamp() == pytest.approx(NOW + 10.6, abs=0.001)
    assert "1 out of the last 1 datapoints [2.0 (" in alarm["StateReason"]
    assert "was greater than the threshold (0.0)" in alarm["StateReason"]
    data = json.loads(alarm["StateReasonData"])
    assert (data["recentDatapoints"], data["threshold"], data["period"]) == ([2.0], 0.0, 10)
    assert history(cloudwatch, "errors") == [
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
        'Alarm "errors" created',
    ]
    assert engine.alarm_states(["errors", "unknown"]) == {"errors": "ALARM"}


def test_an_alarm_is_evaluated_once_per_step(engine, put_alarm, publish):
    put_alarm("errors")
    publish(at=-10, values=[0.0])
    engine.tick(NOW)
    publish(at=-5)
    engine.tick(NOW + 9.9)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}
    engine.tick(NOW + 10.6)
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
def test_silence_is_treated_as_asked(engine, put_alarm, treatment, state):
    put_alarm("errors", TreatMissingData=treatment)
    engine.tick(NOW)
    assert engine.alarm_states(["errors"]) == {"errors": state}


def test_two_of_three_datapoints_must_breach(engine, put_alarm, publish):
    put_alarm("errors", EvaluationPeriods=3, DatapointsToAlarm=2, Period=1)
    for second, errors in ((-3, 1.0), (-2, 0.0), (-1, 0.0)):
        publish(at=second, values=[errors])
    engine.tick(NOW)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}
    publish(at=0)
    publish(at=1)
    engine.tick(NOW + 2.5)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}


def test_a_publishing_delay_delays_the_alarm(engine, put_alarm, publish):
    engine.publish_delay = 10_000.0
    put_alarm("errors")
    publish(at=-5)
    engine.tick(NOW)
    assert engine.alarm_states(["errors"]) == {"errors": "INSUFFICIENT_DATA"}
    engine.publish_delay = 0.0
    engine.tick(NOW + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}


def test_an_alarm_on_metric_math(cloudwatch, engine, put_alarm, publish, namespace):
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
    engine.tick(NOW)
    assert engine.alarm_states(["rate"]) == {"rate": "OK"}
    publish(at=0, name="Requests", values=[1.0] * 10)
    publish(at=0, name="Errors", values=[1.0] * 4)
    engine.tick(NOW + 10.6)
    alarm = describe(cloudwatch, "rate")
    assert alarm["StateValue"] == "ALARM"
    assert alarm["Metrics"][0]["Expression"].startswith("IF(")
    assert "MetricName" not in alarm


def test_a_percentile_alarm_can_ignore_few_samples(engine, put_alarm, publish):
    percentile = {"Statistic": None, "ExtendedStatistic": "p90", "Threshold": 2}
    put_alarm("eager", **percentile)
    put_alarm("calm", **percentile, EvaluateLowSampleCountPercentile="ignore")
    publish(at=-5, values=[9.0] * 50)
    engine.tick(NOW)
    assert engine.alarm_states(["eager", "calm"]) == {"eager": "ALARM", "calm": "INSUFFICIENT_DATA"}
    publish(at=5, values=[9.0] * 100)
    engine.tick(NOW + 10.6)
    assert engine.alarm_states(["calm"]) == {"calm": "ALARM"}


def test_a_state_that_was_set_lasts_until_the_next_evaluation(
    cloudwatch, engine, put_alarm, publish
):
    put_alarm("errors")
    publish(at=-5, values=[0.0])
    engine.tick(NOW)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a drill")
    engine.tick(NOW + 1)
    assert describe(cloudwatch, "errors")["StateReason"] == "a drill"
    engine.tick(NOW + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}
    with pytest.raises(ClientError) as refused:
        cloudwatch.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="x")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"


def test_setting_the_same_state_is_no_transition(cloudwatch, put_alarm):
    put_alarm("errors")
    before = describe(cloudwatch, "errors")["StateTransitionedTimestamp"]
    state = {"StateValue": "INSUFFICIENT_DATA", "StateReason": "a drill"}
    cloudwatch.set_alarm_state(AlarmName="errors", **state)
    assert describe(cloudwatch, "errors")["StateTransitionedTimestamp"] == before
    assert history(cloudwatch, "errors", HistoryItemType="StateUpdate") == []


def test_only_whole_periods_are_evaluated(engine, put_alarm, publish):
    put_alarm("errors")
    publish(at=-5, values=[0.0])
    publish(at=2)
    engine.tick(NOW + 4)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}


def test_periods_of_30_seconds_slide_by_10(engine, put_alarm, publish):
    put_alarm("errors", Period=30)
    publish(at=5)
    engine.tick(NOW + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "ALARM"}


def test_a_set_composite_stays_until_a_child_changes(cloudwatch, engine, put_alarm, publish):
    put_alarm("errors", TreatMissingData="notBreaching")
    cloudwatch.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(errors)")
    engine.tick(NOW)
    cloudwatch.set_alarm_state(AlarmName="any", StateValue="ALARM", StateReason="a drill")
    engine.tick(NOW + 10.6)
    assert engine.alarm_states(["any"]) == {"any": "ALARM"}
    publish(at=15)
    engine.tick(NOW + 20.6)
    engine.tick(NOW + 60.6)
    assert engine.alarm_states(["any"]) == {"any": "OK"}


def test_putting_again_keeps_the_state(cloudwatch, engine, put_alarm, publish):
    put_alarm("errors")
    publish(at=-5)
    engine.tick(NOW)
    put_alarm("errors", Threshold=100)
    assert describe(cloudwatch, "errors")["StateValue"] == "ALARM"
    engine.tick(NOW + 0.1)
    assert describe(cloudwatch, "errors")["StateValue"] == "OK"
    assert 'Alarm "errors" updated' in history(cloudwatch, "errors")


def test_composite_alarms_follow_their_children(cloudwatch, engine, put_alarm, publish):
    put_alarm("errors")
    put_alarm("other", MetricName="Other", TreatMissingData="notBreaching")
    rules = {"inner": 'ALARM("errors") OR ALARM("other")', "outer": "ALARM(inner) AND OK(other)"}
    cloudwatch.put_composite_alarm(AlarmName="outer", AlarmRule="TRUE")  # before its child
    for name, rule in rules.items():
        cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=rule)
    assert describe(cloudwatch, "outer", "CompositeAlarm")["StateValue"] == "INSUFFICIENT_DATA"
    publish(at=-5, values=[0.0])
    engine.tick(NOW)
    assert engine.alarm_states(["inner", "outer"]) == {"inner": "OK", "outer": "OK"}
    publish(at=5)
    engine.tick(NOW + 10.6)
    outer = describe(cloudwatch, "outer", "CompositeAlarm")
    assert (outer["StateValue"], outer["AlarmRule"]) == ("ALARM", rules["outer"])
    assert ":alarm:inner transitioned to ALARM at " in outer["StateReason"]
    assert history(cloudwatch, "outer", "CompositeAlarm")[0] == "Alarm updated from OK to ALARM"
    with pytest.raises(ClientError, match="do not exist"):
        cloudwatch.put_composite_alarm(AlarmName="lost", AlarmRule="ALARM(nobody)")


def test_describing_filters_and_pages(cloudwatch, put_alarm):
    for number in range(5):
        put_alarm(f"a-{number}")
    put_alarm("b-0")
    cloudwatch.put_composite_alarm(AlarmName="a-composite", AlarmRule="ALARM(b-0)")
    answer = cloudwatch.describe_alarms()
    assert len(answer["MetricAlarms"]) == 6
    assert answer["CompositeAlarms"] == []
    assert cloudwatch.describe_alarms(AlarmNames=["a-composite"])["MetricAlarms"] == []
    both = ["MetricAlarm", "CompositeAlarm"]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="a-", AlarmTypes=both, PaginationConfig={"PageSize": 2}
    )
    found = [[a["AlarmName"] for k in both for a in page[f"{k}s"]] for page in pages]
    assert found == [["a-0", "a-1"], ["a-2", "a-3"], ["a-4", "a-composite"]]
    cloudwatch.set_alarm_state(AlarmName="a-3", StateValue="ALARM", StateReason="x")
    (alarm,) = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert alarm["AlarmName"] == "a-3"


def test_deleting_takes_all_or_none(cloudwatch, put_alarm):
    put_alarm("one")
    put_alarm("two")
    with pytest.raises(ClientError) as refused:
        cloudwatch.delete_alarms(AlarmNames=["one", "nobody"])
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
    cloudwatch.delete_alarms(AlarmNames=["one"])
    left = cloudwatch.describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in left] == ["two"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Period": 7},
        {"DatapointsToAlarm": 2},
        {"TreatMissingData": "perhaps"},
        {"Statistic": None},
        {"ExtendedStatistic": "p99"},
        {"ComparisonOperator": "EqualToThreshold"},
        {"Threshold": None},
        {"Period": 86400, "EvaluationPeriods": 2},
        dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period"))
        | {"Metrics": [{"Id": i, "Expression": "TIME_SERIES(1)", "Period": 60} for i in "ab"]},
    ],
)
def test_wrong_alarms_are_refused(cloudwatch, put_alarm, wrong):
    with pytest.raises(ClientError):
        put_alarm("wrong", **wrong)
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_actions_reach_their_topic_unless_disabled(cloudwatch, engine, client, put_alarm, publish):
    sqs, sns = client("sqs"), client("sns")
    queue = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex}")["QueueUrl"]
    wanted = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
    queue_arn = sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    put_alarm("errors", AlarmActions=[topic], OKActions=[f"{topic}-missing"])
    put_alarm("quiet", AlarmActions=[topic], ActionsEnabled=False)
    publish(at=-5)
    engine.tick(NOW)
    eventually(lambda: len(history(cloudwatch, "errors", HistoryItemType="Action")) == 1)
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    (envelope,) = [json.loads(message["Body"]) for message in answer["Messages"]]
    notice = json.loads(envelope["Message"])
    assert (notice["AlarmName"], notice["NewStateValue"]) == ("errors", "ALARM")
    assert notice["OldStateValue"] == "INSUFFICIENT_DATA"
    assert notice["Trigger"]["MetricName"] == "Errors"
    assert engine.alarm_states(["quiet"]) == {"quiet": "ALARM"}
    assert history(cloudwatch, "quiet", HistoryItemType="Action") == []
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="x")
    eventually(lambda: "Failed to execute action" in " ".join(history(cloudwatch, "errors")))
    cloudwatch.disable_alarm_actions(AlarmNames=["errors"])
    assert describe(cloudwatch, "errors")["ActionsEnabled"] is False
    cloudwatch.enable_alarm_actions(AlarmNames=["errors", "quiet"])
    assert describe(cloudwatch, "quiet")["ActionsEnabled"] is True


def test_alarms_of_a_metric_and_their_tags(cloudwatch, put_alarm, namespace):
    put_alarm("errors", Tags=[{"Key": "team", "Value": "a"}])
    put_alarm("other", MetricName="Other")
    put_alarm("elsewhere", Dimensions=[{"Name": "Service", "Value": "api"}])
    found = cloudwatch.describe_alarms_for_metric(
        Namespace=namespace, MetricName="Errors", Dimensions=DIMENSIONS
    )["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == ["errors"]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=found[0]["AlarmArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}]
