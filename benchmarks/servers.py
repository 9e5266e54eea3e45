"""The processes that benchmarks need, and their end: whatever happens, none is left."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from sandbox.running import Sandbox
from sandbox.scenarios.demo.parts import BIN, ROOT, Program, answers, free_port, wait_for

_UNTHROTTLED = tuple(
    f"history.{queue}ProcessorMaxPollRPS=2000" for queue in ("transfer", "timer", "visibility")
)
"""The dev server polls its own queues 20 times a second at most, which a real cluster does not."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for databases and logs; it stays after a failure, for who looks for the reason."""
    (ROOT / ".run").mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / ".run"))
    try:
        yield made
    except Exception:
        print(f"The logs are in {made.relative_to(ROOT)}.", file=sys.stderr)
        raise
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    shutil.rmtree(made, ignore_errors=True)


def running(stack: ExitStack, program: Program) -> Program:
    """Start a program that ends with the stack."""
    stack.callback(program.stop)
    return program.start()


def quiet() -> Runtime:
    """Temporal's core, with its remarks on servers and heartbeats left out."""
    filtered = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=filtered)))


@dataclass(frozen=True)
class DevServer:
    """Temporal's dev server with a database file, unthrottled."""

    program: Program
    port: int

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def client(self) -> Client:
        """A client with our data converter."""
        return await Client.connect(self.address, data_converter=pydantic_data_converter)


def dev_server(stack: ExitStack, where: Path) -> DevServer:
    """Start a dev server and wait until it answers."""
    port = free_port()
    command = [
        str(BIN / "temporal"),
        *("server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)),
        *("--db-filename", str(where / "temporal.db"), "--log-level", "error"),
    ]
    for value in _UNTHROTTLED:
        command += ["--dynamic-config-value", value]
    program = running(stack, Program("temporal", command, where, dict(os.environ)))
    wait_for("Temporal's start", lambda: program.says("") and answers(port))
    return DevServer(program, port)


@dataclass(frozen=True)
class RealParts:
    """Sandbox, dev server and ``worker.py``, each a process of its own."""

    aws: Sandbox
    client: Client


@asynccontextmanager
async def real_parts(*, traffic: float, pace: tuple[str, ...] = ()) -> AsyncIterator[RealParts]:
    """All that a release needs.

    Args:
        traffic: requests a second to every service.
        pace: options of the sandbox that say how quickly things go there.
    """
    with ExitStack() as stack:
        where = stack.enter_context(folder())
        server = await asyncio.to_thread(dev_server, stack, where)
        aws = stack.enter_context(Sandbox(traffic=traffic, arguments=pace))
        kept = {k: v for k, v in aws.environment.items() if not k.startswith("TEMPORAL_")}
        env = {**kept, "TEMPORAL_ADDRESS": server.address, "TEMPORAL_NAMESPACE": "default"}
        worker = running(stack, Program("worker", [sys.executable, "worker.py"], where, env))
        await asyncio.to_thread(wait_for, "the worker's start", lambda: worker.says("Working on"))
        yield RealParts(aws, await server.client())
