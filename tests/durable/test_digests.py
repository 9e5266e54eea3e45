"""Which images ran is found out, however long ECS takes to tell, and decides what comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from lastgood.model import Outcome
from tests.durable.desk import Desk
from tests.durable.world import arn

MOVED = "sha256:" + "0" * 64


def runs(desk: Desk) -> str:
    """The digest of the image that runs."""
    return desk.world.resolved[desk.world.primary.id][1]


async def known(desk: Desk, task_definition: str) -> str | None:
    """The digest that the ledger knows of a revision."""
    ledger = (await desk.overview()).ledger
    entry = next(one for one in ledger if one.revision.task_definition == task_definition)
    return entry.revision.images[0].digest


@pytest.mark.parametrize("registry", [True, False], ids=["registry", "no registry"])
async def test_image_that_took_long_to_pull_is_what_comes_back(desk, registry):
    """Its digest is known a while after the call; the tag is moved before the next release."""
    desk.world.registry_answers = registry
    desk.world.pull = timedelta(seconds=28)
    ran = desk.world.digest_of("app:2")
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    await desk.skip(seconds=1)
    assert desk.world.tags["lastgood:good-1"].endswith(f"app={ran}")

    desk.world.digests["app:2"] = MOVED
    desk.world.bad("app:3", after=90)
    result = await desk.release("app:3")

    assert result.outcome is Outcome.ROLLED_BACK
    assert runs(desk) == ran


async def test_bad_image_is_quarantined_by_a_digest_that_was_known_late(desk):
    desk.world.pull = timedelta(seconds=50)
    desk.world.bad("app:2", after=40)

    await desk.release("app:2")

    (one,) = (await desk.overview()).quarantine
    assert one.digest == desk.world.digest_of("app:2")


async def test_digests_that_the_ledger_lacks_are_those_that_run_before_the_next_release(desk):
    desk.world.registry_answers = True
    desk.world.pull = timedelta(hours=1)
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    assert (await desk.overview()).last_known_good.images[0].digest is None

    await desk.skip(hours=1)
    desk.world.digests["app:2"], desk.world.pull = MOVED, timedelta(0)
    desk.world.bad("app:3", after=90)
    await desk.release("app:3")

    assert runs(desk) == desk.world.resolved["ecs-svc/1"][1] != MOVED
    assert await known(desk, arn(2)) == runs(desk)


@pytest.mark.parametrize("during", [False, True], ids=["afterwards", "during a release"])
async def test_revision_that_an_operator_names_comes_back_with_the_images_that_it_ran(desk, during):
    desk.world.registry_answers = True
    ran = desk.world.digest_of("app:2")
    await desk.release("app:2")
    await desk.release("app:3")
    desk.world.digests["app:2"] = MOVED
    if during:
        await desk.deploy("app:4")
        await desk.skip(minutes=2)

    accepted = await desk.rollback(to="web:2")
    result = await desk.result(accepted.release)

    assert result.outcome is Outcome.ROLLED_BACK
    assert runs(desk) == ran
    assert await known(desk, arn(2)) == ran


@pytest.mark.parametrize("after", [10, 120], ids=["rollout", "window"])
async def test_ecs_is_not_told_to_go_back_to_another_image_under_the_same_tag(desk, after):
    """Somebody forced a new deployment after the tag was moved: that image was never proven."""
    desk.world.registry_answers = True
    ran = desk.world.digest_of("app:2")
    await desk.release("app:2")
    desk.world.digests["app:2"] = MOVED
    desk.world.deploy(arn(2), await desk.env.get_current_time())
    await desk.skip(minutes=2)
    desk.world.bad("app:3", after=after)

    result = await desk.release("app:3")

    assert result.outcome is Outcome.ROLLED_BACK
    assert runs(desk) == ran


async def test_registry_that_is_down_does_not_hold_up_the_way_back(desk):
    desk.world.bad("app:2")

    def busy(*_: object) -> None:
        raise ApplicationError("ecr: try again", type="ServerException")

    for number in range(1, 100):
        desk.world.before("describe_images", number, busy)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]
    assert desk.updates[-1].at - result.rollback.started_at < timedelta(seconds=15)


async def test_image_of_the_target_that_expired_is_said_before_the_release(desk):
    ran = desk.world.digest_of("app:1")
    desk.world.expired = {f"app@{ran}"}

    await desk.deploy("app:2")
    await desk.skip(minutes=2)

    (warning,) = [one for one in (await desk.progress()).notes if "registry" in one]
    assert warning.startswith(
        f"Warning: app@{ran} is no longer in its registry: new tasks of web:1"
    )


async def test_what_somebody_changed_in_a_revision_made_from_our_copy_is_not_lost(desk):
    desk.world.registry_answers = True
    desk.world.digests["app:1"] = MOVED
    desk.world.bad("app:2")
    result = await desk.release("app:2")
    copy = desk.world.definitions[result.rollback.to]
    assert {"key": "lastgood:copy-of", "value": arn(1)} in copy["tags"]
    theirs = desk.world.define({**copy, "cpu": "1024"})
    desk.world.deploy(theirs, await desk.env.get_current_time())
    await desk.skip(minutes=6)

    await desk.release("app:3")

    released = desk.world.definitions[desk.world.primary.task_definition]
    assert (released["cpu"], desk.world.runs) == ("1024", "app:3")


async def test_rollback_that_comes_while_digests_are_looked_for_at_the_end_is_not_lost(desk):
    desk.world.pull = timedelta(hours=1)
    await desk.deploy("app:2")
    await desk.skip(minutes=2)

    async def roll_back() -> None:
        await desk.rollback()

    desk.aws.meanwhile["describe_service_revisions"] = roll_back
    result = await desk.result("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.world.runs == "app:1"
