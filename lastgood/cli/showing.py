"""Show a release until its end, where we run: a terminal, GitHub Actions, another log."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from temporalio.client import Client

from lastgood import messages
from lastgood.cli import github, tracing
from lastgood.cli.following import Follower, Snapshot
from lastgood.cli.github_job import Job
from lastgood.cli.lines import Lines
from lastgood.cli.output import say, show_result
from lastgood.cli.screen import Screen
from lastgood.contracts import Explanation, ReleaseOrder
from lastgood.decisions import drills
from lastgood.errors import UnreachableError
from lastgood.model import Outcome, ReleaseResult, ServiceRef, exit_code


def _nothing(_: Snapshot) -> None:
    """Nobody else looks."""


async def until_end(
    follower: Follower, *, through_hold: bool = False, look: Callable[[Snapshot], None] = _nothing
) -> ReleaseResult:
    """Follow a release, showing its progress on stderr; ``look`` is given all that is seen."""
    with _view(os.environ) as view:
        async for snapshot in follower.follow(through_hold=through_hold):
            look(snapshot)
            view.show(snapshot)
    if snapshot.result is None:
        raise UnreachableError("The release could not be followed to its end.")
    return snapshot.result


@contextmanager
def _view(environment: Mapping[str, str]) -> Iterator[Lines | Screen]:
    if not _interactive(environment):
        lines = Lines(say, command=github.command if github.active(environment) else None)
        try:
            yield lines
        finally:
            lines.close()
        return
    with Screen() as screen:
        yield screen


def _interactive(environment: Mapping[str, str]) -> bool:
    if environment.get("CI") or environment.get("GITHUB_ACTIONS"):
        return False
    return sys.stderr.isatty() and environment.get("TERM") not in (None, "", "dumb")


def end(
    result: ReleaseResult,
    output: str,
    *,
    job: Job | None = None,
    told: Explanation | None = None,
    namespace: str = "",
) -> int:
    """Print the result, tell GitHub Actions where it runs us; the exit code.

    Args:
        result: how it ended.
        output: ``text`` or ``json``.
        job: which was told already that the release began.
        told: all that went into it; see ``explained``.
        namespace: Temporal's, for a link.
    """
    (job or Job()).ended(result, told, namespace)
    show_result(result, output)
    return exit_code(result)


async def explained(client: Client, service: ServiceRef, release: str) -> Explanation | None:
    """All that the summary of a job shows; None where there is none, or nobody answers."""
    if not github.active(os.environ):
        return None
    try:
        traced = await tracing.trace(client, release, service=service, region=None)
    except UnreachableError:
        return None
    return traced.explanation if traced else None


def refused(order: ReleaseOrder, reason: str) -> ReleaseResult:
    """The result of what its guard did not let in: no run of it, and nothing was changed."""
    return ReleaseResult(
        release=order.id,
        workflow_id=messages.deployment_id(order.policy.ref()),
        run_id="",
        service=order.policy.service,
        outcome=Outcome.REFUSED,
        reason=reason,
        image=order.image,
        actor=order.actor,
        drill=drills.begun(order),
    )
