"""What `doctor` reads, each by one activity; what cannot be read is an answer, not an end."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.calls import why
from workflows.options import EXAMINE

with workflow.unsafe.imports_passed_through():
    from activities.channels import ChannelActivities
    from activities.cloudwatch import CloudWatchActivities
    from activities.ecr import EcrActivities
    from activities.ecs import EcsActivities
    from activities.http import HttpActivities
    from activities.metric_findings import MetricFindingActivities
    from activities.permissions import PermissionActivities
    from lastgood.contracts import (
        AlarmQuery,
        AlarmState,
        ChannelFacts,
        ChannelQuery,
        ImageQuery,
        MetricFindings,
        MetricProbe,
        PermissionFacts,
        PermissionOrder,
        ProbeAnswer,
        ServiceQuery,
        ServiceRevisionQuery,
        SmokeOrder,
        TaskDefinitionQuery,
        TaskDefinitionState,
    )
    from lastgood.model import ContainerImage, ServiceRef, ServiceState
    from lastgood.policy import SmokeCheck

T = TypeVar("T")


class Unread(NamedTuple):
    """What could not be read, and why."""

    why: str
    code: str
    """AWS's error code, or one of ours."""


async def told(call: Coroutine[Any, Any, T]) -> T | Unread:
    """What a call gives, or why it does not."""
    try:
        return await call
    except ActivityError as error:
        cause = error.cause
        code = cause.type if isinstance(cause, ApplicationError) else None
        return Unread(why(error), code or type(cause).__name__)


async def service(ref: ServiceRef) -> ServiceState | None:
    """The service, with its tags; None if there is none."""
    return await workflow.execute_activity_method(
        EcsActivities.describe_services,
        ServiceQuery(service=ref, with_tags=True),
        summary=f"Read {ref}",
        **EXAMINE,
    )


async def task_definition(region: str, arn: str) -> TaskDefinitionState:
    """A task definition."""
    return await workflow.execute_activity_method(
        EcsActivities.describe_task_definition,
        TaskDefinitionQuery(region=region, task_definition=arn),
        summary=f"Read {arn.rsplit('/', 1)[-1]}",
        **EXAMINE,
    )


async def service_revision(region: str, arn: str) -> list[ContainerImage]:
    """The images of a service revision, with digests."""
    return await workflow.execute_activity_method(
        EcsActivities.describe_service_revisions,
        ServiceRevisionQuery(region=region, service_revision=arn),
        summary="Read the image digests",
        **EXAMINE,
    )


async def image(region: str, reference: str) -> str | None:
    """An image's digest; None where its registry is not asked."""
    return await workflow.execute_activity_method(
        EcrActivities.describe_images,
        ImageQuery(region=region, image=reference),
        summary=f"Look for {reference}",
        **EXAMINE,
    )


async def alarms(region: str, names: tuple[str, ...]) -> list[AlarmState]:
    """Alarms by name; a missing one is simply not there."""
    return await workflow.execute_activity_method(
        CloudWatchActivities.describe_alarms,
        AlarmQuery(region=region, names=names),
        summary=f"Read {', '.join(names)}",
        **EXAMINE,
    )


async def metric(probe: MetricProbe) -> MetricFindings:
    """What there is of a trigger's metric."""
    return await workflow.execute_activity_method(
        MetricFindingActivities.find_metric,
        probe,
        summary=f"Look at the metric of {probe.trigger.key}",
        **EXAMINE,
    )


async def url(check: SmokeCheck) -> ProbeAnswer:
    """What a URL answers once."""
    return await workflow.execute_activity_method(
        HttpActivities.smoke_test, SmokeOrder(check=check), summary=check.url, **EXAMINE
    )


async def channel(query: ChannelQuery) -> ChannelFacts:
    """Whether a channel's secrets are there and its receiver answers."""
    return await workflow.execute_activity_method(
        ChannelActivities.look_at_channel,
        query,
        summary=f"Look at {query.channel}",
        **EXAMINE,
    )


async def permissions(order: PermissionOrder) -> PermissionFacts:
    """What the worker may do."""
    return await workflow.execute_activity_method(
        PermissionActivities.try_permissions,
        order,
        summary=f"Try {len(order.actions)} actions without effect",
        **EXAMINE,
    )
