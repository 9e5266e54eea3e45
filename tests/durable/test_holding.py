"""Releases that wait for a person, and what ends the wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lastgood.model import Outcome
from tests.durable.desk import Desk
from tests.durable.world import World

HALF_AN_HOUR = {"rollback": {"enabled": False, "hold_for": "30m"}}
NO_DATA = frozenset({"error-rate"})


async def given_a_held_release(desk: Desk) -> None:
    desk.world.bad("app:2", after=60)
    await desk.until_held("app:2", **HALF_AN_HOUR)


async def test_window_without_data_is_held_and_says_why(desk):
    desk.world.image("app:2", silent=NO_DATA)

    progress = await desk.until_held("app:2")

    assert progress.result.outcome is Outcome.HELD
    assert progress.result.reason.startswith("error-rate: Too little was measured: 0 of about")
    assert len(desk.told("held")) == len(desk.told("held", "email")) == 1
    assert desk.images == ["app:2"]


@pytest.mark.parametrize(
    ("choice", "outcome", "images"),
    [
        ("promote", Outcome.HEALTHY, ["app:2"]),
        ("rollback", Outcome.ROLLED_BACK, ["app:2", "app:1"]),
    ],
)
async def test_policy_decides_what_a_window_without_data_means(desk, choice, outcome, images):
    desk.world.image("app:2", silent=NO_DATA)

    result = await desk.release("app:2", monitor={"on_inconclusive": choice})

    assert (result.outcome, result.trigger) == (outcome, None)
    assert desk.images == images


async def test_held_release_that_ecs_gives_up_still_waits_for_a_person(desk):
    desk.world.image("app:2", ends="failed")

    await desk.until_held("app:2", **HALF_AN_HOUR)
    await desk.say("deny")

    assert (await desk.result("app:2")).outcome is Outcome.ROLLED_BACK


async def test_held_release_ends_as_held_when_nobody_decides(desk):
    await given_a_held_release(desk)

    result = await desk.result("app:2")

    assert (result.outcome, result.trigger) == (Outcome.HELD, "error-rate")
    assert 1800 <= result.timings["hold"] < 1805
    assert desk.told_of(Outcome.HELD) == 2  # at once, and at the end
    assert desk.images == ["app:2"]


async def test_operators_rollback_ends_the_hold(desk):
    await given_a_held_release(desk)

    accepted = await desk.rollback()
    result = await desk.result("app:2")

    assert (accepted.release, accepted.during_release) == ("app:2", True)
    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "manual")
    assert "ann asked for it: looks bad" in result.reason
    assert desk.images == ["app:2", "app:1"]


async def test_fix_supersedes_a_held_release_and_runs(desk):
    await given_a_held_release(desk)

    fix = await desk.release("app:3")

    held = (await desk.view("app:2")).result
    assert held.outcome is Outcome.SUPERSEDED
    assert held.reason.startswith("Release app:3 superseded it. It was held: error-rate was bad")
    assert fix.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2", "app:3"]


async def test_fix_that_waits_already_supersedes_a_release_as_it_is_held(desk):
    desk.world.bad("app:2", after=60)
    await desk.deploy("app:2", **HALF_AN_HOUR)
    queued = await desk.deploy("app:3")

    fix = await desk.result("app:3")

    assert queued.position == 1
    assert (await desk.view("app:2")).result.outcome is Outcome.SUPERSEDED
    assert fix.outcome is Outcome.HEALTHY


async def test_bad_fix_goes_back_to_what_was_good_not_to_what_was_held(desk):
    await given_a_held_release(desk)
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:3", "app:1"]


async def test_strangers_release_ends_the_hold(desk):
    desk.world.bad("app:2", after=60, then={timedelta(minutes=5): World.stranger_deploys})

    result = await desk.release("app:2", **HALF_AN_HOUR)

    assert result.outcome is Outcome.SUPERSEDED
    assert desk.images == ["app:2"]


async def test_reset_does_not_decide_for_the_person_that_a_held_release_waits_for(desk):
    desk.world.bad("app:2", after=60)
    desk.world.bad("app:3", after=60)
    limits = {"max_rollbacks": 1, "cooldown": "1s", "hold_for": "2h"}
    await desk.release("app:2", rollback=limits)
    await desk.until_held("app:3", rollback=limits)

    await desk.reset()
    await desk.skip(minutes=2)

    assert (await desk.progress()).held
    assert desk.images == ["app:2", "app:1", "app:3"]


async def test_first_release_that_goes_wrong_without_a_target_is_held(desk):
    desk.world.primary.state = "IN_PROGRESS"
    desk.world.primary.running = 0
    desk.world.bad("app:2", after=60)

    progress = await desk.until_held("app:2")

    assert "There is no revision to go back to" in progress.result.reason
    assert any("There is nothing to go back to" in note for note in progress.notes)
    assert desk.images == ["app:2"]


async def test_operators_rollback_without_a_target_holds_and_does_not_fail(desk):
    desk.world.primary.state = "IN_PROGRESS"
    await desk.deploy("app:2")
    await desk.skip(minutes=2)

    await desk.rollback()
    await desk.skip(minutes=2)

    assert (await desk.progress()).held
    assert desk.images == ["app:2"]


async def test_rollback_named_by_an_operator_works_where_there_is_no_target(desk):
    older = desk.world.define(
        {"family": "web", "containerDefinitions": [{"name": "app", "image": "app:0"}]}
    )
    desk.world.primary.state = "IN_PROGRESS"
    desk.world.bad("app:2", after=60)
    await desk.until_held("app:2")

    await desk.rollback(to="web:2")
    result = await desk.result("app:2")

    assert (result.outcome, result.rollback.to) == (Outcome.ROLLED_BACK, older)
    assert desk.images == ["app:2", "app:0"]
