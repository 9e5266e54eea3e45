"""Thresholds, durations and minimum requests proposed from a service's own past.

The rule. A threshold is proposed that would not have rolled back any release pretended at every
hour of the past, and that is far enough from what is usual to judge at all: twice the error rate,
one and a half times the response time, of 99 of 100 hours. Of the round numbers it is the lowest
such one; a longer duration is proposed only if it halves the threshold. With fewer requests than
any test needs to tell the threshold from the usual rate (``requests_needed``) nothing is judged.

``regression`` needs no threshold. It is proposed with a higher ``false_alarm`` where there are few
requests, and as a dry run where it would have fired.

What would have fired was seen on the same past that the proposal was made from: the chance of a
false alarm is said with the bound that so many releases without one allow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from lastgood.decisions.backtest import followed_of
from lastgood.decisions.metrics import in_words, lasts_of, limit_in_words, threshold_of, volume_of
from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.regression_verdicts import smallest_rise
from lastgood.decisions.sliding import Sliding, same_hour, slide, watched_for
from lastgood.decisions.statistics.binomial import requests_needed, upper_bound
from lastgood.decisions.usual import Usual, error_rate_of, highest, quantile, quiet_day, usual_of
from lastgood.policy import Policy, format_duration
from lastgood.policy_triggers import (
    ErrorRateTrigger,
    MetricTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)

M = TypeVar("M", ErrorRateTrigger, ResponseTimeTrigger)

_RATES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_TIMES = (*(50, 75, 100, 150, 200, 250, 300, 400, 500, 750), *(1000, 1500, 2000, 3000, 5000, 10000))
"""Milliseconds."""
_AWAY_RATE, _AWAY_TIME = 2.0, 1.5
"""So far from what is usual that the guards do not mute it."""
_FALSE_ALARM, _WITH_FEW = 0.01, 0.05
_FEW = 60.0
"""Requests a minute."""
_LEAST = 30
_SEEN_AT = 25
"""So many releases tell how small a rise would have been seen."""
_RARE = 3
"""What fired as seldom as this may have been no false alarm."""
_WORTH = 2.0
"""A longer duration must lower the threshold by this factor."""


@dataclass(frozen=True)
class Proposal:
    """One trigger, and what is known of it from the past."""

    trigger: Trigger
    fired: int
    releases: int
    per_week: float
    smallest: float | None
    """The smallest regression it would see: a rise of the rate, or a factor of the time."""
    sees: str
    """The same in words."""
    why: tuple[str, ...]
    """How it came to its numbers."""
    takes: float | None = None
    """Seconds until any test could tell the threshold from the usual rate; None: no counts."""


@dataclass(frozen=True)
class Suggestion:
    """What is proposed for a service, and what to beware of."""

    usual: Usual
    triggers: tuple[Proposal, ...]
    warnings: tuple[str, ...]


def suggest(policy: Policy, recording: Recording) -> Suggestion:
    """Propose triggers, and judge those of the policy.

    Args:
        policy: of the service; its sources of metrics and its window are kept.
        recording: its past: days, if they can be had.

    Raises:
        TooShortError: if there is no room for a release.
    """
    usual = usual_of(recording)
    made = [_proposed(policy, recording, usual, trigger) for trigger in _wanted(policy)]
    found = tuple(one for one in made if one)
    warnings = (*_of_policy(policy, recording, usual), *_of_proposals(policy, usual, found))
    return Suggestion(usual, found, tuple(dict.fromkeys(warnings)))


def warnings_of_past(policy: Policy, recording: Recording) -> tuple[str, ...]:
    """What of a policy cannot work with a service that was as its past says."""
    return tuple(dict.fromkeys(_of_policy(policy, recording, usual_of(recording))))


def _wanted(policy: Policy) -> list[Trigger]:
    """One of each kind that can be proposed, with the policy's own sources."""
    kinds = (ErrorRateTrigger, ResponseTimeTrigger, RegressionTrigger)
    own = {type(trigger): trigger for trigger in reversed(policy.triggers)}
    return [own.get(kind) or kind() for kind in kinds]


def _proposed(
    policy: Policy, recording: Recording, usual: Usual, trigger: Trigger
) -> Proposal | None:
    if isinstance(trigger, ErrorRateTrigger):
        return _of_errors(policy, recording, usual, trigger)
    if isinstance(trigger, ResponseTimeTrigger):
        return _of_times(policy, recording, usual, trigger)
    if isinstance(trigger, RegressionTrigger):
        return _of_regression(policy, recording, usual, trigger)
    return None


# --- Thresholds --------------------------------------------------------------------------------


def _of_errors(
    policy: Policy, recording: Recording, usual: Usual, given: ErrorRateTrigger
) -> Proposal | None:
    if usual.error_rate is None or usual.high_error_rate is None or not usual.requests:
        return None
    least = _AWAY_RATE * usual.high_error_rate
    normal = max(usual.error_rate, 0.0001)

    def make(threshold: float, duration: timedelta) -> ErrorRateTrigger:
        wanted = max(_LEAST, math.ceil(requests_needed(threshold, normal, _FALSE_ALARM) / 10) * 10)
        return _plain(given, threshold=threshold, duration=duration, min_requests=wanted)

    quiet = _quiet(policy, recording, make, [one for one in _RATES if one >= least], _RATES)
    found = quiet.trigger
    needed = requests_needed(found.threshold, normal, _FALSE_ALARM)
    takes = 60 * needed / usual.requests
    rise = found.threshold - usual.error_rate
    why = (
        f"usual {in_words(found, usual.error_rate)}; 99 of 100 hours below "
        f"{in_words(found, usual.high_error_rate)}",
        f"{needed:,.0f} requests tell {limit_in_words(found)} from usual: "
        f"{_time(takes)} with {usual.requests:,.0f} a minute",
        *_lower_in_words(quiet.lower),
    )
    sees = f"a rise by {rise * 100:.1f} points, to {limit_in_words(found)}"
    return _proposal(found, quiet.slid, rise, sees, why, takes)


def _of_times(
    policy: Policy, recording: Recording, usual: Usual, given: ResponseTimeTrigger
) -> Proposal | None:
    if usual.time is None or usual.high_time is None:
        return None
    least = _AWAY_TIME * usual.high_time

    def make(threshold: float, duration: timedelta) -> ResponseTimeTrigger:
        limit = timedelta(milliseconds=threshold)
        return _plain(given, threshold=limit, duration=duration)

    quiet = _quiet(policy, recording, make, [one for one in _TIMES if one >= least], _TIMES)
    found = quiet.trigger
    factor = threshold_of(found) / usual.time if usual.time else math.inf
    why = (
        f"usual {in_words(found, usual.time)}; 99 of 100 hours below "
        f"{in_words(found, usual.high_time)}",
        *_lower_in_words(quiet.lower),
    )
    sees = f"answers {factor:.1f} times as slow, above {limit_in_words(found)} on average"
    return _proposal(found, quiet.slid, factor, sees, why)


_KEPT = {
    *("metric", "load_balancer", "target_group", "period", "message", "severity"),
    *("compare", "missing_data", "error_limit", "warm_up"),
}
"""What the policy says already, and the past does not know better."""


def _plain(given: M, **keys: object) -> M:
    """A threshold with what the policy says about its source."""
    kept = {name: getattr(given, name) for name in given.model_fields_set & _KEPT}
    return type(given).model_validate({**kept, **keys})


def _quiet(
    policy: Policy,
    recording: Recording,
    make: Callable[[float, timedelta], M],
    far: Sequence[float],
    every: Sequence[float],
) -> _Quiet[M]:
    """The lowest threshold that never fired; the highest of all if there is none."""
    fine = 3 * recording.period <= 60
    durations = [timedelta(minutes=n) for n in ((1, 3) if fine else (3, 5))]
    best: _Quiet[M] | None = None
    lower: tuple[M, Sliding] | None = None
    for duration in durations:
        if duration > policy.monitor.window:
            continue
        for threshold in far:
            if best and threshold * _WORTH > threshold_of(best.trigger):
                break
            trigger = make(threshold, duration)
            slid = _alone(policy, recording, trigger)
            if not slid.triggers[0].fired:
                best = _Quiet(trigger, slid, lower)
                break
            if lower is None and len(slid.triggers[0].fired) <= _RARE:
                lower = trigger, slid
    if best:
        return best
    trigger = make(every[-1], min(durations[-1], policy.monitor.window))
    return _Quiet(trigger, _alone(policy, recording, trigger), lower)


@dataclass(frozen=True)
class _Quiet(Generic[M]):
    """A threshold that never fired, and a lower one that seldom did."""

    trigger: M
    slid: Sliding
    lower: tuple[M, Sliding] | None


def _lower_in_words(lower: tuple[M, Sliding] | None) -> Iterator[str]:
    """What a lower threshold would have cost: perhaps it was no false alarm."""
    if lower:
        trigger, slid = lower
        dates = ", ".join(f"{at:%Y-%m-%d %H:%M}" for at, _ in slid.triggers[0].fired)
        yield (
            f"{limit_in_words(trigger)} would have fired at {dates} UTC: if something was wrong "
            "then, it is better"
        )


def _alone(policy: Policy, recording: Recording, trigger: Trigger) -> Sliding:
    """The past, judged by this trigger and no other."""
    return slide(policy.model_copy(update={"triggers": [trigger]}), recording)


def _proposal(
    trigger: Trigger,
    slid: Sliding,
    smallest: float | None,
    sees: str,
    why: tuple[str, ...],
    takes: float | None = None,
) -> Proposal:
    fired = len(slid.triggers[0].fired)
    return Proposal(
        trigger=trigger,
        fired=fired,
        releases=len(slid.releases),
        per_week=slid.per_week(fired),
        smallest=smallest,
        sees=sees,
        why=why,
        takes=takes,
    )


def chance_in_words(one: Proposal) -> str:
    """``none in 335 pretended releases: below 1 in 112, with 95 % certainty``."""
    if one.fired:
        return f"{one.fired} in {one.releases:,} pretended releases, {one.per_week:.1f} a week"
    bound = upper_bound(0, one.releases, 0.05)
    if one.releases < 10:
        return f"none in {one.releases} pretended releases, which is too few to say much"
    return (
        f"none in {one.releases:,} pretended releases: below 1 in {1 / bound:,.0f}, "
        "with 95 % certainty"
    )


def _time(seconds: float) -> str:
    if seconds < 1:
        return "under 1s"
    minutes = seconds >= 120
    whole = round(seconds / 60) * 60 if minutes else round(seconds)
    return format_duration(timedelta(seconds=whole)) if whole < 2 * 86400 else "days"


# --- Compared with before ----------------------------------------------------------------------


def _of_regression(
    policy: Policy, recording: Recording, usual: Usual, given: RegressionTrigger
) -> Proposal | None:
    few = usual.requests is not None and usual.requests < _FEW
    share = _WITH_FEW if few else _FALSE_ALARM
    written = given.model_fields_set
    keys = {} if "false_alarm" in written else {"false_alarm": share}
    trigger = given.model_copy(update={**keys, "dry_run": False})
    slid = _alone(policy, recording, trigger)
    if not slid.triggers[0].measured:
        return None
    if slid.triggers[0].fired:
        trigger = trigger.model_copy(update={"dry_run": True})
    rise = _smallest_rise(policy, recording, trigger, slid.releases)
    if rise is None or rise >= 1:
        sees = "nothing for certain: there are too few requests in the window or before it"
        rise = None
    else:
        window = format_duration(policy.monitor.window)
        sees = f"a rise of the error rate by {rise * 100:.1f} points, within {window}"
    why = [f"at most 1 good release in {1 / trigger.false_alarm:,.0f} by its own guarantee"]
    if few and keys:
        why.append(f"a higher false_alarm, as a quiet hour has {usual.requests:,.1f} a minute")
    if slid.triggers[0].fired:
        why.append(_why_dry(slid))
    return _proposal(trigger, slid, rise, sees, tuple(why))


def _why_dry(slid: Sliding) -> str:
    fired = [at for at, _ in slid.triggers[0].fired]
    found = same_hour(fired)
    if found is None:
        return "a dry run, as it would have fired: lastgood backtest shows when and why"
    hour, count = found
    return (
        f"a dry run, as it would have fired, {count} of {len(fired)} times between {hour:02}:00 "
        f"and {(hour + 1) % 24:02}:00 UTC: with baseline: same-time, or no release then, it need "
        "not be one"
    )


def _smallest_rise(
    policy: Policy, recording: Recording, trigger: RegressionTrigger, releases: Sequence[float]
) -> float | None:
    """The rise of the error rate that half of the releases would have shown for certain."""
    alone = policy.model_copy(update={"triggers": [trigger]})
    seen = []
    for at in releases[:: max(1, len(releases) // _SEEN_AT)]:
        streams = followed_of(watched_for(alone), recording, at).regression.streams
        errors = next((one for one in streams if one.name == "errors"), None)
        if errors:
            seen.append(smallest_rise(errors))
    return quantile(sorted(seen), 0.5)


# --- What to beware of -------------------------------------------------------------------------


def _of_policy(policy: Policy, recording: Recording, usual: Usual) -> Iterator[str]:
    """Thresholds of the policy that cannot work for this service."""
    for number, trigger in enumerate(policy.triggers):
        if not isinstance(trigger, MetricTrigger):
            continue
        value_of = error_rate_of if isinstance(trigger, ErrorRateTrigger) else _average
        yield from (
            f"triggers.{number}.threshold: {text}"
            for text in _of_threshold(trigger, recording, usual, value_of)
        )


def _of_threshold(
    trigger: ErrorRateTrigger | ResponseTimeTrigger | MetricTrigger,
    recording: Recording,
    usual: Usual,
    value_of: Callable[[Row], float | None],
) -> Iterator[str]:
    if not isinstance(trigger, ErrorRateTrigger | ResponseTimeTrigger):
        return
    lasts = lasts_of(trigger)
    day = quiet_day(recording, value_of)
    least = (volume_of(trigger) or (0, 0))[0]
    top = highest(day, value_of, recording.period, lasts.total_seconds(), least)
    if top is not None and top > threshold_of(trigger):
        yield (
            f"the service exceeds {limit_in_words(trigger)} even on its quietest day "
            f"({in_words(trigger, top)} over {format_duration(lasts)}): write a higher one"
        )
    if not isinstance(trigger, ErrorRateTrigger) or usual.error_rate is None:
        return
    if usual.error_rate >= trigger.threshold:
        yield f"{limit_in_words(trigger)} is below what is usual ({usual.error_rate:.1%})"
    elif usual.requests:
        normal = max(usual.error_rate, 0.0001)
        takes = 60 * requests_needed(trigger.threshold, normal, _FALSE_ALARM) / usual.requests
        if takes > lasts.total_seconds():
            yield (
                f"{limit_in_words(trigger)} of {usual.requests:,.1f} requests a minute cannot be "
                f"judged in {format_duration(lasts)}: to tell it from the usual "
                f"{usual.error_rate:.2%} takes {_time(takes)}"
            )


def _average(row: Row) -> float | None:
    return row.average


def _of_proposals(policy: Policy, usual: Usual, found: Sequence[Proposal]) -> Iterator[str]:
    window = policy.monitor.window
    for one in found:
        if one.takes is not None and one.takes > window.total_seconds():
            yield (
                f"with {usual.requests or 0:,.1f} requests a minute {_time(one.takes)} are needed "
                f"to judge {one.trigger.type}, and monitor.window is {format_duration(window)}: "
                "make it longer, and rely on health checks"
            )
        if isinstance(one.trigger, MetricTrigger) and one.fired:
            yield (
                f"{one.trigger.type}: no threshold was quiet in this past; this one fired "
                f"{one.fired} times. See what happened then, or leave the trigger out"
            )
    if usual.hours < 7 * 24:
        yield (
            f"{usual.hours} hours of the past say little about the next weeks: give two weeks, "
            "with --since 14d"
        )
