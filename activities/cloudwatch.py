"""Amazon CloudWatch: metrics and alarms, once or as a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.alarm_states import changes_of, describe
from activities.clients import Clients
from activities.failures import aws_call
from activities.metric_series import Asked, read
from activities.metric_watch import FINE_READABLE, MetricWatch
from activities.rollout_share import RolloutShare
from activities.watch import conclude_polled, watch
from lastgood.contracts import (
    AlarmChange,
    AlarmMark,
    AlarmQuery,
    AlarmState,
    MetricFacts,
    MetricProbe,
    Tally,
    WatchedTrigger,
    WatchOrder,
    WatchReport,
)
from lastgood.decisions import recorded, records, thresholds
from lastgood.decisions.health import look_at_alarm, look_failed, unseen_from
from lastgood.model import Reading
from lastgood.policy_triggers import AlarmTrigger, MetricTrigger


class CloudWatchActivities:
    """Calls to CloudWatch through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @activity.defn
    async def get_metric_data(self, probe: MetricProbe) -> MetricFacts:
        """Read one trigger's metric: is there anything, and is it too high already?"""
        end = datetime.now(UTC)
        start = end - FINE_READABLE
        client = self._clients("cloudwatch", probe.region)
        [found] = await read(client, [Asked(probe.trigger, start)], end)
        if found.trouble:
            raise found.trouble
        if not isinstance(probe.trigger.trigger, MetricTrigger):
            return MetricFacts(datapoints=max(map(len, found.series.values()), default=0))
        tally = thresholds.look(
            probe.trigger, Tally(key=probe.trigger.key), found.points, since=start, now=end
        )
        above = tally.latest if tally.reading is Reading.UNHEALTHY else None
        return MetricFacts(datapoints=len(found.points), above=above)

    @activity.defn
    async def describe_alarms(self, query: AlarmQuery) -> list[AlarmState]:
        """Read alarms by name, metric and composite ones; a missing one is simply not there."""
        return await describe(self._clients("cloudwatch", query.region), query.names)

    @activity.defn
    async def set_alarm_state(self, mark: AlarmMark) -> datetime:
        """Set an alarm to ALARM. Idempotent: CloudWatch puts it back at its next evaluation.

        Returns:
            When it was set.
        """
        client = self._clients("cloudwatch", mark.region)
        with aws_call("cloudwatch:SetAlarmState"):
            await asyncio.to_thread(
                client.set_alarm_state,
                AlarmName=mark.name,
                StateValue="ALARM",
                StateReason=mark.reason[:1023],
            )
        return datetime.now(UTC)

    @activity.defn
    async def watch_metrics(self, order: WatchOrder) -> WatchReport:
        """Watch metrics until one is too high for too long, or worse than before."""
        client = self._clients("cloudwatch", order.service.region)
        share = RolloutShare(self._clients)
        return await watch(order, MetricWatch(client, order, share).look)

    @activity.defn
    async def watch_alarms(self, order: WatchOrder) -> WatchReport:
        """Watch alarms until one is in ALARM, or was since the last look."""
        return await watch(order, self._look_at_alarms)

    async def _look_at_alarms(
        self, order: WatchOrder, tallies: Sequence[Tally], now: datetime, last: bool
    ) -> tuple[Tally, ...]:
        client = self._clients("cloudwatch", order.service.region)
        names = [t.trigger.alarm for t in order.triggers if isinstance(t.trigger, AlarmTrigger)]
        try:
            states = {one.name: one for one in await describe(client, names)}
        except ApplicationError as error:
            if not last:
                raise
            looked = [look_failed(tally, error.message, now) for tally in tallies]
        else:
            rows = zip(order.triggers, tallies, names, strict=True)
            looked = [
                await _look_at(client, order, watched, tally, states.get(name), now)
                for watched, tally, name in rows
            ]
        return tuple(
            conclude_polled(order, watched, tally, last)
            for watched, tally in zip(order.triggers, looked, strict=True)
        )


async def _look_at(
    client: Any,
    order: WatchOrder,
    watched: WatchedTrigger,
    tally: Tally,
    state: AlarmState | None,
    now: datetime,
) -> Tally:
    """Count one look at an alarm, with what it did since the last one."""
    start = unseen_from(order, tally, state)
    if state is None:
        return look_at_alarm(watched, tally, state, now)
    if start is None:
        return _recorded(order, watched, tally, state, now, ())
    try:
        changes = await changes_of(client, state.name, start)
    except ApplicationError as error:
        if not error.non_retryable:
            return look_failed(tally, error.message, now)  # asked again: it is still unseen
        seen = _recorded(order, watched, tally, state, now, ())
        text = f"{seen.latest}; what it did in between cannot be read: {error.message}"
        return seen.model_copy(update={"latest": text})
    return _recorded(order, watched, tally, state, now, changes)


def _recorded(
    order: WatchOrder,
    watched: WatchedTrigger,
    tally: Tally,
    state: AlarmState,
    now: datetime,
    changes: tuple[AlarmChange, ...],
) -> Tally:
    """One look at an alarm, with its record if it fires now."""
    looked = look_at_alarm(watched, tally, state, now, changes)
    fires = looked.failing is not None and looked.failing.at == now
    if not fires or not records.wanted(order, watched, looked, last=False):
        return looked
    given = recorded.OfAlarm(
        state=state,
        changes=changes,
        muted=watched.muted_until_ok,
        seen_ok=tally.seen_ok,
        alarm=tally.alarm,
        now=now,
    )
    return records.with_record(looked, records.record_of(given))
