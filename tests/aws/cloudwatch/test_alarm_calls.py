"""The calls about alarms, as plain boto3 makes them, and what alarms do."""

import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError

DIMENSIONS = [{"Name": "Service", "Value": "web"}]


def eventually(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it never came true")


def test_a_state_that_was_set_lasts_until_the_next_evaluation(
    cloudwatch, engine, put_alarm, publish, describe, now
):
    put_alarm("errors")
    publish(at=-5, values=[0.0])
    engine.tick(now)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a drill")
    engine.tick(now + 1)
    assert describe("errors")["StateReason"] == "a drill"
    engine.tick(now + 10.6)
    assert engine.alarm_states(["errors"]) == {"errors": "OK"}
    with pytest.raises(ClientError) as refused:
        cloudwatch.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="x")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"


def test_setting_the_same_state_is_no_transition(cloudwatch, put_alarm, describe, history):
    put_alarm("errors")
    before = describe("errors")["StateTransitionedTimestamp"]
    state = {"StateValue": "INSUFFICIENT_DATA", "StateReason": "a drill"}
    cloudwatch.set_alarm_state(AlarmName="errors", **state)
    assert describe("errors")["StateTransitionedTimestamp"] == before
    assert history("errors", HistoryItemType="StateUpdate") == []


def test_a_set_composite_stays_until_a_child_changes(cloudwatch, engine, put_alarm, publish, now):
    put_alarm("errors", TreatMissingData="notBreaching")
    cloudwatch.put_composite_alarm(AlarmName="any", AlarmRule="ALARM(errors)")
    engine.tick(now)
    cloudwatch.set_alarm_state(AlarmName="any", StateValue="ALARM", StateReason="a drill")
    engine.tick(now + 10.6)
    assert engine.alarm_states(["any"]) == {"any": "ALARM"}
    publish(at=15)
    engine.tick(now + 20.6)
    engine.tick(now + 60.6)
    assert engine.alarm_states(["any"]) == {"any": "OK"}


def test_putting_again_keeps_the_state(engine, put_alarm, publish, describe, history, now):
    put_alarm("errors")
    publish(at=-5)
    engine.tick(now)
    put_alarm("errors", Threshold=100)
    assert describe("errors")["StateValue"] == "ALARM"
    engine.tick(now + 0.1)
    assert describe("errors")["StateValue"] == "OK"
    assert 'Alarm "errors" updated' in history("errors")


def test_composite_alarms_follow_their_children(
    cloudwatch, engine, put_alarm, publish, describe, history, now
):
    put_alarm("errors")
    put_alarm("other", MetricName="Other", TreatMissingData="notBreaching")
    rules = {"inner": 'ALARM("errors") OR ALARM("other")', "outer": "ALARM(inner) AND OK(other)"}
    cloudwatch.put_composite_alarm(AlarmName="outer", AlarmRule="TRUE")  # before its child
    for name, rule in rules.items():
        cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=rule)
    assert describe("outer", "CompositeAlarm")["StateValue"] == "INSUFFICIENT_DATA"
    publish(at=-5, values=[0.0])
    engine.tick(now)
    assert engine.alarm_states(["inner", "outer"]) == {"inner": "OK", "outer": "OK"}
    publish(at=5)
    engine.tick(now + 10.6)
    outer = describe("outer", "CompositeAlarm")
    assert (outer["StateValue"], outer["AlarmRule"]) == ("ALARM", rules["outer"])
    assert ":alarm:inner transitioned to ALARM at " in outer["StateReason"]
    assert history("outer", "CompositeAlarm")[0] == "Alarm updated from OK to ALARM"
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
        {"Period": 86400, "EvaluationPeriods": 8},
        {"Period": 1800, "EvaluationPeriods": 49},
        dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period"))
        | {
            "Metrics": [{"Id": "a", "Expression": "TIME_SERIES(1)"}]
            + [
                {"Id": f"b{n}", "Expression": "TIME_SERIES(1)", "ReturnData": False}
                for n in range(10)
            ]
        },
        dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period"))
        | {"Metrics": [{"Id": i, "Expression": "TIME_SERIES(1)", "Period": 60} for i in "ab"]},
    ],
)
def test_wrong_alarms_are_refused(cloudwatch, put_alarm, wrong):
    with pytest.raises(ClientError):
        put_alarm("wrong", **wrong)
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_actions_reach_their_topic_unless_disabled(
    cloudwatch, engine, client, put_alarm, publish, describe, history, now
):
    sqs, sns = client("sqs"), client("sns")
    queue = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex}")["QueueUrl"]
    wanted = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
    queue_arn = sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    put_alarm("errors", AlarmActions=[topic], OKActions=[f"{topic}-missing"])
    put_alarm("quiet", AlarmActions=[topic], ActionsEnabled=False)
    publish(at=-5)
    engine.tick(now)
    eventually(lambda: len(history("errors", HistoryItemType="Action")) == 1)
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    (envelope,) = [json.loads(message["Body"]) for message in answer["Messages"]]
    notice = json.loads(envelope["Message"])
    assert (notice["AlarmName"], notice["NewStateValue"]) == ("errors", "ALARM")
    assert notice["OldStateValue"] == "INSUFFICIENT_DATA"
    assert notice["Trigger"]["MetricName"] == "Errors"
    assert engine.alarm_states(["quiet"]) == {"quiet": "ALARM"}
    assert history("quiet", HistoryItemType="Action") == []
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="x")
    eventually(lambda: "Failed to execute action" in " ".join(history("errors")))
    cloudwatch.disable_alarm_actions(AlarmNames=["errors"])
    assert describe("errors")["ActionsEnabled"] is False
    cloudwatch.enable_alarm_actions(AlarmNames=["errors", "quiet"])
    assert describe("quiet")["ActionsEnabled"] is True


def test_alarms_of_a_metric_and_their_tags(cloudwatch, put_alarm, namespace):
    put_alarm("errors", Tags=[{"Key": "team", "Value": "a"}])
    put_alarm("other", MetricName="Other")
    put_alarm("elsewhere", Dimensions=[{"Name": "Service", "Value": "api"}])
    found = cloudwatch.describe_alarms_for_metric(
        Namespace=namespace, MetricName="Errors", Dimensions=DIMENSIONS
    )["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == ["errors"]
    arn = {"ResourceARN": found[0]["AlarmArn"]}
    assert cloudwatch.list_tags_for_resource(**arn)["Tags"] == [{"Key": "team", "Value": "a"}]
    put_alarm("errors", Tags=[{"Key": "team", "Value": "ignored"}])
    cloudwatch.tag_resource(**arn, Tags=[{"Key": "stage", "Value": "b"}])
    cloudwatch.untag_resource(**arn, TagKeys=["team"])
    assert cloudwatch.list_tags_for_resource(**arn)["Tags"] == [{"Key": "stage", "Value": "b"}]
    cloudwatch.delete_alarms(AlarmNames=["errors"])
    with pytest.raises(ClientError) as refused:
        cloudwatch.tag_resource(**arn, Tags=[{"Key": "stage", "Value": "b"}])
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
