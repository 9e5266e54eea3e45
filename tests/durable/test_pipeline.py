"""A release from preflight to its outcome."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lastgood.model import Outcome
from tests.durable.world import Fault, World, arn


async def test_good_release_is_healthy_when_its_window_ends_clean(desk):
    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert (result.trigger, result.rollback, result.evidence) == (None, None, ())
    assert desk.images == ["app:2"]
    assert 30 <= result.timings["wait"] < 35
    assert 600 <= result.timings["monitor"] < 605
    assert desk.aws.told == []


async def test_healthy_ends_are_told_where_the_policy_asks_for_it(desk):
    await desk.release("app:2", notify={"healthy": True})

    assert desk.told_of(Outcome.HEALTHY) == 1


@pytest.mark.parametrize("trigger", ["error-rate", "health-check", "alarm"])
async def test_trigger_in_the_window_brings_the_old_revision_back(desk, trigger):
    desk.world.bad("app:2", trigger, after=90)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert result.trigger == trigger
    assert desk.images == ["app:2", "app:1"]
    forward, back = desk.updates
    assert timedelta(seconds=90) <= back.at - forward.at < timedelta(seconds=92)


async def test_result_of_a_rollback_says_what_happened(desk):
    desk.world.bad("app:2")

    result = await desk.release("app:2")

    assert result.from_task_definition == arn(1)
    assert result.to_task_definition == arn(2)
    assert result.rollback is not None
    assert (result.rollback.to, result.rollback.verified) == (arn(1), True)
    assert result.rollback.started_at < result.rollback.finished_at
    assert result.evidence[0].value == 0.4
    assert {"preflight", "deploy", "wait", "monitor", "roll back"} <= set(result.timings)
    assert "error-rate was bad" in result.reason
    assert "Verified: error-rate is good; health-check is good" in result.reason
    assert desk.told("rollback_started") == desk.told("rollback_started", "email")
    assert len(desk.told("rollback_started")) == 1
    assert desk.told_of(Outcome.ROLLED_BACK) == 1
    counts = [dict(notice.facts)["Rollbacks"] for _, notice in desk.aws.told]
    assert counts == ["1 of 3 in 24h"] * 4


async def test_triggers_are_armed_while_the_rollout_is_under_way(desk):
    desk.world.bad("app:2", after=10, rollout=timedelta(minutes=4))

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert "monitor" not in result.timings
    forward, back = desk.updates
    assert back.at - forward.at < timedelta(seconds=12)


@pytest.mark.parametrize("ends", ["never", "failed"])
async def test_rollout_that_does_not_complete_is_rolled_back_without_a_trigger(desk, ends):
    desk.world.image("app:2", ends=ends)

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, None)
    assert desk.images == ["app:2", "app:1"]
    assert ("Not complete after 5m" if ends == "never" else "ECS gave the rollout up") in (
        result.reason
    )
    assert ".." not in result.reason


async def test_only_the_trigger_that_fired_must_be_good_again_not_all_of_its_type(desk):
    """Another alarm may have been red before the release."""
    desk.world.alarms["other"] = "ALARM"
    desk.world.bad("app:2", "alarm")
    alarms = [{"type": "alarm", "alarm": name} for name in ("web-5xx", "other")]
    health = {"type": "health-check", "url": "https://shop.example/health"}

    result = await desk.release("app:2", triggers=[*alarms, health])

    assert result.rollback.verified
    verified = [one for one in desk.aws.watched if getattr(one, "goal", "") == "recovery"]
    assert {t.key for one in verified for t in one.triggers} == {"0 alarm", "2 health-check"}


async def test_ecs_own_rollback_is_adopted_and_verified_without_a_call_of_ours(desk):
    desk.world.image("app:2", ends="rolled_back_by_ecs")

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK_BY_ECS, None)
    assert result.rollback is not None
    assert result.rollback.verified
    assert desk.images == ["app:2"]
    assert desk.world.runs == "app:1"


@pytest.mark.parametrize("after", [10, 60], ids=["wait", "window"])
async def test_strangers_release_ends_our_judgement(desk, after):
    desk.world.image("app:2", then={timedelta(seconds=after): World.stranger_deploys})

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.SUPERSEDED, None)
    assert "somebody else" in result.reason
    assert result.finished_at - desk.updates[0].at < timedelta(seconds=after + 5)
    assert desk.images == ["app:2"]
    assert desk.world.runs == "app:99"


async def test_strangers_release_during_our_rollback_is_left_alone(desk):
    desk.world.bad("app:2")
    desk.world.image("app:1", then={timedelta(seconds=10): World.stranger_deploys})

    result = await desk.release("app:2")

    assert result.outcome is Outcome.SUPERSEDED
    assert desk.images == ["app:2", "app:1"]
    assert desk.world.runs == "app:99"


async def test_stranger_between_trigger_and_rollback_is_left_alone(desk):
    desk.world.bad("app:2")
    desk.world.before("update_service", 2, World.stranger_deploys)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.SUPERSEDED
    assert desk.images == ["app:2"]
    assert desk.world.runs == "app:99"


@pytest.mark.parametrize(
    ("event", "said"),
    [(World.delete, "no longer exists"), (World.scale_to_zero, "scaled to 0")],
)
async def test_service_that_is_gone_is_held_at_once_and_not_touched(desk, event, said):
    desk.world.image("app:2", then={timedelta(seconds=60): event})

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HELD
    assert said in result.reason
    assert "hold" not in result.timings
    assert desk.images == ["app:2"]


async def test_failed_smoke_test_is_rolled_back(desk):
    desk.aws.smoke = {"app:2": [False]}

    result = await desk.release("app:2", smoke=[{"url": "https://shop.example/"}])

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, None)
    assert "The smoke test failed: GET https://shop.example/ answered 500" in result.reason
    assert desk.images == ["app:2", "app:1"]


async def test_smoke_test_is_tried_again_before_it_has_failed(desk):
    desk.aws.smoke = {"app:2": [False, False, True]}

    result = await desk.release("app:2", smoke=[{"url": "https://shop.example/"}])

    assert result.outcome is Outcome.HEALTHY


async def test_smoke_test_that_fails_on_the_old_revision_too_is_a_failed_rollback(desk):
    desk.aws.smoke = {"app:2": [False], "app:1": [False]}

    result = await desk.release("app:2", smoke=[{"url": "https://shop.example/"}])

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert "fails on web:1 too" in result.reason
    assert desk.images == ["app:2", "app:1"]


async def test_rollback_that_does_not_help_fails_and_does_not_loop(desk):
    desk.world.bad("app:2")
    desk.world.bad("app:1", after=0)

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLBACK_FAILED, "error-rate")
    assert "not proven that this helped" in result.reason
    assert not result.rollback.verified
    assert desk.images == ["app:2", "app:1"]
    assert desk.told_of(Outcome.ROLLBACK_FAILED) == 1


@pytest.mark.parametrize("ends", ["never", "failed"])
async def test_rollback_that_does_not_become_steady_fails(desk, ends):
    desk.world.bad("app:2")
    desk.world.image("app:1", ends=ends)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert "web:1 did not become steady" in result.reason
    assert desk.images == ["app:2", "app:1"]


async def test_inactive_target_is_registered_again_from_what_was_stored(desk):
    desk.world.bad("app:2")
    desk.world.after("update_service", 1, lambda world, _: world.inactive.add(arn(1)))

    result = await desk.release("app:2")

    assert (result.outcome, result.rollback.to) == (Outcome.ROLLED_BACK, arn(3))
    assert desk.world.runs == "app:1"


async def test_fix_for_a_burning_service_is_not_blamed_for_its_fire(desk):
    """What is bad before the release already counts only once new tasks alone serve."""
    desk.world.primary.behaviour.faults["error-rate"] = Fault(timedelta(0))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2"]
