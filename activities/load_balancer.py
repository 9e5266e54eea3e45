"""Elastic Load Balancing: names, dimensions and the health check of a target group."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients import Clients
from activities.failures import aws_call
from lastgood import errors
from lastgood.contracts import LoadBalancerFacts, ResolveOrder


def _ending(arn: str) -> str:
    """The part of an ARN that CloudWatch uses as dimension."""
    resource = arn.split(":", 5)[-1]
    return resource.removeprefix("loadbalancer/")


class LoadBalancerActivities:
    """Calls to Elastic Load Balancing through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def _call(self, region: str, operation: str, **arguments: Any) -> dict[str, Any]:
        client = self._clients("elbv2", region)
        with aws_call("elasticloadbalancing:" + operation.title().replace("_", "")):
            answer: dict[str, Any] = await asyncio.to_thread(
                getattr(client, operation), **arguments
            )
        return answer

    @activity.defn
    async def describe_target_groups(self, order: ResolveOrder) -> LoadBalancerFacts:
        """Find a target group and its load balancer, and where its health check can be asked.

        Raises:
            ApplicationError: NOT_FOUND if the group is attached to no Application Load Balancer.
        """
        group = await self._target_group(order)
        arns = group.get("LoadBalancerArns", [])
        balancers = []
        if arns:
            answer = await self._call(
                order.region, "describe_load_balancers", LoadBalancerArns=arns
            )
            balancers = [
                one
                for one in answer["LoadBalancers"]
                if one.get("Type", "application") == "application"
                and _is(order.load_balancer, one["LoadBalancerArn"], one["LoadBalancerName"])
            ]
        if not balancers:
            raise ApplicationError(
                f"Target group {group['TargetGroupName']} is not attached to "
                f"{order.load_balancer or 'any Application Load Balancer'}.",
                type=errors.NOT_FOUND,
                non_retryable=True,
            )
        balancer = balancers[0]
        return LoadBalancerFacts(
            load_balancer=_ending(balancer["LoadBalancerArn"]),
            target_group=_ending(group["TargetGroupArn"]),
            health_url=await self._health_url(order.region, group, balancer),
            exclusive=await self._is_exclusive(order, balancer["LoadBalancerArn"]),
        )

    async def _is_exclusive(self, order: ResolveOrder, balancer: str) -> bool:
        """Whether all target groups of a load balancer are the service's own."""
        if not order.own:
            return False
        found: set[str] = set()
        more: dict[str, str] = {}
        while True:
            answer = await self._call(
                order.region, "describe_target_groups", LoadBalancerArn=balancer, **more
            )
            found |= {group["TargetGroupArn"] for group in answer["TargetGroups"]}
            if not answer.get("NextMarker"):
                return found <= set(order.own)
            more = {"Marker": answer["NextMarker"]}

    async def _target_group(self, order: ResolveOrder) -> dict[str, Any]:
        wanted = order.target_group or ""
        if wanted.startswith("arn:"):
            arguments: dict[str, Any] = {"TargetGroupArns": [wanted]}
        else:
            name = wanted.split("/")[1] if wanted.startswith("targetgroup/") else wanted
            arguments = {"Names": [name]}
        answer = await self._call(order.region, "describe_target_groups", **arguments)
        group: dict[str, Any] = answer["TargetGroups"][0]
        return group

    async def _health_url(
        self, region: str, group: dict[str, Any], balancer: dict[str, Any]
    ) -> str | None:
        """The group's health check asked through a listener that leads to it by default.

        None where the answer could differ from the one that the load balancer itself gets: behind
        HTTPS (the certificate is not for the load balancer's own name), on another port than the
        traffic's, or where not 200 is the good answer.
        """
        if not _is_plain(group):
            return None
        answer = await self._call(
            region, "describe_listeners", LoadBalancerArn=balancer["LoadBalancerArn"]
        )
        for listener in answer.get("Listeners", []):
            if listener.get("Protocol") == "HTTP" and _leads_to(listener, group["TargetGroupArn"]):
                path = group.get("HealthCheckPath") or "/"
                return f"http://{balancer['DNSName']}:{listener['Port']}{path}"
        return None


def _is_plain(group: dict[str, Any]) -> bool:
    port = str(group.get("HealthCheckPort") or "traffic-port")
    codes = str(group.get("Matcher", {}).get("HttpCode") or "200")
    ranges = [code.strip().partition("-") for code in codes.split(",")]
    on_traffic_port = port in ("traffic-port", str(group.get("Port")))
    return on_traffic_port and any(low <= "200" <= (high or low) for low, _, high in ranges)


def _leads_to(listener: dict[str, Any], target_group: str) -> bool:
    for action in listener.get("DefaultActions", []):
        forward = action.get("ForwardConfig", {}).get("TargetGroups", [])
        if target_group in (
            action.get("TargetGroupArn"),
            *(g.get("TargetGroupArn") for g in forward),
        ):
            return True
    return False


def _is(wanted: str | None, arn: str, name: str) -> bool:
    return wanted is None or wanted in (arn, name, _ending(arn))
