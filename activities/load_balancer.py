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
from lastgood.decisions.balancing import health_url, is_plain


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
        """Where the group's health check can be asked through the load balancer, if anywhere."""
        if not is_plain(group):
            return None
        answer = await self._call(
            region, "describe_listeners", LoadBalancerArn=balancer["LoadBalancerArn"]
        )
        return health_url(group, balancer["DNSName"], answer.get("Listeners", []))


def _is(wanted: str | None, arn: str, name: str) -> bool:
    return wanted is None or wanted in (arn, name, _ending(arn))
