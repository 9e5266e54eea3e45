"""The same answers over both protocols that moto can speak for CloudWatch.

Newer SDKs of other languages use smithy-rpc-v2-cbor, which moto 5.2.5 does not know (404).
"""

import time
from datetime import UTC, datetime

import botocore.model
import pytest
from botocore.exceptions import ClientError

DIMENSIONS = [{"Name": "Service", "Value": "web"}]
SPOKEN = ["json", "query"]


def test_the_installed_botocore_chooses_one_of_them(client):
    assert client("cloudwatch").meta.service_model.resolved_protocol in SPOKEN


@pytest.fixture(params=SPOKEN)
def speaking(request, monkeypatch, engine, client):
    """A client that speaks one protocol."""
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (request.param,))
    made = client("cloudwatch")
    assert made.meta.service_model.resolved_protocol == request.param
    return made


def test_metrics_go_in_and_out(speaking, namespace):
    minute = time.time() // 60 * 60
    when = datetime.fromtimestamp(minute, UTC)
    datum = {"MetricName": "T", "Dimensions": DIMENSIONS, "Timestamp": when, "Unit": "Seconds"}
    speaking.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {**datum, "Values": [0.5, 1.5], "Counts": [1.0, 3.0], "StorageResolution": 1},
            {
                **datum,
                "StatisticValues": {"SampleCount": 1, "Sum": 9, "Minimum": 9, "Maximum": 9},
                "StorageResolution": 1,
            },
        ],
    )
    metric = {"Namespace": namespace, "MetricName": "T", "Dimensions": DIMENSIONS}
    (result,) = speaking.get_metric_data(
        MetricDataQueries=[
            {"Id": "e", "Expression": "m * 2"},
            {
                "Id": "m",
                "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Sum", "Unit": "Seconds"},
                "ReturnData": False,
            },
        ],
        StartTime=when,
        EndTime=datetime.fromtimestamp(minute + 60, UTC),
    )["MetricDataResults"]
    assert (result["Values"], result["Timestamps"], result["StatusCode"]) == (
        [28.0],
        [when],
        "Complete",
    )
    with pytest.raises(ClientError) as refused:
        speaking.put_metric_data(
            Namespace=namespace, MetricData=[{"MetricName": "T", "Value": float("nan")}]
        )
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"


def test_alarms_go_in_and_out(speaking, engine, namespace):
    speaking.put_metric_alarm(
        AlarmName="errors",
        Namespace=namespace,
        MetricName="Errors",
        Dimensions=DIMENSIONS,
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="breaching",
        ActionsEnabled=False,
    )
    speaking.put_composite_alarm(AlarmName="any", AlarmRule='ALARM("errors")')
    engine.tick(time.time())
    answer = speaking.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (alarm,), (composite,) = answer["MetricAlarms"], answer["CompositeAlarms"]
    assert (alarm["StateValue"], alarm["Threshold"], alarm["ActionsEnabled"]) == (
        "ALARM",
        0.5,
        False,
    )
    assert isinstance(alarm["StateTransitionedTimestamp"], datetime)
    assert (composite["StateValue"], composite["ActionsEnabled"]) == ("ALARM", True)
    items = speaking.describe_alarm_history(AlarmName="errors")["AlarmHistoryItems"]
    kinds = [item["HistoryItemType"] for item in items]
    assert kinds == ["StateUpdate", "ConfigurationUpdate"]
    with pytest.raises(ClientError) as refused:
        speaking.delete_alarms(AlarmNames=["nobody"])
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
