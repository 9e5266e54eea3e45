"""What only a whole server does: children that are terminated, histories that grow too long."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta

import pytest

from lastgood.model import Outcome
from tests.durable.conftest import start_dev_server
from tests.durable.desk import GUARD, QUICK, Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.world import Fault, World

LONG = {"of": QUICK, "monitor": {"window": "60s", "interval": "1s"}}
SHORT_HISTORIES = (
    "--dynamic-config-value",
    "limit.historyCount.suggestContinueAsNew=40",
)


async def until(desk: Desk, step: str) -> None:
    """Wait until the release has come to a step."""
    for _ in range(150):
        await asyncio.sleep(0.1)
        if await desk.is_at(step):
            return
    raise AssertionError(await desk.whereabouts())


async def test_trigger_brings_the_old_revision_back(dev_desk):
    desk = dev_desk
    desk.world.bad("app:2", after=1)

    result = await desk.release("app:2", **LONG)

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert desk.images == ["app:2", "app:1"]


@pytest.mark.campaign
async def test_worker_that_remembers_nothing_comes_to_the_same_end_in_silence():
    world = World(rollout=timedelta(seconds=0.3))
    world.bad("app:2", after=1)
    environment = await start_dev_server()
    async with environment as env, at_work(env, FakeAws(world, patient=True), cached=0) as desk:
        desk.patience = 60  # what is evicted while it looks around is asked again after 10 s
        result = await desk.release("app:2", **LONG)

        assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
        assert desk.images == ["app:2", "app:1"]
        assert desk.told("rollback_started") == desk.told("rollback_started", "email")
    gc.collect()  # what is left of its runs complains now, if it does


async def test_terminated_release_is_noticed_held_and_told_and_the_next_one_runs(dev_desk):
    desk = dev_desk
    await desk.deploy("app:2", **LONG, notify={"pagerduty": {"routing_key": "env:KEY"}})
    await until(desk, "monitor")
    await desk.deploy("app:3", of=QUICK)

    await desk.terminate_release()
    broken, after = await desk.result("app:2"), await desk.result("app:3")

    assert broken.outcome is Outcome.HELD
    assert "Its workflow broke off" in broken.reason
    assert len(desk.told("held")) == 1
    assert after.outcome is Outcome.HEALTHY
    while len(desk.aws.events) < 2:
        await desk.skip(seconds=0.1)
    assert desk.aws.events == [("app:2", "trigger", "held"), ("app:2", "resolve", "recovered")]


@pytest.mark.campaign
async def test_target_after_a_terminated_release_is_what_was_good_before(dev_desk):
    desk = dev_desk
    await desk.deploy("app:2", **LONG)
    await until(desk, "monitor")
    await desk.terminate_release()
    await desk.result("app:2")
    desk.world.bad("app:3", after=1)

    result = await desk.release("app:3", **LONG)

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:3", "app:1"]


async def test_terminated_rollback_is_a_failed_rollback(dev_desk):
    desk = dev_desk
    desk.world.bad("app:2", after=1)
    desk.world.image("app:1", ends="never")
    await desk.deploy("app:2", **LONG)
    await until(desk, "roll back")
    await asyncio.sleep(1)

    await desk.terminate_rollback()
    result = await desk.result("app:2")

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert "broke off" in result.reason
    assert desk.images == ["app:2", "app:1"]


@pytest.mark.parametrize("dev_desk", [SHORT_HISTORIES], indirect=True)
async def test_guard_that_continues_as_new_forgets_nothing(dev_desk):
    desk = dev_desk
    limit = {"of": QUICK, "rollback": {"max_rollbacks": 1, "cooldown": "0s", "hold_for": "1m"}}
    first_run = (await desk.deploy("app:2", of=QUICK), await desk.run_of(GUARD))[1]
    await desk.result("app:2")
    desk.world.bad("app:3", after=0.5)
    assert (await desk.release("app:3", **limit)).outcome is Outcome.ROLLED_BACK
    await asyncio.gather(*(desk.deploy(f"app:{n}", of=QUICK) for n in (4, 5, 6)))
    for n in (4, 5, 6):  # in whichever order they arrived
        await desk.result(f"app:{n}")

    assert await desk.run_of(GUARD) != first_run
    overview = await desk.overview()
    known = [one.release for one in overview.results]
    assert sorted(known) == ["app:2", "app:3", "app:4", "app:5", "app:6"]
    assert overview.rollbacks_counted == 1
    assert (await desk.deploy("app:3", **limit)).already_known
    assert len(await desk.events(GUARD)) < 120
    desk.world.bad("app:7", after=0.5)
    await desk.deploy("app:7", **limit)
    await until(desk, "hold")


@pytest.mark.campaign
@pytest.mark.parametrize("dev_desk", [SHORT_HISTORIES], indirect=True)
async def test_people_are_reminded_by_a_guard_that_continued_as_new(dev_desk):
    desk = dev_desk
    desk.world.service_deployments = False
    desk.world.image("app:1", faults={"error-rate": Fault(timedelta(0))})
    desk.world.bad("app:2", after=1)
    rollback = {"remind_every": "3s", "verify_timeout": "1s", "cooldown": "0s"}
    failed = await desk.release("app:2", of=QUICK, rollback=rollback)
    run = await desk.run_of(GUARD)
    assert failed.outcome is Outcome.ROLLBACK_FAILED

    for number in range(30):
        await desk.say("freeze", id=f"freeze {number}")
        await desk.say("unfreeze", id=f"unfreeze {number}")
        if await desk.run_of(GUARD) != run:
            break
    before = len(desk.told("reminder"))
    await asyncio.sleep(7)

    assert await desk.run_of(GUARD) != run
    assert len(desk.told("reminder")) > before
    assert await desk.say("acknowledge") == "Nobody is told of app:2 any more: ann takes care."


async def test_guard_that_was_lost_during_a_release_learns_how_that_ended(dev_desk):
    """The next release waits for it, and is judged by the limits as they are then."""
    desk = dev_desk
    desk.world.bad("app:2", after=3)
    desk.world.bad("app:3", after=1)
    await desk.deploy("app:2", **LONG)
    await until(desk, "monitor")
    await desk.guard.terminate("lost")
    await desk.deploy("app:3", **LONG, rollback={"max_rollbacks": 1, "cooldown": "0s"})

    lost = await desk.result("app:2")
    await until(desk, "hold")

    assert lost.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1", "app:3"]
    assert [one.image for one in (await desk.overview()).quarantine] == ["app:2"]


async def test_release_that_a_lost_guard_began_is_not_begun_again_under_its_id(dev_desk):
    desk = dev_desk
    desk.world.bad("app:2", after=3)
    await desk.deploy("app:2", **LONG)
    await until(desk, "monitor")
    await desk.guard.terminate("lost")

    again = await desk.release("app:2", **LONG)

    assert again.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]
    overview = await desk.overview()
    assert [one.image for one in overview.quarantine] == ["app:2"]
    assert overview.current is None
