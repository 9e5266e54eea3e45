"""What there is of a trigger's metric: how much lately, in which unit, and whether it ever was.

GetMetricData gives no units, and answers for a metric that does not exist as for one that is quiet.
So a metric of one's own is asked for once more, over two weeks: as it is, for its largest value,
and once for each unit that a policy could have meant, as CloudWatch gives only what was published
in the unit that is asked for. It takes no permission beside that of watching.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities.clients import Clients
from activities.failures import aws_call
from activities.metric_series import Asked, read
from lastgood.contracts import MetricFindings, MetricProbe, MetricSource
from lastgood.policy_triggers import MetricTrigger

_LATELY = timedelta(hours=1)
_EVER = timedelta(days=14)
_HOUR = 3600
_UNITS = ("Percent", "None", "Count", "Seconds", "Milliseconds", "Microseconds")


class MetricFindingActivities:
    """Calls to CloudWatch through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @activity.defn
    async def find_metric(self, probe: MetricProbe) -> MetricFindings:
        """Read what there is of one trigger's metric."""
        client = self._clients("cloudwatch", probe.region)
        end = datetime.now(UTC)
        [found] = await read(client, [Asked(probe.trigger, end - _LATELY)], end)
        if found.trouble:
            raise found.trouble
        judged = isinstance(probe.trigger.trigger, MetricTrigger)
        points = len(found.points) if judged else max(map(len, found.series.values()), default=0)
        source = probe.trigger.source
        if source is None or source.kind != "metric":
            return MetricFindings(datapoints=points, newest=found.newest)
        ever = await _ever(client, source, end)
        stamps = [at for values in ever.values() for at in values]
        return MetricFindings(
            datapoints=points,
            newest=found.newest or max(stamps, default=None),
            largest=max(ever[""].values(), default=None),
            units=tuple(unit for unit in _UNITS if ever[unit]),
        )


async def _ever(
    client: Any, source: MetricSource, end: datetime
) -> dict[str, dict[datetime, float]]:
    """Two weeks of a metric by hours, by unit; "" stands for whatever unit."""
    found: dict[str, dict[datetime, float]] = {unit: {} for unit in ("", *_UNITS)}
    start = (end - _EVER).replace(minute=0, second=0, microsecond=0)
    with aws_call("cloudwatch:GetMetricData"):
        async for result in _pages(client, list(_queries(source)), start, end):
            unit = ("", *_UNITS)[int(result["Id"].removeprefix("m"))]
            found[unit] |= dict(zip(result["Timestamps"], result["Values"], strict=True))
    return found


async def _pages(client: Any, queries: list[dict[str, Any]], start: datetime, end: datetime) -> Any:
    token: dict[str, str] = {}
    while True:
        answer = await asyncio.to_thread(
            client.get_metric_data,
            MetricDataQueries=queries,
            StartTime=start,
            EndTime=end,
            **token,
        )
        for result in answer.get("MetricDataResults", []):
            yield result
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}


def _queries(source: MetricSource) -> Iterator[dict[str, Any]]:
    metric = {
        "Namespace": source.namespace,
        "MetricName": source.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in source.dimensions.items()],
    }
    for number, unit in enumerate(("", *_UNITS)):
        stat: dict[str, Any] = {"Metric": metric, "Period": _HOUR, "Stat": "Maximum"}
        yield {"Id": f"m{number}", "MetricStat": stat | ({"Unit": unit} if unit else {})}
