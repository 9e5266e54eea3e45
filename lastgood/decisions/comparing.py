"""What a release is compared with, and how its buckets reach whoever compares them.

The rule. ``before`` is the time right before the release; ``previous`` is the same age of the last
good release; ``same-time`` is the same time on the seven days before. What was measured while a
release of ours was under way that did not become good is not normal, and is left out.

A bucket counts once it is complete and readable. One that is missing is waited for until a later
one has come, or until CloudWatch can no longer be late; then it is missing for good. Buckets are
handed over in the order of time, each once. One that changed after it was handed over makes all of
them start anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from lastgood.contracts import Stretch
from lastgood.decisions.series import ceil_to, floor_to
from lastgood.model import Outcome, ReleaseResult, Revision, ServiceState
from lastgood.policy import format_duration
from lastgood.policy_triggers import BandTrigger, RegressionTrigger

Compared = RegressionTrigger | BandTrigger

_DAYS = 7
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_PERIODS = (60, 30, 20, 10, 5, 1)
_SHORT = timedelta(seconds=20)
_REMEMBERED_TROUBLES = 20
_REMEMBERED = 600
"""Of so many of the newest buckets is known what was handed over."""


class Past(NamedTuple):
    """What a release is compared with."""

    text: str
    """``the 1h before the release``."""
    stretches: tuple[tuple[datetime, datetime], ...]


def period_of(trigger: Compared) -> timedelta:
    """The length of a datapoint: the policy's; else a minute, or no more than a shorter burst."""
    if trigger.period:
        return trigger.period
    shortest = _MINUTE
    if isinstance(trigger, RegressionTrigger) and trigger.burst < _SHORT:
        shortest = trigger.burst
    if isinstance(trigger, BandTrigger) and trigger.duration:
        shortest = min(_MINUTE, trigger.duration / 3)
    return timedelta(seconds=next((p for p in _PERIODS if p <= shortest.total_seconds()), 1))


def past_of(
    trigger: Compared,
    *,
    released_at: datetime,
    window: timedelta,
    previous: datetime | None,
    troubled: Sequence[Stretch] = (),
) -> Past:
    """The stretches of time that a trigger compares with; none if there is no such past."""
    past = _past_of(trigger, released_at, window, previous)
    whole = [Stretch(begin=begin, end=end) for begin, end in past.stretches]
    clean = without(whole, troubled, period_of(trigger))
    return past._replace(stretches=tuple((one.begin, one.end) for one in clean))


def without(
    stretches: Sequence[Stretch], troubled: Sequence[Stretch], period: timedelta
) -> tuple[Stretch, ...]:
    """What is left of some stretches, in whole buckets: begins and ends are those of buckets."""
    left = list(stretches)
    for bad in troubled:
        left = [
            part
            for one in left
            for part in (
                Stretch(begin=one.begin, end=min(one.end, bad.begin)),
                Stretch(begin=max(one.begin, bad.end), end=one.end),
            )
            if part.begin < part.end and not (bad.end <= one.begin or bad.begin >= one.end)
        ] + [one for one in left if bad.end <= one.begin or bad.begin >= one.end]
    whole = [
        Stretch(begin=ceil_to(one.begin, period), end=floor_to(one.end, period)) for one in left
    ]
    return tuple(sorted((one for one in whole if one.begin < one.end), key=lambda one: one.begin))


def troubled(results: Sequence[ReleaseResult]) -> tuple[Stretch, ...]:
    """When releases ran that did not become good, the newest first.

    Nothing was wrong with a drill that has passed.
    """
    return tuple(
        Stretch(begin=one.started_at, end=one.finished_at)
        for one in results
        if one.started_at
        and one.finished_at
        and one.to_task_definition
        and one.outcome not in (Outcome.HEALTHY, Outcome.REFUSED)
        and not (one.drill and one.drill.passed)
    )[:_REMEMBERED_TROUBLES]


def _past_of(
    trigger: Compared, released_at: datetime, window: timedelta, previous: datetime | None
) -> Past:
    lasts = trigger.baseline_for
    if trigger.baseline == "before":
        return Past(before_in_words(lasts), ((released_at - lasts, released_at),))
    if trigger.baseline == "previous":
        text = "the window of the last good release"
        age = max(window, _MINUTE)
        return Past(text, ((previous, previous + age),) if previous else ())
    if trigger.baseline == "same-time":
        starts = [released_at - number * _DAY for number in range(_DAYS, 0, -1)]
        return Past("the same time on the days before", tuple((at, at + lasts) for at in starts))
    return Past("what the policy says is normal", ())


def before_in_words(lasts: timedelta) -> str:
    """``the hour before the release``."""
    words = "hour" if lasts == timedelta(hours=1) else format_duration(lasts)
    return f"the {words} before the release"


def previous_of(good: Sequence[Revision], window: timedelta) -> datetime | None:
    """When the last good release of ours began its monitor window; None if there is none.

    Args:
        good: revisions that are known to be good.
        window: how long they were watched.
    """
    ended = [one.proven_at for one in good if one.release and one.proven_at]
    return max(ended) - window if ended else None


def share_of(state: ServiceState, task_definition: str) -> float:
    """The share of the running tasks that are of this task definition; 1 if none runs."""
    running = sum(one.running for one in state.deployments)
    new = sum(one.running for one in state.deployments if one.task_definition == task_definition)
    return new / running if running else 1.0


Bucket = TypeVar("Bucket")


class Feed(Generic[Bucket]):
    """Hands buckets over in the order of time, each once.

    Args:
        since: no bucket that begins earlier counts, in seconds since the epoch.
        period: of a bucket, in seconds.
        delay: how late a bucket may be readable, in seconds after its end.
    """

    def __init__(self, since: float, period: float, delay: float) -> None:
        self._period = period
        self._delay = delay
        self._next = -(-since // period) * period
        self._handed: dict[float, Bucket] = {}

    @property
    def next(self) -> float:
        """When the first bucket begins that was not handed over."""
        return self._next

    def take(self, buckets: Mapping[float, Bucket], now: float) -> list[Bucket] | None:
        """The buckets that count now; None if one that was handed over has changed since.

        Args:
            buckets: what can be read, by when they begin.
            now: the time of reading.
        """
        for at, bucket in buckets.items():
            if at in self._handed and self._handed[at] != bucket:
                return None
            oldest = next(iter(self._handed), self._next)
            if oldest < at < self._next and at not in self._handed:
                return None  # it was given up as missing, and came all the same
        taken: list[Bucket] = []
        newest = max(buckets, default=-1.0)
        while self._next + self._period <= now:
            end = self._next + self._period
            bucket_now = buckets.get(self._next)
            if bucket_now is not None:
                self._handed[self._next] = bucket_now
                taken.append(bucket_now)
            elif newest <= self._next and now < end + self._delay:
                break
            self._next = end
        for at in list(self._handed)[:-_REMEMBERED]:
            del self._handed[at]
        return taken


def typical(values: Mapping[datetime, float], weights: Mapping[datetime, float]) -> float | None:
    """The median of buckets' values, weighted by how much was measured in each."""
    pairs = sorted((value, weights.get(at, 0.0)) for at, value in values.items())
    half = sum(weight for _, weight in pairs) / 2
    seen = 0.0
    for value, weight in pairs:
        seen += weight
        if weight and seen >= half:
            return value
    return None
