"""Calls without effect: one for each action that a release needs.

AWS authorises a call before it carries it out. So a call that is authorised and then cannot
succeed tells the same as one that does, and changes nothing:

===============================  ================================================================
action                           tried by
===============================  ================================================================
what reads                       the very call, on the service's own things
ecs:UpdateService                the service itself, to a revision of its family that cannot be
ecs:RegisterTaskDefinition       the service's family, with an empty list of containers
ecs:StopServiceDeployment        a deployment of the service that does not exist
ecs:ContinueServiceDeployment    the same
ecs:TagResource                  the service, with an empty list of tags
ecs:UntagResource                the service, a tag that nobody sets
sns:Publish                      the topic, with a message that SNS cannot take apart
ses:SendEmail                    the sender, with a message to nobody
iam:PassRole                     no call of its own: iam:SimulatePrincipalPolicy, if that is allowed
===============================  ================================================================

A refusal for want of permission is certain. That a call was authorised is as certain as the order
above: where AWS looked first whether the call could succeed, it says less than it seems, and only
the first release tells. What sns:GetTopicAttributes and ses:GetEmailIdentity tell of a topic or a
sender is taken where these happen to be allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activities.ecr import REFERENCE
from lastgood.contracts import PermissionOrder
from lastgood.messages import RELEASE_TAG

Arguments = dict[str, Any]

NOBODYS = "lastgood:doctor"
"""A tag that nobody sets."""
_NO_DEPLOYMENT = "lastgood-doctor"
"""The last part of the ARN of a service deployment that does not exist."""
_LAST = 2**31 - 1
"""The number of a revision that cannot be."""


@dataclass(frozen=True)
class Call:
    """One way to try an action: None where what it must name is not known."""

    service: str
    operation: str
    arguments: Callable[[PermissionOrder], Arguments | None]
    region: Callable[[PermissionOrder], str] = lambda order: order.service.region
    resource: str = ""
    aside: str = ""
    """The action that it takes, where that is not the one that is tried: it tells more of the
    resource if it is allowed, and is not needed."""
    reads: Callable[[dict[str, Any]], str] = lambda _: ""
    """What its answer says against the resource; nothing, for most."""


def calls_for(action: str, order: PermissionOrder) -> list[Call]:
    """The calls that try an action: one for each topic or sender, else one."""
    if action == "sns:Publish":
        return [call for topic in order.topics for call in (_publish(topic), _topic(topic))]
    if action == "ses:SendEmail":
        return [call for sender in order.senders for call in (_send(sender), *_identities(sender))]
    return [_CALLS[action]] if action in _CALLS else []


def _service(order: PermissionOrder) -> Arguments:
    return {"cluster": order.service.cluster, "service": order.service.name}


def _to_no_revision(order: PermissionOrder) -> Arguments | None:
    if order.family is None:
        return None
    # By its ARN: a role may be bound to those of its family (ecs:task-definition), as ours is.
    family = (order.task_definition or "").rpartition(":")[0] or order.family
    return {**_service(order), "taskDefinition": f"{family}:{_LAST}"}


def _without_containers(order: PermissionOrder) -> Arguments | None:
    if order.family is None:
        return None
    # Roles as they are, so that a refusal to pass them shows, if ECS looks at that first.
    roles = dict(zip(("executionRoleArn", "taskRoleArn"), order.roles, strict=False))
    # And a tag, as it takes ecs:TagResource on the family to register with one.
    tags = [{"key": RELEASE_TAG, "value": "doctor"}]
    return {"family": order.family, "containerDefinitions": [], "tags": tags, **roles}


def _no_deployment(order: PermissionOrder) -> str | None:
    return _none_of("service-deployment", order)


def _none_of(kind: str, order: PermissionOrder) -> str | None:
    """The ARN of a part of the service that does not exist."""
    if order.service_arn is None:
        return None
    return f"{order.service_arn.replace(':service/', f':{kind}/')}/{_NO_DEPLOYMENT}"


def _stop_none(order: PermissionOrder) -> Arguments | None:
    arn = _no_deployment(order)
    return {"serviceDeploymentArn": arn, "stopType": "ROLLBACK"} if arn else None


def _continue_none(order: PermissionOrder) -> Arguments | None:
    arn = _no_deployment(order)
    return {"serviceDeploymentArn": arn, "hookId": "none", "action": "ROLLBACK"} if arn else None


def _image(order: PermissionOrder) -> Arguments | None:
    found = REFERENCE.fullmatch(order.image or "")
    if found is None:
        return None
    wanted = {"imageTag": found["tag"] or "latest"}
    if found["digest"]:
        wanted = {"imageDigest": found["digest"]}
    return {
        "registryId": found["account"],
        "repositoryName": found["repository"],
        "imageIds": [wanted],
    }


def _image_region(order: PermissionOrder) -> str:
    found = REFERENCE.fullmatch(order.image or "")
    return found["region"] if found else order.service.region


def _metric(_: PermissionOrder) -> Arguments:
    metric = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization"}
    stat = {"Metric": metric, "Period": 60, "Stat": "Average"}
    return {
        "MetricDataQueries": [{"Id": "m0", "MetricStat": stat}],
        "StartTime": "2026-01-01T00:00:00Z",
        "EndTime": "2026-01-01T00:01:00Z",
        "MaxDatapoints": 1,
    }


def _no_balancer(order: PermissionOrder) -> str | None:
    if order.service_arn is None:
        return None
    start = ":".join(order.service_arn.split(":")[:5]).replace(":ecs:", ":elasticloadbalancing:")
    return f"{start}:loadbalancer/app/{_NO_DEPLOYMENT}/0123456789abcdef"


_ALARMS = ["MetricAlarm", "CompositeAlarm"]


def _publish(topic: str) -> Call:
    message = {"TopicArn": topic, "Message": "not JSON", "MessageStructure": "json"}
    return Call("sns", "publish", lambda _: message, lambda _: topic.split(":")[3], topic)


def _send(sender: str) -> Call:
    text = {"Data": "A test of permissions", "Charset": "UTF-8"}
    simple = {"Subject": text, "Body": {"Text": text}}
    mail = {"FromEmailAddress": sender, "Destination": {}, "Content": {"Simple": simple}}
    return Call("sesv2", "send_email", lambda _: mail, resource=sender)


def _topic(topic: str) -> Call:
    return Call(
        "sns",
        "get_topic_attributes",
        lambda _: {"TopicArn": topic},
        lambda _: topic.split(":")[3],
        topic,
        aside="sns:GetTopicAttributes",
    )


def _identities(sender: str) -> list[Call]:
    """A sender is verified by its address, or by its domain."""
    return [
        Call(
            "sesv2",
            "get_email_identity",
            lambda _, name=name: {"EmailIdentity": name},  # type: ignore[misc]
            resource=sender,
            aside="ses:GetEmailIdentity",
            reads=lambda answer: "" if answer.get("VerifiedForSendingStatus") else "not verified",
        )
        for name in (sender, sender.rpartition("@")[2])
    ]


def _of(key: str, value: Callable[[PermissionOrder], Any]) -> Callable[..., Arguments | None]:
    """One argument, where its value is known."""

    def arguments(order: PermissionOrder) -> Arguments | None:
        known = value(order)
        return {key: known} if known and known != [None] else None

    return arguments


def _tagged(key: str, value: list[str]) -> Callable[[PermissionOrder], Arguments | None]:
    def arguments(order: PermissionOrder) -> Arguments | None:
        return {"resourceArn": order.service_arn, key: value} if order.service_arn else None

    return arguments


_CALLS = {
    "ecs:DescribeServices": Call(
        "ecs",
        "describe_services",
        lambda one: {"cluster": one.service.cluster, "services": [one.service.name]},
    ),
    "ecs:DescribeTaskDefinition": Call(
        "ecs", "describe_task_definition", _of("taskDefinition", lambda one: one.task_definition)
    ),
    "ecs:ListTaskDefinitions": Call(
        "ecs", "list_task_definitions", _of("familyPrefix", lambda one: one.family)
    ),
    "ecs:ListServiceDeployments": Call("ecs", "list_service_deployments", _service),
    "ecs:DescribeServiceDeployments": Call(
        "ecs",
        "describe_service_deployments",
        _of("serviceDeploymentArns", lambda one: [one.service_deployment or _no_deployment(one)]),
    ),
    "ecs:DescribeServiceRevisions": Call(
        "ecs",
        "describe_service_revisions",
        _of(
            "serviceRevisionArns",
            # During a rollout there is not one that runs.
            lambda one: [one.service_revision or _none_of("service-revision", one)],
        ),
    ),
    "ecs:UpdateService": Call("ecs", "update_service", _to_no_revision),
    "ecs:RegisterTaskDefinition": Call("ecs", "register_task_definition", _without_containers),
    "ecs:StopServiceDeployment": Call("ecs", "stop_service_deployment", _stop_none),
    "ecs:ContinueServiceDeployment": Call("ecs", "continue_service_deployment", _continue_none),
    "ecs:TagResource": Call("ecs", "tag_resource", _tagged("tags", [])),
    "ecs:UntagResource": Call("ecs", "untag_resource", _tagged("tagKeys", [NOBODYS])),
    "ecr:DescribeImages": Call("ecr", "describe_images", _image, _image_region),
    "cloudwatch:GetMetricData": Call("cloudwatch", "get_metric_data", _metric),
    "cloudwatch:DescribeAlarms": Call(
        "cloudwatch",
        "describe_alarms",
        lambda one: {"AlarmNames": [one.alarm or _NO_DEPLOYMENT], "AlarmTypes": _ALARMS},
    ),
    "cloudwatch:DescribeAlarmHistory": Call(
        "cloudwatch", "describe_alarm_history", _of("AlarmName", lambda one: one.alarm)
    ),
    "elasticloadbalancing:DescribeTargetGroups": Call(
        "elbv2", "describe_target_groups", _of("TargetGroupArns", lambda one: [one.target_group])
    ),
    "elasticloadbalancing:DescribeLoadBalancers": Call(
        "elbv2", "describe_load_balancers", lambda _: {"PageSize": 1}
    ),
    "elasticloadbalancing:DescribeListeners": Call(
        "elbv2", "describe_listeners", _of("LoadBalancerArn", _no_balancer)
    ),
}
