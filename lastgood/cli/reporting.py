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

from temporalio.client import Client, WorkflowQueryFailedError

import lastgood
from lastgood import messages
from lastgood.cli import live, tracing
from lastgood.cli.output import say
from lastgood.cli.tracing import Traced
from lastgood.contracts import GroupProgress, Member
from lastgood.decisions.charts import Chart
from lastgood.errors import LastgoodError, UsageError
from lastgood.model import ReleaseResult, ServiceRef
from lastgood.plots import canvas
from lastgood.report import grouped, page, telling
from lastgood.report.parts import Page, ReleasePart

_PATIENCE = 60.0
"""Seconds for a report beside a release whose end was told already."""
_NEVER = "It never began, or Temporal no longer has its history: no more is known of it."


class Gathered(NamedTuple):
    """What a report is made of."""

    page: Page
    chart: Chart | None
    """Of the trigger that decided."""
    result: ReleaseResult | None


# --- Files -------------------------------------------------------------------------------------


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
    found = _gathered(traced, await _latest(client, traced))
    if found is None:
        raise UsageError(
            f"Release {release} of {traced.service}: there is nothing to report yet. "
            f"{traced.remark}"
        )
    return found


async def _latest(client: Client, traced: Traced) -> tuple[str, ...]:
    """What the triggers measured last, of a release that goes on."""
    told = traced.explanation
    if told is None or traced.result or told.progress.result:
        return ()
    now = await live.read(client, (messages.deployment_id(traced.service), None))
    rollout = (f"rollout: {now.rollout}",) if now.rollout else ()
    return (*rollout, *(one.line for one in now.triggers))


def _gathered(traced: Traced, latest: tuple[str, ...] = ()) -> Gathered | None:
    part, service, told = _part(traced, latest), traced.service, traced.explanation
    if part is None:
        return None
    result = traced.result or (told.progress.result if told else None)
    chart = part.lead.chart if part.lead else None
    command = f"lastgood report {part.release} --service {service} --region {service.region}"
    so_far = result is None or bool(told and told.progress.held)
    return Gathered(_page(part, command, so_far=so_far), chart, result)


def _part(traced: Traced, latest: tuple[str, ...] = ()) -> ReleasePart | None:
    told, now = traced.explanation, datetime.now(UTC)
    if told:
        return telling.of_release(traced.service, told, traced.result, now, latest)
    if traced.result:
        calls, remark = traced.calls, traced.remark
        return telling.of_result(str(traced.service), traced.result, remark, calls)
    return None


def _page(part: ReleasePart, command: str, *, so_far: bool = False) -> Page:
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC by Lastgood {lastgood.__version__}"
    return Page(title=part.title, lead=part, command=command, made=made, so_far=so_far)


async def gather_group(client: Client, group: GroupProgress) -> Gathered:
    """Make the page of a group's release, with each of its services."""
    parts = [await _of_member(client, one) if one.asked else None for one in group.members]
    members = tuple(zip(grouped.rows(group.members), parts, strict=True))
    whole = _page(
        grouped.of_group(group), f"lastgood report {group.release}", so_far=group.result is None
    )
    wrong = [part for row, part in members if part and part.lead and row.tone != "good"]
    lead = wrong[0].lead if wrong else None
    chart = lead.chart if lead else None
    return Gathered(whole._replace(members=members), chart, group.result)


async def _of_member(client: Client, member: Member) -> ReleasePart | None:
    """What a service's release says; what the group knows of it, if it cannot be asked."""
    known, remark = member.back or member.result or member.held, ""
    traced = None
    try:
        traced = await tracing.trace(client, member.release, service=member.service, region=None)
    except (LastgoodError, WorkflowQueryFailedError) as error:
        remark = f"It could not be asked: {error}"
    if traced is None or traced.explanation is None:
        remark = remark or (traced.remark if traced else "")
        traced = Traced(member.service, None, known, remark)
    part = _part(traced)
    if part and traced.explanation and member.back:
        back = f"It was taken back after that, for the group's sake: {member.back.reason}"
        return part._replace(remark=back)
    return part


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
