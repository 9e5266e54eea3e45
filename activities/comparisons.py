"""Triggers that compare a release with the past, as a watch follows them.

What they know is in memory only: a watch that was interrupted reads the baseline and the whole
release anew, which makes the same of it. The baseline is read once, at the first look; every look
reads the newest buckets and those that may still come late.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.compared_series import (
    QUANTILES,
    beside,
    group_of,
    problem_of,
    samples_of,
    scale_of_times,
    served,
)
from activities.metric_series import Asked, Read, read
from lastgood.contracts import Tally, WatchedTrigger, WatchOrder
from lastgood.decisions import comparing, early_end, recorded, records, regression_verdicts
from lastgood.decisions.metrics import late_of, warm_up_of
from lastgood.decisions.readings import counted
from lastgood.decisions.regression import Regression
from lastgood.decisions.replaying import fixed_baseline
from lastgood.decisions.samples import SLOW, Baseline, Sample, SlowNormal, normal_of
from lastgood.decisions.series import floor_to, is_awaited
from lastgood.model import Reading, Status, Verdict
from lastgood.policy_triggers import BandTrigger, RegressionTrigger

RECOVERED = 3
"""Buckets, at least, without evidence: then it is good again."""
_WEAK = 3.0
"""Evidence that a recovery must not leave; where there is more, it is looked for afresh."""
_TWICE = 2
"""So many times the requests in which it was seen to be bad must then be without evidence."""
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
        self._begin = order.since
        """From when on it is judged: of a recovery, since it was last seen to be bad."""
        self._enough = 0.0
        """So many requests a recovery must have been seen in."""
        self._bad = ""
        """What was said when it was last seen to be bad."""

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
        self._enough, self._bad = 0.0, ""
        self.followed = self._follow_from(self._baseline, self._order.since)

    def _follow_from(self, baseline: Baseline, begin: datetime) -> regression_verdicts.Followed:
        self._begin = begin
        self._kept = recorded.kept_samples()
        return regression_verdicts.Followed(
            self._regression,
            baseline,
            since=begin.timestamp(),
            started=[at.timestamp() for at in self._order.started],
            period=self._period.total_seconds(),
            window=self._order.window,
        )

    async def _read_baseline(self, client: Any) -> Baseline:
        usual: dict[str, float] = {}
        parts = [
            await read_one(client, Asked(self._watched, start), end)
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
                await read_one(client, Asked(watched, start), end)
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
            self._take(sample._replace(share=self.share))
        regression = self.followed.regression
        noted = self._note(tally, found, now, last, self._in_words(regression))
        until = min(self._feeds[0].next, now.timestamp())
        verdict = regression_verdicts.verdict(self._regression, regression, until=until)
        measured = bool(regression.streams) and noted.reading is Reading.HEALTHY
        good = measured and regression.value < _WEAK and self._is_enough
        sure = last and self._order.goes_on
        update = {
            "recovered": good,
            "sure": early_end.no_worse(self._regression, regression) if sure else None,
        }
        return self._said(noted, verdict, last).model_copy(update=update)

    def _in_words(self, regression: Regression) -> str:
        latest = regression_verdicts.latest(regression)
        if not self._enough:
            return latest
        if regression.buckets < RECOVERED:
            return self._bad
        needed = f"{self._enough:,.0f} requests without evidence"
        return latest if self._is_enough else f"{latest}; after a breach it takes {needed}"

    @property
    def _is_enough(self) -> bool:
        """Whether there is enough since then to tell that it is good again."""
        if self.followed is None:
            return False
        regression = self.followed.regression
        seen = max((one.seen for one in regression.streams), default=0.0)
        return regression.buckets >= RECOVERED and seen >= self._enough

    def _take(self, sample: Sample) -> None:
        """Take a bucket. Of a service that was brought back, what was bad at first is past."""
        if self.followed is None or self._baseline is None:
            raise RuntimeError("what is normal is read first")
        self.followed.feed(sample)
        self._kept.add(recorded.flat(sample))
        regression = self.followed.regression
        bad = regression.value >= _WEAK and regression.buckets >= RECOVERED
        if self._order.goal != "recovery" or not bad:
            return
        seen = max((one.seen for one in regression.streams), default=0.0)
        self._enough = max(self._enough, _TWICE * seen)
        self._bad = regression_verdicts.latest(regression)
        end = sample.at + regression.period
        self.followed = self._follow_from(self._baseline, datetime.fromtimestamp(end, UTC))

    def _record(self, until: float) -> str:
        if self._baseline is None:
            raise RuntimeError("what is normal is read first")
        given = recorded.OfRegression(
            baseline=self._baseline,
            since=self._begin.timestamp(),
            started=tuple(at.timestamp() for at in self._order.started),
            period=self._period.total_seconds(),
            window=self._order.window,
            until=until,
        )
        return records.record_of(given, self._kept)


async def read_one(client: Any, asked: Asked, end: datetime) -> Read:
    """The series of one trigger; raises what CloudWatch said if it could not be read."""
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
