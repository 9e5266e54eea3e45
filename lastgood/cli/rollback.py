"""``lastgood rollback``: an operator's rollback, during a release or long after it."""

from __future__ import annotations

import os
import re
import uuid

import click

from lastgood import messages
from lastgood.cli import actor, asking, showing
from lastgood.cli.following import Follower
from lastgood.cli.options import (
    load_policy,
    no_wait_option,
    output_option,
    reason_option,
    region_option,
    service_argument,
    service_ref,
)
from lastgood.cli.output import print_json, print_text, say
from lastgood.contracts import RollbackAccepted, RollbackRequest
from lastgood.errors import UsageError
from lastgood.model import Outcome, ReleaseResult, ServiceRef
from lastgood.policy import Policy

_REGISTERED = re.compile(r"(arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d+:task-definition/)?[\w-]{1,255}:\d+")


@click.command()
@service_argument
@reason_option("Why; it is recorded with your name, and people are told.")
@click.option(
    "--to",
    metavar="ARN|FAMILY:REVISION",
    help="The task definition to go back to. Without it: last known good.",
)
@click.option(
    "--policy",
    "path",
    metavar="FILE",
    help="How to verify and whom to tell. Without it: as the last release's policy says.",
)
@click.option(
    "--release",
    metavar="ID",
    help="Only if it is this release that runs or is under way: for scripts. Without it: whatever.",
)
@region_option
@no_wait_option
@output_option
def rollback(
    service: str,
    reason: str,
    to: str | None,
    release: str | None,
    path: str | None,
    region: str | None,
    no_wait: bool,
    output: str,
) -> int:
    """Bring a service back, follow that, and end with its verdict.

    \b
    Example:
      lastgood rollback shop/web --reason "checkout shows wrong prices"

    During a release it is that release that is rolled back. An operator's rollback is never
    held up by cooldown or rollback limit; it is counted.

    \b
    Exit codes, as those of deploy:
      10  rolled back                     1   unexpected, such as Temporal not reachable
      12  rollback failed                 2   wrong usage or policy
      15  refused: nothing to go back to  11, 13, 14, 16: what else became of the release
    """
    if to is not None and not _REGISTERED.fullmatch(to):
        raise UsageError("--to: write an ARN or FAMILY:REVISION")
    policy = load_policy(path) if path else None
    ref = _ref(service, region, policy)
    request = RollbackRequest(
        actor=actor.actor(os.environ),
        reason=reason,
        to=to,
        policy=policy,
        service=ref,
        release=release,
    )
    asked = _Asked(ref)
    return asking.run(_rollback(asked, request, no_wait=no_wait, output=output), asked.on_signal)


def _ref(service: str, region: str | None, policy: Policy | None) -> ServiceRef:
    if policy is None:
        return service_ref(service, region)
    if policy.service != service:
        raise UsageError(f"The policy file is about {policy.service}, not about {service}")
    if region and policy.region != region:
        raise UsageError(f"--region {region}, but the policy's service is in {policy.region}")
    return policy.ref()


class _Asked:
    """What was asked for, and whether it is known to be accepted."""

    def __init__(self, service: ServiceRef) -> None:
        self.service = service
        self.accepted = False

    def on_signal(self) -> str:
        """What is said when the command is stopped."""
        state = "goes on" if self.accepted else "may have been accepted"
        return f"Detached: the rollback {state}. See  lastgood status {self.service}"


async def _rollback(asked: _Asked, request: RollbackRequest, *, no_wait: bool, output: str) -> int:
    client = await asking.reach()
    while True:
        once = request.model_copy(update={"id": uuid.uuid4().hex})
        try:
            accepted = await asking.tell_guard(
                client, asked.service, messages.OPERATOR_ROLLBACK, once, RollbackAccepted
            )
        except asking.RefusedError as error:
            return showing.end(_refused(request, str(error)), output)
        asked.accepted = True
        say(accepted.text)
        if no_wait:
            _show_accepted(accepted, asked.service, output)
            return 0
        follower = Follower(client, asked.service, accepted.release)
        result = await showing.until_end(follower, through_hold=True)
        if not (accepted.during_release and result.outcome is Outcome.HEALTHY):
            return showing.end(result, output)
        say(f"Release {result.release} had already ended; asking again to roll it back")


def _refused(request: RollbackRequest, reason: str) -> ReleaseResult:
    return ReleaseResult(
        release="rollback",
        workflow_id=messages.rollback_id(request.service),
        run_id="",
        service=str(request.service),
        outcome=Outcome.REFUSED,
        reason=reason,
        trigger="manual",
        actor=request.actor,
    )


def _show_accepted(accepted: RollbackAccepted, service: ServiceRef, output: str) -> None:
    if output == "json":
        print_json(
            {
                "release": accepted.release,
                "service": str(service),
                "during_release": accepted.during_release,
                "text": accepted.text,
            }
        )
    else:
        print_text([f"ACCEPTED: {accepted.text}", f"  lastgood status {service}"])
