"""``lastgood policy init``: a first policy file, from a running service or with every key."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from lastgood import policy_template
from lastgood.cli import first_policy, past, survey
from lastgood.cli.first_policy import Past
from lastgood.cli.options import configured_region
from lastgood.cli.output import say
from lastgood.decisions.first_policy import (
    LEAST_HOURS,
    Draft,
    Seen,
    draft,
    enough,
    window_needed,
    with_numbers,
    young,
)
from lastgood.decisions.recording import Recording
from lastgood.decisions.sliding import TooShortError
from lastgood.decisions.suggesting import Suggestion, suggest, warnings_of_past
from lastgood.errors import UsageError
from lastgood.policy import Policy
from lastgood.policy_triggers import (
    ErrorRateTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)
from lastgood.values import Like, Region, ServiceName

_SINCE = timedelta(days=14)


def _like(kind: object) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A callback that refuses what the policy file would refuse."""
    (like,) = (one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Like))

    def check(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(like.shape, value):
            raise click.BadParameter(like.remedy)
        return value

    return check


@click.command()
@click.option(
    "--service", metavar="CLUSTER/SERVICE", callback=_like(ServiceName), help="The service."
)
@click.option(
    "--from",
    "running",
    metavar="CLUSTER/SERVICE",
    callback=_like(ServiceName),
    help="Read this running service, its load balancer, alarms and metrics of two weeks.",
)
@click.option("--region", callback=_like(Region), help="The service's AWS region.")
@click.option(
    "--all", "every", is_flag=True, help="Each key with its comment, not only what matters here."
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@click.argument("file", default="-")
def init(
    service: str | None,
    running: str | None,
    region: str | None,
    every: bool,
    force: bool,
    file: str,
) -> None:
    """Write a first policy FILE; to stdout without FILE or with -.

    \b
    Examples:
      lastgood policy init --from shop/web lastgood.yaml
      lastgood policy init --all | less

    With --from it is short: what the running service tells, thresholds from the last two weeks
    of its own metrics, and how they came about. Without it, each key has its comment. AWS is only
    read; what may not be read is said and left out. An existing file is never overwritten without
    --force.

    \b
    Exit codes:
      0   it was written      2   wrong usage, no such service, or FILE exists
    """
    if service and running and service != running:
        raise click.UsageError("--service and --from name different services: leave one out")
    if file != "-" and Path(file).exists() and not force:
        raise click.UsageError(f"{file} exists: add --force to overwrite it, or name another file")
    if running:
        text = _from_running(running, region, every=every)
    else:
        given = {"service": service, "region": region}
        text = policy_template.render({key: value for key, value in given.items() if value})
    _write(file, text, force=force)


def _from_running(service: str, region: str | None, *, every: bool) -> str:
    """The file for a running service."""
    now, region = datetime.now(UTC), region or configured_region()
    try:
        seen = survey.survey(service, survey.clients(region), now)
    except UsageError as error:
        raise click.UsageError(f"--from: {error}") from None
    except survey.AWS_ERRORS as error:
        why = f"could not be read ({survey.in_words(error)}): wrote the defaults"
        seen = Seen(service=service, region=region, read=False, remarks=(why,))
    found = draft(seen)
    for remark in found.remarks:
        say(f"{service}: {remark}")
    found, numbers = _numbered(found, seen, now)
    if every:
        return policy_template.render(_as_values(found.policy))
    return "\n".join(first_policy.lines_of(seen, found, numbers)) + "\n"


# --- The numbers -------------------------------------------------------------------------------


def _numbered(found: Draft, seen: Seen, now: datetime) -> tuple[Draft, Past | str]:
    """The draft with the numbers of its past; or as it was, and why."""
    if not seen.read:
        return found, "it could not be read"
    if not seen.groups and not seen.metrics.used:
        return found, "it has neither a load balancer nor metrics that say how it does"
    try:
        recording = past.read(_measured(found.policy), _SINCE, now, past.clients(seen.region))
        policy, suggestion = _suggested(found.policy, recording)
    except (UsageError, past.UnreadableError) as error:
        return found, str(error).removeprefix(f"{seen.service}: ").rstrip(".")
    except TooShortError:
        return found, "there are not two hours of its metrics"
    if not enough(suggestion):
        hours = suggestion.usual.hours
        return found, f"there are {hours} hours of its metrics, and {LEAST_HOURS} are needed"
    made, proposals = with_numbers(found._replace(policy=policy), suggestion)
    warnings = (*warnings_of_past(made.policy, recording), *young(suggestion))
    for warning in warnings:
        say(f"warning: {warning}")
    return made, Past(recording, suggestion, proposals, warnings)


def _measured(policy: Policy) -> Policy:
    """The policy with those triggers whose past CloudWatch has."""
    kinds = (ErrorRateTrigger, ResponseTimeTrigger, RegressionTrigger)
    triggers = [one for one in policy.triggers if isinstance(one, kinds)]
    return policy.model_copy(update={"triggers": triggers})


def _suggested(policy: Policy, recording: Recording) -> tuple[Policy, Suggestion]:
    """A suggestion; with a longer window, where few requests come."""
    say("Trying thresholds on pretended releases …")
    found = suggest(policy, recording)
    longer = window_needed(policy, found)
    if longer is None:
        return policy, found
    monitor = policy.monitor.model_copy(update={"window": longer})
    policy = policy.model_copy(update={"monitor": monitor})
    return policy, suggest(policy, recording)


# --- The file ----------------------------------------------------------------------------------


def _as_values(policy: Policy) -> dict[str, Any]:
    """What a policy says, as the template takes it."""

    def of(trigger: Trigger) -> dict[str, Any]:
        return {"type": trigger.type, **trigger.model_dump(exclude_unset=True)}

    values = policy.model_dump(exclude_unset=True, by_alias=True)
    return {**values, "triggers": [of(one) for one in policy.triggers]}


def _write(file: str, text: str, *, force: bool) -> None:
    if file == "-":
        click.echo(text, nl=False)
        return
    try:
        with Path(file).open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise click.UsageError(f"{file} exists: add --force to overwrite it") from None
    except OSError as error:
        raise click.UsageError(f"{file} cannot be written: {error.strerror}") from None
    say(f"wrote {file}: read it, then lastgood policy check --policy {file}")
