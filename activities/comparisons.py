"""Triggers that compare a release with the past, as a watch follows them.

What they know is in memory only: a watch that was interrupted reads the baseline and the whole
release anew, which makes the same of it. The baseline is read once, at the first look; every look
reads the newest buckets and those that may still come late.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.compared_series import (
    QUANTILES,
    beside,
    gauges_of,
    group_of,
    problem_of,
    samples_of,
    scale_of_times,
    served,
)
from activities.metric_series import Asked, Read, read
from lastgood.contracts import Tally, WatchedTrigger, WatchOrder
from lastgood.decisions import band, comparing, early_end, recorded, records, regression_verdicts
from lastgood.decisions.false_alarms import Evidence
from lastgood.decisions.metrics import late_of, warm_up_of
from lastgood.decisions.readings import counted
from lastgood.decisions.record_columns import Columns
from lastgood.decisions.replaying import fixed_baseline
from lastgood.decisions.samples import SLOW, Baseline, Sample, SlowNormal, normal_of
from lastgood.decisions.series import floor_to, is_awaited
from lastgood.model import Reading, Status, Verdict
from lastgood.policy_triggers import BandTrigger, RegressionTrigger

_RECOVERED = 3
"""Buckets, at least, without evidence: then it is good again."""
_WEAK = 3.0
_NEARLY_ALL = 0.9


class Comparison:
    """One regression or band trigger of a watch."""

    def __init__(self, order: WatchOrder, watched: WatchedTrigger) -> None:
        trigger = watched.trigger
        if not isinstance(trigger, RegressionTrigger | BandTrigger):
            raise TypeError(f"{trigger.type} compares with nothing")
        self._order = order
        self._watched = watched
        self._trigger: RegressionTrigger | BandTrigger = trigger
        self._period = comparing.period_of(trigger)
        self._feeds: list[comparing.Feed[Any]] = []
        self._whole = True
        self.past = comparing.past_of(
            trigger,
            released_at=order.released_at or order.since,
            window=order.window,
            previous=order.previous,
            troubled=order.troubled,
        )

    @property
    def warm(self) -> list[tuple[float, float]]:
        """Stretches of time in which new tasks may be slow."""
        lasts = warm_up_of(self._trigger, self._order.window).total_seconds()
        return [(at.timestamp(), at.timestamp() + lasts) for at in self._order.started]

    def asked(self) -> Asked:
        """From when on its series are needed: all of the release at first, then what may change."""
        if self._whole or not self._feeds:
            return Asked(self._watched, floor_to(self._order.since, self._period))
        oldest = min(feed.next for feed in self._feeds)
        start = datetime.fromtimestamp(oldest, UTC) - late_of(self._period)
        return Asked(self._watched, floor_to(max(self._order.since, start), self._period))

    def _feed(self) -> comparing.Feed[Any]:
        delay = self._watched.source.delay if self._watched.source else timedelta(0)
        seconds = self._period.total_seconds()
        return comparing.Feed(self._order.since.timestamp(), seconds, delay.total_seconds())

    def _note(self, tally: Tally, found: Read, now: datetime, last: bool, text: str) -> Tally:
        """The tally of one look, before what it means is known."""
        problem = problem_of(found.series, self._watched)
        silent = (
            found.newest is None or now - found.newest > late_of(self._period) + 3 * self._period
        )
        reading = Reading.ERROR if problem else Reading.NO_DATA if silent else Reading.HEALTHY
        if problem:
            text = f"{self._trigger.type} cannot be used: {problem}"
        awaiting = last and is_awaited(
            found.newest, self._period, since=self._order.covers_from, until=self._order.until
        )
        return counted(tally, reading, text, now).model_copy(update={"awaiting": awaiting})

    def _record(self, until: float) -> str:
        """What it is judged from, up to then."""
        raise NotImplementedError

    def _said(self, tally: Tally, verdict: Verdict, last: bool) -> Tally:
        """The tally with what the trigger says now; ``verdict``: of all that was fed."""
        late = self._order.not_before is None or verdict.at > self._order.not_before
        fails = verdict.status is Status.FAIL and late
        told: dict[str, Any] = {"failing": verdict if fails else None, "value": verdict.value}
        if fails:
            told["reading"] = Reading.UNHEALTHY
        if last:
            told["conclusion"] = verdict
        said = tally.model_copy(update=told)
        decides = last or fails
        if not decides or not records.wanted(self._order, self._watched, said, last=last):
            return said
        return records.with_record(said, self._record(verdict.at.timestamp()))


class RegressionComparison(Comparison):
    """A regression trigger of a watch."""

    def __init__(self, order: WatchOrder, watched: WatchedTrigger) -> None:
        super().__init__(order, watched)
        if not isinstance(watched.trigger, RegressionTrigger):
            raise TypeError(f"{watched.trigger.type} is no regression trigger")
        self._regression = watched.trigger
        self._baseline: Baseline | None = None
        self.share = 1.0
        """Of new tasks among all, at this look: larger than it was in the buckets before."""
        self._old: int | None = None
        """Which target group the old tasks are in, if new ones are in another."""
        self.followed: regression_verdicts.Followed | None = None

    async def prepare(self, client: Any) -> None:
        """Read what is normal, once."""
        if self._baseline:
            return
        if self._regression.fixed:
            baseline = fixed_baseline(self._regression.fixed, self._regression)
        else:
            baseline = await self._read_baseline(client)
        limits = tuple(slow.limit for slow in baseline.slow)
        source = self._watched.source
        self._watched = self._watched.model_copy(
            update={"source": source and source.model_copy(update={"limits": limits})}
        )
        self._baseline = baseline
        self._anew()

    def _anew(self) -> None:
        if self._baseline is None:
            raise RuntimeError("what is normal is read first")
        self._whole = True
        self._feeds = [self._feed()]
        self._kept = recorded.kept_samples()
        self.followed = regression_verdicts.Followed(
            self._regression,
            self._baseline,
            since=self._order.since.timestamp(),
            started=[at.timestamp() for at in self._order.started],
            period=self._period.total_seconds(),
            window=self._order.window,
        )

    async def _read_baseline(self, client: Any) -> Baseline:
        usual: dict[str, float] = {}
        parts = [
            await _read_one(client, Asked(self._watched, start), end)
            for start, end in self.past.stretches
        ]
        self._know_the_old(parts)
        for label, share in QUANTILES.items():
            values = {at: v for part in parts for at, v in part.series.get(label, {}).items()}
            weights = {at: v for part in parts for at, v in part.series.get("timed", {}).items()}
            typical = comparing.typical(values, weights)
            usual |= {
                name: typical * self._scale * more
                for name, (quantile, more) in SLOW.items()
                if typical and quantile == share
            }
        return await self._counted(client, parts, usual)

    @property
    def _scale(self) -> float:
        source = self._watched.source
        return scale_of_times(source) if source else 1000.0

    async def _counted(
        self, client: Any, parts: Sequence[Read], usual: dict[str, float]
    ) -> Baseline:
        """Count what failed, and what was slower than usual."""
        period = self._period.total_seconds()
        source = self._watched.source
        if usual and source:
            limits = source.model_copy(update={"limits": tuple(usual.values())})
            watched = self._watched.model_copy(update={"source": limits})
            parts = [
                await _read_one(client, Asked(watched, start), end)
                for start, end in self.past.stretches
            ]
        samples = [one for part in parts for one in samples_of(part.series, len(usual)).values()]
        samples.sort(key=lambda one: one.at)
        errors = [
            (one.at, one.requests, one.errors)
            for one in samples
            if one.requests is not None and one.errors is not None
        ]
        return Baseline(
            text=self.past.text,
            errors=normal_of(errors, period),
            slow=_slow(samples, usual, self._regression, period),
            buckets=len(samples),
            beside=self._old is not None,
        )

    def _samples(self, found: Read) -> dict[float, Sample]:
        """The release's buckets; with old and new tasks apart, where they are."""
        slow = len(self._baseline.slow) if self._baseline else 0
        samples = samples_of(found.series, slow)
        if self._old is None:
            return samples
        old = samples_of(group_of(found.series, self._old), slow)
        new = samples_of(group_of(found.series, 1 - self._old), slow)
        return beside(samples, new, old)

    def _know_the_old(self, parts: Sequence[Read]) -> None:
        """Which of two target groups the old tasks are in: the one that served nearly all."""
        source = self._watched.source
        if source is None or len(source.further) != 1:
            return
        counts = [
            math.fsum(served(group_of(part.series, number)) for part in parts) for number in (0, 1)
        ]
        most = max(counts)
        if most and most >= _NEARLY_ALL * sum(counts):
            self._old = counts.index(most)

    def judge(self, tally: Tally, found: Read, now: datetime, last: bool) -> Tally:
        """Take what was read into account."""
        if self.followed is None or self._baseline is None:
            raise RuntimeError("what is normal is read first")
        samples = self._samples(found)
        taken = self._feeds[0].take(samples, now.timestamp())
        if taken is None and not self._whole:
            self._anew()  # the next look reads all of the release
            return self._note(tally, found, now, last, "regression: late data is read again")
        self._whole = False
        for sample in taken or ():
            fed = sample._replace(share=self.share)
            self.followed.feed(fed)
            self._kept.add(recorded.flat(fed))
        regression = self.followed.regression
        noted = self._note(tally, found, now, last, regression_verdicts.latest(regression))
        until = min(self._feeds[0].next, now.timestamp())
        verdict = regression_verdicts.verdict(self._regression, regression, until=until)
        measured = bool(regression.streams) and noted.reading is Reading.HEALTHY
        good = measured and regression.buckets >= _RECOVERED and regression.value < _WEAK
        sure = last and self._order.goes_on
        update = {
            "recovered": good,
            "sure": early_end.no_worse(self._regression, regression) if sure else None,
        }
        return self._said(noted, verdict, last).model_copy(update=update)

    def _record(self, until: float) -> str:
        if self._baseline is None:
            raise RuntimeError("what is normal is read first")
        given = recorded.OfRegression(
            baseline=self._baseline,
            since=self._order.since.timestamp(),
            started=tuple(at.timestamp() for at in self._order.started),
            period=self._period.total_seconds(),
            window=self._order.window,
            until=until,
        )
        return records.record_of(given, self._kept)


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
            part = await _read_one(client, Asked(self._watched, start), end)
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
        enough = all(one.datapoints >= _RECOVERED for one in bands)
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


async def _read_one(client: Any, asked: Asked, end: datetime) -> Read:
    [found] = await read(client, [asked], end)
    if found.trouble:
        raise found.trouble
    return found


def _slow(
    samples: Sequence[Sample], usual: dict[str, float], trigger: RegressionTrigger, period: float
) -> tuple[SlowNormal, ...]:
    factor = math.sqrt(trigger.slowdown)
    found = []
    for number, (name, limit) in enumerate(usual.items()):
        counts = [
            (one.at, one.timed, one.slow[number]) for one in samples if one.timed and one.slow
        ]
        normal = normal_of(counts, period)
        if normal:
            found.append(SlowNormal(name=name, usual=limit, limit=factor * limit, normal=normal))
    return tuple(found)
