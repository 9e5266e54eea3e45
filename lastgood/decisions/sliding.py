"""A policy over all of a service's past: what if it had been released at every hour?

The rule. A release is pretended at every full hour (with a longer window: as soon as the one before
is over) that has an hour before it, and a window after it. Each is judged as a release is. As
nothing was released, whatever fires is a false alarm, unless something else was wrong then. A rate
by the week counts what fired over the time that the pretended releases stand for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lastgood.decisions.backtest import Judged, Replay, replay
from lastgood.decisions.recording import Recording
from lastgood.model import Status
from lastgood.policy import Policy, format_duration
from lastgood.policy_triggers import BandTrigger, RegressionTrigger, Trigger

HOUR = 3600.0
WEEK = 7 * 24 * HOUR
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
    step = max(HOUR, math.ceil(window / HOUR) * HOUR)
    begin = recording.rows[0].at if recording.rows else 0.0
    first = math.ceil((begin + before) / HOUR) * HOUR
    if first + window > recording.end:
        first = begin + before  # it need not be a full hour
    count = math.floor((recording.end - window - first) / step + 1e-9) + 1
    if count < 1 or not recording.rows:
        needed = format_duration(timedelta(seconds=before + window))
        there = format_duration(timedelta(seconds=round(recording.end - begin)))
        raise TooShortError(
            f"it covers {there}, and {needed} are needed to pretend a release (a baseline and "
            "monitor.window): give more, or say --deployed-at"
        )
    return [first + number * step for number in range(count)]


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
        weeks=_weeks(at, recording, pretended=releases is None),
        triggers=[Slid(trigger) for trigger in policy.triggers],
    )
    for moment in at:
        _note(found, datetime.fromtimestamp(moment, UTC), replay(policy, recording, moment))
    return found


def _weeks(at: Sequence[float], recording: Recording, *, pretended: bool) -> float:
    if pretended and len(at) > 1:
        return len(at) * (at[1] - at[0]) / WEEK
    if pretended:
        return HOUR / WEEK
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
