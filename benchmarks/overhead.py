"""What durability costs a release: our pipeline without waiting, against empty activities."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
from temporalio.client import Client
from temporalio.worker import Worker

from activities.surroundings import SurroundingsActivities
from benchmarks.records import Record, record_of
from benchmarks.report import Report, Table, median
from benchmarks.scripted import ScriptedAws
from benchmarks.servers import dev_server, folder
from benchmarks.shop import SERVICE, policy
from benchmarks.workloads import EmptyActivities, do_nothing
from lastgood.contracts import DeploymentOrder, DeploymentReport, ReleaseOrder
from lastgood.messages import TASK_QUEUE, WATCH_TASK_QUEUE
from lastgood.model import Outcome
from workflows.deployment import Deployment

NAME = "overhead"
QUESTION = "what durability costs a release that has nothing to wait for"
_RUNS, _FEWEST, _WARM_UP = 20, 2, 2
_CAVEATS = (
    "One Temporal dev server with a database file, one worker and this program share the machine; "
    "compare the rows of one run, not the milliseconds of two machines.",
    "The release is the workflow Deployment from start to healthy; the activities are stand-ins "
    "that answer at once, so AWS's own time and the window are not in it. The guard, which starts "
    "it in production, is not in it either.",
    "A dev server's own queues are throttled to 20 polls a second; that throttle is lifted here.",
    "CPU is that of the server's process, and of worker and client in this one; the workflow "
    "sandbox is on, as in production.",
)


@dataclass
class _Samples:
    """What the runs of one kind took."""

    record: Record | None = None
    seconds: list[float] = field(default_factory=list)
    worker_cpu: list[float] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)


class _Bench:
    def __init__(self, client: Client, server: psutil.Process) -> None:
        self._client = client
        self._server = server

    async def release(self) -> Record:
        release = ReleaseOrder(id=_unique(), image="shop:2.0", policy=policy(), actor="ci")
        order = DeploymentOrder(release=release, service=SERVICE)
        report, record = await self._run("Deployment", order, DeploymentReport)
        if report.outcome is not Outcome.HEALTHY:
            raise RuntimeError(f"the release ended {report.outcome}: {report.reason}")
        record.refuse_failures()
        return record

    async def empty(self, shape: list[int]) -> Record:
        _, record = await self._run("EmptyActivities", shape, None)
        return record

    async def _run(self, name: str, argument: Any, result: Any) -> tuple[Any, Record]:
        handle = await self._client.start_workflow(
            name, argument, id=_unique(), task_queue=TASK_QUEUE, result_type=result
        )
        answer = await handle.result()
        self.ended = time.monotonic(), time.process_time(), self._server_cpu()
        return answer, await record_of(handle)

    async def measure(self, samples: _Samples, shape: list[int] | None) -> None:
        began = time.monotonic(), time.process_time(), self._server_cpu()
        samples.record = await (self.release() if shape is None else self.empty(shape))
        samples.seconds.append(self.ended[0] - began[0])
        samples.worker_cpu.append(self.ended[1] - began[1])
        samples.server_cpu.append(self.ended[2] - began[2])

    def _server_cpu(self) -> float:
        times = self._server.cpu_times()
        return float(times.user + times.system)


def _unique() -> str:
    return f"bench-{uuid.uuid4()}"


@asynccontextmanager
async def _at_work() -> AsyncIterator[_Bench]:
    """A dev server, and workers for both task queues in this process."""
    aws = ScriptedAws(at_once=True)
    with ExitStack() as stack:
        where = stack.enter_context(folder())
        server = await asyncio.to_thread(dev_server, stack, where)
        client = await server.client()
        async with AsyncExitStack() as workers:
            around = SurroundingsActivities()
            calls = Worker(
                client,
                task_queue=TASK_QUEUE,
                workflows=[Deployment, EmptyActivities],
                activities=[*aws.calls, do_nothing, around.list_search_attributes],
            )
            watches = Worker(client, task_queue=WATCH_TASK_QUEUE, activities=aws.watches)
            await workers.enter_async_context(calls)
            await workers.enter_async_context(watches)
            yield _Bench(client, psutil.Process(server.program.pid))


async def measure(runs: int | None, *, quick: bool) -> Report:
    """Alternate between the three workflows."""
    runs = runs or (_FEWEST if quick else _RUNS)
    async with _at_work() as bench:
        shape = (await bench.release()).shape
        kinds: dict[str, tuple[list[int] | None, _Samples]] = {
            "release": (None, _Samples()),
            "empty, one after the other": ([1] * sum(shape), _Samples()),
            "empty, in the release's shape": (shape, _Samples()),
        }
        for number in range(_WARM_UP + runs):
            for wanted, samples in kinds.values():
                await bench.measure(_Samples() if number < _WARM_UP else samples, wanted)
    rows = _rows({name: samples for name, (_, samples) in kinds.items()})
    title = (
        f"Medians of {runs} runs each, alternating, after {_WARM_UP} of each for warming up; "
        f"{sum(shape)} activities; the release's shape is {'+'.join(map(str, shape))}: what starts "
        "together, which are three watches and what goes on beside them. The ratio is the "
        "release's time to that row's."
    )
    columns = ("workflow", "ms", "ratio", "worker CPU ms", "server CPU ms", "events", "bytes")
    command = f"python -m benchmarks {NAME} --runs {runs}"
    return Report(NAME, QUESTION, command, _CAVEATS, (Table(title, columns, rows),))


def _rows(kinds: dict[str, _Samples]) -> tuple[tuple[str | int | float, ...], ...]:
    ours = median(kinds["release"].seconds)
    return tuple(
        (
            name,
            round(1000 * median(samples.seconds)),
            round(ours / median(samples.seconds), 2),
            round(1000 * median(samples.worker_cpu)),
            round(1000 * median(samples.server_cpu)),
            len(samples.record.events) if samples.record else 0,
            samples.record.size if samples.record else 0,
        )
        for name, samples in kinds.items()
    )
