"""Amazon CloudWatch: raw series and alarm states, once or as a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients import Clients
from activities.failures import aws_call
from activities.watch import conclude_polled, watch
from lastgood.contracts import (
    AlarmQuery,
    AlarmState,
    MetricFacts,
    MetricProbe,
    MetricSource,
    Tally,
    WatchedTrigger,
    WatchOrder,
    WatchReport,
)
from lastgood.decisions import thresholds
from lastgood.decisions.health import look_at_alarm, look_failed
from lastgood.decisions.series import Point, floor_to, from_counts, from_values, worst_of
from lastgood.model import Reading
from lastgood.policy_triggers import AlarmTrigger, ErrorRateTrigger, ResponseTimeTrigger

_ALB = "AWS/ApplicationELB"
_COUNTS = ("RequestCount", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount")

Series = dict[datetime, float]

_LATE = timedelta(minutes=5)
"""How far back a look reads at least: datapoints come late."""
_FINE_KEPT = timedelta(hours=3) - timedelta(minutes=5)
"""CloudWatch keeps datapoints of less than a minute for three hours."""


def _stat(
    source: MetricSource, group: dict[str, str], name: str, statistic: str, period: timedelta
) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in group.items()]
    return {
        "Metric": {"Namespace": source.namespace, "MetricName": name, "Dimensions": dimensions},
        "Period": int(period.total_seconds()),
        "Stat": statistic,
    }


def _metric_trigger(watched: WatchedTrigger) -> tuple[thresholds.MetricTrigger, MetricSource]:
    if not isinstance(watched.trigger, ErrorRateTrigger | ResponseTimeTrigger):
        raise TypeError(f"{watched.trigger.type} is not measured by a metric")
    if watched.source is None:
        raise TypeError(f"{watched.key} was not resolved")
    return watched.trigger, watched.source


def queries_of(watched: WatchedTrigger, prefix: str) -> list[dict[str, Any]]:
    """The MetricDataQueries of one trigger; ids are ``prefix`` and a number."""
    trigger, source = _metric_trigger(watched)
    period = thresholds.period_of(trigger)
    if source.kind == "metric":
        wanted = [(source.name, source.statistic)]
    elif isinstance(trigger, ErrorRateTrigger):
        wanted = [(name, "Sum") for name in _COUNTS]
    else:
        wanted = [("TargetResponseTime", source.statistic)]
    groups = (source.dimensions, *source.further)
    stats = [_stat(source, group, *one, period) for group in groups for one in wanted]
    return [{"Id": f"{prefix}n{n}", "MetricStat": stat} for n, stat in enumerate(stats)]


def points_of(watched: WatchedTrigger, prefix: str, series: dict[str, Series]) -> tuple[Point, ...]:
    """The points of one trigger, joined from its series."""
    trigger, source = _metric_trigger(watched)
    is_ratio = isinstance(trigger, ErrorRateTrigger)
    counts = source.kind == "load-balancer" and is_ratio
    step = len(_COUNTS) if counts else 1
    groups = []
    for first in range(0, step * (1 + len(source.further)), step):
        some = [series.get(f"{prefix}n{first + n}", {}) for n in range(step)]
        groups.append(
            from_counts(some[0], tuple(some[1:]))
            if counts
            else from_values(some[0], scale=source.scale, ratio=is_ratio)
        )
    return worst_of(groups)


class CloudWatchActivities:
    """Calls to CloudWatch through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def _series(
        self, region: str, queries: list[dict[str, Any]], start: datetime, end: datetime
    ) -> dict[str, Series]:
        """All series of some queries, all pages; an incomplete answer is an error."""
        client = self._clients("cloudwatch", region)
        series: dict[str, Series] = {query["Id"]: {} for query in queries}
        states: dict[str, str] = {}
        token: dict[str, str] = {}
        while True:
            with aws_call("cloudwatch:GetMetricData"):
                answer = await asyncio.to_thread(
                    client.get_metric_data,
                    MetricDataQueries=queries,
                    StartTime=start,
                    EndTime=end,
                    ScanBy="TimestampAscending",
                    **token,
                )
            for result in answer.get("MetricDataResults", []):
                pairs = zip(result["Timestamps"], result["Values"], strict=True)
                series[result["Id"]].update({at.astimezone(UTC): value for at, value in pairs})
                states[result["Id"]] = result.get("StatusCode", "Complete")
            if not answer.get("NextToken"):
                break
            token = {"NextToken": answer["NextToken"]}
        bad = {state for state in states.values() if state != "Complete"}
        if bad:
            raise ApplicationError(
                f"cloudwatch:GetMetricData answered {', '.join(sorted(bad))}: "
                "the numbers are not complete.",
                type=next(iter(sorted(bad))),
                non_retryable="Forbidden" in bad,
            )
        return series

    async def _points(
        self, region: str, triggers: Sequence[tuple[WatchedTrigger, datetime]], end: datetime
    ) -> list[tuple[Point, ...]]:
        """The points of some triggers, each from its own start on."""
        by_start: dict[datetime, list[dict[str, Any]]] = {}
        for n, (one, start) in enumerate(triggers):
            by_start.setdefault(start, []).extend(queries_of(one, f"t{n}"))
        series: dict[str, Series] = {}
        for start, queries in by_start.items():
            series |= await self._series(region, queries, start, end)
        return [points_of(one, f"t{n}", series) for n, (one, _) in enumerate(triggers)]

    @activity.defn
    async def get_metric_data(self, probe: MetricProbe) -> MetricFacts:
        """Read one trigger's metric: is there anything, and is it too high already?"""
        end = datetime.now(UTC)
        start = end - _FINE_KEPT
        points = (await self._points(probe.region, [(probe.trigger, start)], end))[0]
        tally = thresholds.look(
            probe.trigger, Tally(key=probe.trigger.key), points, since=start, now=end
        )
        above = tally.latest if tally.reading is Reading.UNHEALTHY else None
        return MetricFacts(datapoints=len(points), above=above)

    @activity.defn
    async def describe_alarms(self, query: AlarmQuery) -> list[AlarmState]:
        """Read alarms by name, metric and composite ones; a missing one is simply not there."""
        return await self._alarms(query.region, list(query.names))

    async def _alarms(self, region: str, names: list[str]) -> list[AlarmState]:
        client = self._clients("cloudwatch", region)
        with aws_call("cloudwatch:DescribeAlarms"):
            answer = await asyncio.to_thread(
                client.describe_alarms,
                AlarmNames=names,
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
        found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        return [
            AlarmState(
                name=one["AlarmName"],
                state=one["StateValue"],
                since=one.get("StateTransitionedTimestamp") or one.get("StateUpdatedTimestamp"),
                reason=one.get("StateReason", "")[:500],
            )
            for one in found
        ]

    @activity.defn
    async def watch_metrics(self, order: WatchOrder) -> WatchReport:
        """Watch error rates and response times until one is too high for too long."""
        return await watch(order, self._look_at_metrics)

    async def _look_at_metrics(
        self, order: WatchOrder, tallies: Sequence[Tally], now: datetime, last: bool
    ) -> tuple[Tally, ...]:
        pairs = zip(order.triggers, tallies, strict=True)
        starts = [_read_from(order, watched, tally, now, whole=last) for watched, tally in pairs]
        asked = list(zip(order.triggers, starts, strict=True))
        # EndTime is exclusive; a bucket that is not complete yet is left out by the decision.
        series = await self._points(order.service.region, asked, now)
        looked = []
        rows = zip(asked, tallies, series, strict=True)
        for (watched, start), tally, points in rows:
            new = thresholds.look(
                watched,
                tally,
                points,
                since=max(order.since, start),
                now=now,
                not_before=order.not_before,
            )
            if last:
                verdict = new.failing or thresholds.conclude_metric(
                    watched,
                    new,
                    points,
                    since=max(order.since, start),
                    covers_from=max(order.covers_from, start),
                    until=order.until,
                )
                new = new.model_copy(update={"conclusion": verdict})
            looked.append(new)
        return tuple(looked)

    @activity.defn
    async def watch_alarms(self, order: WatchOrder) -> WatchReport:
        """Watch alarms until one is in ALARM."""
        return await watch(order, self._look_at_alarms)

    async def _look_at_alarms(
        self, order: WatchOrder, tallies: Sequence[Tally], now: datetime, last: bool
    ) -> tuple[Tally, ...]:
        names = [t.trigger.alarm for t in order.triggers if isinstance(t.trigger, AlarmTrigger)]
        try:
            states = {one.name: one for one in await self._alarms(order.service.region, names)}
        except ApplicationError as error:
            if not last:
                raise
            looked = [look_failed(tally, error.message, now) for tally in tallies]
        else:
            pairs = zip(order.triggers, tallies, names, strict=True)
            looked = [look_at_alarm(w, t, states.get(name), now) for w, t, name in pairs]
        return tuple(
            conclude_polled(order, watched, tally, last)
            for watched, tally in zip(order.triggers, looked, strict=True)
        )


def _read_from(
    order: WatchOrder, watched: WatchedTrigger, tally: Tally, now: datetime, *, whole: bool
) -> datetime:
    """From where on to read: the newest stretch and late points; after a gap, the gap too."""
    trigger, _ = _metric_trigger(watched)
    period = thresholds.period_of(trigger)
    reach = thresholds.reach_of(watched)
    start = order.since
    if not whole and reach is not None:
        looked = min(now, tally.measured_at or order.since)
        start = max(order.since, looked - reach - max(_LATE, 5 * period))
    if period < timedelta(minutes=1):
        start = max(start, now - _FINE_KEPT)
    return floor_to(start, period)
