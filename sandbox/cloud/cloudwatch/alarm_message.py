"""What CloudWatch sends to an SNS topic when an alarm changes its state."""

from typing import Any

from sandbox.cloud.cloudwatch.alarm import Alarm
from sandbox.cloud.cloudwatch.times import stamp

_SUBJECT_LIMIT = 99
_TRIGGER = (
    "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Unit", "Dimensions", "Period",
    "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "Threshold",
    "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics",
)  # fmt: skip


def subject(alarm: Alarm, region: str) -> str:
    """The subject line: `ALARM: "name" in eu-west-1`."""
    return f'{alarm.state}: "{alarm.name}" in {region}'[:_SUBJECT_LIMIT]


def message(alarm: Alarm, account_id: str, region: str, old_state: str) -> dict[str, Any]:
    """The body, for a metric alarm with its trigger, for a composite one with its rule."""
    body: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.config.get("AlarmDescription"),
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured_at),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(alarm.transitioned_at),
        "Region": region,
        "AlarmArn": alarm.arn,
        "OldStateValue": old_state,
        "OKActions": alarm.config["OKActions"],
        "AlarmActions": alarm.config["AlarmActions"],
        "InsufficientDataActions": alarm.config["InsufficientDataActions"],
    }
    if alarm.kind == "CompositeAlarm":
        return body | {"AlarmRule": alarm.config["AlarmRule"]}
    trigger = {name: alarm.config[name] for name in _TRIGGER if alarm.config.get(name) is not None}
    if "Dimensions" in trigger:
        trigger["Dimensions"] = [
            {"name": d["Name"], "value": d["Value"]} for d in trigger["Dimensions"]
        ]
    return body | {"Trigger": trigger}
