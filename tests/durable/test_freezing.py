"""Freeze, unfreeze and adopt, asked of the guard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from lastgood.contracts import ReleaseOrder
from lastgood.model import Outcome
from tests.durable.desk import policy
from tests.durable.world import arn


def forced(image: str) -> ReleaseOrder:
    return ReleaseOrder(
        id=image, image=image, policy=policy(), actor="ci", force=True, reason="the fix"
    )


async def test_frozen_service_refuses_releases_at_once_and_takes_forced_ones(desk):
    await desk.say("freeze", reason="Black Friday")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.deploy("app:2")
    await desk.order(forced("app:3"))

    assert refused.value.cause.message.startswith("ann has frozen shop/web: Black Friday.")
    assert (await desk.view("app:2")).state == "unknown"
    assert (await desk.result("app:3")).outcome is Outcome.HEALTHY
    assert (await desk.overview()).frozen.actor == "ann"


async def test_release_that_waits_is_refused_at_its_turn_and_the_one_under_way_is_not(desk):
    await desk.deploy("app:2")
    await desk.deploy("app:3")
    await desk.skip(minutes=1)

    await desk.say("freeze", reason="Black Friday")

    assert (await desk.result("app:2")).outcome is Outcome.HEALTHY
    waited = await desk.result("app:3")
    assert waited.outcome is Outcome.REFUSED
    assert "ann has frozen shop/web: Black Friday." in waited.reason
    assert desk.images == ["app:2"]


async def test_freeze_for_a_while_runs_out_by_itself(desk):
    answer = await desk.say("freeze", lasts=timedelta(hours=1))
    assert answer.startswith("shop/web is frozen until 2")

    await desk.skip(minutes=61)

    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    assert (await desk.overview()).frozen is None


async def test_frozen_service_is_rolled_back_all_the_same(desk):
    await desk.release("app:2")
    desk.world.bad("app:3", after=120)
    await desk.deploy("app:3")
    await desk.skip(minutes=1)
    await desk.say("freeze")

    assert (await desk.result("app:3")).outcome is Outcome.ROLLED_BACK
    accepted = await desk.rollback(to="web:1")
    assert (await desk.result(accepted.release)).outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:3", "app:2", "app:1"]


async def test_adopting_starts_the_ledger_and_its_tags(desk):
    answer = await desk.say("adopt", reason="ours now")
    await desk.skip(seconds=1)

    assert answer == "web:1 is the last known good revision of shop/web now."
    (entry,) = (await desk.overview()).ledger
    assert (entry.status, entry.why) == ("good", "adopted by ann")
    digest = desk.world.digest_of("app:1")
    assert entry.revision.images[0].digest == digest
    good = desk.world.tags["lastgood:good-1"]
    assert good.startswith("web:1 ")
    assert good.endswith(f"app={digest}")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"desired": 0}, "it has desiredCount 0; scale it up first."),
        ({"running": 1}, "1 of 2 tasks run, 0 are pending; wait until it is steady."),
        ({"status": "INACTIVE"}, "it does not exist; check service and region."),
    ],
)
async def test_what_is_not_steady_is_not_adopted(desk, shape, said):
    desk.world.shape = shape

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.say("adopt")

    assert refused.value.cause.message == f"shop/web cannot be adopted: {said}"
    assert (await desk.overview()).ledger == ()


async def test_release_that_begins_while_it_is_adopted_comes_first(desk):
    await desk.release("app:2")

    async def released(*_: object) -> None:
        await desk.deploy("app:3")
        await desk.skip(seconds=1)

    desk.aws.meanwhile["describe_task_definition"] = released
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.say("adopt", id="one")

    assert refused.value.cause.message.startswith("app:3 is under way: adopt what runs when")
    assert (await desk.result("app:3")).outcome is Outcome.HEALTHY
    assert (await desk.overview()).last_known_good.task_definition == arn(3)
