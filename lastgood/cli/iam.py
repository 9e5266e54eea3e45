"""``lastgood iam``: least-privilege IAM policies for the services of policy files."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, get_args

import click

from lastgood import policy_file
from lastgood.cli.options import checked_service, configured_region, region_option
from lastgood.cli.output import print_text, say
from lastgood.decisions import iam_forms, iam_policies
from lastgood.decisions.iam_policies import MOST_CHARACTERS, Scope, Statement
from lastgood.decisions.permissions import Role
from lastgood.errors import LastgoodError, UsageError
from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy
from lastgood.policy_notify import NotifyPolicy

_NONE = "none"


def _shaped(shape: str, remedy: str) -> Callable[..., Any]:
    """A callback for an option's values, one or many."""

    def check(_: click.Context, __: click.Parameter, value: Any) -> Any:
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and not re.fullmatch(shape, one):
                raise click.BadParameter(remedy)
        return value

    return check


_ROLE_ARN = r"arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+"


@dataclass(frozen=True)
class _Given:
    """What was said on the command line, so that AWS need not be asked."""

    account: str | None
    families: tuple[str, ...]
    roles: tuple[str, ...] | None
    """None where nothing was said of them; empty where there are none."""
    repositories: tuple[str, ...]


class CannotAskError(LastgoodError):
    """Raised when AWS does not tell what is needed; the message says what to give instead."""


@click.command()
@click.option(
    "--policy", "paths", metavar="FILE", multiple=True, help="A policy file. Can be repeated."
)
@click.option(
    "--service",
    "services",
    metavar="CLUSTER/SERVICE",
    type=checked_service,
    multiple=True,
    help="A service that has no policy file yet. Can be repeated.",
)
@click.option("--role", type=click.Choice(get_args(Role)), required=True, help="For whom.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "cloudformation", "terraform"]),
    default="json",
    show_default=True,
    help="The form of the result on stdout.",
)
@region_option
@click.option(
    "--account",
    metavar="ID",
    callback=_shaped(r"\d{12}", "must be an account's id, of twelve digits"),
    help="The AWS account. Without it, that of your credentials.",
)
@click.option(
    "--family",
    "families",
    metavar="NAME",
    multiple=True,
    callback=_shaped(r"[A-Za-z0-9_-]{1,255}", "must be the family of a task definition"),
    help="A family of task definitions. Without it, that which runs.",
)
@click.option(
    "--pass-role",
    "pass_roles",
    metavar="ARN",
    multiple=True,
    callback=_shaped(f"{_ROLE_ARN}|{_NONE}", "must be a role's ARN, or none"),
    help="A role of the tasks, or none. Without it, those that the tasks have.",
)
@click.option(
    "--repository",
    "repositories",
    metavar="NAME",
    multiple=True,
    help="An ECR repository: name, URI or ARN. Without it, those of the images that run.",
)
@click.option(
    "--worker-role",
    metavar="ARN",
    callback=_shaped(_ROLE_ARN, "must be a role's ARN"),
    help="For worker: lets lastgood doctor ask IAM about this role, the worker's own.",
)
def iam(
    paths: tuple[str, ...],
    services: tuple[str, ...],
    role: Role,
    form: str,
    region: str | None,
    account: str | None,
    families: tuple[str, ...],
    pass_roles: tuple[str, ...],
    repositories: tuple[str, ...],
    worker_role: str | None,
) -> int:
    """Write the least-privilege IAM policy of a role.

    \b
    Examples:
      lastgood iam --policy lastgood.yaml --role worker > worker.json
      lastgood iam --policy a.yaml --policy b.yaml --role worker --format terraform
      lastgood iam --service shop/web --role setup --format cloudformation
      lastgood iam --policy lastgood.yaml --role ci --repository shop/web

    worker: all that releases, rollbacks and messages take. setup: policy init, suggest, backtest
    and alarms. ci: pushing the image; lastgood deploy needs nothing of AWS. AWS is read for what
    the options do not say.

    \b
    Exit codes:
      0   it was written
      1   AWS did not tell
      2   wrong usage, or too large for one policy
    """
    if not paths and not services:
        raise click.UsageError(
            "Say for which services: --policy FILE, or --service CLUSTER/SERVICE"
        )
    said = tuple(one for one in pass_roles if one != _NONE)
    given = _Given(account, families, said if pass_roles else None, repositories)
    wanted = [*_of_files(paths, region), *_of_names(services, region)]
    scopes = [_scope(one, role, given) for one in wanted]
    found = list(iam_policies.statements(role, scopes, worker_role))
    _check(role, found)
    names = [f"{one.cluster}/{one.service}" for one in scopes]
    print_text([_in_form(form, role, names, found)])
    for note in _notes(role, scopes, found, worker_role):
        say(note)
    return 0


class _Wanted(NamedTuple):
    """A service, and who is told about its releases."""

    policy: Policy
    told: tuple[NotifyPolicy, ...]


def _of_files(paths: Sequence[str], region: str | None) -> Iterator[_Wanted]:
    for path in paths:
        found = policy_file.load_any(path)
        group = isinstance(found, GroupPolicy)
        for policy in found.members() if isinstance(found, GroupPolicy) else [found]:
            where = region or policy.region or configured_region()
            told = (policy.notify, found.notify) if group else (policy.notify,)
            yield _Wanted(policy.model_copy(update={"region": where}), told)


def _of_names(names: Sequence[str], region: str | None) -> Iterator[_Wanted]:
    for name in names:
        yield _Wanted(Policy(service=name, region=region or configured_region()), ())


# --- What AWS tells ----------------------------------------------------------------------------


def _scope(wanted: _Wanted, role: Role, given: _Given) -> Scope:
    """A service with all that belongs to it; AWS is asked only for what is missing."""
    policy = wanted.policy
    cluster, service = policy.service.split("/")
    topics, senders = iam_policies.told_by(wanted.told)
    asked = _Asked(policy)
    scope = Scope(
        region=policy.region or "",
        account=given.account or asked.account(),
        cluster=cluster,
        service=service,
        families=given.families,
        roles=given.roles or (),
        drill_alarms=tuple(policy.drill.alarms),
        topics=topics,
        senders=senders,
    )
    named = [iam_policies.repository_arn(one, scope, named=True) for one in given.repositories]
    if None in named:
        bad = given.repositories[named.index(None)]
        raise UsageError(f"--repository {bad}: must be a repository's name, URI or ARN in ECR")
    scope = scope.model_copy(update={"repositories": tuple(one for one in named if one)})
    complete = given.families and given.roles is not None
    if role == "setup" or (role == "worker" and complete) or (role == "ci" and named):
        return scope
    found = iam_policies.with_task_definition(scope, asked.definition(role))
    return found if given.roles is None else found.model_copy(update={"roles": given.roles})


class _Asked:
    """AWS, asked with the caller's own permissions."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @functools.cached_property
    def _survey(self) -> ModuleType:
        from lastgood.cli import survey  # here, because boto3 takes long to import

        return survey

    @functools.cached_property
    def _client(self) -> Callable[[str], Any]:
        client: Callable[[str], Any] = self._survey.clients(self._policy.region)
        return client

    def account(self) -> str:
        """The id of the account that the credentials are of."""
        try:
            return str(self._client("sts").get_caller_identity()["Account"])
        except self._survey.AWS_ERRORS as error:
            raise CannotAskError(
                f"Which account it is cannot be asked ({self._survey.in_words(error)}): give "
                "--account ID"
            ) from None

    def definition(self, role: Role) -> dict[str, Any]:
        """The task definition that the service runs."""
        instead = "--repository" if role == "ci" else "--family NAME and --pass-role ARN (or none)"
        try:
            ecs = self._client("ecs")
            service = self._survey.describe(ecs, self._policy.service)
            answer = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        except self._survey.AWS_ERRORS as error:
            raise CannotAskError(
                f"{self._policy.service} cannot be read ({self._survey.in_words(error)}): give "
                f"{instead}"
            ) from None
        except UsageError as error:
            raise UsageError(f"{error}: correct it, or give {instead}") from None
        found: dict[str, Any] = answer["taskDefinition"]
        return found


# --- The result --------------------------------------------------------------------------------


def _check(role: Role, found: Sequence[Statement]) -> None:
    if role == "ci" and not any(one.sid == "PushImages" for one in found):
        raise UsageError(
            "These services run no image of ECR, and CI needs nothing else of AWS: no policy is "
            "needed. If it pushes to a repository of ECR, name it: --repository NAME"
        )
    size = iam_policies.characters(iam_policies.document(found))
    if size > MOST_CHARACTERS:
        raise UsageError(
            f"{size:,} characters, and a managed policy may have {MOST_CHARACTERS:,}: give fewer "
            "services at a time, and attach the policies side by side (a role takes ten)"
        )


def _in_form(form: str, role: Role, names: Sequence[str], found: Sequence[Statement]) -> str:
    if form == "cloudformation":
        return iam_forms.as_cloudformation(role, names, found)
    if form == "terraform":
        return iam_forms.as_terraform(role, names, found)
    return iam_forms.as_json(found)


def _notes(
    role: Role, scopes: Sequence[Scope], found: Sequence[Statement], worker_role: str | None
) -> Iterator[str]:
    size = iam_policies.characters(iam_policies.document(found))
    yield f"{len(found)} statements, {size:,} of at most {MOST_CHARACTERS:,} characters"
    if role != "worker":
        return
    for scope in scopes:
        name = f"{scope.cluster}/{scope.service}"
        if not scope.roles:
            yield f"{name}: its tasks have no roles, and none may be passed"
        if not scope.repositories:
            yield f"{name}: no repository of ECR is known: moved tags are not seen (--repository)"
    if not worker_role:
        yield "lastgood doctor cannot ask IAM about the worker's own role: --worker-role ARN"
