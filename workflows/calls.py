"""Activities as workflows call them: one line each, options chosen by direction."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

from workflows.options import (
    ASK_REGISTRY,
    EXAMINE,
    MUTATE,
    MUTATE_ON_THE_WAY_BACK,
    READ,
    READ_BRIEFLY,
    READ_ON_THE_WAY_BACK,
    STEER,
    Options,
    probe_options,
)

with workflow.unsafe.imports_passed_through():
    from activities.calendar import CalendarActivities
    from activities.cloudwatch import CloudWatchActivities
    from activities.ecr import EcrActivities
    from activities.ecs import EcsActivities
    from activities.http import HttpActivities
    from activities.load_balancer import LoadBalancerActivities
    from activities.steering import SteeringActivities
    from activities.tagging import TaggingActivities
    from lastgood.contracts import (
        AlarmMark,
        AlarmQuery,
        AlarmState,
        ContinueOrder,
        FreezeAnswer,
        FreezeQuery,
        ImageQuery,
        LoadBalancerFacts,
        MetricFacts,
        MetricProbe,
        ProbeAnswer,
        RegisterOrder,
        ResolveOrder,
        ServiceDeploymentQuery,
        ServiceQuery,
        ServiceRevisionQuery,
        SmokeOrder,
        Steered,
        StopOrder,
        TagOrder,
        TaskDefinitionQuery,
        TaskDefinitionState,
        Updated,
        UpdateOrder,
    )
    from lastgood.decisions import digests
    from lastgood.decisions.rendering.temporal_ui.markdown import summary
    from lastgood.model import (
        ContainerImage,
        Revision,
        ServiceDeploymentState,
        ServiceRef,
        ServiceState,
    )


def why(error: ActivityError | ChildWorkflowError) -> str:
    """Why a call or a child failed, for people: the message without the error's type."""
    cause = error.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause)


def refused(error: ActivityError) -> bool:
    """Whether a call was refused for good, rather than given up when its time was over."""
    cause = error.cause
    return isinstance(cause, ApplicationError) and cause.non_retryable


def _read(back: bool) -> Options:
    return READ_ON_THE_WAY_BACK if back else READ


def _mutate(back: bool) -> Options:
    return MUTATE_ON_THE_WAY_BACK if back else MUTATE


async def describe_service(
    service: ServiceRef, *, back: bool = False, briefly: bool = False, with_tags: bool = False
) -> ServiceState | None:
    """Read the service; briefly, where it can be done without."""
    return await workflow.execute_activity_method(
        EcsActivities.describe_services,
        ServiceQuery(service=service, with_tags=with_tags),
        summary=f"Read {service}",
        **(READ_BRIEFLY if briefly else _read(back)),
    )


async def describe_task_definition(
    region: str, task_definition: str, *, back: bool = False
) -> TaskDefinitionState:
    """Read a task definition."""
    return await workflow.execute_activity_method(
        EcsActivities.describe_task_definition,
        TaskDefinitionQuery(region=region, task_definition=task_definition),
        summary=f"Read {task_definition.rsplit('/', 1)[-1]}",
        **_read(back),
    )


async def describe_service_revision(
    region: str, arn: str, *, briefly: bool = False
) -> tuple[ContainerImage, ...]:
    """Read the images that a service revision runs, with digests; briefly, beside other things."""
    images = await workflow.execute_activity_method(
        EcsActivities.describe_service_revisions,
        ServiceRevisionQuery(region=region, service_revision=arn),
        summary="Read the image digests",
        **(READ_BRIEFLY if briefly else READ),
    )
    return tuple(images)


async def with_digests(region: str, service_revision: str | None, running: Revision) -> Revision:
    """Add the digests of what runs; an endpoint that does not tell them is no reason to stop."""
    if service_revision is None:
        return running
    try:
        images = await describe_service_revision(region, service_revision)
    except ActivityError as error:
        workflow.logger.warning("The image digests cannot be read: %s", why(error))
        return running
    if not digests.are_of(images, running.images):
        return running
    known = digests.completed(running.images, images)
    return running.model_copy(update={"images": known})


async def register_task_definition(
    order: RegisterOrder, *, back: bool = False, briefly: bool = False
) -> str:
    """Register a task definition, once; briefly, where it can be done without."""
    return await workflow.execute_activity_method(
        EcsActivities.register_task_definition,
        order,
        summary=summary(f"Register {order.source.get('family')} for {order.release}"),
        **(STEER if briefly else _mutate(back)),
    )


async def update_service(order: UpdateOrder, *, back: bool = False) -> Updated:
    """Move the service to a task definition, once."""
    return await workflow.execute_activity_method(
        EcsActivities.update_service,
        order,
        summary=f"{order.service} → {order.task_definition.rsplit('/', 1)[-1]}",
        **_mutate(back),
    )


async def describe_service_deployment(
    service: ServiceRef, arn: str | None
) -> ServiceDeploymentState | None:
    """Read a service deployment, or the newest; None where ECS knows none."""
    return await workflow.execute_activity_method(
        SteeringActivities.describe_service_deployments,
        ServiceDeploymentQuery(service=service, arn=arn),
        summary=f"Read the deployment of {service}",
        **READ_BRIEFLY,
    )


async def stop_service_deployment(order: StopOrder) -> Steered:
    """Tell ECS to go back from a service deployment, once."""
    return await workflow.execute_activity_method(
        SteeringActivities.stop_service_deployment,
        order,
        summary=f"Stop the deployment of {order.service}",
        **STEER,
    )


async def continue_service_deployment(order: ContinueOrder) -> Steered:
    """Answer a PAUSE hook, once."""
    return await workflow.execute_activity_method(
        SteeringActivities.continue_service_deployment,
        order,
        summary=f"Answer a PAUSE hook of {order.service}: {order.action}",
        **STEER,
    )


async def tag_resource(order: TagOrder) -> None:
    """Set and remove tags; given up after a while, as nothing waits for it."""
    await workflow.execute_activity_method(
        TaggingActivities.tag_resource,
        order,
        summary="Remember in the service's tags",
        **MUTATE,
    )


async def describe_images(query: ImageQuery, *, briefly: bool = False) -> str | None:
    """Ask the registry for an image's digest; briefly, where something waits for the answer."""
    return await workflow.execute_activity_method(
        EcrActivities.describe_images,
        query,
        summary=summary(f"Read the digest of {query.image}"),
        **(ASK_REGISTRY if briefly else READ),
    )


async def describe_target_groups(
    order: ResolveOrder, *, back: bool = False, briefly: bool = False
) -> LoadBalancerFacts:
    """Find a load balancer's dimensions and health check; briefly, where a person waits."""
    return await workflow.execute_activity_method(
        LoadBalancerActivities.describe_target_groups,
        order,
        summary="Find the load balancer",
        **(EXAMINE if briefly else _read(back)),
    )


async def describe_alarms(region: str, names: tuple[str, ...]) -> list[AlarmState]:
    """Read alarms."""
    return await workflow.execute_activity_method(
        CloudWatchActivities.describe_alarms,
        AlarmQuery(region=region, names=names),
        summary=summary(f"Read the alarms {', '.join(names)}"),
        **READ,
    )


async def get_metric_data(probe: MetricProbe) -> MetricFacts:
    """Read a metric: is it readable, is there anything, is it too high already?"""
    return await workflow.execute_activity_method(
        CloudWatchActivities.get_metric_data,
        probe,
        summary=f"Read the metric of {probe.trigger.trigger.type}",
        **READ,
    )


async def set_alarm_state(mark: AlarmMark) -> datetime:
    """Set an alarm to ALARM; answers when it was."""
    return await workflow.execute_activity_method(
        CloudWatchActivities.set_alarm_state,
        mark,
        summary=f"Set {mark.name} to ALARM",
        **STEER,
    )


async def look_up_freeze(query: FreezeQuery) -> FreezeAnswer:
    """Read whether the policy's freeze windows hold."""
    return await workflow.execute_activity_method(
        CalendarActivities.look_up_freeze,
        query,
        summary="Look up the freeze windows",
        **READ,
    )


async def smoke_test(order: SmokeOrder) -> ProbeAnswer:
    """Make one smoke check."""
    return await workflow.execute_activity_method(
        HttpActivities.smoke_test,
        order,
        summary=summary(f"Smoke test: {order.check.url}"),
        **probe_options(order.check.timeout),
    )
