"""``lastgood alarms plan | apply | export``: CloudWatch alarms from a service's policy."""

from __future__ import annotations

import shlex
from functools import cache
from typing import NamedTuple

import click
import yaml

from lastgood import policy_file
from lastgood.cli import alarm_report
from lastgood.cli.alarm_calls import Alarms, carry_out, clients, refused
from lastgood.cli.alarm_sources import behind_of
from lastgood.cli.listing import Listing
from lastgood.cli.options import Checked, load_policy, output_option, policy_option
from lastgood.cli.output import print_json, print_text, say
from lastgood.cli.survey import AWS_ERRORS, Client
from lastgood.decisions.alarms import cloudformation, terraform
from lastgood.decisions.alarms.differences import Deed, Options, Step, compare, deed_of
from lastgood.decisions.alarms.wanted import Wanted, wanted_of
from lastgood.errors import UsageError
from lastgood.policy import Policy
from lastgood.policy_notify import SnsChannel
from lastgood.values import TopicArn

DIFFERS = 3
"""The exit code where something is not as the policy says."""

_topic_option = click.option(
    "--topic",
    metavar="ARN",
    type=Checked[str]("topic", TopicArn),
    help="The SNS topic that is told. Without it: notify.sns.topic_arn of the policy.",
)


@click.group(cls=Listing)
def alarms() -> None:
    """Show, make or export the CloudWatch alarms of a service, from its policy.

    One alarm for each error-rate, response-time and health-check trigger. A trigger of the type
    alarm can watch them, ECS can, and people are told of them between releases, too.
    """


class _Planned(NamedTuple):
    region: str
    wanted: Wanted
    steps: tuple[Step, ...]
    there: Alarms


@alarms.command()
@policy_option
@_topic_option
@click.option(
    "--detailed-exitcode", is_flag=True, help="End with 3 if anything is not as the policy says."
)
@output_option
def plan(path: str, topic: str | None, detailed_exitcode: bool, output: str) -> int:
    """Show what apply would do, field by field. Changes nothing.

    \b
    Examples:
      lastgood alarms plan --policy lastgood.yaml
      lastgood alarms plan --detailed-exitcode     in CI: does it still fit?

    \b
    Exit codes:
      0   read, whatever it says          2   wrong usage or policy
      1   AWS cannot be asked             3   with --detailed-exitcode: something differs
    """
    found = _planned(load_policy(path), topic)
    if output == "json":
        print_json(alarm_report.as_json(found.wanted, found.region, found.steps, {}))
    else:
        print_text(alarm_report.plan_lines(found.wanted, found.region, found.steps))
        _advise(path, topic, found.steps, None)
    return DIFFERS if detailed_exitcode and alarm_report.left_alone(found.steps, {}) else 0


@alarms.command()
@policy_option
@_topic_option
@click.option("--overwrite", is_flag=True, help="Also change alarms that were edited by hand.")
@click.option(
    "--take-over", is_flag=True, help="Also make alarms ours that have our names and are not ours."
)
@click.option("--prune", is_flag=True, help="Also remove our alarms that the policy has no more.")
@output_option
def apply(
    path: str, topic: str | None, overwrite: bool, take_over: bool, prune: bool, output: str
) -> int:
    """Create what is missing, change what differs, and leave alone what is not ours.

    \b
    Examples:
      lastgood alarms apply --policy lastgood.yaml
      lastgood alarms apply --topic arn:aws:sns:us-east-1:123456789012:oncall

    Once more, it changes nothing.

    \b
    Exit codes:
      0   all is as the policy says       2   wrong usage or policy
      1   AWS cannot be asked, or refuses 3   something was left alone: it says what, and why
    """
    found = _planned(load_policy(path), topic)
    done = _carried_out(found, Options(overwrite=overwrite, take_over=take_over, prune=prune))
    if output == "json":
        print_json(alarm_report.as_json(found.wanted, found.region, found.steps, done))
    else:
        print_text(alarm_report.done_lines(found.wanted, found.region, found.steps, done))
        _advise(path, topic, found.steps, done)
    return DIFFERS if alarm_report.left_alone(found.steps, done) else 0


def _carried_out(found: _Planned, options: Options) -> dict[str, Deed]:
    """What was done, by the alarm's name."""
    done: dict[str, Deed] = {}
    for step in found.steps:
        deed = deed_of(step, options)
        if deed:
            carry_out(found.there, step, deed)
            done[step.name] = deed
            say(f"{step.name}: {alarm_report.past(step, deed)}")
    return done


@alarms.command()
@policy_option
@_topic_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["terraform", "cloudformation"]),
    required=True,
    help="What is written to stdout.",
)
def export(path: str, topic: str | None, form: str) -> int:
    """Write the alarms that apply would make, for who has them in Terraform or CloudFormation.

    \b
    Examples:
      lastgood alarms export --format terraform > alarms.tf
      lastgood alarms export --format cloudformation > alarms.yaml

    AWS is asked only for what the policy does not name: load_balancer as app/NAME/ID and
    target_group as targetgroup/NAME/ID are enough.

    \b
    Exit codes:
      0   written        1   AWS cannot be asked        2   wrong usage or policy, or no alarms
    """
    policy = policy_file.load(path)
    wanted = _wanted(policy, topic, _when_needed(path, policy))
    for remark in (
        *wanted.remarks,
        *(f"{one.name}: {n}" for one in wanted.alarms for n in one.notes),
    ):
        say(remark)
    if not wanted.alarms:
        raise UsageError(f"{policy.service}: no alarms to export: see the lines above")
    head = (
        f"# The alarms of {policy.service}, by lastgood alarms export. Change the policy instead."
    )
    click.echo(f"{head}\n{_written(wanted, form)}", nl=False)
    return 0


def _written(wanted: Wanted, form: str) -> str:
    if form == "terraform":
        return terraform.module(wanted)
    template = cloudformation.template(wanted)
    text: str = yaml.safe_dump(template, sort_keys=False, width=96, allow_unicode=True)
    return text


def _when_needed(path: str, policy: Policy) -> Client:
    """Clients that are made, and a region that is looked for, when something is read."""
    made = cache(lambda: clients(policy.region or load_policy(path).region))
    return lambda service: made()(service)


def _wanted(policy: Policy, topic: str | None, client: Client) -> Wanted:
    try:
        behind = behind_of(policy, client)
    except AWS_ERRORS as error:
        raise refused(error) from None
    channels = (channel for _, channel in policy.notify.channels())
    topics = (one.topic_arn for one in channels if isinstance(one, SnsChannel))
    return wanted_of(policy, behind, topic or next(topics, None))


def _planned(policy: Policy, topic: str | None) -> _Planned:
    client = clients(policy.region)
    wanted = _wanted(policy, topic, client)
    there = Alarms(client("cloudwatch"), policy.service)
    try:
        steps = compare(wanted, there.read())
    except AWS_ERRORS as error:
        raise refused(error) from None
    return _Planned(policy.region or "", wanted, steps, there)


def _advise(
    path: str, topic: str | None, steps: tuple[Step, ...], done: dict[str, Deed] | None
) -> None:
    command = f"lastgood alarms apply --policy {shlex.quote(path)}"
    lines = alarm_report.advice(command + (f" --topic {topic}" if topic else ""), steps, done)
    if lines:
        say("\n" + "\n".join(lines))
