"""What a running service tells about its policy: container, load balancer, alarms.

Reads only. What cannot be read, for want of a permission say, is left out with a remark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lastgood.errors import UsageError

AWS_ERRORS = (BotoCoreError, ClientError)
_QUICK = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})
_MOST_ALARMS = 17
"""A policy has at most twenty triggers, three of which are not alarms."""

Client = Callable[[str], Any]
"""AWS service → boto3 client."""


@dataclass
class Survey:
    """What was found, as a policy file has it, and what a person should know about it."""

    values: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def clients(region: str | None) -> Client:
    """Clients from boto3's own chain, which give up soon: a person is waiting."""
    session = boto3.Session(region_name=region)
    return lambda service: session.client(service, config=_QUICK)  # type: ignore[call-overload]


def survey(name: str, client: Client) -> Survey:
    """Read the service CLUSTER/SERVICE.

    Raises:
        UsageError: if there is no such service.
        BotoCoreError, ClientError: if ECS cannot be asked.
    """
    ecs = client("ecs")
    service = _describe(ecs, name)
    found = Survey({"service": name, "region": ecs.meta.region_name})
    attached = service.get("loadBalancers", [])
    behind = next((one for one in attached if one.get("targetGroupArn")), None)
    with _reading(found, "the task definition"):
        _container(ecs, service["taskDefinition"], attached, found)
    source: dict[str, str] = {}
    if behind:
        with _reading(found, "the load balancer"):
            source = _load_balancer(client("elbv2"), behind["targetGroupArn"], found)
    alarms: list[str] = []
    with _reading(found, "the alarms"):
        alarms = _alarms(
            client("cloudwatch"), name, [one.get("targetGroupArn") for one in attached]
        )
    found.values["triggers"] = _triggers(source, alarms, found)
    return found


def fitting_alarms(raw: Iterable[dict[str, Any]], wanted: list[dict[str, str]]) -> list[str]:
    """The names of alarms on metrics that have all of some wanted dimensions.

    Alarms that scale the service are none: they go off when all is well.
    """
    names = []
    for alarm in raw:
        actions = [*alarm.get("AlarmActions", []), *alarm.get("OKActions", [])]
        scaling = any(":scalingPolicy:" in action for action in actions)
        fits = any(want.items() <= has.items() for has in _dimensions(alarm) for want in wanted)
        if fits and not scaling:
            names.append(alarm["AlarmName"])
    return sorted(names)


def _describe(ecs: Any, name: str) -> dict[str, Any]:
    cluster, service = name.split("/")
    missing = UsageError(f"there is no service {name} in {ecs.meta.region_name}")
    try:
        answer = ecs.describe_services(cluster=cluster, services=[service])
    except ClientError as error:
        if _code(error) == "ClusterNotFoundException":
            raise missing from None
        raise
    living = [one for one in answer.get("services", []) if one.get("status") == "ACTIVE"]
    if not living:
        raise missing
    found: dict[str, Any] = living[0]
    return found


def _container(ecs: Any, arn: str, attached: list[dict[str, Any]], found: Survey) -> None:
    answer = ecs.describe_task_definition(taskDefinition=arn)
    names = [one["name"] for one in answer["taskDefinition"].get("containerDefinitions", [])]
    served = [one["containerName"] for one in attached if one.get("containerName") in names]
    if len(names) == 1 or served:
        found.values["container"] = (served or names)[0]
    elif names:
        found.remarks.append(f"say which container a release replaces: {', '.join(names)}")


def _load_balancer(elbv2: Any, target_group: str, found: Survey) -> dict[str, str]:
    group = elbv2.describe_target_groups(TargetGroupArns=[target_group])["TargetGroups"][0]
    arns = group.get("LoadBalancerArns", [])
    if not arns:
        found.remarks.append(f"{group['TargetGroupName']} is attached to no load balancer")
        return {}
    answer = elbv2.describe_load_balancers(LoadBalancerArns=arns[:1])
    name = answer["LoadBalancers"][0]["LoadBalancerName"]
    return {"load_balancer": name, "target_group": group["TargetGroupName"]}


def _alarms(cloudwatch: Any, name: str, target_groups: list[str | None]) -> list[str]:
    cluster, service = name.split("/")
    wanted = [{"ClusterName": cluster, "ServiceName": service}]
    wanted += [{"TargetGroup": arn.split(":", 5)[-1]} for arn in target_groups if arn]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    return fitting_alarms((alarm for page in pages for alarm in page["MetricAlarms"]), wanted)


def _triggers(source: dict[str, str], alarms: list[str], found: Survey) -> list[dict[str, str]]:
    if len(alarms) > _MOST_ALARMS:
        found.remarks.append(f"left out, as too many: alarms {', '.join(alarms[_MOST_ALARMS:])}")
    return [
        {"type": "error-rate", **source},
        {"type": "response-time", **source},
        {"type": "health-check"},
        *({"type": "alarm", "alarm": alarm} for alarm in alarms[:_MOST_ALARMS]),
    ]


def _dimensions(alarm: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The dimensions of each metric that an alarm looks at, with metric math or without."""
    metrics = [
        one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one
    ]
    for metric in (alarm, *metrics):
        yield {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}


@contextmanager
def _reading(found: Survey, what: str) -> Iterator[None]:
    """Around what may stay unknown."""
    try:
        yield
    except AWS_ERRORS as error:
        found.remarks.append(f"{what} could not be read ({in_words(error)})")


def in_words(error: Exception) -> str:
    """AWS's own error code, or what boto3 says."""
    return _code(error) if isinstance(error, ClientError) else str(error)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
