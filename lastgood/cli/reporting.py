"""A release's report, gathered and written: for ``lastgood report`` and ``deploy --report``."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from temporalio.client import Client

import lastgood
from lastgood.cli import tracing
from lastgood.cli.output import say
from lastgood.cli.tracing import Traced
from lastgood.contracts import GroupProgress
from lastgood.decisions.charts import Chart
from lastgood.errors import LastgoodError, UsageError
from lastgood.model import ReleaseResult, ServiceRef
from lastgood.plots import canvas
from lastgood.report import grouped, page, telling
from lastgood.report.parts import Page, ReleasePart

_PATIENCE = 60.0
"""Seconds for a report beside a release whose end was told already."""
_ENDINGS = (".html", ".htm")
_NEVER = "It never began, or Temporal no longer has its history: no more is known of it."


class Gathered(NamedTuple):
    """What a report is made of."""

    page: Page
    chart: Chart | None
    """Of the trigger that decided."""
    result: ReleaseResult | None


# --- Files -------------------------------------------------------------------------------------


def checked_page(path: str, option: str) -> Path:
    """The file of a page.

    Raises:
        UsageError: if it is not named as one, so that no policy file is written over by mistake.
    """
    found = Path(path)
    if found.suffix.lower() not in _ENDINGS or found.is_dir():
        raise UsageError(f"{option} {path}: it becomes an HTML page: name a file FILE.html")
    return found


def file_name(release: str) -> str:
    """Where the report of a release is written if nobody says: ``lastgood-2.1.html``."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", release).strip("-.")[:80]
    return f"lastgood-{plain or 'release'}.html"


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made, an earlier one replaced.

    Raises:
        UsageError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


# --- Pages -------------------------------------------------------------------------------------


async def gather(
    client: Client, release: str, *, service: ServiceRef | None, region: str | None
) -> Gathered | None:
    """Find a release and make its page; None if nobody knows it.

    Raises:
        UnreachableError: if nobody answers.
        UsageError: if it has not begun.
    """
    traced = await tracing.trace(client, release, service=service, region=region)
    if traced is None:
        return None
    found = _gathered(traced)
    if found is None:
        raise UsageError(
            f"Release {release} of {traced.service}: there is nothing to report yet. "
            f"{traced.remark}"
        )
    return found


def _gathered(traced: Traced) -> Gathered | None:
    part, service, told = _part(traced), traced.service, traced.explanation
    if part is None:
        return None
    result = traced.result or (told.progress.result if told else None)
    chart = part.lead.chart if part.lead else None
    command = f"lastgood report {part.release} --service {service} --region {service.region}"
    so_far = result is None or bool(told and told.progress.held)
    return Gathered(_page(part, command, so_far=so_far), chart, result)


def _part(traced: Traced) -> ReleasePart | None:
    if traced.explanation:
        now = datetime.now(UTC)
        return telling.of_release(traced.service, traced.explanation, traced.result, now)
    if traced.result:
        calls, remark = traced.calls, traced.remark
        return telling.of_result(str(traced.service), traced.result, remark, calls)
    return None


def _page(part: ReleasePart, command: str, *, so_far: bool = False) -> Page:
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC by Lastgood {lastgood.__version__}"
    return Page(title=part.title, lead=part, command=command, made=made, so_far=so_far)


async def gather_group(client: Client, group: GroupProgress) -> Gathered:
    """Make the page of a group's release, with each of its services."""
    members = []
    for row, member in zip(grouped.rows(group.members), group.members, strict=True):
        traced = None
        if member.asked:
            traced = await tracing.trace(
                client, member.release, service=member.service, region=None
            )
        members.append((row, _part(traced) if traced else None, traced))
    part = grouped.of_group(group)
    made = _page(part, f"lastgood report {group.release}", so_far=group.result is None)
    failed = [one for row, one, _ in members if one and row.tone != "good" and one.lead]
    lead = failed[0].lead if failed else None
    whole = made._replace(members=tuple((row, one) for row, one, _ in members))
    return Gathered(whole, lead.chart if lead else None, group.result)


# --- Beside a release --------------------------------------------------------------------------


async def beside(
    client: Client, result: ReleaseResult, path: Path, service: ServiceRef | GroupProgress
) -> None:
    """Write the report of a release that ``deploy`` followed to its end.

    Whatever goes wrong is said and changes nothing: the verdict was told already.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await _of_the_end(client, result, service)
            content = page.html(found.page)
        write(path, content.encode())
    except asyncio.CancelledError:  # Ctrl-C: the verdict stands, and so does the exit code
        say(f"The report was not written to {path}: stopped.")
    except LastgoodError as error:
        say(f"The report was not written: {error}")
    except Exception as error:  # noqa: BLE001 - a report never changes how a release ends
        say(f"The report was not written: {type(error).__name__}: {error}")
    else:
        say(f"Report: {path}")
        if not canvas.available():
            say(f"It has no pictures, as matplotlib is missing: {canvas.INSTALL}")


async def _of_the_end(
    client: Client, result: ReleaseResult, service: ServiceRef | GroupProgress
) -> Gathered:
    if isinstance(service, GroupProgress):
        return await gather_group(client, service)
    traced = await tracing.trace(client, result.release, service=service, region=None)
    if traced is None or traced.explanation is None:
        traced = Traced(service, None, result, _NEVER)
    found = _gathered(traced)
    if found is None:
        raise RuntimeError("a release that has ended has a page")
    return found
