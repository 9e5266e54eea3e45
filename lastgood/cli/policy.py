"""``lastgood policy check | schema | init | suggest``: the policy file, before any release."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lastgood import policy_file
from lastgood.cli import backtest_files
from lastgood.cli.listing import Listing
from lastgood.cli.policy_init import init
from lastgood.cli.suggest import suggest_triggers
from lastgood.decisions.advice import warnings_of
from lastgood.decisions.suggesting import warnings_of_past
from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy
from lastgood.policy_schema import group_schema, schema


@click.group(cls=Listing)
def policy() -> None:
    """Check a policy file, publish its schema, write a first one, propose its triggers."""


policy.add_command(init)
policy.add_command(suggest_triggers)


@policy.command()
@click.option(
    "--policy",
    "path",
    metavar="FILE",
    default=policy_file.DEFAULT_NAME,
    show_default=True,
    help="The policy file.",
)
@click.option(
    "--metrics",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="The service's past, as for lastgood backtest: what cannot work with it is said, too.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form of the result.",
)
@click.pass_context
def check(ctx: click.Context, path: str, metrics: Path | None, output: str) -> None:
    """Validate a policy file: all problems at once, with line, key and remedy.

    What is allowed and seldom meant is said, too, and changes nothing; with --metrics also what
    cannot work for this service, such as a threshold that it exceeds on a quiet day. Ends with 0 if
    the file can be used, and with 2 if not.

    \b
    Examples:
      lastgood policy check --policy lastgood.yaml
      lastgood policy check --policy lastgood.yaml --metrics web.csv
    """
    checked = policy_file.check(path)
    warnings = warnings_of(checked.policy) if isinstance(checked.policy, Policy) else ()
    if metrics and isinstance(checked.policy, Policy):
        warnings += warnings_of_past(checked.policy, backtest_files.load(metrics))
    if output == "json":
        problems = [problem._asdict() for problem in checked.problems]
        found = {"ok": checked.policy is not None, "problems": problems, "warnings": warnings}
        click.echo(json.dumps(found, indent=2))
    elif checked.policy:
        click.echo(f"{path}: a good policy for {_about(checked.policy)}")
        for warning in warnings:
            click.echo(f"{path}: warning: {warning}", err=True)
    else:
        for problem in checked.problems:
            click.echo(problem.sentence(path), err=True)
    ctx.exit(0 if checked.policy else 2)


def _about(policy: Policy | GroupPolicy) -> str:
    if isinstance(policy, Policy):
        return policy.service
    members = ", ".join(one.service for one in policy.services)
    return f"the group {policy.group}: {members}, {policy.order}"


@policy.command(name="schema")
@click.option("--group", is_flag=True, help="The schema of a group's file.")
def print_schema(group: bool) -> None:
    """Print the JSON Schema of the policy file, for editors.

    VS Code and others find it by a first line such as
    `# yaml-language-server: $schema=lastgood.schema.json`.

    \b
    Example:
      lastgood policy schema > lastgood.schema.json
    """
    click.echo(json.dumps(group_schema() if group else schema(), indent=2))
