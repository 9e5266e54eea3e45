"""One release at a time: the queue, the same release twice, and what the policy says of it."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError

from lastgood.model import Outcome


async def test_releases_run_one_after_the_other_in_the_order_of_their_arrival(desk):
    places = [(await desk.deploy(f"app:{n}")).position for n in (2, 3, 4)]

    last = await desk.result("app:4")

    assert places == [0, 1, 2]
    assert desk.images == ["app:2", "app:3", "app:4"]
    results = (await desk.overview()).results
    assert [one.release for one in results] == ["app:4", "app:3", "app:2"]
    for earlier, later in zip(results[1:], results, strict=False):
        assert earlier.finished_at <= later.started_at
    assert last.outcome is Outcome.HEALTHY


async def test_queue_goes_on_after_a_rollback(desk):
    desk.world.bad("app:2", after=60)
    await desk.deploy("app:2")
    await desk.deploy("app:3")

    assert (await desk.result("app:2")).outcome is Outcome.ROLLED_BACK
    assert (await desk.result("app:3")).outcome is Outcome.HEALTHY
    assert desk.images == ["app:2", "app:1", "app:3"]


async def test_same_release_twice_is_one_release_at_any_time(desk):
    first = await desk.deploy("app:2", id="sha-1")
    running = await desk.deploy("app:2", id="sha-1")
    await desk.deploy("app:3", id="sha-2")
    queued = await desk.deploy("app:3", id="sha-2")
    await desk.result("sha-2")
    ended = await desk.deploy("app:2", id="sha-1")

    assert (first.already_known, first.position) == (False, 0)
    assert (running.already_known, running.position) == (True, 0)
    assert (queued.already_known, queued.position) == (True, 1)
    assert (ended.already_known, ended.position) == (True, 0)
    assert (await desk.view("sha-1")).state == "ended"
    assert desk.images == ["app:2", "app:3"]


async def test_busy_service_can_reject(desk):
    await desk.deploy("app:2")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.deploy("app:3", deploy={"on_busy": "reject"})

    assert "Release app:2 is under way" in str(refused.value.cause)
    assert (await desk.view("app:3")).state == "unknown"


async def test_rejecting_release_is_accepted_where_nothing_is_under_way(desk):
    await desk.release("app:2")

    assert (await desk.release("app:3", deploy={"on_busy": "reject"})).outcome is Outcome.HEALTHY


@pytest.mark.parametrize("after", [10, 120], ids=["wait", "window"])
async def test_newer_release_can_supersede_the_one_under_way(desk, after):
    await desk.deploy("app:2")
    await desk.skip(seconds=after)

    newer = await desk.release("app:3", deploy={"on_busy": "supersede"})

    older = (await desk.view("app:2")).result
    assert older.outcome is Outcome.SUPERSEDED
    assert "Release app:3 superseded it" in older.reason
    assert newer.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2", "app:3"]


async def test_bad_release_that_superseded_goes_back_to_what_was_proven(desk):
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    desk.world.bad("app:3", after=60)

    await desk.release("app:3", deploy={"on_busy": "supersede"})

    assert desk.images == ["app:2", "app:3", "app:1"]


async def test_rollback_on_its_way_is_not_superseded(desk):
    desk.world.bad("app:2", after=60)
    await desk.deploy("app:2")
    await desk.skip(seconds=75)

    newer = await desk.release("app:3", deploy={"on_busy": "supersede"})

    assert (await desk.view("app:2")).result.outcome is Outcome.ROLLED_BACK
    assert newer.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2", "app:1", "app:3"]
