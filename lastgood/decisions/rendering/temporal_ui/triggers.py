"""The table of triggers: what each must stay below, what was seen of it last, what that means.

The rule. One row for each trigger, in the policy's order, also where nothing was measured yet: no
data is never shown as good. The values are those of the last time that a watch reported to the
workflow; what is measured between is in the heartbeats of the pending activities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lastgood.contracts import Tally, WatchedTrigger
from lastgood.decisions.rendering.temporal_ui.markdown import table, text, unbroken
from lastgood.decisions.rendering.temporal_ui.places import alarm_console
from lastgood.decisions.wording import measured
from lastgood.model import Reading, Status, Verdict
from lastgood.policy import format_duration
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    MetricTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)

_HEADER = ("trigger", "limit", "last seen", "says")
_SAYS = {
    Status.PASS: "pass",
    Status.FAIL: "**FAIL**",
    Status.INCONCLUSIVE: "**inconclusive**",
    Reading.HEALTHY: "healthy",
    Reading.UNHEALTHY: "**unhealthy**",
    Reading.NO_DATA: "no data",
    Reading.ERROR: "not readable",
}
_THRESHOLD = re.compile(r" \(threshold [^()]*\)")
_SHORT = 20
_SEEN = 140
"""Characters of what was seen: longer ones make the columns narrow."""


def triggers(
    watched: Sequence[WatchedTrigger],
    tallies: Iterable[Tally],
    verdicts: Iterable[Verdict],
    region: str,
) -> list[str]:
    """The table's lines."""
    last = {tally.key: tally for tally in tallies}
    said = {verdict.key or verdict.trigger: verdict for verdict in verdicts}
    return table(
        _HEADER,
        (
            (
                _name(one, region),
                _limit(one.trigger),
                text(_seen(last.get(one.key), said.get(one.key)), _SEEN),
                _says(last.get(one.key), said.get(one.key)),
            )
            for one in watched
        ),
    )


def of_verdicts(verdicts: Iterable[Verdict]) -> list[str]:
    """The same of verdicts alone, where nothing more is known."""
    return table(
        ("trigger", "last seen", "says"),
        ((text(one.trigger), text(_seen(None, one), _SEEN), _says(None, one)) for one in verdicts),
    )


def limit_of(trigger: Trigger) -> str:
    """What a trigger must stay below, and how long not."""
    match trigger:
        case ErrorRateTrigger():
            return f"{trigger.threshold * 100:g} % {_lasting(trigger)}"
        case ResponseTimeTrigger():
            return f"{format_duration(trigger.threshold)} {_lasting(trigger)}"
        case HealthCheckTrigger():
            return f"{trigger.threshold} failed in a row"
        case AlarmTrigger():
            return "in ALARM"
        case RegressionTrigger():
            more = f"{trigger.tolerance * 100:g} % more errors"
            return f"{more}, or {trigger.slowdown:g} times as slow as before"
        case BandTrigger():
            return f"{trigger.direction} the band of before"
    raise TypeError(type(trigger).__name__)


def _limit(trigger: Trigger) -> str:
    limit = limit_of(trigger)
    return unbroken(limit) if len(limit) <= _SHORT else text(limit, 80)


def _lasting(trigger: MetricTrigger) -> str:
    if trigger.datapoints:
        return f"in {trigger.datapoints}"
    if trigger.consecutive:
        return f"{trigger.consecutive} times in a row"
    return f"for {format_duration(trigger.duration)}"


def _name(one: WatchedTrigger, region: str) -> str:
    trigger = one.trigger
    if isinstance(trigger, AlarmTrigger):
        name = f"alarm {alarm_console(region, trigger.alarm)}"
    elif isinstance(trigger, BandTrigger) and trigger.metric:
        name = text(f"band {trigger.metric.name}", 80)
    else:
        name = text(trigger.type)
    return f"{name} (dry run)" if trigger.dry_run else name


def _seen(tally: Tally | None, verdict: Verdict | None) -> str:
    """In words, without what the other columns say."""
    said = (measured(verdict) or verdict.reason) if verdict else "nothing reported yet"
    fails = verdict is not None and verdict.status is Status.FAIL
    words = tally.latest if tally and not fails else said
    name = tally.key.partition(" ")[2] if tally else verdict.trigger if verdict else ""
    return _THRESHOLD.sub("", words.removeprefix(name).lstrip(" :"))


def _says(tally: Tally | None, verdict: Verdict | None) -> str:
    if verdict:
        return f"would {_SAYS[verdict.status]}" if verdict.dry_run else _SAYS[verdict.status]
    if tally and tally.reading:
        return _SAYS[tally.reading]
    return "-"
