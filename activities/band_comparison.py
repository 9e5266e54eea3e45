"""Band triggers, as a watch follows them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from activities.compared_series import gauges_of
from activities.comparisons import RECOVERED, Comparison, read_one
from activities.metric_series import Asked, Read
from lastgood.contracts import Tally, WatchedTrigger, WatchOrder
from lastgood.decisions import band, recorded, records
from lastgood.decisions.false_alarms import Evidence
from lastgood.decisions.record_columns import Columns
from lastgood.model import Reading, Status
from lastgood.policy_triggers import BandTrigger


class BandComparison(Comparison):
    """A band trigger of a watch."""

    def __init__(
        self, order: WatchOrder, watched: WatchedTrigger, evidence: Evidence | None
    ) -> None:
        super().__init__(order, watched)
        if not isinstance(watched.trigger, BandTrigger):
            raise TypeError(f"{watched.trigger.type} is no band trigger")
        self._band = watched.trigger
        self._evidence = records.Noted(evidence) if evidence else None
        self._facts: list[band.BandFacts] = []
        self._followed: dict[str, band.Followed] = {}
        self._kept: dict[str, Columns] = {}

    async def prepare(self, client: Any) -> None:
        """Read what is normal, once."""
        source = self._watched.source
        if self._facts or source is None:
            return
        before: dict[band.Kind, list[band.Gauge]] = {}
        for start, end in self.past.stretches:
            part = await read_one(client, Asked(self._watched, start), end)
            for kind, gauges in gauges_of(part.series, source).items():
                before.setdefault(kind, []).extend(gauges[at] for at in sorted(gauges))
        seconds = self._period.total_seconds()
        kinds: Iterable[band.Kind] = before or gauges_of({}, source)
        self._facts = [
            band.facts_of(self._band, kind, before.get(kind, []), seconds) for kind in kinds
        ]
        self._anew()

    def _anew(self) -> None:
        self._whole = True
        self._feeds = [self._feed() for _ in self._facts]
        self._followed = {
            facts.kind: band.Followed(self._band, facts, self.warm, self._evidence)
            for facts in self._facts
        }
        self._kept = {facts.kind: recorded.kept_gauges() for facts in self._facts}

    def judge(self, tally: Tally, found: Read, now: datetime, last: bool) -> Tally:
        """Take what was read into account."""
        source = self._watched.source
        if source is None:
            raise RuntimeError("the trigger was not resolved")
        gauges = gauges_of(found.series, source)
        for feed, (kind, followed) in zip(self._feeds, self._followed.items(), strict=True):
            own = gauges.get(followed.facts.kind, {})
            taken = feed.take(own, now.timestamp())
            if taken is None and not self._whole:
                self._anew()
                return self._note(
                    tally, found, now, last, f"{kind}: a late datapoint is read again"
                )
            for point in taken or ():
                followed.feed(point)
                self._kept[kind].add(point)
        self._whole = False
        bands = list(self._followed.values())
        fed = min(min((feed.next for feed in self._feeds), default=math.inf), now.timestamp())
        verdict = band.verdict(self._band, bands, until=fed, ever=False)
        noted = self._note(tally, found, now, last, f"band: {verdict.reason}")
        enough = all(one.datapoints >= RECOVERED for one in bands)
        measured = noted.reading is Reading.HEALTHY
        inside = measured and enough and verdict.status is Status.PASS
        return self._said(noted, verdict, last).model_copy(update={"recovered": inside})

    def _record(self, until: float) -> str:
        given = recorded.OfBand(
            facts=tuple(self._facts),
            warm=tuple(self.warm),
            asked=self._evidence.asked if self._evidence else None,
            until=until,
        )
        return records.record_of(given, *self._kept.values())
