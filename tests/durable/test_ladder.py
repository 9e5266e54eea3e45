"""Each rung of the ladder, taken by the workflow: which call, which target, which outcome."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from lastgood.model import Outcome
from tests.durable.world import World, arn

OLD_WEB = "app:1"


def raising(kind: str, text: str = "ECS said no"):
    def do(*_: object) -> None:
        raise ApplicationError(text, type=kind, non_retryable=True)

    return do


def bad_while_rolling_out(desk) -> None:
    """A release that is noticed ten seconds after its deployment, which takes minutes."""
    desk.world.bad("app:2", after=10, rollout=timedelta(minutes=4))


def changes(desk) -> list[str]:
    """The calls that moved the service, by name."""
    return [one.name for one in desk.updates]


# --- Under way ---------------------------------------------------------------------------------


async def test_a_release_under_way_is_stopped_and_ecs_goes_back(desk):
    bad_while_rolling_out(desk)

    result = await desk.release("app:2")

    assert (result.outcome, result.rollback.to) == (Outcome.ROLLED_BACK, arn(1))
    assert result.rollback.verified
    assert changes(desk) == ["update_service", "stop_service_deployment"]
    assert len(desk.world.definitions) == 2, "ECS itself knows the digests: no copy is made"


async def test_a_release_that_waits_at_a_hook_is_answered_with_rollback(desk):
    bad_while_rolling_out(desk)

    def pause(world: World, _: object) -> None:
        world.primary.record.awaiting = ("hook-1",)

    desk.world.after("update_service", 1, pause)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "continue_service_deployment"]
    assert desk.world.runs == OLD_WEB


@pytest.mark.parametrize("kind", ["ConflictException", "UnsupportedFeatureException"])
async def test_a_stop_that_is_refused_leaves_update_service(desk, kind):
    bad_while_rolling_out(desk)
    desk.world.before("stop_service_deployment", 1, raising(kind))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "update_service"]
    assert desk.images == ["app:2", "app:1"]


async def test_an_endpoint_without_service_deployments_gets_update_service(desk):
    desk.world.service_deployments = False
    bad_while_rolling_out(desk)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "update_service"]


async def test_without_leave_to_read_service_deployments_update_service_does_it(desk):
    bad_while_rolling_out(desk)
    for number in (1, 2, 3):
        desk.world.before("describe_service_deployments", number, raising("AccessDeniedException"))

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "update_service"]


async def test_what_could_not_be_read_for_a_while_is_read_once_more_before_anything_is_sent(desk):
    """All workers were gone, say, or ECS throttled: the deployment is under way all the same."""
    bad_while_rolling_out(desk)

    def throttled(world: World, now: datetime) -> None:
        if timedelta(seconds=9) < now - world.primary.since < timedelta(seconds=50):
            raise ApplicationError("slow down", type="ThrottlingException")

    for number in range(1, 20):
        desk.world.before("describe_service_deployments", number, throttled)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "stop_service_deployment"]


async def test_ecs_that_would_go_back_to_a_held_release_is_not_asked(desk):
    """It goes to its last completed revision; we go to the last known good one."""
    desk.world.bad("app:2", after=60, rollout=timedelta(seconds=30))
    await desk.until_held("app:2", rollback={"enabled": False})
    bad_while_rolling_out(desk)
    desk.world.image("app:3", ends="never")

    result = await desk.release("app:3", deploy={"timeout": "2m"})

    assert result.outcome is Outcome.ROLLED_BACK
    assert "stop_service_deployment" not in changes(desk)
    assert desk.images == ["app:2", "app:3", "app:1"]


# --- ECS goes back by itself -------------------------------------------------------------------


async def test_ecs_and_our_trigger_in_the_same_moment_are_one_rollback_and_ecss(desk):
    """We decided, and found ECS on its way: nothing is sent, and the outcome says whose it was."""
    bad_while_rolling_out(desk)

    def circuit_breaker(world: World, now: object) -> None:
        world.go_back(now, "ECS deployment circuit breaker: tasks failed to start.")

    desk.world.before("describe_services", 2, circuit_breaker)

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK_BY_ECS, "error-rate")
    assert result.rollback.verified
    assert desk.images == ["app:2"], "ECS went back by itself, and nobody did so again"
    assert desk.world.runs == OLD_WEB


async def test_ecs_that_begins_to_go_back_between_our_look_and_our_call_is_waited_for(desk):
    bad_while_rolling_out(desk)

    def circuit_breaker(world: World, now: object) -> None:
        world.go_back(now, "ECS deployment circuit breaker: tasks failed to start.")

    desk.world.before("stop_service_deployment", 1, circuit_breaker)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK_BY_ECS
    assert desk.images == ["app:2"]


async def test_what_ecs_undid_while_its_answer_was_lost_is_not_deployed_again(desk):
    def undone_and_lost(world: World, now: datetime) -> None:
        world.go_back(now, "ECS deployment circuit breaker: tasks failed to start.")
        raise ApplicationError("the connection broke", type="OutcomeUnknown")

    desk.world.after("update_service", 1, undone_and_lost)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK_BY_ECS
    assert (result.rollback.to, result.rollback.verified) == (arn(1), True)
    assert desk.images == ["app:2"]


def back_to_what_was_completed(world: World, now: object) -> None:
    """The circuit breaker goes back past an unfinished rollout, to the last completed one."""
    completed = next(one for one in world.rollouts if one.id == "ecs-svc/0")
    world.rollouts = [world.primary, completed]
    world.go_back(now, "ECS deployment circuit breaker: tasks failed to start.")


async def test_ecs_that_goes_back_past_an_unfinished_rollout_is_no_stranger(desk):
    long = timedelta(minutes=4)
    desk.world.image("app:2", rollout=long)
    await desk.deploy("app:2")
    await desk.skip(seconds=30)
    breaks = {timedelta(minutes=1): back_to_what_was_completed}
    desk.world.image("app:3", rollout=long, then=breaks)

    result = await desk.release("app:3", deploy={"on_busy": "supersede"})

    assert result.outcome is Outcome.ROLLED_BACK_BY_ECS
    assert (result.rollback.to, result.rollback.verified) == (arn(1), True)
    assert desk.images == ["app:2", "app:3"]
    assert [one.image for one in (await desk.overview()).quarantine] == ["app:3"]


# --- A rollback of ECS's that fails ------------------------------------------------------------


async def test_a_rollback_of_ecs_that_fails_is_followed_by_one_update_service(desk):
    bad_while_rolling_out(desk)
    desk.world.rollbacks_fail = True

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "stop_service_deployment", "update_service"]
    assert desk.world.runs == OLD_WEB


async def test_if_that_fails_too_people_are_told_and_nothing_loops(desk):
    bad_while_rolling_out(desk)
    desk.world.rollbacks_fail = True
    desk.world.image("app:1", ends="failed")

    result = await desk.release("app:2")

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert changes(desk) == ["update_service", "stop_service_deployment", "update_service"]
    assert desk.told_of(Outcome.ROLLBACK_FAILED) == 1


async def test_somebody_elses_release_while_ecs_goes_back_is_left_alone(desk):
    bad_while_rolling_out(desk)

    def stranger(world: World, now: object) -> None:
        world.stranger_deploys(now)

    desk.world.after("stop_service_deployment", 1, stranger)

    result = await desk.release("app:2")

    assert result.outcome is Outcome.SUPERSEDED
    assert desk.world.runs == "app:99"
    assert changes(desk) == ["update_service", "stop_service_deployment"]


# --- Digests -----------------------------------------------------------------------------------


async def test_a_finished_release_goes_back_to_a_copy_with_the_digests_that_ran(desk):
    """Its tag was moved to another image since, and the registry says so."""
    desk.world.bad("app:2")
    ran = desk.world.digest_of("app:1")
    desk.world.digests["app:1"], desk.world.registry_answers = "sha256:other", True

    result = await desk.release("app:2")

    copy = desk.world.definitions[result.rollback.to]
    assert copy["containerDefinitions"][0]["image"] == f"app:1@{ran}"
    assert {"key": "lastgood:copy-of", "value": arn(1)} in copy["tags"]
    assert changes(desk) == ["update_service", "update_service"]


async def test_a_tag_that_means_the_same_needs_no_copy(desk):
    desk.world.bad("app:2")
    desk.world.registry_answers = True

    result = await desk.release("app:2")

    assert result.rollback.to == arn(1)
    assert changes(desk) == ["update_service", "update_service"]


async def test_a_tag_that_turns_out_to_have_moved_is_put_right(desk):
    """No registry can be asked: what ECS resolved shows it."""
    desk.world.bad("app:2")
    ran = desk.world.digest_of("app:1")
    desk.world.digests["app:1"] = "sha256:other"

    result = await desk.release("app:2")

    copy = desk.world.definitions[result.rollback.to]
    assert copy["containerDefinitions"][0]["image"] == f"app:1@{ran}"
    assert result.outcome is Outcome.ROLLED_BACK
    assert changes(desk) == ["update_service", "update_service", "update_service"]


async def test_the_same_target_twice_is_one_copy(desk):
    desk.world.bad("app:2")
    desk.world.bad("app:3")
    desk.world.digests["app:1"], desk.world.registry_answers = "sha256:other", True
    first = await desk.release("app:2", rollback={"cooldown": "0s"})
    second = await desk.release("app:3", rollback={"cooldown": "0s"})

    assert first.rollback.to == second.rollback.to == arn(3)
    assert desk.images == ["app:2", "app:1", "app:3", "app:1"]


async def test_a_copy_that_may_not_be_registered_leaves_the_original(desk):
    desk.world.bad("app:2")
    desk.world.digests["app:1"], desk.world.registry_answers = "sha256:other", True
    desk.world.before("register_task_definition", 2, raising("AccessDeniedException"))

    result = await desk.release("app:2")

    assert (result.outcome, result.rollback.to) == (Outcome.ROLLED_BACK, arn(1))
