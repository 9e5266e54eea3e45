"""The alarms that a policy asks for, in the words of PutMetricAlarm.

The rule. One alarm for each error-rate, response-time and health-check trigger of the policy, named
after the service and the trigger's type. Where a trigger names a metric of its own that metric is
watched, else the load balancer's raw counts (``expressions``); how datapoints are counted is in
``counting``, what is watched in ``watched``. The topic is told of ALARM, and not for a trigger with
``dry_run``.

What an alarm cannot know is left out: warm-up, what was normal before the release, evidence. What
else differs from the trigger is in ``notes``, and what has no alarm in ``remarks``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lastgood.decisions.alarms.counting import CannotTranslateError
from lastgood.decisions.alarms.watched import Watched, health, metric
from lastgood.decisions.past_metrics import Balanced
from lastgood.decisions.plain import one_line
from lastgood.model import Model
from lastgood.policy import Policy
from lastgood.policy_triggers import (
    AlarmTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    MetricTrigger,
    ResponseTimeTrigger,
    Trigger,
)

KINDS = ("error-rate", "response-time", "health-check")
MOST_OF_A_NAME = 255

Behind = Mapping[int, Balanced | str]
"""What the trigger at a position reads: its load balancer, or why there is none."""


class WantedAlarm(Model):
    """One alarm as it should be."""

    trigger: str
    """Its key in the policy: ``triggers.0 error-rate``."""
    config: dict[str, Any]
    """What PutMetricAlarm is given, but for the tags."""
    notes: tuple[str, ...] = ()
    """Where it differs from its trigger."""

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self.config["AlarmName"])


class Wanted(NamedTuple):
    """All alarms of a policy."""

    service: str
    alarms: tuple[WantedAlarm, ...]
    remarks: tuple[str, ...]
    """Which triggers have no alarm, and why."""


def prefix_of(service: str) -> str:
    """What the names of a service's alarms begin with: CLUSTER-SERVICE, or SERVICE if the same."""
    cluster, name = service.split("/")
    prefix = name if name == cluster else f"{cluster}-{name}"
    longest = MOST_OF_A_NAME - 30
    if len(prefix) <= longest:
        return prefix
    return f"{prefix[: longest - 9]}-{hashlib.sha256(service.encode()).hexdigest()[:8]}"


def may_be_ours(service: str, name: str) -> bool:
    """Whether an alarm's name is one that we would give for this service."""
    return (
        re.fullmatch(rf"{re.escape(prefix_of(service))}-({'|'.join(KINDS)})(-\d+)?", name)
        is not None
    )


def reads_balancer(trigger: Trigger) -> bool:
    """Whether a trigger's alarm needs to know a load balancer."""
    if isinstance(trigger, HealthCheckTrigger):
        return True
    return isinstance(trigger, MetricTrigger) and trigger.metric is None


def wanted_of(policy: Policy, behind: Behind, topic: str | None) -> Wanted:
    """The alarms of a policy.

    Args:
        policy: the policy.
        behind: for each position of ``reads_balancer``, what it reads.
        topic: the ARN of the SNS topic that is told; None: nobody.
    """
    alarms: list[WantedAlarm] = []
    remarks: list[str] = []
    names = _names(policy)
    for number, trigger in enumerate(policy.triggers):
        key = f"triggers.{number} {trigger.type}"
        if isinstance(trigger, AlarmTrigger):
            continue
        try:
            watched = _watched(policy, trigger, behind.get(number))
            alarms.append(_alarm(policy, trigger, key, names[number], watched, topic))
        except CannotTranslateError as error:
            remarks.append(f"{key}: {error}")
    if not topic and alarms:
        remarks.append(_NO_TOPIC)
    return Wanted(policy.service, tuple(alarms), tuple(remarks))


def _names(policy: Policy) -> list[str]:
    """A name for each trigger; from the second of a type on with a number."""
    types = [trigger.type for trigger in policy.triggers]
    prefix = prefix_of(policy.service)
    counted = [types[: number + 1].count(kind) for number, kind in enumerate(types)]
    return [
        f"{prefix}-{kind}" + (f"-{count}" if count > 1 else "")
        for kind, count in zip(types, counted, strict=True)
    ]


_NO_PAST = "has no alarm: CloudWatch does not compare with the past"
_NO_TOPIC = "nobody is told by these alarms: give --topic ARN, or write notify.sns.topic_arn"


def _watched(policy: Policy, trigger: Trigger, found: Balanced | str | None) -> Watched:
    if isinstance(trigger, HealthCheckTrigger):
        return health(policy, trigger, found)
    if isinstance(trigger, ErrorRateTrigger | ResponseTimeTrigger):
        return metric(trigger, found)
    raise CannotTranslateError(_NO_PAST)


def _alarm(
    policy: Policy, trigger: Trigger, key: str, name: str, watched: Watched, topic: str | None
) -> WantedAlarm:
    notes = (*watched.notes, *(("dry_run: it tells nobody",) if trigger.dry_run else ()))
    said = one_line(trigger.message or f"{policy.service}: {watched.text}").rstrip(".")
    config = {
        "AlarmName": name,
        "AlarmDescription": f"{said}. Made by lastgood alarms from the policy: change it there.",
        "ActionsEnabled": True,
        "AlarmActions": [topic] if topic and not trigger.dry_run else [],
        "OKActions": [],
        "InsufficientDataActions": [],
        **watched.config,
    }
    return WantedAlarm(trigger=key, config=config, notes=notes)
