"""The calls about alarms, from PutMetricAlarm to DescribeAlarmHistory."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.cloud.cloudwatch.alarm import ACTIONS_ON, Alarm, Kind, configuration
from sandbox.cloud.cloudwatch.alarm_book import AlarmBook
from sandbox.cloud.cloudwatch.alarm_config import check_composite_alarm, check_metric_alarm
from sandbox.cloud.cloudwatch.errors import (
    CloudWatchError,
    invalid_combination,
    not_found,
    validation_error,
)
from sandbox.cloud.cloudwatch.paging import page

Params = Mapping[str, Any]

ALARMS_PER_PAGE = 50
MAX_NAMES = 100


class AlarmApi:
    """Alarms of one account and region, as the wire asks for them."""

    def __init__(self, book: AlarmBook, clock: Callable[[], float]) -> None:
        self.book = book
        self.clock = clock

    def put_metric_alarm(self, params: Params) -> dict[str, Any]:
        """PutMetricAlarm: a new alarm has insufficient data, a changed one keeps its state."""
        config = configuration(params)
        check_metric_alarm(config)
        return self._put(config, "MetricAlarm", params)

    def put_composite_alarm(self, params: Params) -> dict[str, Any]:
        """PutCompositeAlarm."""
        config = configuration(params)
        check_composite_alarm(config, self.book.alarms)
        return self._put(config, "CompositeAlarm", params)

    def describe_alarms(self, params: Params) -> dict[str, Any]:
        """DescribeAlarms: composite alarms only where `AlarmTypes` asks for them."""
        names = params.get("AlarmNames") or []
        if names and params.get("AlarmNamePrefix"):
            raise invalid_combination("AlarmNames and AlarmNamePrefix are mutually exclusive.")
        if len(names) > MAX_NAMES:
            raise validation_error(f"AlarmNames must have at most {MAX_NAMES} members.")
        size = int(params.get("MaxRecords") or ALARMS_PER_PAGE)
        if not 1 <= size <= MAX_NAMES:
            raise validation_error(f"MaxRecords must be 1 to {MAX_NAMES}.")
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        found = [
            alarm
            for alarm in self.book.alarms.values()
            if alarm.kind in types and _matches(alarm, params)
        ]
        found.sort(key=lambda alarm: (alarm.kind != "MetricAlarm", alarm.name))
        here, token = page(found, params.get("NextToken"), size)
        return {
            "MetricAlarms": [a.shown() for a in here if a.kind == "MetricAlarm"],
            "CompositeAlarms": [a.shown() for a in here if a.kind == "CompositeAlarm"],
            **({"NextToken": token} if token else {}),
        }

    def describe_alarms_for_metric(self, params: Params) -> dict[str, Any]:
        """DescribeAlarmsForMetric: those that watch exactly this metric."""
        compared = ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Unit")
        wanted = {name: params[name] for name in compared if params.get(name) is not None}
        found = [
            alarm.shown()
            for alarm in self.book.alarms.values()
            if alarm.kind == "MetricAlarm"
            and all(alarm.config.get(name) == value for name, value in wanted.items())
            and _dimensions(alarm.config) == _dimensions(params)
        ]
        return {"MetricAlarms": found}

    def delete_alarms(self, params: Params) -> dict[str, Any]:
        """DeleteAlarms: all of them, or none where one does not exist."""
        names = params.get("AlarmNames") or []
        for name in names:
            self._existing(name)
        for name in dict.fromkeys(names):
            self.book.history.configured(self.book.alarms.pop(name), "deleted", self.clock())
        return {}

    def set_alarm_state(self, params: Params) -> dict[str, Any]:
        """SetAlarmState: until an evaluation finds otherwise."""
        alarm, state = self._existing(params["AlarmName"]), params["StateValue"]
        if state not in ACTIONS_ON:
            raise validation_error(
                f"Value '{state}' at 'stateValue' failed to satisfy constraint: Member must "
                "satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
            )
        data = params.get("StateReasonData")
        try:
            json.loads(data or "{}")
        except ValueError as error:
            raise CloudWatchError("InvalidFormat", "StateReasonData is not JSON.") from error
        self.book.transition(alarm, state, params["StateReason"], data, self.clock())
        return {}

    def enable_alarm_actions(self, params: Params) -> dict[str, Any]:
        """EnableAlarmActions."""
        return self._switch_actions(params, on=True)

    def disable_alarm_actions(self, params: Params) -> dict[str, Any]:
        """DisableAlarmActions: states go on changing."""
        return self._switch_actions(params, on=False)

    def describe_alarm_history(self, params: Params) -> dict[str, Any]:
        """DescribeAlarmHistory."""
        return self.book.history.describe(params)

    def tag_resource(self, params: Params) -> dict[str, Any]:
        """TagResource: of alarms."""
        self._tagged(params).tags |= _tags(params)
        return {}

    def untag_resource(self, params: Params) -> dict[str, Any]:
        """UntagResource: of alarms."""
        alarm = self._tagged(params)
        for key in params.get("TagKeys") or []:
            alarm.tags.pop(key, None)
        return {}

    def list_tags_for_resource(self, params: Params) -> dict[str, Any]:
        """ListTagsForResource: of alarms."""
        tags = self._tagged(params).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tagged(self, params: Params) -> Alarm:
        arn = params.get("ResourceARN")
        found = next((one for one in self.book.alarms.values() if one.arn == arn), None)
        if found is None:
            raise CloudWatchError("ResourceNotFoundException", f"{arn} does not exist.")
        return found

    def _put(self, config: dict[str, Any], kind: Kind, params: Params) -> dict[str, Any]:
        name, now = config["AlarmName"], self.clock()
        alarm = self.book.alarms.get(name)
        if alarm is not None and alarm.kind != kind:
            raise validation_error(f"{name} is already the name of a {alarm.kind}.")
        if alarm is None:
            alarm = Alarm(name, self.book.arn_of(name), kind, config, now)
            alarm.updated_at = alarm.transitioned_at = now
            self.book.alarms[name] = alarm
            self.book.history.configured(alarm, "created", now)
            alarm.tags = _tags(params)  # of an alarm that exists they are ignored
        else:
            alarm.reconfigure(config, now)
            self.book.history.configured(alarm, "updated", now)
        return {}

    def _existing(self, name: str) -> Alarm:
        if name not in self.book.alarms:
            raise not_found(f"Alarm {name} does not exist.")
        return self.book.alarms[name]

    def _switch_actions(self, params: Params, *, on: bool) -> dict[str, Any]:
        for alarm in self.book.named(params.get("AlarmNames") or []):
            if alarm.actions_enabled != on:
                alarm.config["ActionsEnabled"] = on
                self.book.history.configured(alarm, "updated", self.clock())
        return {}


def _matches(alarm: Alarm, params: Params) -> bool:
    names, action = params.get("AlarmNames"), params.get("ActionPrefix")
    return (
        (not names or alarm.name in names)
        and alarm.name.startswith(params.get("AlarmNamePrefix") or "")
        and params.get("StateValue") in (None, alarm.state)
        and (
            not action
            or any(arn.startswith(action) for on in ACTIONS_ON.values() for arn in alarm.config[on])
        )
    )


def _dimensions(config: Params) -> dict[str, str]:
    return {d["Name"]: d["Value"] for d in config.get("Dimensions") or ()}


def _tags(params: Params) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
