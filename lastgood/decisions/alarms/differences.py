"""What is to be done about each alarm: how the one that is there differs from the one wanted.

The rule. An alarm is ours by its tags: ``lastgood alarms apply`` made it, for this service. What is
not ours is *foreign*, whatever its name is, and nothing is done to it. Ours carries a fingerprint
of what it was when we had written it. If it is another one now, somebody changed it by hand since:
it is *edited*, shown, and not overwritten. But if it is just as the policy wants it, it is
*unchanged*, whoever made it so. Ours that the policy no longer asks for is *left over*.

Order, empty lists and a missing ``ActionsEnabled`` make no difference. What CloudWatch shows beside
what we asked for is its own default, and a difference only in an alarm that was edited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from lastgood.decisions.alarms.tags import APPLIED, EXPORTED, FINGERPRINT, MADE_BY, SERVICE
from lastgood.decisions.alarms.wanted import Wanted, WantedAlarm, may_be_ours
from lastgood.model import Model

State = Literal["create", "change", "unchanged", "edited", "foreign", "left-over"]
Deed = Literal["put", "tag", "delete"]

_NOT_CONFIGURED = {
    *("AlarmArn", "AlarmConfigurationUpdatedTimestamp", "EvaluationState"),
    *("StateValue", "StateReason", "StateReasonData"),
    *("StateUpdatedTimestamp", "StateTransitionedTimestamp"),
}
_ASKED_FOR = {
    *("AlarmName", "AlarmDescription", "ActionsEnabled", "AlarmActions", "OKActions"),
    *("InsufficientDataActions", "Namespace", "MetricName", "Dimensions", "Statistic", "Unit"),
    *("ExtendedStatistic", "EvaluateLowSampleCountPercentile", "Period", "Metrics"),
    *("EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData", "Threshold"),
    *("ComparisonOperator", "ThresholdMetricId"),
}
"""What has a meaning where it is, and where it is not. All else may be CloudWatch's own default."""
_NO_ORDER = ("AlarmActions", "OKActions", "InsufficientDataActions")


class FoundAlarm(Model):
    """An alarm that is there."""

    arn: str
    config: dict[str, Any]
    """As DescribeAlarms shows it."""
    tags: dict[str, str] = {}
    composite: bool = False

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self.config["AlarmName"])


class Difference(Model):
    """One field that is not as wanted."""

    field: str
    old: Any = None
    new: Any = None


class Step(Model):
    """One alarm, and what is to be done about it."""

    name: str
    state: State
    wanted: WantedAlarm | None = None
    found: FoundAlarm | None = None
    differences: tuple[Difference, ...] = ()
    owner: str | None = None
    """Of a foreign one: who made it, in words."""
    takeable: bool = False
    """Of a foreign one: it is no composite alarm, nor another service's."""
    stale: bool = False
    """Its fingerprint is not that of what is there."""


class Options(Model):
    """What a person allows beyond creating and changing what is ours."""

    take_over: bool = False
    overwrite: bool = False
    prune: bool = False


def compare(wanted: Wanted, found: Iterable[FoundAlarm]) -> tuple[Step, ...]:
    """A step for each alarm that is wanted, and for each of ours that is not."""
    there = {one.name: one for one in found}
    names = {one.name for one in wanted.alarms}
    steps = [_step(wanted.service, one, there.get(one.name)) for one in wanted.alarms]
    steps += [
        Step(name=name, state="left-over", found=one)
        for name, one in sorted(there.items())
        if name not in names and may_be_ours(wanted.service, name) and _ours(wanted.service, one)
    ]
    return tuple(steps)


def deed_of(step: Step, options: Options) -> Deed | None:
    """What is to be done; None: nothing, or nothing without another option."""
    match step.state:
        case "create" | "change":
            return "put"
        case "unchanged":
            return "tag" if step.stale else None
        case "edited":
            return "put" if options.overwrite else None
        case "left-over":
            return "delete" if options.prune else None
    if not (options.take_over and step.takeable):
        return None
    return "put" if step.differences else "tag"


def fingerprint(config: Mapping[str, Any]) -> str:
    """A short text that is another one when the alarm was changed."""
    text = json.dumps(normal(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def normal(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, such that the same alarm is always written the same."""
    found = {key: value for key, value in config.items() if key not in _NOT_CONFIGURED}
    found |= {key: sorted(found[key]) for key in _NO_ORDER if found.get(key)}
    if found.get("Dimensions"):
        found["Dimensions"] = _by_name(found["Dimensions"])
    if found.get("Metrics"):
        found["Metrics"] = {one["Id"]: _query(one) for one in found["Metrics"]}
    if "Threshold" in found:
        found["Threshold"] = float(found["Threshold"])
    found["ActionsEnabled"] = found.get("ActionsEnabled") is not False
    return {key: value for key, value in found.items() if value not in (None, [], {}, "")}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in query.items() if key not in ("Id", "MetricStat")}
    found["ReturnData"] = found.get("ReturnData") is not False
    if "MetricStat" not in query:
        return found
    stat = dict(query["MetricStat"])
    metric = stat.pop("Metric")
    return found | stat | {**metric, "Dimensions": _by_name(metric.get("Dimensions") or [])}


def _by_name(given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in sorted(given, key=lambda one: one["Name"])}


def differences(
    found: Mapping[str, Any], wanted: Mapping[str, Any], *, surplus: bool = True
) -> tuple[Difference, ...]:
    """Field by field, old and new; ``surplus``: also what is there and was not asked for."""
    return tuple(_differing("", normal(found), normal(wanted), surplus))


def _differing(
    path: str, old: Mapping[str, Any], new: Mapping[str, Any], surplus: bool
) -> Iterator[Difference]:
    for key in (*new, *(key for key in old if key not in new)):
        before, after = old.get(key), new.get(key)
        meant = key in new or surplus or path == "Metrics." or (not path and key in _ASKED_FOR)
        if before == after or not meant:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differing(f"{path}{key}.", before, after, surplus)
        else:
            yield Difference(field=f"{path}{key}", old=before, new=after)


def _step(service: str, wanted: WantedAlarm, found: FoundAlarm | None) -> Step:
    if found is None:
        return Step(name=wanted.name, state="create", wanted=wanted)
    stale = found.tags.get(FINGERPRINT) != fingerprint(found.config)
    differing = () if found.composite else differences(found.config, wanted.config, surplus=stale)
    step = Step(name=wanted.name, state="change", wanted=wanted, found=found, differences=differing)
    if not _ours(service, found):
        known = {"owner": _owner(found), "takeable": _takeable(service, found)}
        return step.model_copy(update={"state": "foreign", **known})
    if not differing:
        return step.model_copy(update={"state": "unchanged", "stale": stale})
    return step.model_copy(update={"state": "edited" if stale else "change", "stale": stale})


def _ours(service: str, found: FoundAlarm) -> bool:
    if found.composite:
        return False
    return found.tags.get(MADE_BY) == APPLIED and found.tags.get(SERVICE) == service


def _takeable(service: str, found: FoundAlarm) -> bool:
    return not found.composite and found.tags.get(SERVICE, service) == service


def _owner(found: FoundAlarm) -> str:
    if found.composite:
        return "a composite alarm has this name"
    if found.tags.get(MADE_BY) == EXPORTED:
        return "Terraform or CloudFormation made it, from an export"
    if SERVICE in found.tags:
        return f"it was made for {found.tags[SERVICE]}"
    return "it was not made by lastgood"
