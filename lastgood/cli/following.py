"""Follow a release until it has ended, or waits for a person.

A worker that is started again must not end this, nor a short loss of Temporal: it keeps asking,
and says since when nobody answers. The release goes on by itself in any case.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError, RPCStatusCode

from lastgood import messages
from lastgood.cli import live
from lastgood.cli.asking import RPC_TIMEOUT
from lastgood.contracts import Progress, ReleaseView
from lastgood.errors import UnreachableError
from lastgood.model import ReleaseResult, ServiceRef

PACE = 1.0
"""Seconds between looks."""
PATIENCE = 300.0
"""Seconds until a Temporal that cannot be reached is given up."""
FORGOTTEN = 30.0
"""Seconds until a release that nobody knows is given up."""
_BACKWARDS = ("roll back", "verify")
"""Steps that the ``Rollback`` child carries out."""


@dataclass(frozen=True)
class Snapshot:
    """A release at one moment."""

    view: ReleaseView
    progress: Progress | None = None
    now: live.Live = live.NOTHING
    trouble: str | None = None
    """Why nothing newer is known."""
    silent: float = 0.0
    """Seconds since the last answer."""

    @property
    def held(self) -> bool:
        """Whether it waits for a person."""
        return bool(self.progress and self.progress.held and self.progress.result)

    @property
    def result(self) -> ReleaseResult | None:
        """How it ended; or, if it is held, what it waits with."""
        if self.view.result:
            return self.view.result
        if self.progress and self.progress.result and (self.held or self.view.state == "unknown"):
            return self.progress.result
        return None


class Follower:
    """Looks at one release again and again."""

    def __init__(self, client: Client, service: ServiceRef, release: str) -> None:
        self._client = client
        self._service = service
        self._release = release
        self._last = Snapshot(ReleaseView(release=release, state="unknown"))
        self._answered = self._known = time.monotonic()

    async def follow(self, *, through_hold: bool = False) -> AsyncIterator[Snapshot]:
        """Yield what is seen, about once a second; the last one has the result.

        Raises:
            UnreachableError: if Temporal is lost for minutes, or nobody knows the release.
        """
        while True:
            snapshot = self._last = await self._try()
            yield snapshot
            if snapshot.result and not (snapshot.held and through_hold):
                return
            await asyncio.sleep(PACE)

    async def _try(self) -> Snapshot:
        try:
            async with asyncio.timeout(3 * RPC_TIMEOUT.total_seconds()):
                snapshot = await self.look()
        except (RPCError, TimeoutError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return await self._without_answer()
        self._answered = time.monotonic()
        if snapshot.view.state != "unknown":
            self._known = self._answered
        elif self._answered - self._known > FORGOTTEN:
            raise UnreachableError(
                f"Nobody knows release {self._release} of {self._service} any more: its guard "
                f"may have been terminated. See `lastgood status {self._service}`."
            )
        return snapshot

    async def look(self) -> Snapshot:
        """Look once; raises what Temporal's client raises."""
        view = await self._view()
        workflow_id = view.workflow_id or messages.deployment_id(self._service)
        if view.state == "queued":
            return Snapshot(view)
        progress = await self._progress(workflow_id, view.run_id)
        if progress is None:
            return await self._without_progress(view)
        watched = [(workflow_id, view.run_id)]
        if progress.step in _BACKWARDS and view.state != "ended":
            watched.append((messages.rollback_id(self._service), None))
        if view.state == "ended":
            return Snapshot(view, progress)
        return Snapshot(view, progress, await live.read(self._client, *watched))

    async def _view(self) -> ReleaseView:
        handle = self._client.get_workflow_handle(messages.guard_id(self._service))
        try:
            view: ReleaseView = await handle.query(
                messages.RELEASE,
                self._release,
                result_type=ReleaseView,
                rpc_timeout=RPC_TIMEOUT,
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return ReleaseView(release=self._release, state="unknown")
            raise
        return view

    async def _progress(self, workflow_id: str, run_id: str | None) -> Progress | None:
        """The progress of the workflow, if it carries out this release."""
        if workflow_id == messages.rollback_id(self._service):
            return None
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id or None)
        try:
            progress: Progress = await handle.query(
                messages.PROGRESS, result_type=Progress, rpc_timeout=RPC_TIMEOUT
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        return progress if progress.release == self._release else None

    async def _without_progress(self, view: ReleaseView) -> Snapshot:
        """An operator's rollback has no steps; while it runs, the guard may not list it."""
        if view.state == "ended":
            return Snapshot(view)
        workflow_id = messages.rollback_id(self._service)
        try:
            description = await self._client.get_workflow_handle(workflow_id).describe(
                rpc_timeout=RPC_TIMEOUT
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Snapshot(view)
            raise
        if description.status is not WorkflowExecutionStatus.RUNNING:
            return Snapshot(view)
        running = view.model_copy(update={"state": "running", "workflow_id": workflow_id})
        return Snapshot(running, None, await live.read(self._client, (workflow_id, None)))

    async def _without_answer(self) -> Snapshot:
        silent = time.monotonic() - self._answered
        temporal = await self._temporal_answers()
        if not temporal and silent > PATIENCE:
            raise UnreachableError(
                f"Temporal has not answered for {silent:.0f} s. Release {self._release} goes on "
                f"without this command; see `lastgood status {self._service}` later."
            )
        text = f"Temporal has not answered for {silent:.0f} s; still trying"
        if temporal:
            text = f"No worker answers for {silent:.0f} s; the release goes on once there is one"
        return Snapshot(self._last.view, self._last.progress, self._last.now, text, silent)

    async def _temporal_answers(self) -> bool:
        handle = self._client.get_workflow_handle(messages.guard_id(self._service))
        try:
            async with asyncio.timeout(RPC_TIMEOUT.total_seconds()):
                await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        except TimeoutError:
            return False
        return True
