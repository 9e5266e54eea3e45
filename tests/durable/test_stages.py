"""Services that shift traffic: waited for by stages, judged while they bake, finished by ECS."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from lastgood.model import Outcome

SHIFTED = "POST_PRODUCTION_TRAFFIC_SHIFT"
DAY = timedelta(days=1)


@pytest.fixture(params=["BLUE_GREEN", "LINEAR", "CANARY"])
def shifting(desk, request):
    """A service that shifts traffic, with half an hour of bake time."""
    return given(desk, request.param)


def given(desk, strategy: str = "BLUE_GREEN", **hooks: timedelta):
    desk.world.bake = timedelta(minutes=30)
    desk.world.pauses = hooks
    configured = [
        {"stages": [stage], "pauses": True, "timeout": lasts} for stage, lasts in hooks.items()
    ]
    desk.world.shape = {"strategy": strategy, "bake": desk.world.bake, "hooks": configured}
    return desk


def calls(desk) -> list[str]:
    return [one.name for one in desk.world.calls if one.effect]


async def test_a_good_release_is_healthy_when_ecs_is_through_with_it(shifting):
    result = await shifting.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert shifting.world.primary.record.status == "SUCCESSFUL"
    assert result.timings["monitor"] == pytest.approx(600, abs=30)
    assert result.timings["finish"] > 600, "what is left of the bake time"


@pytest.mark.campaign
async def test_a_bad_release_in_its_bake_time_is_a_shift_of_traffic_back(shifting):
    shifting.world.bad("app:2", after=120)

    result = await shifting.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert calls(shifting)[-1] == "stop_service_deployment"
    assert shifting.world.runs == "app:1"


@pytest.mark.campaign
async def test_what_fires_after_the_window_but_before_the_end_counts(desk):
    given(desk)
    desk.world.bad("app:2", after=900)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert calls(desk)[-1] == "stop_service_deployment"


async def test_a_hook_before_the_shift_is_answered_at_once(desk):
    given(desk, POST_SCALE_UP=DAY)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert calls(desk).count("continue") == 1
    assert result.timings["wait"] < 60


@pytest.mark.campaign
async def test_a_hook_after_the_shift_waits_for_the_window(desk):
    given(desk, POST_PRODUCTION_TRAFFIC_SHIFT=DAY)
    await desk.deploy("app:2")
    await desk.skip(minutes=8)
    assert "continue" not in calls(desk)

    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert calls(desk).count("continue") == 1
    assert desk.world.primary.record.status == "SUCCESSFUL"


async def test_a_bad_release_that_waits_at_a_hook_is_answered_with_rollback(desk):
    given(desk, POST_PRODUCTION_TRAFFIC_SHIFT=DAY)
    desk.world.bad("app:2", after=120)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert calls(desk)[-1] == "continue_service_deployment"
    assert "continue" not in calls(desk)


async def test_what_fired_before_the_shift_keeps_a_hook_from_being_answered(desk):
    given(desk, POST_SCALE_UP=DAY)
    desk.world.bad("app:2", after=5)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert "continue" not in calls(desk)


async def test_a_hook_that_timed_out_is_a_rollback_by_ecs(desk):
    given(desk, POST_PRODUCTION_TRAFFIC_SHIFT=timedelta(minutes=5))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK_BY_ECS
    assert calls(desk) == ["register_task_definition", "update_service"]


async def test_a_held_release_keeps_its_hook_waiting(desk):
    given(desk, POST_PRODUCTION_TRAFFIC_SHIFT=DAY)
    desk.world.image("app:2", silent=frozenset({"error-rate"}))

    await desk.until_held("app:2")

    assert "continue" not in calls(desk)


@pytest.mark.parametrize("verb", ["approve", "promote"])
async def test_what_a_person_takes_for_good_lets_ecs_go_on(desk, verb):
    given(desk, POST_PRODUCTION_TRAFFIC_SHIFT=DAY)
    desk.world.image("app:2", silent=frozenset({"error-rate"}))
    if verb == "approve":
        await desk.until_held("app:2")
    else:
        await desk.deploy("app:2")
        await desk.skip(minutes=2)

    await desk.say(verb)
    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert calls(desk).count("continue") == 1


async def held_before_the_shift(desk):
    """Held while it rolls out; ECS waits at the first of its hooks."""
    desk.step = 60
    desk.world.image("app:2", rollout=timedelta(minutes=3))
    await desk.deploy("app:2")
    await desk.skip(seconds=30)
    await desk.say("hold")
    await desk.skip(minutes=3)


async def test_the_time_that_a_release_was_held_is_no_lateness_of_its_rollout(desk):
    given(desk, POST_SCALE_UP=DAY)
    await held_before_the_shift(desk)
    await desk.skip(minutes=20)

    await desk.say("resume")
    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY


async def test_an_approved_release_is_followed_until_ecs_is_through(desk):
    given(desk, POST_SCALE_UP=DAY, POST_PRODUCTION_TRAFFIC_SHIFT=timedelta(minutes=30))
    await held_before_the_shift(desk)

    await desk.say("approve", reason="fine")
    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert result.reason.startswith("ann approved it: fine. It was held: ann held it")
    assert calls(desk).count("continue") == 2
    assert desk.world.primary.record.status == "SUCCESSFUL"


async def test_ecs_may_still_go_back_from_an_approved_release(desk):
    given(desk, POST_SCALE_UP=DAY)
    await held_before_the_shift(desk)
    await desk.say("approve")
    await desk.skip(minutes=5)

    by_alarms(desk.world, await desk.env.get_current_time())
    result = await desk.result("app:2")

    assert result.outcome is Outcome.ROLLED_BACK_BY_ECS


@pytest.mark.parametrize("step", ["monitor", "finish"])
async def test_no_trigger_watches_what_was_promoted(desk, step):
    given(desk)
    desk.world.bad("app:2", after=900)
    await desk.deploy("app:2")
    await desk.skip(minutes=2 if step == "monitor" else 12)
    assert await desk.is_at(step)

    await desk.say("promote")
    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert desk.world.runs == "app:2"


async def test_too_little_time_for_the_steps_is_refused(desk):
    given(desk, "LINEAR")
    desk.world.shape = {**desk.world.shape, "shift": timedelta(minutes=9)}

    result = await desk.release("app:2", deploy={"timeout": "5m"})

    assert result.outcome is Outcome.REFUSED
    assert "set deploy.timeout to more than 9m" in result.reason


# --- Back by a deployment of our own -----------------------------------------------------------


async def brought_back(desk):
    """An operator's rollback of a release that ECS is through with."""
    desk.step = 60  # two bake times pass: fewer looks, for busy machines
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    desk.world.calls.clear()
    accepted = await desk.rollback()
    return await desk.result(accepted.release)


async def settled(desk) -> str:
    """What the service runs an hour later."""
    await desk.skip(hours=1)
    desk.world.advance(await desk.env.get_current_time())
    return desk.world.runs


async def test_the_hooks_of_a_way_back_are_answered_once_it_is_verified(desk):
    given(desk, POST_SCALE_UP=DAY, POST_PRODUCTION_TRAFFIC_SHIFT=timedelta(minutes=30))

    result = await brought_back(desk)

    assert (result.outcome, result.rollback.verified) == (Outcome.ROLLED_BACK, True)
    assert calls(desk) == ["update_service", "continue", "continue"]
    first, second = [one.at for one in desk.world.calls if one.name == "continue"]
    verified = [one for one in desk.aws.watched if getattr(one, "goal", "") == "recovery"]
    assert first < verified[-1].covers_from < second
    assert desk.world.primary.record.status == "SUCCESSFUL"
    assert await settled(desk) == "app:1"


async def test_a_bake_longer_than_the_rollbacks_time_does_not_make_it_fail(desk):
    given(desk)

    result = await brought_back(desk)

    assert (result.outcome, result.rollback.verified) == (Outcome.ROLLED_BACK, True)
    assert desk.world.primary.record.status == "SUCCESSFUL"
    assert desk.told("reminder") == []


async def test_ecs_that_puts_the_bad_one_back_while_the_way_back_bakes_is_told(desk):
    given(desk)
    desk.world.image("app:1", then={timedelta(minutes=20): by_alarms})

    result = await brought_back(desk)

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert "ECS itself rolled the service back to web:2" in result.reason
    assert calls(desk) == ["update_service"]


def by_alarms(world, now) -> None:
    world.go_back(now, "ECS deployment alarms: web-5xx.")


async def test_a_hook_of_the_way_back_that_may_not_be_answered_is_told(desk):
    given(desk, POST_PRODUCTION_TRAFFIC_SHIFT=timedelta(minutes=30))
    number = desk.aws.count("continue_service_deployment") + 2
    desk.world.before("continue_service_deployment", number, denied)

    result = await brought_back(desk)

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert "a PAUSE hook (POST_PRODUCTION_TRAFFIC_SHIFT) that cannot be answered" in result.reason


def denied(*_: object) -> None:
    raise ApplicationError("not allowed", type="AccessDeniedException", non_retryable=True)
