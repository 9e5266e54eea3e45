"""Tags of ECS resources: where a guard keeps what must outlive Temporal's database."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity

from activities.clients import Clients
from activities.failures import aws_call
from lastgood.contracts import TagOrder


class TaggingActivities:
    """Calls to ECS's tagging through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def _call(self, region: str, operation: str, **arguments: Any) -> None:
        client = self._clients("ecs", region)
        with aws_call("ecs:" + operation.title().replace("_", "")):
            await asyncio.to_thread(getattr(client, operation), **arguments)

    @activity.defn
    async def tag_resource(self, order: TagOrder) -> None:
        """Set tags and remove others. Idempotent: the same tags again change nothing."""
        if order.remove:
            await self._call(
                order.region, "untag_resource", resourceArn=order.arn, tagKeys=list(order.remove)
            )
        if order.tags:
            tags = [{"key": key, "value": value} for key, value in order.tags.items()]
            await self._call(order.region, "tag_resource", resourceArn=order.arn, tags=tags)
