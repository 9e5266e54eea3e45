"""``lastgood follow``: follow a release that somebody else, or a job that is gone, started."""

from __future__ import annotations

import click
from temporalio.client import Client

from lastgood import messages
from lastgood.cli import asking, showing
from lastgood.cli.following import Follower
from lastgood.cli.options import (
    output_option,
    region_option,
    service_argument,
    service_ref,
)
from lastgood.cli.output import say
from lastgood.contracts import Overview, ReleaseView
from lastgood.errors import UsageError
from lastgood.model import ServiceRef


@click.command()
@service_argument
@click.option(
    "--release",
    metavar="ID",
    help="Which release. Without it: the one under way, or else the last one.",
)
@region_option
@output_option
def follow(service: str, release: str | None, region: str | None, output: str) -> int:
    """Follow a release to its end, whoever started it, and end with its verdict.

    \b
    Example:
      lastgood follow shop/web --release 2.1

    Changes nothing. One that has ended is shown as it ended. Exit codes as those of deploy; 2 if
    there is no such release.
    """
    ref = service_ref(service, region)
    return asking.run(
        _follow(ref, release, output),
        lambda: f"Detached: the release goes on. See  lastgood status {ref}",
    )


async def _follow(service: ServiceRef, release: str | None, output: str) -> int:
    client = await asking.reach()
    wanted = release or await _latest(client, service)
    view = await asking.query_guard(client, service, messages.RELEASE, ReleaseView, wanted)
    if view is None:
        raise UsageError(asking.nothing_known(service))
    if view.state == "unknown":
        raise UsageError(
            f"The guard of {service} knows no release {wanted}: see  lastgood history {service}"
        )
    follower = Follower(client, service, wanted)
    say(f"Release {wanted} of {service} in {service.region}")
    result = await showing.until_end(follower)
    told = await showing.explained(client, service, wanted)
    return showing.end(result, output, told=told, namespace=client.namespace)


async def _latest(client: Client, service: ServiceRef) -> str:
    overview = await asking.query_guard(client, service, messages.OVERVIEW, Overview)
    if overview is None:
        raise UsageError(asking.nothing_known(service))
    if overview.current:
        return overview.current.release
    if overview.results:
        return overview.results[0].release
    raise UsageError(f"There was no release of {service} yet.")
