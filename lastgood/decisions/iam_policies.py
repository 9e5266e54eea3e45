"""IAM policies for the services of policy files, from the table in ``permissions``.

The rule. Every ARN names partition, region, account, cluster and service. A grant on something
that these services do not have (a topic, a repository, a role) becomes no statement. Each service
may be moved only to revisions of its own families, so that statement is made for each by itself.
A managed policy has at most 6,144 characters, white space not counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from lastgood.decisions.alarms.wanted import prefix_of
from lastgood.decisions.permissions import GRANTS, Grant, On, Only, Role
from lastgood.model import Model
from lastgood.policy_notify import NotifyPolicy

MOST_CHARACTERS = 6144
"""Of a managed policy, without white space."""

_REPOSITORY = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr[a-z-]*\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<name>[^:@]+)"
)
_NAME = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-isob-": "aws-iso-b",
    "us-iso-": "aws-iso",
}


class Sender(Model):
    """Who sends mail through SES, and to whom."""

    address: str
    recipients: tuple[str, ...] = ()


class Scope(Model):
    """One service, and what belongs to it."""

    region: str
    account: str
    cluster: str
    service: str
    families: tuple[str, ...] = ()
    """Of its task definitions."""
    roles: tuple[str, ...] = ()
    """ARNs of what its tasks run as."""
    privileged: bool = False
    """A container of it is."""
    repositories: tuple[str, ...] = ()
    """ARNs in ECR."""
    drill_alarms: tuple[str, ...] = ()
    """Names of the alarms that a drill may set."""
    topics: tuple[str, ...] = ()
    senders: tuple[Sender, ...] = ()

    @property
    def partition(self) -> str:
        """``aws``, or that of China, of the government."""
        found = (name for start, name in _PARTITIONS.items() if self.region.startswith(start))
        return next(found, "aws")

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """An ARN of this account; of this region unless said otherwise."""
        place = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{place}:{self.account}:{resource}"


class Statement(NamedTuple):
    """One statement, and what a person should know about it."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: dict[str, dict[str, Any]]
    note: str

    def as_json(self) -> dict[str, Any]:
        """As IAM has it."""
        found: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": _one_or_all(self.actions),
            "Resource": _one_or_all(self.resources),
        }
        return {**found, "Condition": self.conditions} if self.conditions else found


def statements(
    role: Role, scopes: Sequence[Scope], worker_role: str | None = None
) -> Iterator[Statement]:
    """The statements of a role's policy.

    Args:
        role: whose it is.
        scopes: the services.
        worker_role: ARN of the role that the worker has, so that it may ask about itself.
    """
    for grant in GRANTS[role]:
        if grant.only != "update" or len(scopes) == 1:
            yield from _statement(grant, scopes, worker_role)
            continue
        for number, scope in enumerate(scopes, 1):
            yield from _statement(grant._replace(sid=f"{grant.sid}{number}"), [scope], worker_role)


def document(found: Iterable[Statement]) -> dict[str, Any]:
    """The policy document."""
    return {"Version": "2012-10-17", "Statement": [one.as_json() for one in found]}


def characters(policy: dict[str, Any]) -> int:
    """How many IAM counts."""
    return len(re.sub(r"\s", "", json.dumps(policy, separators=(",", ":"))))


def _statement(
    grant: Grant, scopes: Sequence[Scope], worker_role: str | None
) -> Iterator[Statement]:
    kinds = (grant.on, *grant.also)
    resources = (arn for kind in kinds for scope in scopes for arn in _RESOURCES[kind](scope))
    named = tuple(dict.fromkeys(resources))
    if grant.on == "worker-role":
        named = (worker_role,) if worker_role else ()
    if named:
        conditions = _condition(grant.only, scopes) if grant.only else {}
        yield Statement(grant.sid, grant.actions, named, conditions, grant.note)


# --- On what -----------------------------------------------------------------------------------


def _in_service(kind: str) -> Callable[[Scope], Iterator[str]]:
    """What lies below a service, and is named after it."""

    def arns(scope: Scope) -> Iterator[str]:
        yield scope.arn("ecs", f"{kind}/{scope.cluster}/{scope.service}/*")

    return arns


def _service(scope: Scope) -> Iterator[str]:
    yield scope.arn("ecs", f"service/{scope.cluster}/{scope.service}")


def _namesakes(scope: Scope) -> Iterator[str]:
    yield scope.arn("ecs", f"service/*/{scope.service}")


def _definitions(scope: Scope) -> Iterator[str]:
    yield from (scope.arn("ecs", f"task-definition/{family}:*") for family in scope.families)


def _own_alarms(scope: Scope) -> Iterator[str]:
    prefix = prefix_of(f"{scope.cluster}/{scope.service}")
    yield scope.arn("cloudwatch", f"alarm:{prefix}-*")


def _drill_alarms(scope: Scope) -> Iterator[str]:
    yield from (scope.arn("cloudwatch", f"alarm:{name}") for name in scope.drill_alarms)


def _senders(scope: Scope) -> Iterator[str]:
    """An address is verified by itself, or by its domain."""
    for sender in scope.senders:
        for identity in (sender.address.rpartition("@")[2], sender.address):
            yield scope.arn("ses", f"identity/{identity}")


_RESOURCES: dict[On, Callable[[Scope], Iterable[str]]] = {
    "anything": lambda _: ("*",),
    "service": _service,
    "namesakes": _namesakes,
    "service-deployment": _in_service("service-deployment"),
    "service-revision": _in_service("service-revision"),
    "task-definition": _definitions,
    "own-alarm": _own_alarms,
    "drill-alarm": _drill_alarms,
    "repository": lambda scope: scope.repositories,
    "topic": lambda scope: scope.topics,
    "sender": _senders,
    "task-role": lambda scope: scope.roles,
    "worker-role": lambda _: (),
}


# --- Under which condition ---------------------------------------------------------------------


def _condition(only: Only, scopes: Sequence[Scope]) -> dict[str, dict[str, Any]]:
    if only == "region":
        regions = sorted({scope.region for scope in scopes})
        return {"StringEquals": {"aws:RequestedRegion": _one_or_all(regions)}}
    if only == "update":
        families = [arn for scope in scopes for arn in _definitions(scope)]
        return {
            "ArnLike": {"ecs:task-definition": _one_or_all(families)},
            "StringNotEqualsIfExists": {"ecs:enable-execute-command": "true"},
        }
    if only == "register":
        if any(scope.privileged for scope in scopes):
            return {}
        return {"StringNotEqualsIfExists": {"ecs:privileged": "true"}}
    if only == "tag-new":
        return {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}
    if only == "pass":
        return {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    senders = [one for scope in scopes for one in scope.senders]
    return {
        "StringEquals": {"ses:FromAddress": _one_or_all(sorted({one.address for one in senders}))},
        "ForAllValues:StringEquals": {
            "ses:Recipients": sorted({to for one in senders for to in one.recipients})
        },
    }


def _one_or_all(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


# --- What belongs to a service -----------------------------------------------------------------


def told_by(notify: Iterable[NotifyPolicy]) -> tuple[tuple[str, ...], tuple[Sender, ...]]:
    """The SNS topics and the SES senders among channels, whatever these are called."""
    parts = [part for one in notify for part in _parts(one)]
    topics = (str(one.topic_arn) for one in parts if hasattr(one, "topic_arn"))
    senders = (
        Sender(address=one.from_, recipients=tuple(one.to))
        for one in parts
        if hasattr(one, "from_") and getattr(one, "via", None) == "ses"
    )
    return tuple(dict.fromkeys(topics)), tuple(dict.fromkeys(senders))


def _parts(value: Any) -> Iterator[Any]:
    """All mappings of a part of a policy, however deep."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _parts(getattr(value, name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _parts(one)


def with_task_definition(scope: Scope, definition: dict[str, Any]) -> Scope:
    """The scope with what a task definition tells: family, roles, repositories of its images."""
    containers = definition.get("containerDefinitions", [])
    roles = (definition.get("taskRoleArn"), definition.get("executionRoleArn"))
    images = (repository_arn(one.get("image", ""), scope) for one in containers)
    repositories = (arn for arn in images if arn)
    return scope.model_copy(
        update={
            "families": scope.families or (definition["family"],),
            "roles": scope.roles or tuple(dict.fromkeys(role for role in roles if role)),
            "repositories": scope.repositories or tuple(dict.fromkeys(repositories)),
            "privileged": any(one.get("privileged") for one in containers),
        }
    )


def repository_arn(image: str, scope: Scope, *, named: bool = False) -> str | None:
    """The ARN of an image's repository in ECR; None if it is in no registry of ECR.

    Args:
        image: an image, or a repository as ECR shows it.
        scope: whose account and region a mere name is of.
        named: take a mere name, or an ARN, too.
    """
    found = _REPOSITORY.fullmatch(re.split(r"[@]|:(?=[^/]*$)", image, maxsplit=1)[0])
    if found:
        return (
            f"arn:{scope.partition}:ecr:{found['region']}:{found['account']}"
            f":repository/{found['name']}"
        )
    if named and re.fullmatch(r"arn:[a-z-]+:ecr:[a-z0-9-]+:\d{12}:repository/[a-z0-9._/-]+", image):
        return image
    return scope.arn("ecr", f"repository/{image}") if named and _NAME.fullmatch(image) else None
