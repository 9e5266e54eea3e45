"""The load balancers that a running service is behind, as far as they can be measured."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lastgood.cli import survey_metrics
from lastgood.cli.asking_aws import Client, Remarks
from lastgood.decisions import balancing
from lastgood.decisions.first_policy import Group


def groups_of(
    client: Client, attached: list[dict[str, Any]], now: datetime, remarks: Remarks
) -> tuple[Group, ...]:
    """Its target groups behind Application Load Balancers, as ECS lists them."""
    if any(one.get("loadBalancerName") for one in attached):
        remarks.said.append("its Classic Load Balancer is not measured: use an Application one")
    arns = [one["targetGroupArn"] for one in attached if one.get("targetGroupArn")]
    if not arns:
        return ()
    elbv2 = client("elbv2")
    raw = elbv2.describe_target_groups(TargetGroupArns=arns)["TargetGroups"]
    by_arn = {one["TargetGroupArn"]: one for one in raw}
    balancers = _balancers(elbv2, raw)
    found = []
    for one in attached:
        group = by_arn.get(one.get("targetGroupArn", ""))
        if group is None:
            continue
        behind = [balancers[arn] for arn in group.get("LoadBalancerArns", []) if arn in balancers]
        fit = [lb for lb in behind if lb.get("Type", "application") == "application"]
        if fit:
            found.append((group, fit[0], str(one.get("containerName", ""))))
        else:
            remarks.said.append(_not_measured(group, behind))
    return _as_groups(client, found, now, remarks)


def _balancers(elbv2: Any, groups: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    arns = list(dict.fromkeys(arn for one in groups for arn in one.get("LoadBalancerArns", [])))
    if not arns:
        return {}
    answer = elbv2.describe_load_balancers(LoadBalancerArns=arns)
    return {one["LoadBalancerArn"]: one for one in answer["LoadBalancers"]}


def _not_measured(group: dict[str, Any], behind: list[dict[str, Any]]) -> str:
    name = group["TargetGroupName"]
    if not behind:
        return f"its target group {name} is attached to no load balancer"
    balancer = behind[0]
    return (
        f"{balancer['LoadBalancerName']} is a {balancer['Type']} load balancer, which counts no "
        f"requests: {name} is not measured"
    )


def _as_groups(
    client: Client,
    found: list[tuple[dict[str, Any], dict[str, Any], str]],
    now: datetime,
    remarks: Remarks,
) -> tuple[Group, ...]:
    urls: list[str | None] = []
    for group, balancer, _ in found:
        url = None
        with remarks.reading("the load balancer's listeners"):
            answer = client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
            url = balancing.health_url(group, balancer["DNSName"], answer.get("Listeners", []))
        urls.append(url)
    counts: list[float | None] = [None] * len(found)
    if len(found) > 1:
        with remarks.reading("the traffic of its target groups"):
            arns = [(one["LoadBalancerArn"], group["TargetGroupArn"]) for group, one, _ in found]
            counts = list(survey_metrics.requests_of(client("cloudwatch"), arns, now))
        names = ", ".join(group["TargetGroupName"] for group, *_ in found)
        remarks.said.append(f"it has several target groups ({names}): one of them is watched")
    return tuple(
        Group(
            name=group["TargetGroupName"],
            load_balancer=balancer["LoadBalancerName"],
            container=container,
            health_url=url,
            requests=requests,
        )
        for (group, balancer, container), url, requests in zip(found, urls, counts, strict=True)
    )
