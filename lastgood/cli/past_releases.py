"""A service's real releases, asked of its guard through Temporal."""

from __future__ import annotations

import click

from lastgood import messages
from lastgood.cli import asking
from lastgood.cli.released import Release, releases_of
from lastgood.contracts import Overview
from lastgood.errors import UnreachableError
from lastgood.model import ServiceRef


def read(service: ServiceRef) -> list[Release]:
    """What the guard remembers; nothing if there is no guard.

    Raises:
        UnreachableError: if Temporal or the guard cannot be reached.
    """
    found: list[Release] = []

    async def ask() -> int:
        client = await asking.reach()
        overview = await asking.query_guard(client, service, messages.OVERVIEW, Overview)
        found.extend(releases_of(overview))
        return 0

    try:
        stopped = asking.run(ask(), lambda: "Stopped.")
    except UnreachableError as error:
        raise UnreachableError(
            f"The real releases are not known: {error} Without --releases one is pretended every "
            "hour."
        ) from None
    if stopped:
        raise click.Abort
    return found
