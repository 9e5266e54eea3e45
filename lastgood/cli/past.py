"""A service's past, read from CloudWatch for a backtest: by whoever runs the command.

Reads only: ECS and Elastic Load Balancing say where the service's metrics are, GetMetricData gives
them. What is read and how it is joined is in ``decisions.past_metrics``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lastgood.cli.asking_aws import AWS_ERRORS, Client, in_words
from lastgood.cli.output import say
from lastgood.decisions.metrics import LATE
from lastgood.decisions.past_metrics import (
    Balanced,
    Call,
    Series,
    Values,
    calls_of,
    period_for,
    recording_of,
    wanted_of,
)
from lastgood.decisions.recording import Recording
from lastgood.errors import LastgoodError, UsageError
from lastgood.policy import Policy

_PATIENT = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 6}
)
_LASTING = ("InternalError", "Forbidden")
"""What a later page does not make good."""


class UnreadableError(LastgoodError):
    """Raised when AWS does not give the metrics; the message says why."""


def clients(region: str | None) -> Client:
    """Clients from boto3's own chain; throttling is waited out."""
    session = boto3.Session(region_name=region)
    return lambda service: session.client(service, config=_PATIENT)  # type: ignore[call-overload]


def read(policy: Policy, since: timedelta, now: datetime, client: Client) -> Recording:
    """Read what the triggers of a policy measure, back to ``since`` ago.

    Raises:
        UsageError: if the service, its load balancer or its metrics are not there.
        UnreadableError: if AWS cannot be asked, or its answer is not complete.
    """
    try:
        wanted = wanted_of(policy, balanced_of(policy, client))
        for remark in wanted.remarks:
            say(f"{policy.service}: {remark}")
        if not wanted.series:
            raise UsageError(f"{policy.service}: no metrics to read: it has no load balancer")
        period = period_for(since)
        end = (now - LATE).timestamp() // period * period
        calls = calls_of(len(wanted.series), end - since.total_seconds(), end, period)
        found = _read(client("cloudwatch"), wanted.series, calls, period)
    except AWS_ERRORS as error:
        raise UnreadableError(f"AWS cannot be asked: {in_words(error)}") from None
    recording = recording_of(wanted, found, period)
    if not recording.rows:
        raise UsageError(
            f"{policy.service}: CloudWatch has no datapoint of "
            f"{', '.join(sorted({one.name for one in wanted.series}))}: see the policy's names"
        )
    return recording


# --- Where its metrics are ---------------------------------------------------------------------


def balanced_of(policy: Policy, client: Client) -> Balanced | None:
    """The load balancer that the policy names, or else the service's own."""
    named = next((one for one in policy.triggers if getattr(one, "load_balancer", None)), None)
    if named is not None:
        balancer, group = (
            str(getattr(named, "load_balancer", "")),
            str(getattr(named, "target_group", "")),
        )
        return _named(balancer, group, client)
    own = _target_groups(policy, client)
    return _attached(client("elbv2"), own) if own else None


def _named(balancer: str, group: str, client: Client) -> Balanced | None:
    balancer, group = _ending(balancer), _ending(group)
    if "/" in balancer and "/" in group:
        return Balanced(balancer, (group,))
    elbv2 = client("elbv2")
    name = group.split("/")[1] if "/" in group else group
    try:
        found = elbv2.describe_target_groups(Names=[name])["TargetGroups"][0]
    except ClientError as error:
        if in_words(error).startswith("TargetGroupNotFound"):
            raise UsageError(f"there is no target group {name}: see target_group") from None
        raise
    return _attached(elbv2, [found["TargetGroupArn"]], balancer)


def _target_groups(policy: Policy, client: Client) -> list[str]:
    """The target groups that a service is attached to."""
    cluster, service = policy.service.split("/")
    missing = UsageError(f"there is no service {policy.service} in {policy.region}")
    try:
        answer = client("ecs").describe_services(cluster=cluster, services=[service])
    except ClientError as error:
        if in_words(error) == "ClusterNotFoundException":
            raise missing from None
        raise
    if not answer.get("services"):
        raise missing
    found = []
    for one in answer["services"][0].get("loadBalancers", []):
        alternate = one.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
        found += [arn for arn in (one.get("targetGroupArn"), alternate) if arn]
    return found


def _attached(elbv2: Any, arns: Sequence[str], wanted: str | None = None) -> Balanced | None:
    groups = elbv2.describe_target_groups(TargetGroupArns=list(arns))["TargetGroups"]
    behind = [arn for group in groups for arn in group.get("LoadBalancerArns", [])]
    balancer = next((arn for arn in behind if wanted in (None, _name(arn), _ending(arn))), None)
    if balancer is None:
        return None
    mine = [one for one in groups if balancer in one.get("LoadBalancerArns", [])]
    pages = elbv2.get_paginator("describe_target_groups").paginate(LoadBalancerArn=balancer)
    everybodys = {group["TargetGroupArn"] for page in pages for group in page["TargetGroups"]}
    return Balanced(
        _ending(balancer),
        tuple(_ending(group["TargetGroupArn"]) for group in mine),
        exclusive=wanted is None and everybodys <= set(arns),
    )


def _ending(arn: str) -> str:
    """The part of an ARN that CloudWatch uses as dimension."""
    return arn.split(":", 5)[-1].removeprefix("loadbalancer/")


def _name(arn: str) -> str:
    return _ending(arn).split("/")[1]


# --- What they say -----------------------------------------------------------------------------


def _read(
    cloudwatch: Any, series: Sequence[Series], calls: Sequence[Call], period: int
) -> dict[Series, Values]:
    found: dict[Series, dict[datetime, float]] = {one: {} for one in series}
    for number, call in enumerate(calls, 1):
        begin, end = (datetime.fromtimestamp(at, UTC) for at in (call.begin, call.end))
        say(
            f"Reading {len(call.numbers)} series of {period} s, {begin:%Y-%m-%d %H:%M} to "
            f"{end:%Y-%m-%d %H:%M} UTC ({number} of {len(calls)}) …"
        )
        _get(cloudwatch, [series[n] for n in call.numbers], begin, end, period, found)
    return dict(found)


def _get(
    cloudwatch: Any,
    series: Sequence[Series],
    begin: datetime,
    end: datetime,
    period: int,
    found: dict[Series, dict[datetime, float]],
) -> None:
    """What all pages of one GetMetricData say."""
    by_id = {f"m{number}": one for number, one in enumerate(series)}
    arguments = {
        "MetricDataQueries": [_query(name, one, period) for name, one in by_id.items()],
        "StartTime": begin,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    status: dict[str, str] = {}
    while True:
        answer = cloudwatch.get_metric_data(**arguments)
        for message in answer.get("Messages", []):
            say(f"CloudWatch: {message.get('Value') or message.get('Code')}")
        for result in answer["MetricDataResults"]:
            if status.get(result["Id"]) not in _LASTING:  # before the last page it is PartialData
                status[result["Id"]] = result.get("StatusCode", "Complete")
            pairs = zip(result["Timestamps"], result["Values"], strict=True)
            found[by_id[result["Id"]]] |= {at.astimezone(UTC): float(v) for at, v in pairs}
        if not answer.get("NextToken"):
            break
        arguments["NextToken"] = answer["NextToken"]
    bad = next((name for name, said in status.items() if said != "Complete"), None)
    if bad:
        raise UnreadableError(
            f"GetMetricData answered {status[bad]} for {by_id[bad].name}: the numbers are not "
            "complete"
        )


def _query(name: str, one: Series, period: int) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in one.dimensions]
    metric = {"Namespace": one.namespace, "MetricName": one.name, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": period, "Stat": one.statistic}
    return {"Id": name, "MetricStat": stat}
