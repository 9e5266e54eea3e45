"""What a window costs the history by its length, next to what a plain polling loop would."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.surroundings import SurroundingsActivities
from benchmarks.records import Record, record_of
from benchmarks.report import Report, Table
from benchmarks.scripted import ScriptedAws
from benchmarks.servers import quiet
from benchmarks.shop import SERVICE, a_watch, policy
from benchmarks.workloads import PollingLoop, look_once
from lastgood.contracts import DeploymentOrder, DeploymentReport, ReleaseOrder, WatchOrder
from lastgood.messages import TASK_QUEUE, WATCH_TASK_QUEUE
from lastgood.model import Outcome
from sandbox.scenarios.demo.parts import BIN
from workflows.deployment import Deployment

NAME = "history"
QUESTION = "what a monitor window costs Temporal's history, by its length"
_MINUTES, _FEW_MINUTES = (1, 10, 60, 360), (1, 10)
_POLLS, _FEW_POLLS = (10, 40), (2, 6)
_INTERVAL = timedelta(seconds=10)
_CAVEATS = (
    "On the time-skipping test server, where an hour passes in a moment. The watch activities are "
    "stand-ins that wait for their end by being retried, which adds no event; one that really "
    "polls adds none either, as its heartbeats are not in the history.",
    "Healthy releases with the default triggers (two metrics, one health check) and one smoke "
    "check; a trigger that fires ends the watch earlier and adds the rollback, whatever the "
    "window. A few events more or less mean that answers which came at the same moment were taken "
    "up in one workflow task or in two.",
    "The polling loop does one activity for all triggers per poll, the cheapest kind; it was run "
    "for few polls only, and its longer windows are a straight line through these runs: computed, "
    "not measured. Its bytes depend on what each look is handed: here what a watch of ours is.",
    "Bytes are the events' size as sent; a database stores somewhat more.",
)


@dataclass(frozen=True)
class _Cost:
    events: int
    size: int


class _Bench:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def release(self, window: timedelta) -> Record:
        release = ReleaseOrder(id=_unique(), image="shop:2.0", policy=policy(window), actor="ci")
        order = DeploymentOrder(release=release, service=SERVICE)
        handle = await self._start("Deployment", [order], DeploymentReport)
        report = await handle.result()
        if report.outcome is not Outcome.HEALTHY:
            raise RuntimeError(f"the release ended {report.outcome}: {report.reason}")
        record = await record_of(handle)
        record.refuse_failures()
        return record

    async def loop(self, order: WatchOrder, polls: int) -> _Cost:
        handle = await self._start("PollingLoop", [order, polls], None)
        await handle.result()
        record = await record_of(handle)
        return _Cost(len(record.events), record.size)

    async def _start(self, name: str, arguments: list[Any], result: Any) -> Any:
        return await self._client.start_workflow(
            name, args=arguments, id=_unique(), task_queue=TASK_QUEUE, result_type=result
        )


def _unique() -> str:
    return f"bench-{uuid.uuid4()}"


@asynccontextmanager
async def _at_work() -> AsyncIterator[_Bench]:
    """The time-skipping server, and workers for both task queues."""
    aws = ScriptedAws(at_once=False)
    async with AsyncExitStack() as stack:
        server = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(BIN / "temporal-test-server"),
            test_server_startup_timeout=timedelta(seconds=60),
            data_converter=pydantic_data_converter,
            runtime=quiet(),
        )
        env = await stack.enter_async_context(server)
        calls = Worker(
            env.client,
            task_queue=TASK_QUEUE,
            workflows=[Deployment, PollingLoop],
            activities=[*aws.calls, look_once, SurroundingsActivities().list_search_attributes],
        )
        watches = Worker(env.client, task_queue=WATCH_TASK_QUEUE, activities=aws.watches)
        await stack.enter_async_context(calls)
        await stack.enter_async_context(watches)
        yield _Bench(env.client)


async def measure(runs: int | None, *, quick: bool) -> Report:
    """One release for each length; a history's size does not vary from run to run."""
    del runs
    lengths = _FEW_MINUTES if quick else _MINUTES
    few, more = _FEW_POLLS if quick else _POLLS
    async with _at_work() as bench:
        releases = {minutes: await bench.release(timedelta(minutes=minutes)) for minutes in lengths}
        order = a_watch(_INTERVAL)
        line = _Line(few, await bench.loop(order, few), more, await bench.loop(order, more))
    columns = ("window", "polls", "release events", "bytes", "loop events*", "loop bytes*")
    lengths_table = Table(
        f"A poll every {_INTERVAL.seconds} s. *: computed from the runs in the next table.",
        columns,
        tuple(_row(minutes, record, line) for minutes, record in releases.items()),
    )
    measured = Table(
        "The polling loop as measured.",
        ("polls", "loop events", "bytes"),
        tuple((str(n), c.events, c.size) for n, c in ((few, line.small), (more, line.large))),
    )
    command = f"python -m benchmarks {NAME}{' --quick' if quick else ''}"
    return Report(NAME, QUESTION, command, _CAVEATS, (lengths_table, measured))


@dataclass(frozen=True)
class _Line:
    """A straight line through two measured runs of the loop."""

    few: int
    small: _Cost
    more: int
    large: _Cost

    def at(self, polls: int) -> _Cost:
        """What so many polls would cost."""
        share = (polls - self.few) / (self.more - self.few)
        events = self.small.events + share * (self.large.events - self.small.events)
        size = self.small.size + share * (self.large.size - self.small.size)
        return _Cost(round(events), round(size))


def _row(minutes: int, record: Record, line: _Line) -> tuple[str | int, ...]:
    polls = round(timedelta(minutes=minutes) / _INTERVAL)
    loop = line.at(polls)
    return (f"{minutes} min", polls, len(record.events), record.size, loop.events, loop.size)
