"""What was rolled back is not released again by mistake."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from lastgood.contracts import ReleaseOrder
from lastgood.model import Outcome
from tests.durable.desk import Desk, policy
from tests.durable.world import arn


async def given_a_rolled_back_image(desk: Desk) -> None:
    desk.world.registry_answers = True
    desk.world.bad("app:2", after=60)
    assert (await desk.release("app:2")).outcome is Outcome.ROLLED_BACK
    desk.world.image("app:2")


def again(image: str = "app:2", **more: Any) -> ReleaseOrder:
    return ReleaseOrder(id="again", image=image, policy=policy(), actor="ci", **more)


@pytest.mark.parametrize("registry", [True, False], ids=["by digest", "by name"])
async def test_image_that_was_rolled_back_is_refused(desk, registry):
    await given_a_rolled_back_image(desk)
    desk.world.registry_answers = registry

    await desk.order(again())
    result = await desk.result("again")

    assert result.outcome is Outcome.REFUSED
    assert "of release app:2 was rolled back at" in result.reason
    assert "--force --reason" in result.reason
    assert desk.images == ["app:2", "app:1"]


async def test_forced_release_that_proves_good_lifts_the_quarantine(desk):
    await given_a_rolled_back_image(desk)

    await desk.order(again(force=True, reason="it was the database"))
    result = await desk.result("again")

    assert result.outcome is Outcome.HEALTHY
    assert (await desk.overview()).quarantine == ()


async def test_forced_release_that_is_bad_again_stays_in_quarantine(desk):
    await given_a_rolled_back_image(desk)
    desk.world.bad("app:2", after=60)
    await desk.skip(minutes=6)

    await desk.order(again(force=True, reason="it was the database"))

    assert (await desk.result("again")).outcome is Outcome.ROLLED_BACK
    (one,) = (await desk.overview()).quarantine
    assert one.release == "again"


async def test_other_image_under_the_same_tag_is_released(desk):
    await given_a_rolled_back_image(desk)
    desk.world.digests["app:2"] = "sha256:" + "0" * 64

    await desk.order(again())

    assert (await desk.result("again")).outcome is Outcome.HEALTHY


async def test_same_image_under_another_tag_is_refused(desk):
    await given_a_rolled_back_image(desk)
    desk.world.digests["app:fixed"] = desk.world.digest_of("app:2")

    await desk.order(again("app:fixed"))

    assert (await desk.result("again")).outcome is Outcome.REFUSED


async def test_task_definition_that_was_rolled_back_is_refused_though_its_image_is_good(desk):
    """What was bad is its configuration."""
    bad = desk.world.define(
        {
            "family": "web",
            "containerDefinitions": [{"name": "app", "image": "app:1", "cpu": 1}],
        }
    )
    desk.world.bad("app:1", after=60)
    first = ReleaseOrder(id="first", task_definition=bad, policy=policy(), actor="ci")
    await desk.order(first)
    assert (await desk.result("first")).outcome is Outcome.ROLLED_BACK
    assert (await desk.overview()).quarantine == ()
    desk.world.image("app:1")
    await desk.skip(minutes=6)

    await desk.order(first.model_copy(update={"id": "again"}))
    refused = await desk.result("again")
    await desk.order(first.model_copy(update={"id": "forced", "force": True, "reason": "fixed"}))

    assert refused.outcome is Outcome.REFUSED
    assert refused.reason.startswith("web:2 was rolled back at")
    assert (await desk.result("forced")).outcome is Outcome.HEALTHY


async def test_good_revision_stays_good_where_releasing_it_again_was_denied(desk):
    await desk.release("app:2")
    await desk.release("app:3")

    def deny(*_: object) -> None:
        raise ApplicationError("ecs:UpdateService", type="AccessDenied", non_retryable=True)

    desk.world.before("update_service", 3, deny)
    order = ReleaseOrder(id="old", task_definition=arn(2), policy=policy(), actor="ci")
    await desk.order(order)
    result = await desk.result("old")

    assert (result.outcome, result.reason[:20]) == (Outcome.REFUSED, "Nothing was changed:")
    known = [(one.status, one.revision.label) for one in (await desk.overview()).ledger]
    assert known == [("good", "web:3"), ("good", "web:2"), ("good", "web:1")]


async def test_who_forced_a_release_and_why_is_recorded_and_told(desk):
    await given_a_rolled_back_image(desk)
    desk.world.bad("app:2", after=60)
    await desk.skip(minutes=6)

    forced = again(force=True, reason="it was the database")
    for _ in range(2):
        await desk.order(forced)
    await desk.result("again")

    actions = [(one.actor, one.verb, one.reason) for one in (await desk.overview()).actions]
    assert actions == [("ci", "deploy --force", "it was the database (release again)")]
    told = [dict(one.facts) for to, one in desk.aws.told if to == "slack"]
    assert [facts.get("Forced") for facts in told[-2:]] == ["it was the database"] * 2
    assert not any("Forced" in facts for facts in told[:-2])
