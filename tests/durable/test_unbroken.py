"""A cancellation that comes in the very moment in which the work is done."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.durable.workers import working
from workflows.unbroken import to_its_end

QUEUE = "unbroken"
LONG = timedelta(hours=1)


class Notes:
    """Of a journal."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@workflow.defn(name="patient")
class Patient:
    @workflow.run
    async def run(self) -> list[str]:
        """What the work said, and what was noted meanwhile."""
        journal = Notes()
        work = workflow.start_activity("work", start_to_close_timeout=LONG, result_type=str)
        said = await to_its_end(journal, work, "cancelled")  # type: ignore[arg-type]
        return [said, *journal.notes]


async def has(handle: WorkflowHandle, event: str) -> bool:
    names = [one.WhichOneof("attributes") async for one in handle.fetch_history_events()]
    return any(event in str(name) for name in names)


async def test_what_is_done_in_that_moment_is_done(desk):
    begun, go_on = asyncio.Event(), asyncio.Event()

    @activity.defn(name="work")
    async def work() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    def thinking() -> Worker:
        return Worker(
            desk.client,
            task_queue=QUEUE,
            workflows=[Patient],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=0,
        )

    async with working(Worker(desk.client, task_queue=QUEUE, activities=[work])):
        async with working(thinking()):
            handle = await desk.client.start_workflow("patient", id="p", task_queue=QUEUE)
            await asyncio.wait_for(begun.wait(), 15)
        go_on.set()
        while True:
            await asyncio.sleep(0.05)
            if await has(handle, "activity_task_completed"):
                break
        await handle.cancel()
        async with working(thinking()):
            found = await asyncio.wait_for(handle.result(), 15)

    assert found == ["done", "cancelled"]
