"""Options and arguments that several verbs share, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from lastgood import policy_file
from lastgood.cli import completion
from lastgood.errors import UsageError
from lastgood.group_policy import GroupPolicy
from lastgood.model import ServiceRef
from lastgood.policy import Policy
from lastgood.values import Long, Region, ServiceName

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")


class Checked(click.ParamType[T]):
    """Text of one shape, refused with the same words as in the policy file."""

    def __init__(self, name: str, kind: Any) -> None:
        self.name = name
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Check it."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            return self.fail(said, param, ctx)


checked_service = Checked[str]("service", ServiceName)
service_argument = click.argument(
    "service",
    metavar="CLUSTER/SERVICE",
    type=checked_service,
    shell_complete=completion.services,
)
group_argument = click.argument("group", metavar="GROUP")
region_option = click.option(
    "--region",
    type=Checked[str]("region", Region),
    help="The service's AWS region; without it, what AWS's own configuration says.",
)
policy_option = click.option(
    "--policy",
    "path",
    metavar="FILE",
    default=policy_file.DEFAULT_NAME,
    show_default=True,
    shell_complete=completion.files,
    help="The policy file.",
)
output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form of the result on stdout.",
)
no_wait_option = click.option(
    "--no-wait", is_flag=True, help="End with 0 as soon as it is accepted; do not follow it."
)


release_option = click.option(
    "--release", metavar="ID", help="Which release it is about. Without it: the one under way."
)


def duration_option(name: str, field: str, text: str) -> Callable[[Command], Command]:
    """A duration, written as in the policy file."""
    kind = Checked[timedelta]("duration", Long)
    return click.option(name, field, metavar="DURATION", type=kind, help=text)


def reason_option(why: str) -> Callable[[Command], Command]:
    """``--reason TEXT``, which must say something."""
    return click.option("--reason", metavar="TEXT", required=True, help=why, callback=_something)


def _something(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why: it is recorded, and people are told")
    return value.strip()


def page_file(path: str, option: str) -> Path:
    """The file of an HTML page that will be written.

    Raises:
        UsageError: if it is not named as one, so that no policy file is written over by mistake.
    """
    found = Path(path)
    if found.suffix.lower() not in (".html", ".htm") or found.is_dir():
        raise UsageError(f"{option} {path}: it becomes an HTML page: name a file FILE.html")
    return found


def service_ref(service: str, region: str | None) -> ServiceRef:
    """CLUSTER/SERVICE as a noun, in the region given or configured."""
    cluster, name = service.split("/")
    return ServiceRef(region=region or configured_region(), cluster=cluster, name=name)


def load_policy(path: str) -> Policy:
    """A policy file with its region settled.

    Raises:
        PolicyError: with every problem of the file.
        UsageError: if the region is said nowhere.
    """
    policy = policy_file.load(path)
    if policy.region:
        return policy
    return policy.model_copy(update={"region": configured_region()})


def load_any_policy(path: str) -> Policy | GroupPolicy:
    """A policy file, of one service or of a group, with all regions settled.

    Raises:
        PolicyError: with every problem of the file.
        UsageError: if a region is said nowhere.
    """
    policy = policy_file.load_any(path)
    parts = policy.services if isinstance(policy, GroupPolicy) else [policy]
    if policy.region or all(one.region for one in parts):
        return policy
    return policy.model_copy(update={"region": configured_region()})


def configured_region() -> str:
    """The region that AWS's own configuration says.

    Raises:
        UsageError: if it says none.
    """
    import boto3  # here, because it takes long and is seldom needed
    from botocore.exceptions import BotoCoreError

    try:
        # boto3 itself reads only AWS_DEFAULT_REGION; AWS's other tools know both.
        region = os.environ.get("AWS_REGION") or boto3.Session().region_name
    except BotoCoreError as error:
        raise UsageError(f"AWS's configuration cannot be read: {error}") from None
    if not region:
        raise UsageError(
            "No AWS region: write `region:` into the policy file, set AWS_REGION, "
            "or give --region where the verb has it."
        )
    try:
        return TypeAdapter[str](Region).validate_python(region)
    except ValidationError:
        raise UsageError("AWS_REGION (or AWS's configuration) names no region.") from None
