"""How a trigger's duration becomes an alarm's M of N datapoints, and what is not counted.

The rule. ``datapoints`` and ``consecutive`` are M of N as they stand, and ``min_requests`` is asked
of each datapoint. A ``duration`` of a load balancer's counts is cut into the same parts as the
trigger cuts it: three datapoints, each as long as a part, all above. A metric of one's own keeps
its period, and all datapoints of the duration must be above. A breach needs as many requests, and
failed ones, as the trigger asks for over the whole breach: each datapoint its share, rounded up.

Where it cannot be the same it is said (``notes``):

- An alarm's period is 10, 20, 30 or whole 60 seconds. A load balancer reports once a minute.
- Counts that come late are counted as 0 (``expressions``), so that the newest minute may always
  look good. AWS's remedy is M of N: one datapoint more than M is looked at.
- What is looked at lasts a day at most; with datapoints of an hour or more, seven days.
- ``inconclusive`` is ``missing`` to an alarm. But a load balancer's quiet minute has no datapoint,
  and with ``missing`` one bad minute before a quiet time is an alarm: there it is ``notBreaching``.
- ``breaching`` would make an alarm of a quiet minute: with a ``duration``, minutes with too few
  requests are fine, and only those without any are missing.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from lastgood.decisions.metrics import AT_LEAST, MetricTrigger, lasts_of, period_of, volume_of
from lastgood.policy import format_duration
from lastgood.policy_triggers import ErrorRateTrigger

MINUTE = 60
DAY = 86_400
_FINE = (10, 20, 30)
_HOUR = 3_600
_REQUESTS = 30
"""In a breach of response times; the trigger has other guards, which an alarm cannot have."""
_TREATED = {"breaching": "breaching", "not_breaching": "notBreaching", "ignore": "ignore"}


class CannotTranslateError(Exception):
    """Raised when CloudWatch has no alarm for a trigger; the message says why, and a remedy."""


class Counting(NamedTuple):
    """Of an alarm: what its datapoints are, and how many of them."""

    period: int
    """Seconds."""
    most: int
    of: int
    missing: str
    """In CloudWatch's words."""
    requests: int = 0
    """A datapoint with fewer says nothing; or is fine, if ``quiet_is_fine``."""
    failed: int = 0
    """A datapoint with fewer failed ones is fine."""
    quiet_is_fine: bool = False
    notes: tuple[str, ...] = ()

    def in_words(self) -> str:
        """``3 of 4 datapoints of 1m``."""
        return f"{self.most} of {self.of} datapoints of {_words(self.period)}"


def counting_of(trigger: MetricTrigger, *, balanced: bool) -> Counting:
    """How an alarm counts what a trigger asks for.

    Args:
        trigger: an error-rate or response-time trigger.
        balanced: whether it reads a load balancer's counts.

    Raises:
        CannotTranslateError: if that is longer than an alarm can look back.
    """
    wanted = int(period_of(trigger).total_seconds())
    period = _period(wanted, balanced=balanced)
    notes = _about_the_period(wanted, period, balanced=balanced)
    found = (_counted if trigger.counted else _lasting)(trigger, period, balanced)
    missing, told = _missing(trigger, found, balanced=balanced)
    found = found._replace(missing=missing, notes=(*notes, *found.notes, *told))
    return _within_range(trigger, found)


def _period(wanted: int, *, balanced: bool) -> int:
    if balanced or wanted > _FINE[-1]:
        return math.ceil(wanted / MINUTE) * MINUTE
    return next(one for one in _FINE if one >= wanted)


def _about_the_period(wanted: int, period: int, *, balanced: bool) -> tuple[str, ...]:
    if balanced and wanted < MINUTE:
        return (f"datapoints of {_words(period)}, not {wanted}s: load balancers report no finer",)
    if period != wanted:
        return (f"datapoints of {_words(period)}, not {wanted}s: alarms know 10s, 20s, 30s",)
    if period < MINUTE:
        return (
            f"datapoints of {_words(period)}: a high-resolution alarm, which costs more, and which "
            "has no data unless the metric is put with StorageResolution 1",
        )
    return ()


def _counted(trigger: MetricTrigger, period: int, balanced: bool) -> Counting:
    """M of N as they stand; fewer, where datapoints had to be longer."""
    longer = period / period_of(trigger).total_seconds()
    most, of = (math.ceil(one / longer) for one in trigger.counted or (1, 1))
    requests = math.ceil((trigger.min_requests or 0) * longer) if balanced else 0
    if not isinstance(trigger, ErrorRateTrigger) and trigger.missing_data == "breaching":
        requests = 0
    notes: tuple[str, ...] = ()
    if balanced and isinstance(trigger, ErrorRateTrigger) and most == of:
        notes = (
            f"{most} of {of}, as the policy says: if counts come late, the newest datapoint looks "
            f"good and it never fires. {most} of {of + 1} would be safe",
        )
    return Counting(period, most, of, "", requests, notes=notes)


def _lasting(trigger: MetricTrigger, period: int, balanced: bool) -> Counting:
    """As many datapoints as a breach must last."""
    least = 1 if trigger.raw else AT_LEAST
    buckets = max(least, math.ceil(lasts_of(trigger).total_seconds() / period))
    if not balanced:
        return Counting(period, buckets, buckets, "", notes=_unread_minimum(trigger))
    parts = min(AT_LEAST, buckets)
    period *= math.ceil(buckets / parts)
    requests, failed = _volume(trigger)
    spare = isinstance(trigger, ErrorRateTrigger) and period == MINUTE
    return Counting(
        period,
        parts,
        parts + 1 if spare else parts,
        "",
        math.ceil(requests / parts),
        math.ceil(failed / parts),
        quiet_is_fine=trigger.missing_data == "breaching",
    )


def _unread_minimum(trigger: MetricTrigger) -> tuple[str, ...]:
    if not trigger.min_requests:
        return ()
    return ("min_requests is not asked for: nobody counts the requests of this metric",)


def _volume(trigger: MetricTrigger) -> tuple[int, int]:
    """How many requests, and failed ones, a breach needs."""
    if isinstance(trigger, ErrorRateTrigger):
        return volume_of(trigger) or (0, 0)
    if trigger.raw or trigger.missing_data == "breaching":
        return 0, 0
    return (_REQUESTS if trigger.min_requests is None else trigger.min_requests), 0


def _missing(
    trigger: MetricTrigger, found: Counting, *, balanced: bool
) -> tuple[str, tuple[str, ...]]:
    if trigger.missing_data != "inconclusive":
        quiet_is_bad = found.requests and not found.quiet_is_fine
        if quiet_is_bad and trigger.missing_data == "breaching":
            return "breaching", ("datapoints with fewer requests than min_requests count as bad",)
        return _TREATED[trigger.missing_data], ()
    if not balanced:
        return "missing", ()
    return "notBreaching", ("missing_data: inconclusive is notBreaching: an alarm cannot hold",)


def _within_range(trigger: MetricTrigger, found: Counting) -> Counting:
    most_seconds = DAY if found.period < _HOUR else 7 * DAY
    if found.of > found.most and not trigger.counted:
        found = found._replace(of=min(found.of, max(found.most, most_seconds // found.period)))
    if found.period * found.of <= most_seconds:
        return found
    key = "duration"
    if trigger.counted:
        key = "datapoints" if trigger.datapoints else "consecutive"
    raise CannotTranslateError(
        f"{key}: {found.in_words()} is more than the {_words(most_seconds)} that an alarm can look "
        f"back: write a shorter {key}"
    )


def _words(seconds: int) -> str:
    return format_duration(timedelta(seconds=seconds))
