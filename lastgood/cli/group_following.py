"""Find a group's release, or start it, and follow it until it has ended or waits for a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from lastgood import messages
from lastgood.cli import asking
from lastgood.cli.following import PACE, PATIENCE
from lastgood.cli.lines import EVERY, Lines
from lastgood.cli.output import say
from lastgood.cli.tracing import MOST
from lastgood.contracts import GroupOrder, GroupProgress, GroupResult, Member, OperatorRequest
from lastgood.decisions.rendering.temporal_ui.group import group_details, group_summary
from lastgood.errors import UnreachableError

_RELEASE = "release"
"""The key of a run's memo by which the release that it carries out is known."""
Handle = WorkflowHandle[object, GroupResult]


async def attach(client: Client, order: GroupOrder) -> tuple[Handle, bool]:
    """The run that carries the release out, started if there is none; whether it was known.

    Raises:
        RefusedError: if another release of the group is under way, and not only held.
        UnreachableError: if Temporal gives no answer.
    """
    try:
        known = await _known(client, order)
        return (known, True) if known else (await _start(client, order), False)
    except RPCError as error:
        raise UnreachableError(f"Temporal gave no answer: {error.message}") from None


async def _known(client: Client, order: GroupOrder) -> Handle | None:
    """The run of the same release, also one that ended long ago."""
    ident = messages.group_id(order.region, order.group)
    async for run in client.list_workflows(f'WorkflowId = "{ident}"'):
        if (await run.memo()).get(_RELEASE) == order.id:
            return _handle(client, ident, run.run_id)
    return None


async def _start(client: Client, order: GroupOrder) -> Handle:
    """Start it; a release that only waits for a person makes room."""
    while True:
        handle, under_way = await _start_or_find(client, order)
        if under_way == order.id:
            return handle
        await _make_room(handle, order, under_way)


async def _start_or_find(client: Client, order: GroupOrder) -> tuple[Handle, str]:
    """The one run that there is, and which release it carries out."""
    ident = messages.group_id(order.region, order.group)
    started = await client.start_workflow(
        messages.GROUP,
        order,
        id=ident,
        task_queue=messages.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        memo={_RELEASE: order.id},
        static_summary=group_summary(order),
        static_details=group_details(order),
        rpc_timeout=asking.RPC_TIMEOUT,
    )
    handle = _handle(client, ident, started.result_run_id)
    described = await handle.describe(rpc_timeout=asking.RPC_TIMEOUT)
    return handle, await described.memo_value(_RELEASE)


async def _make_room(handle: Handle, order: GroupOrder, under_way: str) -> None:
    """Ask the release that is under way to end, and wait until it has.

    Raises:
        RefusedError: unless it only waits for a person.
    """
    reason = f"release {order.id} of the group begins"
    request = OperatorRequest(id=order.id, actor=order.actor, reason=reason, release=order.id)
    try:
        await handle.execute_update(messages.SUPERSEDE, request, id=f"supersede/{order.id}")
        await handle.result()
    except WorkflowUpdateFailedError:
        raise asking.RefusedError(
            f"Release {under_way} of the group {order.group} is under way. Release again when it "
            f"has ended; `lastgood deploy … --release {under_way}` follows it."
        ) from None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # it has just ended by itself
            raise
    say(f"Release {under_way} of the group {order.group}, which waited for a person, has ended.")


def _handle(client: Client, ident: str, run_id: str | None) -> Handle:
    return client.get_workflow_handle(ident, run_id=run_id, result_type=GroupResult)


async def find(client: Client, ident: str, release: str | None) -> tuple[Handle, str] | None:
    """A run of a group's release and its id: the one named, or else the newest; None if unknown.

    Args:
        client: Temporal's.
        ident: the group's workflow id.
        release: which one.

    Raises:
        UnreachableError: if Temporal gives no answer.
    """
    try:
        runs = [run async for run in client.list_workflows(f'WorkflowId = "{ident}"')]
        for run in sorted(runs, key=lambda one: one.start_time, reverse=True):
            carries = str((await run.memo()).get(_RELEASE))
            if release in (None, carries):
                return _handle(client, ident, run.run_id), carries
    except RPCError as error:
        raise UnreachableError(f"Temporal gave no answer: {error.message}") from None
    return None


async def is_running(handle: Handle) -> bool:
    """Whether a run goes on.

    Raises:
        UnreachableError: if Temporal gives no answer.
    """
    try:
        described = await handle.describe(rpc_timeout=asking.RPC_TIMEOUT)
    except RPCError as error:
        raise UnreachableError(f"Temporal gave no answer: {error.message}") from None
    return described.status is WorkflowExecutionStatus.RUNNING


async def find_anywhere(client: Client, release: str, region: str | None) -> GroupProgress | None:
    """Find the newest release of a group with this id and ask it; None if nobody knows it.

    Raises:
        UnreachableError: if nobody answers.
    """
    kind = f"WorkflowType = '{messages.GROUP}'"
    try:
        async for one in client.list_workflows(kind, limit=MOST):  # newest first
            if region is not None and one.id.split("/")[1] != region:
                continue
            if await one.memo_value(_RELEASE, None) == release:
                run = client.get_workflow_handle(one.id, run_id=one.run_id)
                found: GroupProgress = await run.query(
                    messages.PROGRESS, result_type=GroupProgress, rpc_timeout=2 * asking.RPC_TIMEOUT
                )
                return found
    except (RPCError, WorkflowQueryFailedError) as error:
        raise UnreachableError(f"No answer for release {release} of a group: {error}") from None
    return None


# --- Following ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """A group's release at one moment."""

    progress: GroupProgress | None = None
    trouble: str | None = None
    """Why nothing newer is known."""


class GroupFollower:
    """Looks at a group's release again and again, until it has ended or waits for a person."""

    def __init__(self, handle: Handle, release: str) -> None:
        self._handle = handle
        self._release = release
        self._last = Look()
        self._answered = time.monotonic()

    async def follow(self) -> AsyncIterator[Look]:
        """Yield what is seen, about once a second; the last one has the result.

        Raises:
            UnreachableError: if Temporal is lost for minutes, or the run ended without a verdict.
        """
        while True:
            yield (look := await self._try())
            if look.progress and look.progress.result:
                return
            await asyncio.sleep(PACE)

    async def _try(self) -> Look:
        try:
            async with asyncio.timeout(3 * asking.RPC_TIMEOUT.total_seconds()):
                self._last = await self._look()
        except (RPCError, TimeoutError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return self._without_answer()
        self._answered = time.monotonic()
        return self._last

    async def _look(self) -> Look:
        described = await self._handle.describe(rpc_timeout=asking.RPC_TIMEOUT)
        progress: GroupProgress = await self._handle.query(
            messages.PROGRESS, result_type=GroupProgress, rpc_timeout=asking.RPC_TIMEOUT
        )
        running = described.status is WorkflowExecutionStatus.RUNNING
        if not running and progress.result is None:
            raise UnreachableError(
                f"Release {self._release} of the group {progress.group} broke off without a "
                "verdict. What is under way goes on by itself: see `lastgood status` of each "
                f"service: {', '.join(str(one.service) for one in progress.members)}."
            )
        return Look(progress)

    def _without_answer(self) -> Look:
        silent = time.monotonic() - self._answered
        if silent > PATIENCE:
            raise UnreachableError(
                f"Nobody has answered for {silent:.0f} s. Release {self._release} goes on without "
                "this command; the same command with the same --release follows it again."
            )
        return replace(self._last, trouble=f"No answer for {silent:.0f} s; still trying")


def standing_line(members: tuple[Member, ...]) -> str:
    """``shop/db healthy | shop/web under way | shop/worker waits``."""
    return " | ".join(f"{one.service} {_words(one)}" for one in members)


def _words(member: Member) -> str:
    ended = member.back or member.result
    if ended:
        return ended.outcome.value.replace("_", " ")
    if member.held:
        return "HELD"
    if member.leaving:
        return "goes back"
    return "under way" if member.asked else "waits"


class Said:
    """Says what is new, and now and then where each member stands."""

    def __init__(self) -> None:
        self._lines = Lines(say)
        self._notes = 0
        self._at = time.monotonic()

    def show(self, look: Look) -> None:
        """Say what is new."""
        notes = look.progress.notes if look.progress else ()
        for note in notes[self._notes :]:
            self._say(note)
        self._notes = max(self._notes, len(notes))
        if time.monotonic() - self._at >= EVERY:
            where = standing_line(look.progress.members) if look.progress else None
            self._say(look.trouble or where or "No answer yet")

    def _say(self, text: str) -> None:
        self._at = time.monotonic()
        self._lines.say(text)
