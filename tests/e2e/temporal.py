"""Temporal's dev server as a process on a database file, and a client that reads what it holds."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from sandbox.scenarios.demo.parts import (
    BIN,
    Program,
    answers,
    free_port,
    search_attributes,
    wait_for,
)
from tests.e2e.commands import PATIENCE

T = TypeVar("T")
Runs = list[tuple[WorkflowExecution, bytes]]


class TemporalServer:
    """The dev server; what it knows is in a file and outlives a SIGKILL.

    Args:
        folder: for its file and its log.
        name: of both.
        namespaces: how many it has.
        ui: whether it has its UI, at `ui_url`.
    """

    def __init__(self, folder: Path, name: str, namespaces: int, *, ui: bool = False) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._file = folder / f"{name}.db"
        self._names = [f"e2e-{number:02}" for number in range(namespaces)]
        self._free = list(self._names)
        self._lock = threading.Lock()
        ui_port = free_port() if ui else 0
        self.ui_url = f"http://127.0.0.1:{ui_port}" if ui else ""
        command = [
            str(BIN / "temporal"),
            *("server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port)),
            *(("--ui-port", str(ui_port)) if ui else ("--headless",)),
            *search_attributes(),
            *("--db-filename", str(self._file), "--log-level", "error"),
            # Enough to outlive a SIGKILL, if not a power cut.
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=off"),
            *[part for one in self._names for part in ("--namespace", one)],
        ]
        self._program = Program(name, command, folder, dict(os.environ))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._clients: dict[str, Client] = {}

    def start(self) -> None:
        """Start it, or start it again on the same file; return when it answers."""
        self._program.start()
        wait_for("Temporal's start", lambda: self._program.running and answers(self.port), PATIENCE)
        wait_for("Temporal's first answer", self._ready, PATIENCE)

    def kill(self) -> None:
        """SIGKILL."""
        self._program.kill()

    def lose_everything(self) -> None:
        """SIGKILL, the database deleted, and an empty one at the same address."""
        self.kill()
        for path in self._file.parent.glob(f"{self._file.name}*"):
            path.unlink()
        self.start()

    def stop(self) -> None:
        self._program.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def take_namespace(self) -> str:
        """A namespace that nobody else uses."""
        with self._lock:
            return self._free.pop()

    def query(self, namespace: str, workflow_id: str, name: str, *arguments: Any) -> Any:
        """A workflow's answer, as plain JSON; None if there is no such workflow, or no worker."""

        async def ask() -> Any:
            client = await self._client(namespace)
            handle = client.get_workflow_handle(workflow_id)
            try:
                return await asyncio.wait_for(handle.query(name, args=list(arguments)), 5)
            except (RPCError, TimeoutError):
                return None

        return self._do(ask())

    def events(self, namespace: str, workflow_id: str) -> list[HistoryEvent]:
        """The history of a workflow's latest run."""

        async def read() -> list[HistoryEvent]:
            client = await self._client(namespace)
            handle = client.get_workflow_handle(workflow_id)
            return [event async for event in handle.fetch_history_events()]

        return self._do(read())

    def run_id(self, namespace: str, workflow_id: str) -> str:
        """The latest run of a workflow."""

        async def read() -> str:
            client = await self._client(namespace)
            return (await client.get_workflow_handle(workflow_id).describe()).run_id

        return self._do(read())

    def found(self, namespace: str, query: str) -> list[str]:
        """The ids of the workflows that a list's filter finds."""

        async def read() -> list[str]:
            client = await self._client(namespace)
            return [one.id async for one in client.list_workflows(query)]

        return self._do(read())

    def runs(self, namespace: str, workflow_ids: list[str]) -> Runs:
        """All runs of some workflows, each with its history as bytes."""

        async def read() -> Runs:
            client = await self._client(namespace)
            wanted = " OR ".join(f'WorkflowId = "{one}"' for one in workflow_ids)
            found: Runs = []
            async for run in client.list_workflows(wanted):
                handle = client.get_workflow_handle(run.id, run_id=run.run_id)
                events = [event async for event in handle.fetch_history_events()]
                found.append((run, b"\n".join(e.SerializeToString() for e in events)))
            return found

        return self._do(read())

    def _ready(self) -> bool:
        async def ask() -> bool:
            try:
                client = await self._client("default")
                await client.workflow_service.describe_namespace(
                    DescribeNamespaceRequest(namespace=self._names[-1])
                )
            except (RPCError, RuntimeError):
                return False
            return True

        return self._do(ask())

    async def _client(self, namespace: str) -> Client:
        if namespace not in self._clients:
            self._clients[namespace] = await Client.connect(self.address, namespace=namespace)
        return self._clients[namespace]

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)
