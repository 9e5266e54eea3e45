"""What a running service tells about its policy: container, load balancer, alarms, metrics.

Reads only. What cannot be read, for want of a permission say, is left out with a remark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lastgood.cli import survey_balancers, survey_metrics
from lastgood.cli.asking_aws import AWS_ERRORS as AWS_ERRORS
from lastgood.cli.asking_aws import Client as Client
from lastgood.cli.asking_aws import Remarks
from lastgood.cli.asking_aws import in_words as in_words
from lastgood.decisions import balancing, preflight
from lastgood.decisions.first_policy import Group, Seen, SeenAlarm
from lastgood.decisions.own_metrics import Found
from lastgood.errors import UsageError
from lastgood.model import ServiceState

_QUICK = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})
_SCALES = (":scalingPolicy:", ":autoscaling:")
"""In the actions of alarms that scale a service: they go off when all is well."""


def clients(region: str | None) -> Client:
    """Clients from boto3's own chain, which give up soon: a person is waiting."""
    session = boto3.Session(region_name=region)
    known: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in known:
            known[service] = session.client(service, config=_QUICK)  # type: ignore[call-overload]
        return known[service]

    return client


def survey(name: str, client: Client, now: datetime) -> Seen:
    """Read the service CLUSTER/SERVICE.

    Raises:
        UsageError: if there is no such service.
        BotoCoreError, ClientError: if ECS cannot be asked.
    """
    ecs = client("ecs")
    service, remarks = describe(ecs, name), Remarks()
    remarks.said += _unfit(name, service)
    attached = service.get("loadBalancers", [])
    seen: dict[str, Any] = {"service": name, "region": ecs.meta.region_name}
    configuration = service.get("deploymentConfiguration", {})
    seen["shifts"] = configuration.get("strategy", "ROLLING") != "ROLLING"
    seen["shift"] = balancing.shift_of(configuration)
    with remarks.reading("the task definition"):
        seen |= _containers(ecs, service["taskDefinition"], attached, remarks)
    with remarks.reading("its past deployments"):
        seen |= _rollouts(ecs, name, configuration)
    with remarks.reading("the load balancer"):
        groups = survey_balancers.groups_of(client, attached, now, remarks)
        arns = [one["targetGroupArn"] for one in attached if "targetGroupArn" in one]
        seen |= {"groups": groups, "first": _is_first(groups, arns)}
    with remarks.reading("the alarms"):
        seen["alarms"] = _alarms(client("cloudwatch"), name, attached, configuration)
    with remarks.reading("the metrics that there are"):
        seen["metrics"] = _metrics(client, name, now, remarks)
    return Seen(**seen, remarks=tuple(remarks.said))


def describe(ecs: Any, name: str) -> dict[str, Any]:
    """The service as ECS describes it.

    Raises:
        UsageError: if there is no such service.
    """
    cluster, service = name.split("/")
    missing = UsageError(f"there is no service {name} in {ecs.meta.region_name}")
    try:
        answer = ecs.describe_services(cluster=cluster, services=[service])
    except ClientError as error:
        if in_words(error) == "ClusterNotFoundException":
            raise missing from None
        raise
    living = [one for one in answer.get("services", []) if one.get("status") == "ACTIVE"]
    if not living:
        raise missing
    found: dict[str, Any] = living[0]
    return found


def _unfit(name: str, service: dict[str, Any]) -> Iterator[str]:
    """Why its releases would be refused, whatever the policy says."""
    state = ServiceState(
        arn=service["serviceArn"],
        status="ACTIVE",
        task_definition=service.get("taskDefinition", ""),
        desired=service.get("desiredCount", 0),
        running=service.get("runningCount", 0),
        pending=service.get("pendingCount", 0),
        controller=service.get("deploymentController", {}).get("type", "ECS"),
        scheduling=service.get("schedulingStrategy", "REPLICA"),
    )
    why = preflight.why_unfit(name, state)
    if why:
        yield f"it cannot be released by Lastgood as it is: {why}"
    elif state.desired == 0:
        yield "it has desiredCount 0: scale it up before a release"


def _containers(
    ecs: Any, arn: str, attached: list[dict[str, Any]], remarks: Remarks
) -> dict[str, Any]:
    answer = ecs.describe_task_definition(taskDefinition=arn)
    raw = answer["taskDefinition"].get("containerDefinitions", [])
    names = tuple(one["name"] for one in raw)
    served = [one["containerName"] for one in attached if one.get("containerName") in names]
    essential = [one["name"] for one in raw if one.get("essential", True)]
    plain = served or (essential if len(essential) == 1 else []) or names
    container = plain[0] if served or len(plain) == 1 else None
    if container is None and names:
        remarks.said.append(
            f"it has several containers: write `container:` and the one that a release replaces: "
            f"{', '.join(names)}"
        )
    return {"container": container}


def _rollouts(ecs: Any, name: str, configuration: dict[str, Any]) -> dict[str, Any]:
    """The slowest rollout of those that ECS still knows, without the bake time after it."""
    cluster, service = name.split("/")
    answer = ecs.list_service_deployments(
        cluster=cluster, service=service, status=["SUCCESSFUL"], maxResults=20
    )
    bake = timedelta(minutes=configuration.get("bakeTimeInMinutes", 0))
    took = [
        max(timedelta(0), one["finishedAt"] - one["startedAt"] - bake)
        for one in answer.get("serviceDeployments", [])
        if "startedAt" in one and "finishedAt" in one
    ]
    return {"slowest": max(took, default=None), "rollouts": len(took)}


def _is_first(groups: Sequence[Group], arns: Sequence[str]) -> bool:
    """Whether a worker, which takes the first that ECS lists, finds the first of these."""
    return not groups or groups[0].name == arns[0].split("/")[1]


# --- Alarms and metrics ------------------------------------------------------------------------


def _alarms(
    cloudwatch: Any, name: str, attached: list[dict[str, Any]], configuration: dict[str, Any]
) -> tuple[SeenAlarm, ...]:
    cluster, service = name.split("/")
    wanted = [{"ClusterName": cluster, "ServiceName": service}]
    for one in attached:
        alternate = one.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
        arns = [arn for arn in (one.get("targetGroupArn"), alternate) if arn]
        wanted += [{"TargetGroup": arn.split(":", 5)[-1]} for arn in arns]
    kinds = ["MetricAlarm", "CompositeAlarm"]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=kinds)
    raw = [one for page in pages for kind in kinds for one in page.get(f"{kind}s") or []]
    names = set(fitting_alarms(raw, wanted))
    names |= set(configuration.get("alarms", {}).get("alarmNames", []))
    return tuple(
        SeenAlarm(
            name=one["AlarmName"],
            state=one.get("StateValue", "OK"),
            topics=tuple(arn for arn in one.get("AlarmActions", []) if ":sns:" in arn),
        )
        for one in sorted(raw, key=lambda one: str(one["AlarmName"]))
        if one["AlarmName"] in names
    )


def fitting_alarms(raw: Iterable[dict[str, Any]], wanted: list[dict[str, str]]) -> list[str]:
    """The names of alarms on metrics that have all of some wanted dimensions.

    Alarms that scale the service are none: they go off when all is well.
    """
    names = []
    for alarm in raw:
        actions = [*alarm.get("AlarmActions", []), *alarm.get("OKActions", [])]
        scaling = any(part in action for action in actions for part in _SCALES)
        fits = any(want.items() <= has.items() for has in _dimensions(alarm) for want in wanted)
        if fits and not scaling:
            names.append(alarm["AlarmName"])
    return sorted(names)


def _dimensions(alarm: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The dimensions of each metric that an alarm looks at, with metric math or without."""
    metrics = [
        one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one
    ]
    for metric in (alarm, *metrics):
        yield {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}


def _metrics(client: Client, name: str, now: datetime, remarks: Remarks) -> Found:
    namesakes: list[str] | None = None

    def clusters() -> list[str] | None:
        nonlocal namesakes
        with remarks.reading("whether other clusters have a service of this name"):
            namesakes = survey_metrics.namesakes(client("ecs"), name)
        return namesakes

    return survey_metrics.own_metrics(client("cloudwatch"), name, now, clusters)
