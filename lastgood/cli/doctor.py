"""``lastgood doctor``: everything that a release will need, before one needs it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta

import click
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.service import RPCError

from lastgood import messages, policy_file
from lastgood.cli import asking, temporal_seen
from lastgood.cli.doctor_table import show
from lastgood.cli.options import load_any_policy, output_option
from lastgood.cli.output import say
from lastgood.contracts import DoctorOrder, Examination, Overview, Standing
from lastgood.decisions.examining import lines, temporal
from lastgood.decisions.examining.guarded import of_guard
from lastgood.decisions.rendering.temporal_ui.doctor import doctor_details
from lastgood.errors import UnreachableError, UsageError
from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy

_PATIENCE = timedelta(minutes=2)


@click.command()
@click.option(
    "--policy",
    "paths",
    metavar="FILE",
    multiple=True,
    default=(policy_file.DEFAULT_NAME,),
    show_default=True,
    help="A policy file; may be given more than once.",
)
@click.option("--send-test", is_flag=True, help="Really send a test message on every channel.")
@output_option
def doctor(paths: tuple[str, ...], send_test: bool, output: str) -> int:
    """Read everything that a release will need, and say what is to be done about it.

    \b
    Example:
      lastgood doctor --policy lastgood.yaml
      lastgood doctor --policy web.yaml --policy api.yaml --output json
      lastgood doctor --policy lastgood.yaml --send-test

    Temporal is looked at from here, all else by the worker, with its credentials and from its
    network. Changes nothing: actions that would are tried by calls that cannot succeed.

    \b
    Exit codes:
      0   a release can be made; warnings and what no harmless call tells are said
      2   something is broken or could not be examined; or wrong usage or policy
    """
    policies = _policies(paths)
    return asking.run(
        _examine(policies, send_test, output), lambda: "Stopped; nothing was changed."
    )


def _policies(paths: Sequence[str]) -> list[Policy]:
    found: list[Policy] = []
    for path in dict.fromkeys(paths):
        policy = load_any_policy(path)
        found += policy.members() if isinstance(policy, GroupPolicy) else [policy]
    named = [f"{one.region} {one.service}" for one in found]
    twice = next((one for one in named if named.count(one) > 1), None)
    if twice:
        raise UsageError(f"--policy: {twice} is described twice: leave one of the files out.")
    return found


async def _examine(policies: Sequence[Policy], send_test: bool, output: str) -> int:
    say("Looking at Temporal …")
    client, seen = await temporal_seen.look()
    why = _in_the_way(client, seen)
    if client is None or why:
        found = [temporal.unexamined(one.service, one.region or "", why) for one in policies]
    else:
        say(f"The worker looks at {', '.join(one.service for one in policies)} …")
        found = await asyncio.gather(*(_ask(client, one, send_test) for one in policies))
    everything = (seen, *found)
    show(everything, output)
    return 0 if lines.is_good(everything) else 2


def _in_the_way(client: Client | None, seen: Examination) -> str:
    """Why no worker can be asked to look at anything; empty if one can."""
    if client is None:
        return "Temporal cannot be used"
    bad = {one.what for one in seen.lines if one.standing is Standing.BROKEN}
    return "no worker would begin it" if f"queue {messages.TASK_QUEUE}" in bad else ""


async def _ask(client: Client, policy: Policy, send_test: bool) -> Examination:
    """Let the worker examine one service, and add what its guard says."""
    service = policy.ref()
    try:
        known = await asking.query_guard(client, service, messages.OVERVIEW, Overview)
        guarded = tuple(of_guard(known, policy.service))
    except UnreachableError as error:
        known, guarded = None, (lines.not_examined(lines.GUARD, "memory", str(error)),)
    examined = await _let_examine(client, _order(policy, known, send_test))
    return examined.model_copy(update={"lines": (*examined.lines, *guarded)})


async def _let_examine(client: Client, order: DoctorOrder) -> Examination:
    service = order.policy.ref()
    name = f"doctor/{service.region}/{service.cluster}/{service.name}/{uuid.uuid4()}"
    try:
        examined: Examination = await client.execute_workflow(
            messages.DOCTOR,
            order,
            id=name,
            task_queue=messages.TASK_QUEUE,
            execution_timeout=_PATIENCE,
            result_type=Examination,
            static_summary=f"Examines {service}",
            static_details=doctor_details(service),
        )
    except WorkflowFailureError as error:
        return temporal.unexamined(str(service), service.region, _why(error))
    except RPCError as error:
        why = f"Temporal no longer answers: {error.message}"
        return temporal.unexamined(str(service), service.region, why)
    return examined


def _why(error: WorkflowFailureError) -> str:
    if isinstance(error.cause, TemporalTimeoutError):
        return (
            "no worker gave an answer for 2 minutes: see its log; it may be older than this "
            "command line, and know no Doctor"
        )
    return asking.innermost(error.cause)


def _order(policy: Policy, known: Overview | None, send_test: bool) -> DoctorOrder:
    """What the guard remembers goes with it: the rollback target is chosen from that."""
    if known is None:
        return DoctorOrder(policy=policy, send_test=send_test)
    ledger = known.ledger
    return DoctorOrder(
        policy=policy,
        good=tuple(one.revision for one in ledger if one.status == "good"),
        unproven=tuple(one.revision.task_definition for one in ledger if one.status != "good"),
        quarantine=known.quarantine,
        send_test=send_test,
    )
