"""Operators' verbs: what they have in common, from the options to the exit code."""

from __future__ import annotations

import inspect
import os
import uuid
from collections.abc import Callable
from typing import Any

import click

from lastgood.cli import actor, asking
from lastgood.cli.options import (
    output_option,
    reason_option,
    region_option,
    release_option,
    service_argument,
    service_ref,
)
from lastgood.cli.output import print_json, print_text
from lastgood.contracts import Answer, FreezeRequest, OperatorRequest
from lastgood.model import EXIT_CODES, Outcome, ServiceRef

Option = Callable[[Callable[..., int]], Callable[..., int]]

_ENDS = """
\b
Exit codes:
  0   done                            1   unexpected, such as Temporal not reachable
  15  refused, with what is possible  2   wrong usage
"""


def verb(
    name: str, text: str, *, about_a_release: bool = False, starts: bool = False, more: Any = ()
) -> click.Command:
    """A command that sends one request to a service's guard and says what it answers.

    Args:
        name: of the command, and of the guard's update.
        text: what it means, for ``--help``; an example comes last.
        about_a_release: it has ``--release``.
        starts: a guard is started if there is none; else it is refused then.
        more: options of its own, each a field of ``FreezeRequest``.
    """

    def command(service: str, reason: str, region: str | None, output: str, **given: Any) -> int:
        ref = service_ref(service, region)
        kind = FreezeRequest if more else OperatorRequest
        # One id for each invocation: however often it is delivered, it is carried out once.
        request = kind(id=uuid.uuid4().hex, actor=actor.actor(os.environ), reason=reason, **given)
        return asking.run(
            _ask(name, ref, request, starts=starts, output=output),
            lambda: f"Stopped. It may have been done: see  lastgood status {ref}",
        )

    for option in (
        output_option,
        region_option,
        *([release_option] if about_a_release else []),
        *more,
        reason_option("Why; it is recorded with your name."),
        service_argument,
    ):
        command = option(command)
    return click.command(name, help=inspect.cleandoc(text) + "\n" + _ENDS)(command)


async def _ask(
    name: str, service: ServiceRef, request: OperatorRequest, *, starts: bool, output: str
) -> int:
    client = await asking.reach()
    tell = asking.tell_guard if starts else asking.tell_running_guard
    try:
        answer = await tell(client, service, name, request, Answer)
    except asking.RefusedError as error:
        refusal = Answer(text=str(error), release=request.release)
        return _show(name, service, refusal, done=False, output=output)
    return _show(name, service, answer, done=True, output=output)


def _show(name: str, service: ServiceRef, answer: Answer, *, done: bool, output: str) -> int:
    if output == "json":
        said = {"text": answer.text, "release": answer.release}
        print_json({"service": str(service), "verb": name, "done": done} | said)
    else:
        print_text([answer.text if done else f"REFUSED: {answer.text}"])
    return 0 if done else EXIT_CODES[Outcome.REFUSED]
