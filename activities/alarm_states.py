"""CloudWatch's alarms: the states they are in, and those that they went through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from activities.failures import aws_call
from lastgood.contracts import AlarmChange, AlarmState

_MOST_NAMES = 100
_TYPES = ["MetricAlarm", "CompositeAlarm"]
_LONGEST_REASON = 500
_MEASURED = {"queryDate", "recentDatapoints", "evaluatedDatapoints", "triggeringAlarms"}
"""What stands in the reason's data of a state that CloudWatch itself decided on."""
_FIRST_REASON = "Unchecked"


async def describe(client: Any, names: Iterable[str]) -> list[AlarmState]:
    """Alarms by name, metric and composite ones, however many; a missing one is not there."""
    wanted = list(dict.fromkeys(names))
    found: list[AlarmState] = []
    for first in range(0, len(wanted), _MOST_NAMES):
        token: dict[str, str] = {}
        while True:
            with aws_call("cloudwatch:DescribeAlarms"):
                answer = await asyncio.to_thread(
                    client.describe_alarms,
                    AlarmNames=wanted[first : first + _MOST_NAMES],
                    AlarmTypes=_TYPES,
                    MaxRecords=_MOST_NAMES,
                    **token,
                )
                found += [
                    _state(kind, one) for kind in _TYPES for one in answer.get(f"{kind}s") or []
                ]
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}
    return found


async def changes_of(client: Any, name: str, after: datetime) -> tuple[AlarmChange, ...]:
    """The changes of one alarm's state after a moment, oldest first."""
    found: list[AlarmChange] = []
    token: dict[str, str] = {}
    while True:
        with aws_call("cloudwatch:DescribeAlarmHistory"):
            answer = await asyncio.to_thread(
                client.describe_alarm_history,
                AlarmName=name,
                AlarmTypes=_TYPES,
                HistoryItemType="StateUpdate",
                StartDate=after,
                ScanBy="TimestampAscending",
                **token,
            )
            found += [_change(one) for one in answer.get("AlarmHistoryItems") or []]
        if not answer.get("NextToken"):
            return tuple(one for one in found if one.at > after)
        token = {"NextToken": answer["NextToken"]}


def _state(kind: str, one: Mapping[str, Any]) -> AlarmState:
    reason = one.get("StateReason") or ""
    return AlarmState(
        name=one["AlarmName"],
        state=one["StateValue"],
        since=one.get("StateTransitionedTimestamp") or one.get("StateUpdatedTimestamp"),
        reason=reason[:_LONGEST_REASON],
        by_hand=_is_by_hand(reason, one.get("StateReasonData")),
        actions_enabled=one.get("ActionsEnabled") is not False,
        evaluation=one.get("EvaluationState"),
        composite=kind == "CompositeAlarm",
    )


def _change(item: Mapping[str, Any]) -> AlarmChange:
    data = json.loads(item["HistoryData"])
    new, reason = data["newState"], data["newState"].get("stateReason") or ""
    return AlarmChange(
        at=item["Timestamp"].astimezone(UTC),
        old=data.get("oldState", {}).get("stateValue", ""),
        new=new["stateValue"],
        reason=reason[:_LONGEST_REASON],
        by_hand=_is_by_hand(reason, new.get("stateReasonData")),
    )


def _is_by_hand(reason: str, data: object) -> bool:
    """Whether no metric and no other alarm is the reason for a state."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            data = None
    measured = isinstance(data, Mapping) and not _MEASURED.isdisjoint(data)
    return not measured and not reason.startswith(_FIRST_REASON)
