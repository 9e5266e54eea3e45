"""What the keys of an error-rate or response-time trigger mean as numbers.

The rule. A datapoint is as long as the policy's ``period``; else a minute, or a third of a shorter
``duration``. A breach must last for ``duration``, and unless the trigger is ``raw`` for three
datapoints at least: with a datapoint a minute three minutes. ``datapoints`` and ``consecutive``
count datapoints instead, and have no guards of ours.

Above means above, not equal, unless ``compare`` is ``>=``; what units and sums round away, less
than a billionth, does not matter on either side.
"""

from __future__ import annotations

import math
from datetime import timedelta

from lastgood.contracts import WatchedTrigger
from lastgood.decisions.series import Point
from lastgood.policy import format_duration
from lastgood.policy_triggers import (
    BandTrigger,
    ErrorRateTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
)

MetricTrigger = ErrorRateTrigger | ResponseTimeTrigger

UNIT = 10**9
"""Sums are whole billionths, so that nothing is lost where large and small values meet."""
LATE = timedelta(minutes=3)
"""How late CloudWatch may show a datapoint."""
AT_LEAST = 3
"""Datapoints of a breach; and the parts of a duration that must all be above."""

_FINE_PERIODS = (30, 20, 10, 5, 1)
_REQUESTS, _FAILED = 30, 5
_WARM_UP = timedelta(minutes=2)


def period_of(trigger: MetricTrigger) -> timedelta:
    """The length of a datapoint: the policy's; else a minute, or a third of a shorter duration.

    CloudWatch knows 1, 5, 10, 20, 30 seconds and whole minutes.
    """
    if trigger.period:
        return trigger.period
    seconds = trigger.duration.total_seconds()
    if seconds >= 60:
        return timedelta(seconds=60)
    return timedelta(seconds=next((p for p in _FINE_PERIODS if p * AT_LEAST <= seconds), 1))


def lasts_of(trigger: MetricTrigger) -> timedelta:
    """How long a breach must last before the trigger can fire."""
    period = period_of(trigger)
    if trigger.counted:
        return trigger.counted[1] * period
    return trigger.duration if trigger.raw else max(trigger.duration, AT_LEAST * period)


def buckets_of(trigger: MetricTrigger) -> int:
    """How many datapoints a breach must last."""
    return max(1, math.ceil(lasts_of(trigger) / period_of(trigger)))


def reach_of(watched: WatchedTrigger) -> timedelta | None:
    """How far back from now a look must read; None: from the release on.

    Where missing datapoints count for something, what was not read would look as if it were
    missing. Further back, to where it began, only for a breach that lasts and does not count yet:
    ``Tally.breach_since``.
    """
    trigger = watched.trigger
    if not isinstance(trigger, MetricTrigger):
        raise TypeError(f"{trigger.type} is not judged by a threshold on a metric")
    if trigger.counted or trigger.missing_data in ("breaching", "not_breaching"):
        return None
    return lasts_of(trigger)


def late_of(period: timedelta) -> timedelta:
    """How far back each look reads what may have come late, or was shown in part before."""
    fine = period < timedelta(minutes=1)
    return max(timedelta(seconds=30), 5 * period) if fine else timedelta(minutes=5)


def threshold_of(trigger: MetricTrigger) -> float:
    """The threshold as a number: a ratio, or milliseconds."""
    if isinstance(trigger, ErrorRateTrigger):
        return trigger.threshold
    return trigger.threshold.total_seconds() * 1000


def breaches(trigger: MetricTrigger, value: float) -> bool:
    """Whether a value is above the threshold, or equals it where that is a breach."""
    if trigger.compare == ">=":
        return value >= threshold_of(trigger) - 1 / UNIT
    return value > threshold_of(trigger) + 1 / UNIT


def in_words(trigger: MetricTrigger, value: float) -> str:
    """A value as people write it: ``8.0 %`` or ``3,012 ms``."""
    if isinstance(trigger, ErrorRateTrigger):
        return f"{value * 100:.1f} %"
    return f"{value:,.0f} ms"


def limit_in_words(trigger: MetricTrigger) -> str:
    """The threshold as people write it."""
    return in_words(trigger, threshold_of(trigger))


def above_in_words(trigger: MetricTrigger) -> str:
    """``above 5.0 %``, or ``at or above 5.0 %``."""
    return f"{'at or above' if trigger.compare == '>=' else 'above'} {limit_in_words(trigger)}"


def lasts_in_words(trigger: MetricTrigger) -> str:
    """``3m``."""
    return format_duration(lasts_of(trigger))


def volume_of(trigger: MetricTrigger) -> tuple[int, int] | None:
    """How many requests, and failed ones, a breach needs; None: it needs none.

    Who asks for less than five requests does not ask for five failed ones.
    """
    if not isinstance(trigger, ErrorRateTrigger) or trigger.raw or trigger.counted:
        return None
    requests = _REQUESTS if trigger.min_requests is None else trigger.min_requests
    return (requests, min(_FAILED, requests)) if requests else None


def is_datapoint(trigger: MetricTrigger, point: Point) -> bool:
    """Whether a point says anything: ``datapoints`` leave out buckets with few requests."""
    if point.value is None:
        return False
    few = trigger.counted and point.counted and point.weight < (trigger.min_requests or 0)
    return not few


def warm_up_of(
    trigger: MetricTrigger | RegressionTrigger | BandTrigger, window: timedelta
) -> timedelta:
    """For how long new tasks may be slow at first: the policy's, or a tenth of the window.

    Nothing for error rates, for ``raw``, and for ``datapoints`` unless the policy says it.
    """
    if isinstance(trigger, ErrorRateTrigger):
        return timedelta(0)
    if trigger.warm_up is not None:
        return trigger.warm_up
    unguarded = isinstance(trigger, ResponseTimeTrigger) and (trigger.raw or trigger.counted)
    return timedelta(0) if unguarded else min(window / 10, _WARM_UP)
