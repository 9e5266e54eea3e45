"""What the triggers and smoke checks look at: is it there, does it tell, what does it say now?

A metric that had no datapoint in two weeks is taken for one that does not exist; one that is quiet
for an hour would leave a window inconclusive. A unit that is not the policy's makes a threshold
meaningless. An alarm that is missing is a refusal; red, silent or mute ones are warnings. A URL
that does not answer as it should would roll back every release.
"""

from __future__ import annotations

from lastgood.contracts import AlarmState, Line, MetricFindings, ProbeAnswer, WatchedTrigger
from lastgood.decisions.examining.lines import SMOKE, TRIGGERS, broken, fine, unread, warning
from lastgood.decisions.wording import day
from lastgood.errors import NOT_FOUND
from lastgood.policy import SmokeCheck
from lastgood.policy_triggers import (
    AlarmTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    MetricTrigger,
    Trigger,
)

_IN_UNITS = {
    "ratio": ("None", "Count"),
    "percent": ("Percent", "None", "Count"),
    "ms": ("Milliseconds", "None"),
    "s": ("Seconds", "None"),
}
"""What a policy takes the numbers for, and CloudWatch's units that do not contradict it."""
LEAST_POINTS = 3
"""A plain threshold looks at three datapoints at least."""
_RIGHT = {"Percent": "percent", "Seconds": "s", "Milliseconds": "ms"}
"""CloudWatch's unit, and how a policy says so."""


def of_metric(watched: WatchedTrigger, found: MetricFindings) -> Line:
    """How the metric of a trigger stands."""
    line = _of_metric(watched, found)
    dry = watched.trigger.dry_run and line.standing.value == "broken"
    return warning(TRIGGERS, line.what, line.found, line.remedy or "") if dry else line


def _of_metric(watched: WatchedTrigger, found: MetricFindings) -> Line:
    what = watched.key
    own = watched.source is not None and watched.source.kind == "metric"
    if not found.datapoints:
        return _silent(what, watched, found) if own else _no_requests(what)
    if own and (wrong := _wrong_unit(watched, found)):
        unit, remedy = wrong
        return broken(TRIGGERS, what, unit, remedy)
    points = f"{found.datapoints} datapoint{'s' if found.datapoints > 1 else ''} in the last hour"
    units = ["no unit" if one == "None" else one for one in found.units]
    unit = f", in {' and '.join(units)}" if units else ""
    if found.datapoints < LEAST_POINTS:
        return warning(
            TRIGGERS,
            what,
            f"only {points}{unit}",
            f"It takes {LEAST_POINTS} at least: wait for more, or publish it more often. Until "
            "then a window is inconclusive.",
        )
    return fine(TRIGGERS, what, points + unit)


def _silent(what: str, watched: WatchedTrigger, found: MetricFindings) -> Line:
    source = watched.source
    name = f"{source.namespace} {source.name}" if source else "the metric"
    if found.newest is None:
        return broken(
            TRIGGERS,
            what,
            f"{name} had no datapoint in two weeks",
            "Correct namespace, name and dimensions (all of them count): aws cloudwatch "
            f"list-metrics --namespace {source.namespace if source else ''}",
        )
    return warning(
        TRIGGERS,
        what,
        f"{name} has been quiet since {day(found.newest)}",
        "See that the service still publishes it; unless it does, the window is inconclusive.",
    )


def _no_requests(what: str) -> Line:
    return warning(
        TRIGGERS,
        what,
        "no requests in the last hour",
        "Unless the service gets some, the window is inconclusive: release when there is traffic, "
        "or set monitor.on_inconclusive.",
    )


def _wrong_unit(watched: WatchedTrigger, found: MetricFindings) -> tuple[str, str] | None:
    """What is wrong with the unit that the policy takes the numbers for; None if nothing is."""
    trigger = watched.trigger
    if not isinstance(trigger, MetricTrigger) or trigger.metric is None:
        return None
    is_ratio = isinstance(trigger, ErrorRateTrigger)
    meant = trigger.metric.unit or ("ratio" if is_ratio else "ms")
    bad = [unit for unit in found.units if unit not in _IN_UNITS[meant]]
    if bad:
        return f"published in {bad[0]}, and the policy takes it for {meant}", _unit(what=bad[0])
    if meant == "ratio" and found.largest is not None and found.largest > 1:
        text = f"values up to {found.largest:g} are no ratio"
        return text, _unit(what="Percent")
    return None


def _unit(*, what: str) -> str:
    known = _RIGHT.get(what)
    if known:
        return f"Write `unit: {known}` into the trigger's metric, and its threshold to match."
    return "Publish it as ratio, percent, ms or s, and say which in the trigger's metric."


def of_alarm(key: str, trigger: AlarmTrigger, state: AlarmState | None, region: str) -> list[Line]:
    """How an alarm stands: one line for its state, one more if its actions are disabled."""
    name = trigger.alarm
    what = f"{key} {name}"
    if state is None:
        return [
            broken(
                TRIGGERS,
                what,
                f"does not exist in {region}",
                "Correct the trigger's name, or create the alarm (`lastgood alarms apply`).",
            )
        ]
    lines = [_of_state(what, trigger, state)]
    if not state.actions_enabled:
        lines.append(
            warning(
                TRIGGERS,
                what,
                "its actions are disabled: it is watched, and tells nobody else",
                f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
            )
        )
    return lines


def _of_state(what: str, trigger: AlarmTrigger, state: AlarmState) -> Line:
    since = f" since {day(state.since)}" if state.since else ""
    if state.evaluation in ("EVALUATION_ERROR", "EVALUATION_FAILURE"):
        return broken(
            TRIGGERS,
            what,
            f"cannot be evaluated ({state.evaluation})",
            f"See its expression and metrics: aws cloudwatch describe-alarms --alarm-names "
            f"{state.name}",
        )
    if state.state == "ALARM":
        hand = "; somebody set it by hand" if state.by_hand else ""
        if trigger.already_in_alarm == "refuse" and not trigger.dry_run:
            remedy = "Mend what it tells of: until it is OK, the policy refuses releases."
            return broken(TRIGGERS, what, f"ALARM{since}{hand}", remedy)
        then = "is ignored until it was OK once"
        if trigger.already_in_alarm == "arm":
            then = "rolls a release back at once"
        remedy = f"Mend what it tells of; it {then} (already_in_alarm)."
        return warning(TRIGGERS, what, f"ALARM{since}{hand}", remedy)
    if state.state == "INSUFFICIENT_DATA":
        return warning(
            TRIGGERS,
            what,
            f"has no data{since}",
            "See that its metric exists and is published; if no data is good for it, set its "
            "TreatMissingData to notBreaching.",
        )
    return fine(TRIGGERS, what, f"{state.state}{since}")


def of_health(watched: WatchedTrigger, answer: ProbeAnswer) -> Line:
    """How a health check's URL stands."""
    what = watched.key
    if answer.ok:
        return fine(TRIGGERS, what, answer.text)
    limit = watched.trigger.threshold if isinstance(watched.trigger, HealthCheckTrigger) else 1
    return broken(
        TRIGGERS,
        what,
        answer.text,
        f"Correct url or expect, or open the worker's network to it: {limit} such answers in a "
        "row roll a release back.",
    )


def of_smoke(check: SmokeCheck, number: int, answer: ProbeAnswer) -> Line:
    """How a smoke check's URL stands."""
    what = f"smoke.{number}"
    if answer.ok:
        return fine(SMOKE, what, answer.text)
    return broken(
        SMOKE,
        what,
        answer.text,
        f"Correct url or expect (status {check.expect.status}), or open the worker's network to "
        "it: a smoke check that fails rolls the release back.",
    )


def unresolved(key: str, why: str) -> Line:
    """A trigger that has nothing to measure."""
    return broken(TRIGGERS, key, why.removeprefix(f"triggers.{key}: "), _MEASURE)


def unfound(key: str, trigger: Trigger, why: str, code: str) -> Line:
    """A trigger whose load balancer cannot be read, or is not there."""
    if not code.startswith(("NotFound", "TargetGroupNotFound", "LoadBalancerNotFound")):
        return unread(TRIGGERS, key, why)
    named = getattr(trigger, "target_group", None)
    found = f"there is no target group {named}" if named and code != NOT_FOUND else why
    remedy = "Correct load_balancer and target_group, or attach the target group to a listener."
    return broken(TRIGGERS, key, found, remedy)


_MEASURE = "Say in the trigger what it is to measure, or give the service a load balancer."


def blocked(area: str, what: str, why: str) -> Line:
    """A URL to which checks never go."""
    return broken(area, what, why, "Name a URL of the service itself, http:// or https://.")
