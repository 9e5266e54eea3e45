"""What an operator decides about services that belong together: the policy file of a group.

A group names its services, each with a whole policy of its own, and says in which order they are
released. Read a file with ``lastgood.policy_file.load_any``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lastgood.policy import Policy
from lastgood.policy_notify import NotifyPolicy
from lastgood.policy_part import Part, refuse
from lastgood.values import GroupName, Region

MOST = 10
"""Services in one group; more than these are no longer released by one decision."""


class GroupPolicy(Part):
    """Services that are released together, and go back together."""

    group: Annotated[GroupName, Field(examples=["shop"])]
    """The group's name, once in a region."""
    order: Literal["in-order", "at-once"] = "in-order"
    """in-order: each begins when the one before it is healthy. at-once: all begin together."""
    region: Annotated[Region | None, Field(examples=["us-east-1"])] = None
    """The AWS region of services that name none. Left out: what AWS's own configuration says."""
    services: Annotated[list[Policy], Field(min_length=2, max_length=MOST)]
    """A whole policy for each service, in the order in which they are released."""
    notify: NotifyPolicy = NotifyPolicy()
    """Who is told about services that have no notify of their own."""

    @model_validator(mode="after")
    def _no_service_twice(self) -> Self:
        seen: dict[tuple[str, str | None], int] = {}
        problems = []
        for number, policy in enumerate(self.services):
            key = (policy.service, policy.region or self.region)
            first = seen.setdefault(key, number)
            if first != number:
                where = f"services.{number}.service"
                what = f"is services.{first}.service too: a group names each service once"
                problems.append((where, what))
        if problems:
            refuse(*problems)
        return self

    @model_validator(mode="after")
    def _channels_name_its_services(self) -> Self:
        known = {policy.service for policy in self.services}
        problems = [
            (f"notify.{key}.services.{number}", "is no service of this group: take it out")
            for key, channel in self.notify.channels()
            for number, service in enumerate(channel.services or ())
            if service not in known
        ]
        if problems:
            refuse(*problems)
        return self

    def members(self) -> tuple[Policy, ...]:
        """The services' policies, with what they take over from the group."""
        return tuple(self._member(policy) for policy in self.services)

    def _member(self, policy: Policy) -> Policy:
        taken: dict[str, object] = {}
        if policy.region is None:
            taken["region"] = self.region
        if "notify" not in policy.model_fields_set:
            taken["notify"] = self.notify
        return policy.model_copy(update=taken)
