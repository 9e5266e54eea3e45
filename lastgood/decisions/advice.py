"""What is allowed in a policy, and seldom meant: said by ``lastgood policy check``.

The rule. A policy that passes may still watch nothing in time, or hold every release. For each such
trap there is one sentence that names the key, says what follows, and what to write instead. It is
advice: nothing is refused for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from lastgood.decisions.metrics import LATE, MetricTrigger, in_words, lasts_of, period_of
from lastgood.policy import Policy, format_duration
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)

_HALF = 0.5
_SHORT_PAST = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)


def warnings_of(policy: Policy) -> tuple[str, ...]:
    """All advice about a policy, in the order of its triggers, then about all of them."""
    said = [
        f"triggers.{number}.{text}"
        for number, trigger in enumerate(policy.triggers)
        for text in _of_trigger(policy, trigger)
    ]
    return (*said, *_of_all(policy), *_of_notify(policy))


def _of_notify(policy: Policy) -> Iterator[str]:
    for key, channel in policy.notify.channels():
        if channel.services and policy.service not in channel.services:
            yield (
                f"notify.{key}.services: does not name {policy.service}: nobody is told there; "
                "leave it out, or name the service"
            )


def _of_trigger(policy: Policy, trigger: Trigger) -> Iterator[str]:
    if isinstance(trigger, ErrorRateTrigger) and trigger.threshold >= _HALF:
        yield (
            f"threshold ({in_words(trigger, trigger.threshold)}): half of all requests may fail "
            "before anybody is told: write 5%"
        )
    if isinstance(trigger, ErrorRateTrigger | ResponseTimeTrigger):
        yield from _of_datapoints(trigger)
        needs = lasts_of(trigger), period_of(trigger)
        yield from _of_the_window(policy.monitor.window, trigger, *needs)
    if isinstance(trigger, BandTrigger):
        needs = trigger.duration or timedelta(minutes=3), trigger.period or _MINUTE
        yield from _of_the_window(policy.monitor.window, trigger, *needs)
    if isinstance(trigger, HealthCheckTrigger):
        yield from _of_checks(policy, trigger)
    if isinstance(trigger, RegressionTrigger | BandTrigger):
        yield from _of_the_past(trigger)


def _of_datapoints(trigger: MetricTrigger) -> Iterator[str]:
    if trigger.counted == (1, 1):
        key = "consecutive" if trigger.consecutive else "datapoints"
        yield f"{key}: a single datapoint rolls back: write consecutive: 3, or datapoints: 3 of 5"
    elif trigger.counted and trigger.counted[0] == 1:
        yield "datapoints: one bad datapoint of several rolls back: write 2 of 3, or 3 of 5"


def _of_the_window(
    window: timedelta, trigger: MetricTrigger | BandTrigger, lasts: timedelta, period: timedelta
) -> Iterator[str]:
    late = LATE if period >= _MINUTE else timedelta(0)
    key = _key_of(trigger)
    if lasts > window:
        yield (
            f"{key}: a breach must last for {format_duration(lasts)}, and monitor.window is "
            f"{format_duration(window)}: the trigger {trigger.type} could never fire. Make the "
            f"window at least {format_duration(lasts + late)}"
        )
    elif lasts + late > window:
        yield (
            f"{key}: CloudWatch shows datapoints of {format_duration(period)} up to "
            f"{format_duration(late)} late, so a breach of {format_duration(lasts)} may be seen "
            f"only after monitor.window ({format_duration(window)}) is over: make it at least "
            f"{format_duration(lasts + late)}"
        )
    elif 2 * lasts > window:
        yield (
            f"{key} ({format_duration(lasts)}) is longer than half of monitor.window "
            f"({format_duration(window)}): what goes wrong in its second half is not seen. Make "
            f"the window at least {format_duration(2 * lasts)}"
        )


def _key_of(trigger: MetricTrigger | BandTrigger) -> str:
    if isinstance(trigger, MetricTrigger) and trigger.counted:
        return "consecutive" if trigger.consecutive else "datapoints"
    return "duration"


def _of_checks(policy: Policy, trigger: HealthCheckTrigger) -> Iterator[str]:
    interval, window = policy.monitor.interval, policy.monitor.window
    lasts = trigger.threshold * interval
    if lasts > window:
        yield (
            f"threshold: {trigger.threshold} checks, one every {format_duration(interval)}, take "
            f"{format_duration(lasts)}, and monitor.window is {format_duration(window)}: the "
            "trigger health-check could never fire. Lower threshold or monitor.interval"
        )
    elif trigger.threshold == 1:
        yield "threshold: a single failed check rolls back: write 3"


def _of_the_past(trigger: RegressionTrigger | BandTrigger) -> Iterator[str]:
    if trigger.baseline != "fixed" and trigger.baseline_for < _SHORT_PAST:
        yield (
            f"baseline_for ({format_duration(trigger.baseline_for)}) is too little to know what is "
            "normal: write 1h"
        )


def _of_all(policy: Policy) -> Iterator[str]:
    if all(trigger.dry_run for trigger in policy.triggers):
        yield "triggers: all are dry runs: nothing can roll a release back. Take dry_run off one"
    elif all(isinstance(trigger, AlarmTrigger) for trigger in policy.triggers):
        yield (
            "triggers: there are only alarms, which are as quick as their periods and as good as "
            "who wrote them: add a health-check, and an error-rate of the load balancer's counts"
        )
