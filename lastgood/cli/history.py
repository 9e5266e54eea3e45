"""``lastgood history``: what went on with a service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from lastgood import messages
from lastgood.cli import asking
from lastgood.cli.options import output_option, region_option, service_argument, service_ref
from lastgood.cli.output import (
    day,
    drill_text,
    label,
    print_json,
    print_text,
    rollback_text,
    title,
)
from lastgood.contracts import Overview
from lastgood.decisions.wording import describe
from lastgood.model import Action, ReleaseResult, RollbackRecord, ServiceRef

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@click.command()
@service_argument
@region_option
@output_option
def history(service: str, region: str | None, output: str) -> int:
    """List a service's releases, rollbacks and operators' actions, newest first.

    \b
    Example:
      lastgood history shop/web

    Then the ledger: what is known of each revision, and which images are not released again. The
    guard remembers the last fifty of each; older ones are in the Temporal UI.
    """
    ref = service_ref(service, region)
    return asking.run(_history(ref, output), lambda: "Stopped.")


async def _history(ref: ServiceRef, output: str) -> int:
    client = await asking.reach()
    overview = await asking.query_guard(client, ref, messages.OVERVIEW, Overview)
    if output == "json":
        print_json(as_json(ref, overview))
    elif overview is None:
        print_text([asking.nothing_known(ref)])
    else:
        print_text(as_text(overview) + ledger_text(overview))
    return 0


def as_json(ref: ServiceRef, overview: Overview | None) -> dict[str, Any]:
    """Releases, rollbacks, actions, the ledger and the quarantine, each newest first."""
    keys = {"results", "rollbacks", "actions", "ledger", "quarantine"}
    shown: dict[str, Any] = {key: [] for key in keys}
    if overview:
        shown = overview.model_dump(mode="json", include=keys)
    return {
        "service": str(ref),
        "region": ref.region,
        "releases": shown["results"],
        "rollbacks": list(reversed(shown["rollbacks"])),
        "actions": shown["actions"],
        "ledger": shown["ledger"],
        "quarantine": shown["quarantine"],
    }


def as_text(overview: Overview) -> list[str]:
    """All of it in one list."""
    entries = [
        *((one.finished_at or _LONG_AGO, _release(one)) for one in overview.results),
        *((one.at, _action(one)) for one in overview.actions),
        *((one.started_at, _unfinished(one)) for one in overview.rollbacks if not one.finished_at),
    ]
    if overview.current:
        current = overview.current
        text = f"release {current.release}: under way, {current.what}, by {current.actor}"
        entries.append((current.since, [text]))
    if not entries:
        return [f"{overview.service}: nothing has ended yet"]
    lines = []
    for at, (first, *more) in sorted(entries, key=lambda entry: entry[0], reverse=True):
        lines.append(f"{day(at) if at > _LONG_AGO else 'at an unknown time'}  {first}")
        lines += [f"    {line}" for line in more]
    return lines


def ledger_text(overview: Overview) -> list[str]:
    """What is known of each revision, and what is not released again."""
    lines = []
    if overview.ledger:
        lines += ["", "Ledger: what a release can go back to is good"]
    for one in overview.ledger:
        lines.append(f"{day(one.since)}  {one.status:<9}  {describe(one.revision)}")
        lines.append(f"    {one.why}")
    if overview.quarantine:
        lines += ["", "Quarantine: images that are released again only with --force --reason"]
    for image in overview.quarantine:
        digest = f" @ {image.digest[:19]}…" if image.digest else ""
        lines.append(f"{day(image.at)}  {image.image}{digest}")
        by = f"release {image.release}: " if image.release else ""
        lines.append(f"    {by}{image.reason}")
    return lines


def _release(one: ReleaseResult) -> list[str]:
    by = f", by {one.actor}" if one.actor else ""
    what = f", {one.image}" if one.image else ""
    lines = [f"{title(one)}: {one.outcome.value}{what}{by}", one.reason]
    if one.drill:
        lines[0] = f"DRILL {lines[0]}"
        lines.append(drill_text(one.drill))
    if one.rollback:
        lines.append(f"rolled back {rollback_text(one)} (trigger {one.trigger or 'none'})")
    return lines


def _action(one: Action) -> list[str]:
    return [f"{one.verb} by {one.actor}", one.reason]


def _unfinished(one: RollbackRecord) -> list[str]:
    return [f"rollback to {label(one.to)} under way, by {one.actor}", one.reason]
