"""Which load balancer and target groups the alarms of a policy watch.

What a trigger names in full is taken as it is, without a call; else it is read, and what is found
is what a release's own triggers would read: the service's first target group, with those that
traffic shifts to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from lastgood.cli.survey import Client, describe, in_words
from lastgood.decisions.alarms.wanted import Behind, reads_balancer
from lastgood.decisions.past_metrics import Balanced
from lastgood.errors import UsageError
from lastgood.policy import Policy

Named = tuple[str, str]
"""``load_balancer`` and ``target_group``, as a trigger writes them."""


def behind_of(policy: Policy, client: Client) -> Behind:
    """For each trigger that reads a load balancer, which one; or why there is none.

    Raises:
        UsageError: if there is no such service, load balancer or target group.
        BotoCoreError, ClientError: if AWS cannot be asked.
    """
    named = {number: _named(one) for number, one in enumerate(policy.triggers)}
    first = next((one for one in named.values() if one), None)
    reader = _Reader(policy, client)
    return {
        number: reader.find(named[number] or (first if trigger.type == "health-check" else None))
        for number, trigger in enumerate(policy.triggers)
        if reads_balancer(trigger)
    }


def _named(trigger: Any) -> Named | None:
    balancer, group = (getattr(trigger, key, None) for key in ("load_balancer", "target_group"))
    return (balancer, group) if balancer and group else None


class _Reader:
    """Reads what is not named in full, each thing once."""

    def __init__(self, policy: Policy, client: Client) -> None:
        self._policy, self._client = policy, client
        self._known: dict[Named | None, Balanced | str] = {}
        self._service: tuple[list[str], list[str]] | None = None

    def find(self, named: Named | None) -> Balanced | str:
        """The load balancer that is named, or the service's own."""
        if named not in self._known:
            self._known[named] = self._of(named) if named else self._own()
        return self._known[named]

    def _of(self, named: Named) -> Balanced | str:
        balancer, group = map(_ending, named)
        if "/" in balancer and "/" in group:
            return Balanced(balancer, (group,))
        found = self._describe(group.split("/")[1] if "/" in group else group)
        arn = self._balancer_of(found, balancer)
        if arn is None:
            return f"target group {group} is not attached to {balancer}"
        return Balanced(_ending(arn), (_ending(found["TargetGroupArn"]),), self._exclusive(arn))

    def _own(self) -> Balanced | str:
        own, alternates = self._attached()
        if not own:
            return f"{self._policy.service} has no load balancer: name one, or a metric"
        elbv2 = self._client("elbv2")
        found = elbv2.describe_target_groups(TargetGroupArns=own[:1])["TargetGroups"][0]
        arn = self._balancer_of(found, None)
        if arn is None:
            name = found["TargetGroupName"]
            return f"target group {name} is attached to no Application Load Balancer"
        groups = dict.fromkeys(_ending(one) for one in (own[0], *alternates))
        return Balanced(_ending(arn), tuple(groups), self._exclusive(arn))

    def _describe(self, name: str) -> dict[str, Any]:
        elbv2 = self._client("elbv2")
        try:
            found: dict[str, Any] = elbv2.describe_target_groups(Names=[name])["TargetGroups"][0]
        except ClientError as error:
            if in_words(error).startswith("TargetGroupNotFound"):
                raise UsageError(f"there is no target group {name}: see target_group") from None
            raise
        return found

    def _balancer_of(self, group: dict[str, Any], wanted: str | None) -> str | None:
        arns: Sequence[str] = group.get("LoadBalancerArns", [])
        if not arns:
            return None
        elbv2 = self._client("elbv2")
        answer = elbv2.describe_load_balancers(LoadBalancerArns=list(arns))
        for one in answer["LoadBalancers"]:
            arn: str = one["LoadBalancerArn"]
            names = (None, one["LoadBalancerName"], _ending(arn))
            if one.get("Type", "application") == "application" and wanted in names:
                return arn
        return None

    def _exclusive(self, balancer: str) -> bool:
        """Whether all target groups of a load balancer are the service's own."""
        pages = self._client("elbv2").get_paginator("describe_target_groups")
        found = {
            group["TargetGroupArn"]
            for page in pages.paginate(LoadBalancerArn=balancer)
            for group in page["TargetGroups"]
        }
        own, alternates = self._attached()
        return found <= {*own, *alternates}

    def _attached(self) -> tuple[list[str], list[str]]:
        if self._service is None:
            self._service = _target_groups(self._policy, self._client)
        return self._service


def _target_groups(policy: Policy, client: Client) -> tuple[list[str], list[str]]:
    """The target groups of a service, and those that its traffic shifts to."""
    attached = describe(client("ecs"), policy.service).get("loadBalancers", [])
    advanced = [one.get("advancedConfiguration", {}) for one in attached]
    return (
        [one["targetGroupArn"] for one in attached if one.get("targetGroupArn")],
        [arn for one in advanced if (arn := one.get("alternateTargetGroupArn"))],
    )


def _ending(arn: str) -> str:
    """The part of an ARN that CloudWatch uses as dimension."""
    return arn.split(":", 5)[-1].removeprefix("loadbalancer/")
