"""Health checks as a watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.http import Prober
from activities.watch import conclude_polled, watch
from lastgood.contracts import Tally, WatchedTrigger, WatchOrder, WatchReport
from lastgood.decisions import recorded, records
from lastgood.decisions.health import look_at_health, look_failed
from lastgood.policy_triggers import HealthCheckTrigger


class HealthActivities:
    """Health checks through an injected prober."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    @activity.defn
    async def watch_health(self, order: WatchOrder) -> WatchReport:
        """Ask health check URLs until one has failed too often in a row."""
        return await watch(order, self._look)

    async def _look(
        self, order: WatchOrder, tallies: Sequence[Tally], now: datetime, last: bool
    ) -> tuple[Tally, ...]:
        pairs = zip(order.triggers, tallies, strict=True)
        looked = await asyncio.gather(*(self._one(order, w, tally, now) for w, tally in pairs))
        return tuple(
            conclude_polled(order, watched, tally, last)
            for watched, tally in zip(order.triggers, looked, strict=True)
        )

    async def _one(
        self, order: WatchOrder, watched: WatchedTrigger, tally: Tally, now: datetime
    ) -> Tally:
        trigger = watched.trigger
        if not isinstance(trigger, HealthCheckTrigger) or watched.url is None:
            raise TypeError(f"{watched.key} is no resolved health check")
        try:
            answer = await self._prober.probe(watched.url, trigger.expect, trigger.timeout)
        except ApplicationError as error:
            return look_failed(tally, error.message, now)
        looked = look_at_health(watched, tally, answer, now)
        if looked.failing is None or not records.wanted(order, watched, looked, last=False):
            return looked
        before = looked.streak - len(looked.recent)
        given = recorded.OfHealth(checks=looked.recent, before=before)
        return records.with_record(looked, records.record_of(given))
