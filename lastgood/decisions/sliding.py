"""A policy over all of a service's past: what if it had been released in every hour?

The rule. A release is pretended once in each hour (more seldom, if windows would overlap) that has
an hour before it, and a window after it. Its minute changes from hour to hour and is spread evenly:
what a job does each hour on the hour counts as often as a release would meet it, no more and no
less. Each is judged as a release is. As nothing was released, whatever fires is a false alarm,
unless something else was wrong then. A rate by the week counts what fired over the time that the
pretended releases stand for.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lastgood.decisions.backtest import Judged, Replay, replay
from lastgood.decisions.recording import Recording
from lastgood.model import Status
from lastgood.policy import Policy, format_duration
from lastgood.policy_triggers import BandTrigger, RegressionTrigger, Trigger

HOUR = 3600.0
DAY, WEEK = 24 * HOUR, 7 * 24 * HOUR
_GOLDEN = (math.sqrt(5) - 1) / 2
"""Its multiples spread evenly, however many there are."""
_PATTERN = 3
"""So many in the same hour of the day are no chance."""
_DIGITS = re.compile(r"[0-9][0-9,.:]*")


class TooShortError(ValueError):
    """Raised when a recording holds no baseline and window; the message says what is needed."""


@dataclass
class Slid:
    """What one trigger would have done."""

    trigger: Trigger
    fired: list[tuple[datetime, str]] = field(default_factory=list)
    """When, and why."""
    inconclusive: int = 0
    measured: bool = True
    why: str = ""
    """Why it is not measured."""


@dataclass
class Sliding:
    """What a policy would have done with all of the pretended releases."""

    releases: list[float]
    """When they were, in seconds since the epoch."""
    window: float
    """Seconds."""
    weeks: float
    """That they stand for."""
    rolled_back: list[tuple[datetime, Replay]] = field(default_factory=list)
    """When they were released, and what became of them."""
    held: list[tuple[datetime, Replay]] = field(default_factory=list)
    triggers: list[Slid] = field(default_factory=list)
    replays: list[Replay] = field(default_factory=list)
    """Of each release."""

    def per_week(self, count: int) -> float:
        """So many, by the week."""
        return count / self.weeks if self.weeks else 0.0

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """Why releases were held: how often, and one sentence of each kind; most first."""
        kinds: dict[str, list[str]] = {}
        for _, one in self.held:
            kinds.setdefault(_DIGITS.sub("0", one.reason), []).append(one.reason)
        return sorted(((len(all_), all_[0]) for all_ in kinds.values()), key=lambda one: -one[0])


def releases_of(policy: Policy, recording: Recording) -> list[float]:
    """When releases are pretended.

    Raises:
        TooShortError: if there is no room for one.
    """
    window = policy.monitor.window.total_seconds()
    before = _before(policy.triggers)
    step = _step(window)
    begin = recording.rows[0].at if recording.rows else 0.0
    last = recording.end - window
    if not recording.rows or begin + before > last:
        needed = format_duration(timedelta(seconds=before + window))
        there = format_duration(timedelta(seconds=round(recording.end - begin)))
        raise TooShortError(
            f"it covers {there}, and {needed} are needed to pretend a release (a baseline and "
            "monitor.window): give more, or say --deployed-at"
        )
    first = math.ceil((begin + before) / HOUR) * HOUR
    spread = (
        first + number * step + _minute(number, recording.period)
        for number in _numbers(recording, first, step)
    )
    return [at for at in spread if at <= last] or [begin + before]


def _numbers(recording: Recording, first: float, step: float) -> Iterator[int]:
    """Which steps lie on a day with data, or the one before or after it.

    Others are far away from any: one wrong time in a file would make it years.
    """
    known = {int(row.at // DAY) for row in recording.rows}
    days = sorted({day + more for day in known for more in (-1, 0, 1)})
    for day in days:
        number = max(0, math.ceil((day * DAY - first) / step))
        while first + number * step < (day + 1) * DAY:
            yield number
            number += 1


def _step(window: float) -> float:
    """Whole hours from one release to the next, so that no windows overlap."""
    return math.ceil(window / HOUR + 1 - _GOLDEN) * HOUR


def _minute(number: int, period: float) -> float:
    """How long after the full hour a release is pretended, in whole buckets."""
    if period >= HOUR:
        return 0.0
    return math.floor(number * _GOLDEN % 1 * HOUR / period) * period


def _before(triggers: Iterable[Trigger]) -> float:
    """How much of the past a release is compared with, in seconds: an hour at least."""
    compared = [one for one in triggers if isinstance(one, RegressionTrigger | BandTrigger)]
    return max(HOUR, *(one.baseline_for.total_seconds() for one in compared), 0.0)


def watched_for(policy: Policy) -> Policy:
    """The policy with its window written down, so that it counts however long the recording is."""
    window = {"window": policy.monitor.window}
    return policy.model_copy(update={"monitor": policy.monitor.model_copy(update=window)})


def slide(policy: Policy, recording: Recording, releases: Sequence[float] | None = None) -> Sliding:
    """Judge a release at every hour, or at the times given.

    Raises:
        TooShortError: if the recording has no room for a release.
    """
    policy = watched_for(policy)
    at = releases_of(policy, recording) if releases is None else sorted(releases)
    found = Sliding(
        releases=list(at),
        window=policy.monitor.window.total_seconds(),
        weeks=_weeks(policy, at, recording, pretended=releases is None),
        triggers=[Slid(trigger) for trigger in policy.triggers],
    )
    for moment in at:
        _note(found, datetime.fromtimestamp(moment, UTC), replay(policy, recording, moment))
    return found


def _weeks(policy: Policy, at: Sequence[float], recording: Recording, *, pretended: bool) -> float:
    if pretended:
        return len(at) * _step(policy.monitor.window.total_seconds()) / WEEK
    return (recording.end - recording.rows[0].at) / WEEK if recording.rows else 0.0


def _note(found: Sliding, moment: datetime, one: Replay) -> None:
    found.replays.append(one)
    if one.outcome == "rolled_back":
        found.rolled_back.append((moment, one))
    elif one.outcome == "held":
        found.held.append((moment, one))
    for slid, judged in zip(found.triggers, one.triggers, strict=True):
        _count(slid, judged)


def _count(slid: Slid, judged: Judged) -> None:
    if not judged.measured:
        slid.measured, slid.why = False, judged.verdict.reason
    elif judged.fired_at:
        slid.fired.append((judged.fired_at, judged.verdict.reason))
    elif judged.verdict.status is Status.INCONCLUSIVE:
        slid.inconclusive += 1


def same_hour(fired: Iterable[datetime]) -> tuple[int, int] | None:
    """The hour of the day in which most fired, and how often; None if it looks like chance."""
    hours = Counter(at.hour for at in fired)
    if not hours:
        return None
    hour, count = hours.most_common(1)[0]
    return (hour, count) if count >= _PATTERN and 2 * count >= hours.total() else None
