"""A member of a group at its own guard: it goes back for another's sake, and is not blamed."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError

from lastgood.model import Outcome

GROUP = "group/eu-west-1/shop"


async def test_preflight_that_is_asked_for_changes_nothing_and_is_not_remembered(desk):
    allowed = await desk.preflight("app:2")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.preflight("app:2", triggers=[{"type": "alarm", "alarm": "unknown"}])

    assert allowed == "It could begin now."
    assert "unknown" in refused.value.cause.message
    overview = await desk.overview()
    assert (desk.images, overview.current, overview.queued, overview.results) == ([], None, (), ())
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY


async def test_preflight_of_a_busy_service_comes_when_its_turn_comes(desk):
    await desk.deploy("app:2")
    await desk.skip(minutes=2)

    assert await desk.preflight("app:3") == "It has its preflight when its turn comes."
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.preflight("app:3", deploy={"on_busy": "reject"})
    assert "Release app:2 is under way" in refused.value.cause.message


async def test_member_under_way_goes_back_and_its_image_is_not_blamed(desk):
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    accepted = await desk.rollback(id="app:2/back/1", release="app:2", group=GROUP)

    assert accepted.during_release
    assert (await desk.result("app:2")).outcome is Outcome.ROLLED_BACK
    assert (await desk.overview()).quarantine == ()
    assert (await desk.release("app:2", id="again")).outcome is Outcome.HEALTHY


async def test_member_that_was_healthy_goes_back_and_its_image_is_not_blamed(desk):
    await desk.release("app:2")
    accepted = await desk.rollback(id="app:2/back/1", release="app:2", group=GROUP)
    repeated = await desk.rollback(id="app:2/back/1", release="app:2", group=GROUP)

    assert accepted == repeated
    assert (await desk.result(accepted.release)).outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]
    assert (await desk.overview()).quarantine == ()
    assert (await desk.release("app:2", id="again")).outcome is Outcome.HEALTHY


async def test_bad_member_is_blamed_for_itself(desk):
    desk.world.bad("app:2")
    await desk.deploy("app:2")
    await desk.result("app:2")

    assert [one.image for one in (await desk.overview()).quarantine] == ["app:2"]


async def test_rollback_of_one_release_leaves_a_newer_one_alone(desk):
    await desk.release("app:2")
    await desk.release("app:3")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.rollback(id="app:2/back/1", release="app:2", group=GROUP)

    assert "no longer runs what release app:2 brought" in str(refused.value.cause)
    assert desk.images == ["app:2", "app:3"]
