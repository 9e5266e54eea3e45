"""A release that would end another one: only if it may begin itself."""

from __future__ import annotations

import pytest

from lastgood.model import Outcome
from tests.durable.desk import Desk

SUPERSEDE = {"on_busy": "supersede"}


async def given_a_quarantined_image(desk: Desk) -> None:
    desk.world.bad("app:9", after=60)
    assert (await desk.release("app:9")).outcome is Outcome.ROLLED_BACK
    await desk.skip(minutes=6)


@pytest.mark.campaign
async def test_refused_newcomer_leaves_the_release_under_way_alone(desk):
    await given_a_quarantined_image(desk)
    desk.world.bad("app:2", after=300)
    await desk.deploy("app:2")
    await desk.skip(minutes=2)

    newcomer = await desk.release("app:9", id="again", deploy=SUPERSEDE)
    result = await desk.result("app:2")

    assert newcomer.outcome is Outcome.REFUSED
    assert "is quarantined" in newcomer.reason
    assert newcomer.finished_at < result.finished_at
    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert desk.images == ["app:9", "app:1", "app:2", "app:1"]
    assert desk.told_of(Outcome.REFUSED) == 1


async def test_refused_newcomer_does_not_end_those_that_wait(desk):
    await given_a_quarantined_image(desk)
    await desk.deploy("app:2")
    await desk.deploy("app:3")

    await desk.release("app:9", id="again", deploy=SUPERSEDE)

    assert (await desk.result("app:3")).outcome is Outcome.HEALTHY


@pytest.mark.parametrize("on_busy", ["queue", "supersede"])
async def test_refused_newcomer_does_not_end_a_hold(desk, on_busy):
    await given_a_quarantined_image(desk)
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    await desk.say("hold")
    await desk.skip(seconds=1)

    newcomer = await desk.release("app:9", id="again", deploy={"on_busy": on_busy})
    await desk.say("deny")

    assert newcomer.outcome is Outcome.REFUSED
    assert (await desk.result("app:2")).outcome is Outcome.ROLLED_BACK
    assert desk.world.runs == "app:1"


async def test_newcomer_that_is_cancelled_before_it_was_looked_at_ends_nothing(desk):
    desk.world.bad("app:2", after=300)
    await desk.deploy("app:2")
    await desk.skip(minutes=2)

    async def cancel() -> None:
        await desk.say("cancel", release="app:3")

    desk.aws.meanwhile["describe_services"] = cancel
    newcomer = await desk.release("app:3", deploy=SUPERSEDE)

    assert newcomer.outcome is Outcome.CANCELLED
    assert (await desk.result("app:2")).outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]
