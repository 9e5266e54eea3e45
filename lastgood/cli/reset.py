"""``lastgood reset``: lift cooldown and rollback limit."""

from __future__ import annotations

import os

import click

from lastgood import messages
from lastgood.cli import actor, asking
from lastgood.cli.options import (
    output_option,
    reason_option,
    region_option,
    service_argument,
    service_ref,
)
from lastgood.cli.output import print_json, print_text
from lastgood.contracts import Answer, OperatorRequest
from lastgood.model import EXIT_CODES, Outcome, ServiceRef


@click.command()
@service_argument
@reason_option("Why; it is recorded with your name.")
@region_option
@output_option
def reset(service: str, reason: str, region: str | None, output: str) -> int:
    """Lift a service's cooldown and rollback limit: rollbacks so far no longer count.

    \b
    Example:
      lastgood reset shop/web --reason "the bad database node is gone"

    Ends with 0 if it was done, and with 15 if there is nothing to reset.
    """
    ref = service_ref(service, region)
    return asking.run(
        _reset(ref, reason, output),
        lambda: f"Stopped. It may have been reset: see  lastgood status {ref}",
    )


async def _reset(ref: ServiceRef, reason: str, output: str) -> int:
    client = await asking.reach()
    request = OperatorRequest(actor=actor.actor(os.environ), reason=reason)
    try:
        answer = await asking.tell_running_guard(client, ref, messages.RESET, request, Answer)
        text = answer.text
        done = True
    except asking.RefusedError as error:
        text, done = str(error), False
    if output == "json":
        print_json({"service": str(ref), "reset": done, "text": text})
    else:
        print_text([text if done else f"REFUSED: {text}"])
    return 0 if done else EXIT_CODES[Outcome.REFUSED]
