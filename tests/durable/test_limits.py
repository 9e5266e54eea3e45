"""Cooldown and rollback limit, across releases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lastgood.model import Outcome
from tests.durable.desk import RELEASE, Desk

COOLDOWN = timedelta(minutes=5)


async def given_a_rollback(desk: Desk, **changes) -> None:
    """``app:2`` was bad and has been rolled back; its cooldown begins."""
    desk.world.bad("app:2", after=60)
    result = await desk.release("app:2", **changes)
    assert result.outcome is Outcome.ROLLED_BACK


async def cooldown_end(desk: Desk):
    return (await desk.overview()).rollbacks[-1].finished_at + COOLDOWN


async def test_second_bad_release_is_told_at_once_and_rolled_back_when_the_cooldown_ends(desk):
    await given_a_rollback(desk)
    ends = await cooldown_end(desk)
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    forward, back = desk.updates[-2:]
    (told,) = desk.told("cooldown")
    assert timedelta(seconds=60) <= told - forward.at < timedelta(seconds=62)
    assert ends <= back.at < ends + timedelta(seconds=20)


async def test_trigger_during_the_rollout_waits_for_the_cooldown_too(desk):
    await given_a_rollback(desk)
    ends = await cooldown_end(desk)
    desk.world.bad("app:3", after=10, rollout=timedelta(minutes=3))

    result = await desk.release("app:3")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert len(desk.told("cooldown")) == 1
    assert ends <= desk.updates[-1].at < ends + timedelta(seconds=20)


async def test_breach_that_is_over_when_the_cooldown_ends_is_not_rolled_back(desk):
    await given_a_rollback(desk)
    desk.world.bad("app:3", after=60, lasts=timedelta(seconds=90))

    result = await desk.release("app:3")

    assert result.outcome is Outcome.HEALTHY
    assert len(desk.told("cooldown")) == 1
    assert desk.images == ["app:2", "app:1", "app:3"]


def ecs_gives_up(world, _) -> None:
    """Deployment alarms, say, that are not to roll back."""
    world.primary.state, world.primary.reason = "FAILED", "ECS deployment alarms: web-5xx."


@pytest.mark.campaign
@pytest.mark.parametrize(("after", "rollout"), [(20, "never"), (90, "complete")])
async def test_what_ecs_gives_up_is_rolled_back_when_the_cooldown_ends(desk, after, rollout):
    """While it rolls out, and in its window."""
    await given_a_rollback(desk)
    ends = await cooldown_end(desk)
    desk.world.image("app:3", ends=rollout, then={timedelta(seconds=after): ecs_gives_up})

    result = await desk.release("app:3")

    assert result.outcome is Outcome.ROLLED_BACK
    assert len(desk.told("cooldown")) == 1
    assert ends <= desk.updates[-1].at < ends + timedelta(seconds=20)
    assert len(await desk.events(RELEASE, result.run_id)) < 400, "it waits, and does not spin"


async def test_person_may_roll_back_what_sits_a_cooldown_out(desk):
    await given_a_rollback(desk)
    ends = await cooldown_end(desk)
    desk.world.image("app:3", ends="never", then={timedelta(seconds=20): ecs_gives_up})
    await desk.deploy("app:3")
    await desk.skip(minutes=1)

    await desk.rollback()
    result = await desk.result("app:3")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "manual")
    assert desk.updates[-1].at < ends - timedelta(minutes=1)


async def test_cooldown_then_hold_holds_at_once(desk):
    await given_a_rollback(desk)
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3", rollback={"cooldown_then": "hold", "hold_for": "30m"})

    assert result.outcome is Outcome.HELD
    assert "cooldown" in result.reason
    assert desk.images == ["app:2", "app:1", "app:3"]
    assert desk.told("cooldown") == []
    assert len(desk.told("held")) == 1


async def test_release_after_the_cooldown_is_rolled_back_at_once(desk):
    await given_a_rollback(desk)
    await desk.skip(minutes=6)
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3")

    assert result.outcome is Outcome.ROLLED_BACK
    forward, back = desk.updates[-2:]
    assert back.at - forward.at < timedelta(seconds=62)
    assert desk.told("cooldown") == []


async def test_release_is_held_when_the_limit_is_reached(desk):
    limit = {"max_rollbacks": 1, "cooldown": "0s", "hold_for": "30m"}
    await given_a_rollback(desk, rollback=limit)
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3", rollback=limit)

    assert (result.outcome, result.trigger) == (Outcome.HELD, "error-rate")
    assert "The limit is reached: 1 rollbacks within" in result.reason
    assert desk.images == ["app:2", "app:1", "app:3"]


async def test_rollbacks_before_the_rolling_period_do_not_count(desk):
    limit = {"max_rollbacks": 1, "cooldown": "0s", "per": "2h"}
    await given_a_rollback(desk, rollback=limit)
    await desk.skip(hours=2)
    desk.world.bad("app:3", after=60)

    result = await desk.release("app:3", rollback=limit)

    assert result.outcome is Outcome.ROLLED_BACK


async def test_reset_lifts_the_limit(desk):
    limit = {"max_rollbacks": 1}
    await given_a_rollback(desk, rollback=limit)
    desk.world.bad("app:3", after=60)

    await desk.reset()
    result = await desk.release("app:3", rollback=limit)

    assert result.outcome is Outcome.ROLLED_BACK
    overview = await desk.overview()
    assert overview.rollbacks_counted == 1
    assert [(one.actor, one.verb) for one in overview.actions] == [("ann", "reset")]


async def test_reset_ends_a_cooldown_that_is_being_sat_out(desk):
    await given_a_rollback(desk)
    ends = await cooldown_end(desk)
    desk.world.bad("app:3", after=60)
    await desk.deploy("app:3")
    await desk.skip(minutes=2)
    assert len(desk.told("cooldown")) == 1

    await desk.reset()
    result = await desk.result("app:3")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.updates[-1].at < ends - timedelta(minutes=1)


async def test_operators_rollback_ignores_the_limits_and_is_counted(desk):
    limit = {"max_rollbacks": 1}
    await given_a_rollback(desk, rollback=limit)
    await desk.deploy("app:3", rollback=limit)
    await desk.skip(minutes=1)

    await desk.rollback()
    result = await desk.result("app:3")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "manual")
    assert (await desk.overview()).rollbacks_counted == 2


@pytest.mark.parametrize("enabled", [False])
async def test_policy_can_forbid_automatic_rollbacks(desk, enabled):
    desk.world.bad("app:2")

    result = await desk.release("app:2", rollback={"enabled": enabled, "hold_for": "30m"})

    assert result.outcome is Outcome.HELD
    assert "forbids automatic rollbacks" in result.reason
    assert desk.images == ["app:2"]
