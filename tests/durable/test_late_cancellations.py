"""Cancelled in Temporal's UI when it has its outcome already: it keeps that, whatever is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    Interceptor,
    SignalExternalWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from lastgood import messages
from lastgood.model import Outcome
from tests.durable.conftest import QUIET, TEST_SERVER
from tests.durable.desk import PATIENCE, RELEASE, Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.test_ladder import back_to_what_was_completed
from tests.durable.world import Fault, World

TOLD = {"notify": {"healthy": True}}


class SlowSignals(Interceptor):
    """A message to the guard takes its time."""

    def __init__(self, name: str, takes: timedelta) -> None:
        self._name, self._takes = name, takes

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - temporalio's name
    ) -> type[WorkflowInboundInterceptor]:
        name, takes = self._name, self._takes

        class Outbound(WorkflowOutboundInterceptor):
            async def signal_external_workflow(
                self,
                input: SignalExternalWorkflowInput,  # noqa: A002 - temporalio's name
            ) -> None:
                if input.signal == name:
                    await workflow.sleep(takes)
                await super().signal_external_workflow(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


@asynccontextmanager
async def slow(name: str, **takes: float) -> AsyncIterator[Desk]:
    """A desk of which one message takes so long."""
    slowly = SlowSignals(name, timedelta(**takes))
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER),
        data_converter=pydantic_data_converter,
        runtime=QUIET,
    )
    async with environment as env:
        aws = FakeAws(World())
        async with at_work(env, aws, interceptors=[slowly]) as desk:
            yield desk


async def cancel(desk: Desk) -> None:
    """Cancel the release, and wait until it knows."""
    await desk.cancel_release()
    while True:
        events = await desk.events(RELEASE)
        requested = "WORKFLOW_EXECUTION_CANCEL_REQUESTED"
        if requested in events and "WORKFLOW_TASK_COMPLETED" in events[events.index(requested) :]:
            return
        await asyncio.sleep(0.05)


def cancel_during(desk: Desk, call: str, *, number: int) -> None:
    """Cancel while the nth call of this name is under way."""

    async def wait(left: int) -> None:
        if left:
            desk.aws.meanwhile[call] = lambda: wait(left - 1)
        else:
            await cancel(desk)

    desk.aws.meanwhile[call] = lambda: wait(number - 1)


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED])
async def test_while_people_are_told(desk, outcome):
    desk.world.bad("app:2", after=60)
    if outcome is Outcome.ROLLBACK_FAILED:
        desk.world.image("app:1", faults={"error-rate": Fault(timedelta(0))})
    cancel_during(desk, "notify_slack", number=2)

    result = await desk.release("app:2", rollback={"verify_timeout": "2m"})

    assert result.outcome is outcome
    assert result.rollback.to
    assert len(desk.told("ended", "email")) == desk.told_of(outcome) == 1
    failed = outcome is Outcome.ROLLBACK_FAILED
    assert (await desk.overview()).alerts == (("app:2",) if failed else ())


async def test_while_its_images_are_looked_up_for_the_last_time(desk):
    desk.world.pull = timedelta(hours=1)
    looked: list[int] = []

    async def look() -> None:
        desk.aws.meanwhile["describe_service_revisions"] = look
        looked.append(len(desk.told("ended")))
        if looked[-1] and looked.count(1) == 1:
            desk.world.known_from.clear()
            await cancel(desk)

    desk.aws.meanwhile["describe_service_revisions"] = look
    result = await desk.release("app:2", **TOLD)

    assert looked[-1] == 1
    assert result.outcome is Outcome.HEALTHY
    assert len(desk.told("ended")) == 1
    (image,) = (await desk.overview()).last_known_good.images
    assert image.digest


@pytest.mark.parametrize("takes", [{"seconds": 20}, {"minutes": 10}], ids=["end", "begin"])
async def test_while_the_guard_is_told_of_a_rollback(takes):
    """How it ended; or still that it began."""
    async with slow(messages.ROLLBACK_STARTED, **takes) as desk:
        desk.world.bad("app:2", after=60)
        await desk.deploy("app:2")
        await desk.skip(seconds=30)
        while "CHILD_WORKFLOW_EXECUTION_COMPLETED" not in await desk.events(RELEASE):
            await desk.skip(seconds=5)
        assert desk.told("ended") == []

        await cancel(desk)
        result = await desk.result("app:2")

        assert result.outcome is Outcome.ROLLED_BACK
        assert len(desk.told("ended")) == 1
        (record,) = (await desk.overview()).rollbacks
        assert record.verified


async def test_while_it_answers_an_operator_after_its_end():
    async with slow(messages.INSTRUCTION_ANSWERED, minutes=10) as desk:
        await desk.deploy("app:2", **TOLD)
        await desk.skip(minutes=2)
        asked: asyncio.Task[Any] = asyncio.create_task(desk.say("promote"))
        while not desk.told("ended"):
            await desk.skip(seconds=5)
        await desk.skip(seconds=30)

        await asyncio.wait_for(cancel(desk), PATIENCE)
        result = await desk.result("app:2")

        assert result.outcome is Outcome.HEALTHY
        assert result.reason.startswith("ann promoted it")
        await asyncio.wait_for(asked, PATIENCE)


async def test_rollback_that_comes_while_people_are_told_is_news_of_its_own(desk):
    """Its end has a key of its own, or a channel would take it for the first end again."""

    async def rolled_back() -> None:
        await desk.rollback()

    desk.aws.meanwhile["notify_slack"] = rolled_back
    result = await desk.release("app:2", **TOLD)

    assert result.outcome is Outcome.ROLLED_BACK
    ends = [one for to, one in desk.aws.told if to == "slack" and one.kind == "ended"]
    assert [(one.outcome, one.dedup) for one in ends] == [
        (Outcome.HEALTHY, "app:2/ended"),
        (Outcome.ROLLED_BACK, "app:2/ended-2"),
    ]


async def test_while_it_is_read_what_ecs_went_back_to(desk):
    long = timedelta(minutes=4)
    desk.world.image("app:2", rollout=long)
    await desk.deploy("app:2")
    await desk.skip(seconds=30)

    def goes_back(world: World, now: object) -> None:
        back_to_what_was_completed(world, now)
        cancel_during(desk, "describe_task_definition", number=1)

    desk.world.image("app:3", rollout=long, then={timedelta(minutes=1): goes_back})

    result = await desk.release("app:3", deploy={"on_busy": "supersede"})

    assert "describe_task_definition" not in desk.aws.meanwhile, "it was cancelled there"
    assert "cannot be read" not in str(await desk.progress()), "the look went on to its end"
    assert result.outcome is Outcome.ROLLED_BACK_BY_ECS
    assert result.rollback.verified
    assert desk.world.runs == "app:1"
