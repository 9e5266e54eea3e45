"""``lastgood deploy``: start a release, follow it, end with its verdict."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import click
from temporalio.client import Client

from lastgood import messages
from lastgood.cli import actor, asking, completion, github_job, group, showing
from lastgood.cli.following import Follower, Snapshot
from lastgood.cli.options import (
    load_any_policy,
    no_wait_option,
    output_option,
    page_file,
    policy_option,
)
from lastgood.cli.output import print_json, print_text, say
from lastgood.contracts import Accepted, ReleaseOrder, ReleaseView
from lastgood.errors import UsageError
from lastgood.group_policy import GroupPolicy
from lastgood.model import ReleaseResult
from lastgood.policy import Policy

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}")
_REGISTERED = re.compile(r"(arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d+:task-definition/)?[\w-]{1,255}:\d+")
_MAX_BYTES = 256 * 1024


@click.command()
@click.option(
    "--image",
    "images",
    metavar="IMAGE",
    multiple=True,
    help="The image to release, by tag or digest. Of a group: one for all of its services, or "
    "CLUSTER/SERVICE=IMAGE for each.",
)
@click.option(
    "--task-definition",
    metavar="ARN|FAMILY:REVISION|FILE.json",
    help="A registered task definition to release, or a file with one to register.",
)
@policy_option
@click.option(
    "--release",
    metavar="ID",
    help="The release's id. The same id again is the same release: follows it. "
    "Without it: in GitHub Actions made of run, attempt and image, elsewhere a new one.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Release in spite of a freeze, or of an image that was rolled back. Needs --reason.",
)
@click.option("--reason", metavar="TEXT", help="Why it is forced; it is recorded with your name.")
@click.option(
    "--report",
    metavar="FILE.html",
    shell_complete=completion.files,
    help="At the end, write the release's report too: see `lastgood report`.",
)
@no_wait_option
@output_option
def deploy(
    images: tuple[str, ...],
    task_definition: str | None,
    path: str,
    release: str | None,
    force: bool,
    reason: str | None,
    report: str | None,
    no_wait: bool,
    output: str,
) -> int:
    """Release an image, follow it, and end with its verdict.

    \b
    Example:
      lastgood deploy --image registry.example.com/shop:2.1 --policy lastgood.yaml
      lastgood deploy --image registry.example.com/shop:2.1 --report report.html

    With the policy of a group, its services are released together and go back together.

    The release runs in Temporal: Ctrl-C, or the end of the CI job, does not stop it. In GitHub
    Actions it writes annotations, a job summary, and the outputs outcome, release, workflow-url.

    \b
    Exit codes:
      0   healthy                         12  rollback failed
      1   unexpected, such as Temporal    13  held for a person
          not reachable                   14  superseded
      2   wrong usage or policy           15  refused
      10  rolled back by us               16  cancelled
      11  rolled back by ECS itself
    """
    forced, page = _forced(force, reason), _report(report, no_wait)
    policy = load_any_policy(path)
    if isinstance(policy, GroupPolicy):
        if task_definition is not None:
            raise UsageError("--task-definition: a group is released by --image")
        of_group = group.make_order(policy, images, _IMAGE, release)
        members = tuple(one.model_copy(update=forced) for one in of_group.members)
        of_group = of_group.model_copy(update={"members": members})
        named = release is not None
        return group.deploy(of_group, named=named, no_wait=no_wait, output=output, report=page)
    order = make_order(policy, images, task_definition, release).model_copy(update=forced)
    started = _Started(order, named=release is not None)
    work = _deploy(started, no_wait=no_wait, output=output, report=page)
    return asking.run(work, started.on_signal)


def _report(file: str | None, no_wait: bool) -> Path | None:
    """Where the report goes, if one is wanted; it is written at the end."""
    if file and no_wait:
        raise UsageError("--report is written at the release's end: leave out --no-wait")
    return page_file(file, "--report") if file else None


def _forced(force: bool, reason: str | None) -> dict[str, Any]:
    """That a release is forced, and why: the one is not given without the other."""
    why = (reason or "").strip()
    if force and not why:
        raise UsageError("--force: say why with --reason; it is recorded, and people are told")
    if why and not force:
        raise UsageError("--reason says why a release is forced: it goes with --force")
    return {"force": True, "reason": why} if force else {}


def make_order(
    policy: Policy, images: tuple[str, ...], task_definition: str | None, release: str | None
) -> ReleaseOrder:
    """The release that is asked for; everything is checked before anything is started."""
    if bool(images) == (task_definition is not None):
        raise UsageError("Say what to release: either --image or --task-definition")
    if len(images) > 1:
        raise UsageError("--image: this policy is about one service; several are for a group")
    image = images[0] if images else None
    if image is not None and not _IMAGE.fullmatch(image):
        raise UsageError("--image: not an image; write one such as registry.example.com/shop:2.1")
    registered, source = _task_definition(task_definition)
    what = image or registered or json.dumps(source, sort_keys=True)
    return ReleaseOrder(
        id=actor.release_id(release, what, os.environ),
        image=image,
        task_definition=registered,
        task_definition_source=source,
        policy=policy,
        actor=actor.actor(os.environ),
        ci_url=actor.ci_url(os.environ),
    )


def _task_definition(given: str | None) -> tuple[str | None, dict[str, Any] | None]:
    if given is None:
        return None, None
    if given.endswith(".json"):
        return None, _read_source(given)
    if not _REGISTERED.fullmatch(given):
        raise UsageError(
            "--task-definition: write an ARN, FAMILY:REVISION (a bare family would be whatever "
            "is newest), or a file that ends in .json"
        )
    return given, None


def _read_source(name: str) -> dict[str, Any]:
    """A task definition's JSON, as RegisterTaskDefinition takes or DescribeTaskDefinition gives."""
    try:
        content = Path(name).read_bytes()
        data = json.loads(content) if len(content) <= _MAX_BYTES else None
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no JSON: {error}") from None
    if isinstance(data, dict) and isinstance(data.get("taskDefinition"), dict):
        data = data["taskDefinition"]
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("family"), str)
        or not isinstance(data.get("containerDefinitions"), list)
    ):
        raise UsageError(f"{name} is no task definition: it needs family and containerDefinitions")
    return data


class _Started:
    """The release that was asked for, and whether it is known to be accepted."""

    def __init__(self, order: ReleaseOrder, *, named: bool = True) -> None:
        self.order = order
        self.named = named
        """Whether a person gave the id."""
        self.accepted = False
        self.job = github_job.Job()

    def begun(self, namespace: str, accepted: Accepted) -> None:
        """It was accepted; its run is not known yet."""
        self.accepted = True
        self._where = (namespace, accepted.workflow_id)
        about = github_job.of_service(self.order.policy.ref(), self.order.id, self.order.what)
        self.job.begun(about, self.order.id, *self._where)

    def look(self, snapshot: Snapshot) -> None:
        """Its run is known once it is looked at."""
        view = snapshot.view
        if view.workflow_id and view.run_id:
            self.job.found(self._where[0], view.workflow_id, view.run_id)

    def on_signal(self) -> str:
        """What is said when the command is stopped."""
        release, service = self.order.id, self.order.policy.service
        stopped = f"Stopped. Release {release} may have been accepted: lastgood status {service}"
        self.job.detached(stopped)
        if not self.accepted:
            return stopped
        return (
            f"Detached: release {release} goes on. To follow it again:\n"
            f"  lastgood follow {service} --release {release}\n"
            f"or see  lastgood status {service}"
        )


async def _deploy(
    started: _Started, *, no_wait: bool, output: str, report: Path | None = None
) -> int:
    client = await asking.reach()
    started.order = order = await _of_this_run(client, started)
    service = order.policy.ref()
    try:
        accepted = await asking.tell_guard(client, service, messages.DEPLOY, order, Accepted)
    except asking.RefusedError as error:
        return await _end(client, showing.refused(order, str(error)), started, output, report)
    started.begun(client.namespace, accepted)
    known = "follows the release that has this id" if accepted.already_known else "accepted"
    say(f"Release {order.id}: {order.what} → {service} in {service.region}; {known}")
    if no_wait:
        _show_accepted(accepted, str(service), output)
        return 0
    result = await showing.until_end(Follower(client, service, order.id), look=started.look)
    return await _end(client, result, started, output, report)


async def _end(
    client: Client, result: ReleaseResult, started: _Started, output: str, report: Path | None
) -> int:
    """Tell the verdict, then write the report: nothing of it changes the exit code."""
    service = started.order.policy.ref()
    told = await showing.explained(client, service, result.release) if started.accepted else None
    code = showing.end(result, output, job=started.job, told=told, namespace=client.namespace)
    if report:
        from lastgood.cli import reporting  # here, because it takes long and is seldom needed

        await reporting.beside(client, result, report, service)
    return code


async def _of_this_run(client: Client, started: _Started) -> ReleaseOrder:
    """The order; with the id of an earlier attempt of this GitHub run if that is under way still.

    A job that was cancelled, or whose runner was lost, leaves its release running: run again, it
    follows that one. All else is asked for anew.
    """
    order = started.order
    earlier = [] if started.named else actor.earlier_ids(order.id, os.environ)
    for ident in earlier:
        service = order.policy.ref()
        view = await asking.query_guard(client, service, messages.RELEASE, ReleaseView, ident)
        if view and view.state in ("queued", "running"):
            say(f"Release {ident} of an earlier attempt of this run is under way: following it.")
            return order.model_copy(update={"id": ident})
    return order


def _show_accepted(accepted: Accepted, service: str, output: str) -> None:
    if output == "json":
        print_json(
            {
                "release": accepted.release,
                "workflow_id": accepted.workflow_id,
                "service": service,
                "position": accepted.position,
            }
        )
        return
    place = f"; {accepted.position} before it" if accepted.position else ""
    print_text(
        [
            f"ACCEPTED: release {accepted.release} of {service}{place}",
            f"  lastgood status {service}",
        ]
    )
