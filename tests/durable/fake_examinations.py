"""What `doctor` alone reads, under its own names: all is well."""

from __future__ import annotations

from typing import Any

from temporalio import activity

from lastgood.contracts import (
    ChannelFacts,
    ChannelQuery,
    MetricFindings,
    MetricProbe,
    PermissionFacts,
    PermissionOrder,
    Tried,
)


@activity.defn(name="try_permissions")
async def try_permissions(order: PermissionOrder) -> PermissionFacts:
    """Everything is allowed."""
    tried = tuple(Tried(action=action) for action in order.actions)
    return PermissionFacts(caller="arn:aws:iam::1:user/worker", tried=tried)


@activity.defn(name="find_metric")
async def find_metric(probe: MetricProbe) -> MetricFindings:
    """An hour of datapoints."""
    del probe
    return MetricFindings(datapoints=60, largest=0.01, units=("None",))


@activity.defn(name="look_at_channel")
async def look_at_channel(query: ChannelQuery) -> ChannelFacts:
    """The receiver answers."""
    return ChannelFacts(receiver=f"{query.channel}.example")


EXAMINATIONS: list[Any] = [try_permissions, find_metric, look_at_channel]
