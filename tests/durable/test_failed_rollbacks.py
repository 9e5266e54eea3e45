"""A rollback that fails: people are told until somebody takes care, and nothing loops."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from lastgood.model import Outcome, ReleaseResult
from tests.durable.desk import Desk
from tests.durable.world import Fault, World, arn

REMIND: dict[str, Any] = {"rollback": {"remind_every": "15m", "verify_timeout": "2m"}}
FURTHER = {"rollback": {**REMIND["rollback"], "try_next_good": True}}


def old_ones_are_bad_too(desk: Desk, *images: str) -> None:
    """They make the same trigger fire as soon as they are deployed again."""
    for image in images:
        fault = {"error-rate": Fault(timedelta(0))}
        desk.world.image(image, faults=fault)
        for rollout in desk.world.rollouts:
            rollout.behaviour.faults = {}


async def given_a_failed_rollback(desk: Desk, **changes: Any) -> ReleaseResult:
    """``app:2`` is bad, and so is ``app:1`` when it comes back."""
    desk.world.service_deployments = False
    old_ones_are_bad_too(desk, "app:1")
    desk.world.bad("app:2", after=60)
    result = await desk.release("app:2", **{**REMIND, **changes})
    assert result.outcome is Outcome.ROLLBACK_FAILED
    return result


async def test_old_version_that_is_bad_too_is_a_failed_rollback_and_no_ping_pong(desk):
    result = await given_a_failed_rollback(desk)

    assert "it is not proven that this helped" in result.reason
    assert desk.told_of(Outcome.ROLLBACK_FAILED) == 1
    await desk.skip(hours=3)
    assert desk.images == ["app:2", "app:1"]


async def test_people_are_told_again_until_somebody_acknowledges(desk):
    await given_a_failed_rollback(desk)
    (first,) = [n.at for to, n in desk.aws.told if n.kind == "ended" and to == "slack"]

    await desk.skip(minutes=50)
    told = desk.told("reminder")
    assert [round((at - first) / timedelta(minutes=15)) for at in told] == [1, 2, 3]
    assert (await desk.overview()).alerts == ("app:2",)

    answer = await desk.say("acknowledge", reason="on it")
    await desk.skip(hours=5)

    assert answer == "Nobody is told of app:2 any more: ann takes care."
    assert len(desk.told("reminder")) == 3
    overview = await desk.overview()
    assert overview.alerts == ()
    assert [(one.verb, one.actor) for one in overview.actions] == [("acknowledge", "ann")]


async def test_nobody_is_reminded_after_a_later_release_is_healthy(desk):
    await given_a_failed_rollback(desk)

    fix = await desk.release("app:3")
    before = len(desk.told("reminder"))
    await desk.skip(hours=2)

    assert fix.outcome is Outcome.HEALTHY
    assert (await desk.overview()).alerts == ()
    assert len(desk.told("reminder")) == before


@pytest.mark.parametrize("helps", [True, False])
async def test_policy_can_go_back_once_further_and_never_again(desk, helps):
    for image in ("app:2", "app:3"):
        assert (await desk.release(image)).outcome is Outcome.HEALTHY
    desk.world.service_deployments = False
    bad = ["app:3"] if helps else ["app:3", "app:2"]
    old_ones_are_bad_too(desk, *bad)
    desk.world.bad("app:4", after=60)

    result = await desk.release("app:4", **FURTHER)
    await desk.skip(hours=3)

    assert result.outcome is (Outcome.ROLLED_BACK if helps else Outcome.ROLLBACK_FAILED)
    assert desk.images == ["app:2", "app:3", "app:4", "app:3", "app:2"]
    overview = await desk.overview()
    assert overview.rollbacks_counted == 1
    assert overview.rollbacks[-1].to == arn(2), "where it went in the end"
    if helps:
        assert (result.rollback.to, result.rollback.verified) == (arn(2), True)
        assert overview.last_known_good.images[0].image == "app:2"
        assert overview.alerts == ()


@pytest.mark.parametrize(
    ("does", "told"),
    [(World.scale_to_zero, "was scaled to 0 tasks"), (World.delete, "no longer exists")],
)
async def test_what_a_person_does_to_the_service_meanwhile_is_no_failure(desk, does, told):
    desk.world.service_deployments = False
    desk.world.bad("app:2", after=60)
    still_bad = {"error-rate": Fault(timedelta(0))}
    desk.world.image("app:1", faults=still_bad, then={timedelta(minutes=2): does})

    result = await desk.release("app:2", **REMIND)
    await desk.skip(hours=1)

    assert (result.outcome, result.rollback.verified) == (Outcome.HELD, False)
    assert told in result.reason
    assert desk.told("reminder") == []
    overview = await desk.overview()
    assert [one.image for one in overview.quarantine] == ["app:2"], "it was found bad all the same"


@pytest.mark.parametrize("helps", [True, False])
async def test_a_way_back_that_ecs_undid_is_tried_once_more(desk, helps):
    """Its tasks did not come up, and the circuit breaker put the bad release back."""
    desk.world.bad("app:2", after=60)
    desk.world.image("app:1", ends="rolled_back_by_ecs")
    if helps:
        desk.world.before("update_service", 3, lambda world, _: world.image("app:1"))

    result = await desk.release("app:2")

    assert result.outcome is (Outcome.ROLLED_BACK if helps else Outcome.ROLLBACK_FAILED)
    assert desk.images == ["app:2", "app:1", "app:1"]
    assert desk.world.runs == ("app:1" if helps else "app:2")
    assert desk.told_of(Outcome.ROLLBACK_FAILED) == (0 if helps else 1)


@pytest.mark.parametrize("way_back", ["refused", "undone"])
async def test_what_still_runs_when_a_way_back_came_to_nothing_is_no_strangers(desk, way_back):
    """UpdateService was refused, or ECS put the bad release back: it is still ours to leave."""
    for image in ("app:2", "app:3"):
        assert (await desk.release(image)).outcome is Outcome.HEALTHY
    desk.world.bad("app:4", after=60)
    if way_back == "undone":
        desk.world.image("app:3", ends="rolled_back_by_ecs")
    else:
        number = desk.aws.count("update_service") + 2
        desk.world.before("update_service", number, refused)

    result = await desk.release("app:4", **FURTHER)

    assert (result.outcome, result.rollback.to) == (Outcome.ROLLED_BACK, arn(2))
    assert desk.world.runs == "app:2"


def refused(*_: object) -> None:
    raise ApplicationError("no", type="ClientException", non_retryable=True)
