"""What the worker must be allowed, for this policy and this service.

Always what a release and its rollback take; beside that what this policy measures and tells, and
what this service has: PAUSE hooks, roles, images in ECR.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lastgood.contracts import PermissionOrder
from lastgood.decisions.examining.channels import channels_of
from lastgood.model import ServiceState
from lastgood.policy import EmailChannel, Policy, SnsChannel
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger, RegressionTrigger, Trigger

_ALWAYS = (
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:RegisterTaskDefinition",
    "ecs:UpdateService",
    "ecs:StopServiceDeployment",
    "ecs:TagResource",
    "ecs:UntagResource",
)
_BALANCER = (
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeListeners",
)
_PASS = "iam:PassRole"  # noqa: S105 - the name of an action
_ECR = ".dkr.ecr"


def wanted(
    policy: Policy, state: ServiceState | None, definition: dict[str, Any] | None
) -> PermissionOrder:
    """Which actions are needed, and on what they are to be tried.

    Args:
        policy: what is measured, and who is told.
        state: the service; None where it cannot be read.
        definition: the JSON of what runs; None where it cannot be read.
    """
    definition = definition or {}
    images = [one.get("image", "") for one in definition.get("containerDefinitions", [])]
    image = next((one for one in images if _ECR in one), None)
    groups = state.target_groups if state else ()
    roles = (definition.get("executionRoleArn"), definition.get("taskRoleArn"))
    channels = [one for _, one in channels_of(policy.notify)]
    alarms = [one.alarm for one in policy.triggers if isinstance(one, AlarmTrigger)]
    order = PermissionOrder(
        service=policy.ref(),
        actions=(),
        service_arn=state.arn if state else None,
        task_definition=_running(state),
        roles=tuple(dict.fromkeys(one for one in roles if one)),
        service_deployment=state.service_deployment if state else None,
        service_revision=state.service_revision if state else None,
        image=image,
        target_group=next(iter(groups), None),
        alarm=next(iter(alarms), None),
        topics=tuple(one.topic_arn for one in channels if isinstance(one, SnsChannel)),
        senders=tuple(
            one.from_ for one in channels if isinstance(one, EmailChannel) and one.via == "ses"
        ),
    )
    return order.model_copy(update={"actions": tuple(_actions(policy, state, order))})


def _running(state: ServiceState | None) -> str | None:
    if state is None:
        return None
    return state.primary.task_definition if state.primary else state.task_definition


def _actions(policy: Policy, state: ServiceState | None, order: PermissionOrder) -> Iterator[str]:
    yield from _ALWAYS
    if state and any(hook.pauses for hook in state.hooks):
        yield "ecs:ContinueServiceDeployment"
    if order.roles:
        yield _PASS
    if order.image:
        yield "ecr:DescribeImages"
    if any(_is_measured(one) for one in policy.triggers):
        yield "cloudwatch:GetMetricData"
    if order.alarm:
        yield from ("cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory")
    if any(_needs_balancer(one) for one in policy.triggers):
        yield from _BALANCER
    if order.topics:
        yield "sns:Publish"
    if order.senders:
        yield "ses:SendEmail"


def _is_measured(trigger: Trigger) -> bool:
    return not isinstance(trigger, AlarmTrigger | HealthCheckTrigger)


def _needs_balancer(trigger: Trigger) -> bool:
    if isinstance(trigger, AlarmTrigger):
        return False
    if isinstance(trigger, HealthCheckTrigger):
        return trigger.url is None
    own = trigger.metrics if isinstance(trigger, RegressionTrigger) else trigger.metric
    return own is None


def resource_of(order: PermissionOrder, action: str) -> str | None:
    """On what an action is to be allowed; ``*`` where IAM knows no narrower; None if unknown."""
    if action in _ON_ANYTHING or action.startswith("elasticloadbalancing:"):
        return '"*"'
    service = order.service_arn
    if action == "ecr:DescribeImages" and order.image:
        host, _, rest = order.image.partition("/")
        account, region = host.split(".")[0], host.split(".")[3]
        partition = (order.service_arn or "arn:aws").split(":")[1]
        name = rest.split("@")[0].split(":")[0]
        return f"arn:{partition}:ecr:{region}:{account}:repository/{name}"
    if service is None or not action.startswith("ecs:"):
        return None
    if action == "ecs:RegisterTaskDefinition":
        return f"{':'.join(service.split(':')[:5])}:task-definition/{order.family}:*"
    kind = _PARTS.get(action)
    return f"{service.replace(':service/', f':{kind}/')}/*" if kind else service


_ON_ANYTHING = (
    *("ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"),
    *("cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"),
)
_PARTS = {
    "ecs:DescribeServiceDeployments": "service-deployment",
    "ecs:StopServiceDeployment": "service-deployment",
    "ecs:ContinueServiceDeployment": "service-deployment",
    "ecs:DescribeServiceRevisions": "service-revision",
}
"""What of a service an action is about, where that has ARNs of its own."""
