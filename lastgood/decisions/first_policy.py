"""A first policy for a running service: what is watched, and with which numbers.

The rule. Behind an Application Load Balancer its raw counts are watched, and its own health check
where that can be asked over HTTP; no load balancer is named, so that the worker finds the service's
own at each release, both target groups of one that shifts traffic among them. Only if the service
has several that do not alternate, the one with the most requests is named. Without a load balancer:
metrics of its own, if what they say is beyond doubt, and CPU and memory as dry runs. Alarms on the
service are triggers, but those that scale it.

Thresholds come from the past, if there is a day of it; ``regression`` acts only after a week of it.
A threshold that would have fired on every day is a dry run. Where a release takes longer than the
default allows, ``deploy.timeout`` is twice what the slowest took.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from lastgood.decisions.own_metrics import Found, Meaning
from lastgood.decisions.suggesting import Proposal, Suggestion
from lastgood.model import Model
from lastgood.policy import DeployPolicy, Policy, format_duration
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    Counts,
    ErrorRateTrigger,
    HealthCheckTrigger,
    Metric,
    MetricTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)

LEAST_HOURS = 24
"""With less of the past no threshold is proposed."""
_WEEK = 7 * 24
_MOST_ALARMS = 12
_MOST_OTHERS = 8
_LONGEST_WINDOW = timedelta(hours=1)
_STEP = timedelta(minutes=5)


class Group(Model):
    """A target group that a service is attached to, behind an Application Load Balancer."""

    name: str
    load_balancer: str
    container: str
    health_url: str | None = None
    requests: float | None = None
    """Of the last two weeks; None where nobody asked."""


class SeenAlarm(Model):
    """An alarm on a service."""

    name: str
    state: str = "OK"
    topics: tuple[str, ...] = ()
    """SNS topics that it tells."""


class Seen(Model):
    """What a running service tells of itself."""

    service: str
    region: str
    read: bool = True
    """False: ECS did not tell of it, and nothing else is known."""
    container: str | None = None
    """Whose image is released; None where it is not plain."""
    groups: tuple[Group, ...] = ()
    first: bool = True
    """The first of them is the one that a worker finds by itself."""
    shifts: bool = False
    """New tasks are in a target group of their own."""
    shift: timedelta = timedelta(0)
    slowest: timedelta | None = None
    """The slowest rollout that ECS remembers."""
    rollouts: int = 0
    alarms: tuple[SeenAlarm, ...] = ()
    metrics: Found = Found({}, ())
    remarks: tuple[str, ...] = ()
    """What a person should know about it."""


class Draft(NamedTuple):
    """What is to be written."""

    policy: Policy
    notes: tuple[tuple[str, ...], ...]
    """What is said above each trigger."""
    offers: tuple[tuple[str, dict[str, Any]], ...]
    """Triggers that a person can add, each with why it is not there."""
    remarks: tuple[str, ...]


# --- What is watched ---------------------------------------------------------------------------


def draft(seen: Seen) -> Draft:
    """The policy with its sources and without numbers of its own."""
    found, offers = list(_watched(seen)), list(_offers(seen))
    alarms, remarks = _alarms(seen)
    found += alarms
    if not found:
        found += list(_gauges(seen))
    keys: dict[str, Any] = {"service": seen.service, "region": seen.region}
    # Also where there is one: a sidecar that comes later must not stop releases.
    if seen.container:
        keys["container"] = seen.container
    policy = Policy(
        **keys,
        **({"deploy": DeployPolicy(timeout=timeout)} if (timeout := _timeout(seen)) else {}),
        triggers=[trigger for trigger, _ in found],
    )
    notes = tuple((note,) if note else () for _, note in found)
    return Draft(policy, notes, tuple(offers), (*seen.remarks, *remarks))


Noted = tuple[Trigger, str]


def _watched(seen: Seen) -> Iterator[Noted]:
    if not seen.read:
        yield from ((trigger, "") for trigger in Policy(service=seen.service).triggers)
    if seen.groups:
        yield from _balanced(seen)
        return
    own = seen.metrics.used
    if "rate" in own:
        yield ErrorRateTrigger(metric=own["rate"]), ""
    if "time" in own:
        yield ResponseTimeTrigger(metric=own["time"]), ""
    if "requests" in own:
        yield RegressionTrigger(metrics=_counts(own), dry_run=True), ""
    if own:
        yield from _gauges(seen)


def _balanced(seen: Seen) -> Iterator[Noted]:
    group = main_group(seen)
    source = {}
    several = len(seen.groups) > 1 and not seen.shifts
    if group != seen.groups[0] or several or not seen.first:
        source = {"load_balancer": group.load_balancer, "target_group": group.name}
    yield ErrorRateTrigger(**source), ""
    yield ResponseTimeTrigger(**source), ""
    url = seen.groups[0].health_url
    if url and seen.first:
        yield HealthCheckTrigger(), f"Asks {url}"
    elif url:
        yield HealthCheckTrigger(url=url), ""
    yield RegressionTrigger(dry_run=True, **source), ""


def main_group(seen: Seen) -> Group:
    """The target group with the most requests; the first one, if that is not known."""
    return max(seen.groups, key=lambda one: one.requests or 0.0)


def _counts(own: dict[Meaning, Metric]) -> Counts:
    # Whether a response time is one value for each request, nobody says: it is left out.
    return Counts(requests=own["requests"], errors=own.get("errors"))


def _gauges(seen: Seen) -> Iterator[Noted]:
    """CPU and memory, which ECS publishes for every service."""
    cluster, service = seen.service.split("/")
    here = {"ClusterName": cluster, "ServiceName": service}
    for name in ("CPUUtilization", "MemoryUtilization"):
        metric = Metric(namespace="AWS/ECS", name=name, dimensions=here)
        yield BandTrigger(metric=metric, dry_run=True), ""


def _alarms(seen: Seen) -> tuple[list[Noted], list[str]]:
    found: list[Noted] = []
    remarks = []
    for one in seen.alarms[:_MOST_ALARMS]:
        try:
            trigger = AlarmTrigger(alarm=one.name)
        except ValidationError:
            remarks.append(f"the alarm {one.name!r} has a name that a policy cannot hold")
            continue
        red = "" if one.state == "OK" else f"It is {one.state} now, and counts once it is OK"
        found.append((trigger, red))
    left = [one.name for one in seen.alarms[_MOST_ALARMS:]]
    if left:
        remarks.append(f"left out, as too many: alarms {', '.join(left)}")
    return found, remarks


def _offers(seen: Seen) -> Iterator[tuple[str, dict[str, Any]]]:
    """What would be good to have, and needs a person."""
    url = {"type": "health-check", "url": "https://YOUR-HOST/health"}
    if not seen.read:
        return
    if not seen.groups:
        yield "The quickest trigger of all, if a worker can reach the service:", url
    elif seen.groups[0].health_url is None:
        yield "No HTTP listener leads to its health check. Say where a worker can ask for it:", url
    if not seen.groups:
        return
    keys: dict[Meaning, str] = {"rate": "error-rate", "time": "response-time"}
    for kind, name in keys.items():
        if kind in seen.metrics.used:
            metric = seen.metrics.used[kind].model_dump(exclude_unset=True)
            text = "Its own metric; the load balancer's raw counts are more exact:"
            yield text, {"type": name, "metric": metric}


def others_in_words(metrics: Found) -> list[str]:
    """Metrics of its own that are not used, and why."""
    said = [f"{one.label}: {why}" for one, why in metrics.others[:_MOST_OTHERS] if why]
    more = len(metrics.others) - _MOST_OTHERS
    return [*said, *([f"and {more} more"] if more > 0 else [])]


# --- How long a rollout may take ---------------------------------------------------------------


def _timeout(seen: Seen) -> timedelta | None:
    """What ``deploy.timeout`` must be, if its default is too short."""
    least = 2 * (seen.slowest or timedelta(0))
    if seen.shift:
        least = max(least, seen.shift + 2 * _STEP)
    default: timedelta = DeployPolicy.model_fields["timeout"].default
    if least <= default:
        return None
    return min(math.ceil(least / _STEP) * _STEP, timedelta(days=1))


def timeout_in_words(seen: Seen) -> str:
    """Why ``deploy.timeout`` is what it is."""
    said = []
    if seen.slowest:
        slow = format_duration(timedelta(seconds=round(seen.slowest.total_seconds())))
        said.append(f"twice the slowest of its last {seen.rollouts} rollouts ({slow})")
    if seen.shift:
        said.append(f"more than its traffic takes to shift ({format_duration(seen.shift)})")
    return ", and ".join(said)


# --- With which numbers ------------------------------------------------------------------------


def enough(found: Suggestion) -> bool:
    """Whether there is so much of the past that numbers can be had from it."""
    return found.usual.hours >= LEAST_HOURS


def young(found: Suggestion) -> Iterator[str]:
    """What is to be said of a past that is shorter than a week."""
    if found.usual.hours < _WEEK:
        yield (
            f"{found.usual.hours} hours of the past say little about the next weeks: run "
            "lastgood policy suggest --policy FILE --since 14d when there are more"
        )


def window_needed(policy: Policy, found: Suggestion) -> timedelta | None:
    """A longer window, where so few requests come that the default cannot judge; else None."""
    takes = max((one.takes or 0.0 for one in found.triggers), default=0.0)
    if takes <= policy.monitor.window.total_seconds():
        return None
    wanted = math.ceil(timedelta(seconds=takes) / (2 * _STEP)) * 2 * _STEP
    return wanted if wanted <= _LONGEST_WINDOW else None


def with_numbers(found: Draft, suggestion: Suggestion) -> tuple[Draft, dict[int, Proposal]]:
    """The draft with the numbers that the past proposes; and by trigger, how it came to them."""
    kinds = {type(one.trigger): one for one in suggestion.triggers}
    triggers: list[Trigger] = []
    notes, proposals = [], {}
    for number, (trigger, note) in enumerate(zip(found.policy.triggers, found.notes, strict=True)):
        proposal = kinds.get(type(trigger))
        if proposal is None:
            triggers.append(trigger)
            notes.append(note)
            continue
        proposals[number] = proposal
        made, why = _careful(proposal, suggestion)
        triggers.append(made)
        notes.append((*note, *why))
    return found._replace(
        policy=found.policy.model_copy(update={"triggers": triggers}), notes=tuple(notes)
    ), proposals


def _careful(proposal: Proposal, found: Suggestion) -> tuple[Trigger, tuple[str, ...]]:
    """A trigger that acts only if the past speaks for it."""
    trigger = proposal.trigger
    dry = {"dry_run": True}
    if isinstance(trigger, MetricTrigger) and proposal.fired:
        why = "a dry run, as no threshold was quiet: see what happened then"
        return trigger.model_copy(update=dry), (why,)
    little = found.usual.hours < _WEEK
    if isinstance(trigger, RegressionTrigger) and little and not trigger.dry_run:
        why = f"a dry run, as {found.usual.hours} hours of the past are less than a week"
        return trigger.model_copy(update=dry), (why,)
    return trigger, ()
