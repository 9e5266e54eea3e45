"""A watch over metrics: all that they say is read by one call a look, and judged together.

At the first look it is also read what was normal before the release: for the guards of the plain
thresholds, and for the triggers that compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from activities.band_comparison import BandComparison
from activities.comparisons import RegressionComparison
from activities.metric_series import FINE_KEPT, Asked, Read, metric_trigger, read
from activities.rollout_share import RolloutShare
from lastgood.contracts import Stretch, Tally, WatchedTrigger, WatchOrder
from lastgood.decisions import comparing, recorded, records, thresholds
from lastgood.decisions.false_alarms import Evidence
from lastgood.decisions.health import look_failed
from lastgood.decisions.series import Point, floor_to, is_awaited
from lastgood.policy_triggers import BandTrigger, RegressionTrigger

FINE_READABLE = FINE_KEPT - timedelta(minutes=5)
"""How far back datapoints of less than a minute are there for certain."""

_BEFORE = timedelta(hours=1)


class MetricWatch:
    """What one watch over metrics knows while it lasts."""

    def __init__(self, client: Any, order: WatchOrder, share: RolloutShare) -> None:
        self._client = client
        self._share = share
        self._order = order
        self._regressions: dict[str, RegressionComparison] = {}
        self._bands: dict[str, BandComparison] = {}
        for one in order.triggers:
            if isinstance(one.trigger, RegressionTrigger):
                self._regressions[one.key] = RegressionComparison(order, one)
        for one in order.triggers:
            if isinstance(one.trigger, BandTrigger):
                self._bands[one.key] = BandComparison(order, one, self._evidence_of_band(one))
        self._before: dict[str, float | None] | None = None

    async def look(
        self, order: WatchOrder, tallies: Sequence[Tally], now: datetime, last: bool
    ) -> tuple[Tally, ...]:
        """One look at all metrics."""
        await self._prepare(now)
        pairs = list(zip(order.triggers, tallies, strict=True))
        asked = [self._asked(watched, tally, now, last) for watched, tally in pairs]
        # EndTime is exclusive; a bucket that is not complete yet is left out by the decision.
        found = await read(self._client, asked, now)
        share = await self._share.of_new_tasks(order) if self._regressions else 1.0
        for regression in self._regressions.values():
            regression.share = share
        order_of = sorted(range(len(pairs)), key=lambda n: pairs[n][0].key not in self._regressions)
        judged: dict[int, Tally] = {}
        for n in order_of:  # what compares comes first: the thresholds ask for its evidence
            judged[n] = self._judge(asked[n], pairs[n][1], found[n], now, last)
        return tuple(judged[n] for n in range(len(pairs)))

    async def _prepare(self, now: datetime) -> None:
        for regression in self._regressions.values():
            await regression.prepare(self._client)
        for one in self._bands.values():
            await one.prepare(self._client)
        if self._before is None:
            self._before = await self._values_before(now)

    async def _values_before(self, now: datetime) -> dict[str, float | None]:
        """The thresholds' metrics in the hour before the release, where a guard asks for them."""
        until = self._order.released_at
        guarded = [
            one
            for one in self._order.triggers
            if isinstance(one.trigger, thresholds.MetricTrigger)
            and not (one.trigger.raw or one.trigger.counted)
        ]
        if until is None or self._order.goal == "recovery":
            return {}
        begin = until - _BEFORE
        periods = [thresholds.period_of(metric_trigger(one)[0]) for one in guarded]
        readable = [
            max(begin, now - FINE_READABLE) if period < timedelta(minutes=1) else begin
            for period in periods
        ]
        starts = map(floor_to, readable, periods)
        asked = [Asked(one, start) for one, start in zip(guarded, starts, strict=True)]
        found = await read(self._client, asked, until) if asked else []
        whole = [Stretch(begin=begin, end=until)]
        values = {}
        for one, period, what in zip(guarded, periods, found, strict=True):
            normal = comparing.without(whole, self._order.troubled, period)
            points = [p for p in what.points if any(s.begin <= p.start < s.end for s in normal)]
            values[one.key] = thresholds.value_before(points)
        return values

    def _asked(self, watched: WatchedTrigger, tally: Tally, now: datetime, last: bool) -> Asked:
        compared = self._regressions.get(watched.key) or self._bands.get(watched.key)
        if compared:
            return compared.asked()
        return Asked(watched, _read_from(self._order, watched, tally, now, whole=last))

    def _judge(self, asked: Asked, tally: Tally, found: Read, now: datetime, last: bool) -> Tally:
        if found.trouble:
            failed = look_failed(tally, found.trouble.message, now)
            return failed.model_copy(update={"conclusion": None})
        key = asked.watched.key
        compared = self._regressions.get(key) or self._bands.get(key)
        if compared:
            return compared.judge(tally, found, now, last)
        return self._judge_threshold(asked, tally, found, now, last)

    def _judge_threshold(
        self, asked: Asked, tally: Tally, found: Read, now: datetime, last: bool
    ) -> Tally:
        """Judge what was read of one metric; at the end, the whole window."""
        watched, order = asked.watched, self._order
        trigger, _ = metric_trigger(watched)
        since = max(order.since, asked.start)
        before = (self._before or {}).get(watched.key)
        found_evidence = self._evidence_of_threshold(watched)
        noted = records.Noted(found_evidence)
        evidence = noted if found_evidence else None
        warm_up = thresholds.warm_up_of(trigger, order.window)
        looked = thresholds.look(
            watched,
            tally,
            found.points,
            since=since,
            now=now,
            not_before=order.not_before,
            before=before,
            evidence=evidence,
            started=order.started,
            warm_up=warm_up,
        )
        given = recorded.OfThreshold(
            since=since,
            now=now,
            not_before=order.not_before,
            before=before,
            started=order.started,
            warm_up=warm_up,
            **looked.model_dump(include={"latest", "value", "error"}),
        )
        if not last:
            return self._recorded(watched, looked, given, found.points, noted)
        verdict = looked.failing or thresholds.conclude_metric(
            watched,
            looked,
            found.points,
            since=since,
            covers_from=max(order.covers_from, asked.start),
            until=order.until,
            before=before,
            evidence=evidence,
            started=order.started,
            warm_up=warm_up,
        )
        period = thresholds.period_of(trigger)
        awaiting = is_awaited(found.newest, period, since=order.covers_from, until=order.until)
        looked = looked.model_copy(update={"conclusion": verdict, "awaiting": awaiting})
        covers = {"covers_from": max(order.covers_from, asked.start)}
        given = given.model_copy(update=covers)
        return self._recorded(watched, looked, given, found.points, noted)

    def _recorded(
        self,
        watched: WatchedTrigger,
        tally: Tally,
        given: recorded.OfThreshold,
        points: tuple[Point, ...],
        noted: records.Noted,
    ) -> Tally:
        """The tally with the record of what decides now, if something does."""
        last = tally.conclusion is not None
        fires = last or tally.failing is not None
        if not fires or not records.wanted(self._order, watched, tally, last=last):
            return tally
        whole = given.model_copy(update={"points": points, "asked": noted.asked})
        return records.with_record(tally, records.record_of(whole))

    # --- Evidence --------------------------------------------------------------------------

    def _evidence_of_threshold(self, watched: WatchedTrigger) -> Evidence | None:
        """What the regression trigger says of the same requests, if one is watched."""
        trigger, source = metric_trigger(watched)
        regression = self._of_same_requests(watched)
        if regression is None or regression.followed is None or source.kind == "metric":
            return None
        period = thresholds.period_of(trigger).total_seconds()
        return regression.followed.evidence_for(trigger, period)

    def _evidence_of_band(self, watched: WatchedTrigger) -> Evidence | None:
        regression = self._of_same_requests(watched)

        def evidence(at: datetime) -> float | None:
            return regression.followed.at(at) if regression and regression.followed else None

        return evidence if regression else None

    def _of_same_requests(self, watched: WatchedTrigger) -> RegressionComparison | None:
        if self._order.goal == "recovery" or watched.source is None:
            return None
        wanted = (watched.source.kind, watched.source.dimensions)
        for one in self._order.triggers:
            if one.source and (one.source.kind, one.source.dimensions) == wanted:
                found = self._regressions.get(one.key)
                if found:
                    return found
        return None


def _read_from(
    order: WatchOrder, watched: WatchedTrigger, tally: Tally, now: datetime, *, whole: bool
) -> datetime:
    """From where on to read: the newest stretch and late points; after a gap, the gap too."""
    trigger, _ = metric_trigger(watched)
    period = thresholds.period_of(trigger)
    reach = thresholds.reach_of(watched)
    start = order.since
    if not whole and reach is not None:
        looked = min(now, tally.measured_at or order.since)
        start = looked - reach - thresholds.late_of(period)
        start = max(order.since, min(start, tally.breach_since or start))
    if period < timedelta(minutes=1):
        start = max(start, now - FINE_READABLE)
    return floor_to(start, period)
