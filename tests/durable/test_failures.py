"""Calls that fail, answers that get lost, people who cannot be reached."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from lastgood import errors
from lastgood.model import Outcome
from tests.durable.world import World


def raising(kind: str, *, final: bool = True, text: str = "ecs:UpdateService said no"):
    def do(*_: object) -> None:
        raise ApplicationError(text, type=kind, non_retryable=final)

    return do


# --- Preflight ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"controller": "CODE_DEPLOY"}, "Lastgood needs the deployment controller ECS"),
        ({"scheduling": "DAEMON"}, "is a DAEMON service"),
        ({"desired": 0}, "no tasks to judge"),
        ({"status": "DRAINING"}, "it was deleted"),
    ],
)
async def test_preflight_refuses_what_cannot_be_watched_or_brought_back(desk, shape, said):
    desk.world.shape = shape

    result = await desk.release("app:2")

    assert result.outcome is Outcome.REFUSED
    assert said in result.reason
    assert desk.world.calls == []
    assert desk.told_of(Outcome.REFUSED) == 1


async def test_preflight_refuses_a_service_that_does_not_exist(desk):
    desk.world.exists = False

    result = await desk.release("app:2")

    assert result.outcome is Outcome.REFUSED
    assert "shop/web does not exist in eu-west-1" in result.reason


async def test_preflight_refuses_an_alarm_that_does_not_exist(desk):
    desk.world.alarms = {}

    result = await desk.release("app:2")

    assert result.outcome is Outcome.REFUSED
    assert "Alarm web-5xx does not exist" in result.reason
    assert desk.world.calls == []


@pytest.mark.parametrize("call", ["describe_services", "describe_alarms", "get_metric_data"])
async def test_preflight_refuses_what_it_may_not_read(desk, call):
    desk.world.before(call, 1, raising("AccessDeniedException", text="not authorized"))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.REFUSED
    assert "not authorized" in result.reason
    assert desk.world.calls == []


async def test_red_alarm_is_muted_until_it_was_ok_or_refused_as_the_policy_says(desk):
    desk.world.alarms = {"web-5xx": "ALARM"}
    refusing = {"type": "alarm", "alarm": "web-5xx", "already_in_alarm": "refuse"}

    refused = await desk.release("app:2", triggers=[refusing])
    allowed = await desk.release("app:3", triggers=[{"type": "alarm", "alarm": "web-5xx"}])

    assert refused.outcome is Outcome.REFUSED
    assert allowed.outcome is Outcome.HEALTHY
    assert any(one.triggers[0].muted_until_ok for one in desk.aws.watched if hasattr(one, "since"))


# --- Deploy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["AccessDeniedException", errors.UNEXPECTED_STATE])
async def test_deploy_that_is_refused_changed_nothing(desk, kind):
    desk.world.before("update_service", 1, raising(kind))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.REFUSED
    assert "Nothing was changed: ecs:UpdateService said no" in result.reason
    assert desk.images == []


async def test_stranger_between_preflight_and_deploy_is_left_alone(desk):
    desk.world.before("update_service", 1, World.stranger_deploys)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.REFUSED
    assert "somebody else changed it" in result.reason
    assert desk.images == []
    assert desk.world.runs == "app:99"


async def test_endpoint_that_simulates_no_rollouts_ends_in_words_not_in_an_outcome(desk):
    desk.world.after("update_service", 1, raising(errors.ROLLOUT_INVISIBLE, text="no rollouts"))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HELD
    assert result.reason == "no rollouts"
    assert len(desk.updates) == 1


async def test_answer_lost_after_deploy_was_carried_out_has_one_effect(desk):
    desk.world.after("update_service", 1, raising(errors.OUTCOME_UNKNOWN, final=False))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2"]


async def test_answer_lost_for_good_after_deploy_is_found_out_by_looking(desk):
    desk.world.after("update_service", 1, raising("AccessDeniedException"))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2"]


async def test_call_that_fails_now_and_then_is_made_again(desk):
    for number in (1, 2, 3):
        desk.world.before("update_service", number, raising("ThrottlingException", final=False))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2"]


# --- Rollback ----------------------------------------------------------------------------------


async def test_answer_lost_after_rollback_was_carried_out_has_one_effect(desk):
    desk.world.bad("app:2")
    desk.world.after("update_service", 2, raising(errors.OUTCOME_UNKNOWN, final=False))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]


@pytest.mark.campaign
async def test_way_back_does_not_give_up_for_hours(desk):
    desk.world.bad("app:2")
    for number in range(2, 202):
        desk.world.before("update_service", number, raising("ServerException", final=False))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:1"]
    forward, back = desk.updates
    assert (back.at - forward.at).total_seconds() > 2400


async def test_rollback_that_is_not_allowed_has_failed_and_is_told(desk):
    desk.world.bad("app:2")
    desk.world.before("update_service", 2, raising("AccessDeniedException", text="not authorized"))

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLBACK_FAILED, "error-rate")
    assert "not authorized" in result.reason
    assert desk.images == ["app:2"]
    assert desk.told_of(Outcome.ROLLBACK_FAILED) == 1


async def test_service_deleted_before_its_rollback_has_nothing_to_be_rolled_back(desk):
    desk.world.bad("app:2")
    desk.world.before("describe_services", 2, World.delete)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HELD
    assert "does not exist any more" in result.reason


async def test_cancelled_release_leaves_the_service_and_says_so(desk):
    await desk.deploy("app:2")
    await desk.skip(minutes=1)

    await desk.cancel_release()
    result = await desk.result("app:2")

    assert result.outcome is Outcome.CANCELLED
    assert "The service stays on web:2" in result.reason
    assert desk.images == ["app:2"]


# --- Notifications -----------------------------------------------------------------------------


async def test_channel_that_never_answers_changes_nothing_and_is_visible(desk):
    desk.world.bad("app:2")
    desk.aws.unreachable = {"slack"}

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    forward, back = desk.updates
    assert (back.at - forward.at).total_seconds() < 92
    assert len(desk.told("ended", "email")) == 1
    failures = (await desk.overview()).results[0].notification_failures
    assert [one.channel for one in failures] == ["slack", "slack"]
    assert failures[0].error == "slack answered 500"


async def test_nobody_reachable_changes_nothing(desk):
    desk.world.bad("app:2")
    desk.aws.unreachable = {"slack", "email"}

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert len(result.notification_failures) == 4
    assert desk.world.runs == "app:1"
