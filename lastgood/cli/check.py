"""``lastgood check``: measure all triggers once, now: would this roll back?"""

from __future__ import annotations

import uuid
from datetime import timedelta

import click
from temporalio import exceptions
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from lastgood import messages
from lastgood.cli import asking
from lastgood.cli.options import load_policy, output_option, policy_option
from lastgood.cli.output import print_json, print_text, say, verdict_line
from lastgood.contracts import CheckReport
from lastgood.decisions.rendering.temporal_ui.check import check_details
from lastgood.errors import LastgoodError, UnreachableError, UsageError
from lastgood.model import EXIT_CODES, Outcome, Status
from lastgood.policy import Policy

_PATIENCE = timedelta(minutes=3)


@click.command()
@policy_option
@output_option
def check(path: str, output: str) -> int:
    """Measure all triggers of a policy once, now, and say whether one would roll back.

    \b
    Example:
      lastgood check --policy lastgood.yaml

    Changes nothing. The worker measures, with its own permissions.

    \b
    Exit codes:
      0   nothing would roll back         1   could not be measured
      10  a trigger would                 2   wrong usage or policy, or nothing there to measure
      13  inconclusive: too little is measured
    """
    policy = load_policy(path)
    return asking.run(_check(policy, output), lambda: "Stopped; nothing was changed.")


async def _check(policy: Policy, output: str) -> int:
    client = await asking.reach()
    say(f"Measuring {policy.service} in {policy.region} …")
    service = policy.ref()
    name = f"check/{service.region}/{service.cluster}/{service.name}/{uuid.uuid4()}"
    try:
        report: CheckReport = await client.execute_workflow(
            messages.CHECK,
            policy,
            id=name,
            task_queue=messages.TASK_QUEUE,
            execution_timeout=_PATIENCE,
            result_type=CheckReport,
            static_summary=f"Checks {service}",
            static_details=check_details(service),
        )
    except WorkflowFailureError as error:
        raise _failure(error) from None
    except RPCError as error:
        raise UnreachableError(f"Temporal no longer answers: {error.message}") from None
    show(report, output)
    return EXIT_CODES[outcome_of(report)]


def _failure(error: WorkflowFailureError) -> LastgoodError:
    cause = error.cause
    if isinstance(cause, exceptions.TimeoutError):
        return UnreachableError("No answer for 3 minutes: see that the worker runs and reaches AWS")
    if isinstance(cause, ApplicationError) and cause.type == "CannotResolve":
        return UsageError(cause.message)
    return asking.FailedError(cause.message if isinstance(cause, ApplicationError) else str(cause))


def outcome_of(report: CheckReport) -> Outcome:
    """What a release would come to, if its window were just this; dry runs decide nothing."""
    found = {verdict.status for verdict in report.verdicts if not verdict.dry_run}
    if Status.FAIL in found:
        return Outcome.ROLLED_BACK
    unsure = Status.INCONCLUSIVE in found or not report.verdicts
    return Outcome.HELD if unsure else Outcome.HEALTHY


_WORDS = {
    Outcome.HEALTHY: "nothing would roll back",
    Outcome.ROLLED_BACK: "this WOULD ROLL BACK",
    Outcome.HELD: "INCONCLUSIVE: too little is measured",
}


def show(report: CheckReport, output: str) -> None:
    """Print a report on stdout."""
    outcome = outcome_of(report)
    if output == "json":
        would = outcome is Outcome.ROLLED_BACK
        inconclusive = outcome is Outcome.HELD
        data = {"would_roll_back": would, "inconclusive": inconclusive}
        print_json(report.model_dump(mode="json") | data)
        return
    lines = [f"{report.service}: {_WORDS[outcome]}"]
    lines += [f"  {verdict_line(verdict)}" for verdict in report.verdicts]
    lines += [f"  warning: {warning}" for warning in report.warnings]
    print_text(lines)
