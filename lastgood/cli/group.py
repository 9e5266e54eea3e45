"""``lastgood deploy`` of a group, and ``lastgood group``: follow and cancel a release of it."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections import Counter
from pathlib import Path

import click
from temporalio.client import Client

from lastgood import messages
from lastgood.cli import actor, asking, github_job, showing
from lastgood.cli.github_job import Job
from lastgood.cli.group_following import GroupFollower, Handle, Said, attach, find, is_running
from lastgood.cli.listing import Listing
from lastgood.cli.options import (
    configured_region,
    group_argument,
    output_option,
    reason_option,
    region_option,
)
from lastgood.cli.output import print_json, print_text, say
from lastgood.contracts import (
    Answer,
    GroupOrder,
    GroupProgress,
    GroupResult,
    OperatorRequest,
    ReleaseOrder,
)
from lastgood.decisions.groups import release_ids
from lastgood.errors import UnreachableError, UsageError
from lastgood.group_policy import GroupPolicy
from lastgood.model import EXIT_CODES, Outcome

_EACH = "--image CLUSTER/SERVICE=IMAGE"
_LOST = "The release could not be followed to its end."


# --- What is asked for -------------------------------------------------------------------------


def make_order(
    policy: GroupPolicy, given: tuple[str, ...], image: re.Pattern[str], release: str | None
) -> GroupOrder:
    """The group's release that is asked for; ``image`` is what an image looks like.

    Raises:
        UsageError: if a member has no image, or what was given is none.
    """
    members = policy.members()
    images = _images(tuple(one.service for one in members), given)
    for one in images:
        if not image.fullmatch(one):
            raise UsageError("--image: not an image; write one such as example.com/shop:2.1")
    services = tuple(one.ref() for one in members)
    for service, count in Counter(services).items():
        if count > 1:
            raise UsageError(f"{service} is named twice, once with its region and once without")
    same = len(set(images)) == 1
    what = images[0] if same else ", ".join(images)
    ident = actor.release_id(release, images[0] if same else json.dumps(images), os.environ)
    region = policy.region or services[0].region
    group = messages.group_id(region, policy.group)
    asker, url = actor.actor(os.environ), actor.ci_url(os.environ)
    return GroupOrder(
        listed=True,
        id=ident,
        group=policy.group,
        region=region,
        order=policy.order,
        members=tuple(
            ReleaseOrder(id=one, image=tag, policy=part, actor=asker, ci_url=url, group=group)
            for one, tag, part in zip(release_ids(ident, services), images, members, strict=True)
        ),
        what=what,
        actor=asker,
    )


def _images(services: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    """One image for each service, from one for all or one for each."""
    if not given:
        raise UsageError(f"Say what to release: --image IMAGE for all, or {_EACH} for each")
    if len(given) == 1 and "=" not in given[0]:
        return given * len(services)
    named: dict[str, str] = {}
    for one in given:
        service, equals, image = one.partition("=")
        if not equals:
            raise UsageError(f"--image: one for all services, or {_EACH} for each; not both")
        if service not in services:
            known = ", ".join(services)
            raise UsageError(f"--image: {service!r} is not in the group; write one of {known}")
        if service in named:
            raise UsageError(f"--image: {service} has two images: leave one out")
        named[service] = image
    missing = [service for service in services if service not in named]
    if missing:
        each = " ".join(f"--image {service}=IMAGE" for service in missing)
        raise UsageError(f"--image: no image for {', '.join(missing)}: add {each}")
    return tuple(named[service] for service in services)


# --- The verb ----------------------------------------------------------------------------------


class _Started:
    """The release that was asked for, and whether it is known to be accepted."""

    def __init__(self, order: GroupOrder, *, named: bool) -> None:
        self.order = order
        self.named = named
        """Whether a person gave the id."""
        self.accepted = False
        self.job = Job()

    def begun(self, namespace: str, handle: Handle) -> None:
        """It was accepted."""
        self.accepted, order = True, self.order
        about = github_job.of_group(order.group, order.region, order.id, order.what)
        run = (handle.run_id,) if handle.run_id else ()
        self.job.begun(about, order.id, namespace, handle.id, *run)

    def on_signal(self) -> str:
        """What is said when the command is stopped."""
        stopped = f"Stopped. Release {self.order.id} may have been accepted."
        self.job.detached(stopped)
        if not self.accepted:
            return stopped
        return (
            f"Detached: release {self.order.id} of the group {self.order.group} goes on. "
            f"To follow it again: the same command with --release {self.order.id}, or "
            f"lastgood group follow {self.order.group}"
        )


def deploy(
    order: GroupOrder, *, named: bool, no_wait: bool, output: str, report: Path | None = None
) -> int:
    """Release a group to its exit code.

    Args:
        order: what is released.
        named: whether a person gave its id.
        no_wait: do not follow it.
        output: ``text`` or ``json``.
        report: the file of its report, if one is wanted.
    """
    started = _Started(order, named=named)
    work = _deploy(started, no_wait=no_wait, output=output, report=report)
    return asking.run(work, started.on_signal)


async def _deploy(started: _Started, *, no_wait: bool, output: str, report: Path | None) -> int:
    client = await asking.reach()
    started.order = order = await _of_this_run(client, started)
    try:
        handle, known = await attach(client, order)
    except asking.RefusedError as error:
        return showing.end(_refused(order, str(error)), output, job=started.job)
    started.begun(client.namespace, handle)
    how = "follows the release that has this id" if known else "accepted"
    names = ", ".join(one.policy.service for one in order.members)
    say(f"Release {order.id}: {order.what} → group {order.group} ({names}, {order.order}); {how}")
    if no_wait:
        _show_accepted(order, handle, output)
        return 0
    progress = await _until_end(handle, order.id)
    code = _end(progress, output, started.job)
    if report and progress.result:
        from lastgood.cli import reporting  # here, because it takes long and is seldom needed

        await reporting.beside(client, progress.result, report, progress)
    return code


async def _of_this_run(client: Client, started: _Started) -> GroupOrder:
    """As for one service: an earlier attempt's release that is under way is followed."""
    order = started.order
    for ident in [] if started.named else actor.earlier_ids(order.id, os.environ):
        found = await find(client, messages.group_id(order.region, order.group), ident)
        if found and await is_running(found[0]):
            say(f"Release {ident} of an earlier attempt of this run is under way: following it.")
            return order.model_copy(update={"id": ident})
    return order


async def _until_end(handle: Handle, release: str) -> GroupProgress:
    said, progress = Said(), None
    async for look in GroupFollower(handle, release).follow():
        said.show(look)
        progress = look.progress
    if progress is None:
        raise UnreachableError(_LOST)
    return progress


def _end(progress: GroupProgress, output: str, job: Job | None = None) -> int:
    if progress.result is None:
        raise UnreachableError(_LOST)
    return showing.end(progress.result, output, job=job)


def _refused(order: GroupOrder, reason: str) -> GroupResult:
    return GroupResult(
        release=order.id,
        workflow_id=messages.group_id(order.region, order.group),
        run_id="",
        service=order.group,
        outcome=Outcome.REFUSED,
        reason=reason,
        image=order.what,
        actor=order.actor,
    )


def _show_accepted(order: GroupOrder, handle: Handle, output: str) -> None:
    if output == "json":
        print_json(
            {
                "release": order.id,
                "workflow_id": handle.id,
                "service": order.group,
                "members": [
                    {"release": one.id, "service": one.policy.service} for one in order.members
                ],
            }
        )
        return
    print_text([f"ACCEPTED: release {order.id} of the group {order.group}"])


# --- A release that somebody else began --------------------------------------------------------


@click.group(cls=Listing)
def group() -> None:
    """Follow or cancel the release of a group of services."""


@group.command()
@group_argument
@click.option("--release", metavar="ID", help="Which release. Without it: the newest.")
@region_option
@output_option
def follow(group: str, release: str | None, region: str | None, output: str) -> int:
    """Follow a group's release to its end, whoever started it, and end with its verdict.

    \b
    Example:
      lastgood group follow shop --release 2.1

    Changes nothing. Exit codes as those of deploy; 2 if there is no such release.
    """
    ident = messages.group_id(region or configured_region(), group)
    return asking.run(
        _follow(ident, release, output), lambda: f"Detached: the release of {group} goes on."
    )


async def _follow(ident: str, release: str | None, output: str) -> int:
    handle, carries = await _found(ident, release)
    say(f"Release {carries} of {ident}")
    return _end(await _until_end(handle, carries), output)


async def _found(ident: str, release: str | None) -> tuple[Handle, str]:
    found = await find(await asking.reach(), ident, release)
    if found is None:
        what = f"no release {release}" if release else "no release"
        raise UsageError(f"Lastgood has {what} of {ident} on record: check group and region.")
    return found


@group.command()
@group_argument
@reason_option("Why; it is recorded with your name.")
@click.option("--release", metavar="ID", help="Which release. Without it: the newest.")
@region_option
@output_option
def cancel(group: str, reason: str, release: str | None, region: str | None, output: str) -> int:
    """Begin no further service of a group's release. What is under way goes on by itself.

    No service is taken back. A release that goes back already cannot be cancelled.

    \b
    Example:
      lastgood group cancel shop --reason "the wrong ticket"

    \b
    Exit codes:
      0   done                            1   unexpected, such as Temporal not reachable
      15  refused, with what is possible  2   wrong usage
    """
    ident = messages.group_id(region or configured_region(), group)
    request = OperatorRequest(
        id=uuid.uuid4().hex, actor=actor.actor(os.environ), reason=reason, release=release
    )
    return asking.run(_cancel(ident, request, output), lambda: "Stopped. It may have been done.")


async def _cancel(ident: str, request: OperatorRequest, output: str) -> int:
    handle, carries = await _found(ident, request.release)
    named = request.model_copy(update={"release": carries})
    try:
        answer, done = await asking.tell_group(handle, messages.CANCEL, named, Answer), True
    except asking.RefusedError as error:
        answer, done = Answer(text=str(error), release=carries), False
    if output == "json":
        said = {"group": ident, "verb": "cancel", "done": done}
        print_json(said | {"text": answer.text, "release": answer.release})
    else:
        print_text([answer.text if done else f"REFUSED: {answer.text}"])
    return 0 if done else EXIT_CODES[Outcome.REFUSED]
