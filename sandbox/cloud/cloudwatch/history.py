"""What happened to alarms, as DescribeAlarmHistory tells it."""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from sandbox.cloud.cloudwatch.alarm import Alarm
from sandbox.cloud.cloudwatch.paging import page
from sandbox.cloud.cloudwatch.times import date, seconds

MAX_ITEMS = 10_000
ITEMS_PER_PAGE = 100


class AlarmHistory:
    """The newest events of all alarms, deleted ones included."""

    def __init__(self) -> None:
        self._items: deque[dict[str, Any]] = deque(maxlen=MAX_ITEMS)

    def state_changed(self, alarm: Alarm, old: tuple[str, str], now: float) -> None:
        """An alarm went from the old (state, reason) to its present one."""
        new = {"stateValue": alarm.state, "stateReason": alarm.reason}
        if alarm.reason_data:
            new["stateReasonData"] = json.loads(alarm.reason_data)
        self._add(
            alarm,
            "StateUpdate",
            f"Alarm updated from {old[0]} to {alarm.state}",
            {"oldState": {"stateValue": old[0], "stateReason": old[1]}, "newState": new},
            now,
        )

    def configured(self, alarm: Alarm, change: str, now: float) -> None:
        """An alarm was created, updated or deleted."""
        summary = f'Alarm "{alarm.name}" {change}'
        self._add(alarm, "ConfigurationUpdate", summary, {"type": change.title()}, now)

    def acted(self, alarm: Alarm, action: str, failure: str | None, now: float) -> None:
        """An action was carried out, or failed to be."""
        if failure is None:
            summary, result = f"Successfully executed action {action}", "Succeeded"
        else:
            summary, result = f"Failed to execute action {action}. {failure}", "Failed"
        data = {"actionState": result, "notificationResource": action, "error": failure}
        self._add(alarm, "Action", summary, data, now)

    def describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeAlarmHistory: of metric alarms unless asked for others, newest first."""
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        start = seconds(params["StartDate"]) if params.get("StartDate") else float("-inf")
        end = seconds(params["EndDate"]) if params.get("EndDate") else float("inf")
        items = [
            item
            for item in self._items
            if item["AlarmType"] in types
            and params.get("AlarmName") in (None, item["AlarmName"])
            and params.get("HistoryItemType") in (None, item["HistoryItemType"])
            and start <= seconds(item["Timestamp"]) <= end
        ]
        if params.get("ScanBy") != "TimestampAscending":
            items.reverse()
        size = int(params.get("MaxRecords") or ITEMS_PER_PAGE)
        here, token = page(items, params.get("NextToken"), size)
        return {"AlarmHistoryItems": here, **({"NextToken": token} if token else {})}

    def _add(self, alarm: Alarm, kind: str, summary: str, data: dict[str, Any], now: float) -> None:
        self._items.append(
            {
                "AlarmName": alarm.name,
                "AlarmType": alarm.kind,
                "Timestamp": date(now),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps({"version": "1.0", **data}),
            }
        )
