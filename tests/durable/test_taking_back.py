"""An operator's hold, and what may follow it; and releases that supersede others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from lastgood.model import Outcome
from tests.durable.desk import Desk
from tests.durable.world import arn

AT_THE_LIMIT = {"max_rollbacks": 1, "cooldown": "1s", "hold_for": "2h"}


async def given_a_hold_in_the_window(desk: Desk) -> None:
    """Two minutes into the release, about nine before its window ends."""
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    await desk.say("hold", reason="odd")


async def test_resumed_window_goes_on_with_what_was_left_of_it(desk):
    await given_a_hold_in_the_window(desk)
    await desk.skip(hours=1)
    assert (await desk.progress()).result.reason == "ann held it: odd"

    await desk.say("resume")
    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert 595 <= result.timings["monitor"] < 620
    assert 3595 <= result.timings["hold"] < 3610


async def test_trigger_that_fires_while_held_does_nothing_and_counts_after_the_resume(desk):
    desk.world.bad("app:2", after=300)
    await given_a_hold_in_the_window(desk)
    await desk.skip(minutes=30)
    assert (await desk.progress()).held
    assert desk.images == ["app:2"]

    await desk.say("resume")
    result = await desk.result("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")


async def test_rollout_that_is_held_goes_on_being_waited_for_when_it_is_resumed(desk):
    desk.world.image("app:2", rollout=timedelta(minutes=4))
    await desk.deploy("app:2")
    await desk.skip(minutes=1)
    await desk.say("hold")
    await desk.skip(minutes=1)
    await desk.say("resume")

    result = await desk.result("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert desk.images == ["app:2"]


async def test_rollout_that_ended_while_it_was_held_is_judged_after_the_resume(desk):
    desk.world.image("app:2", rollout=timedelta(minutes=4))
    await desk.deploy("app:2")
    await desk.skip(minutes=1)
    await desk.say("hold")
    await desk.skip(hours=1)
    await desk.say("resume")

    assert (await desk.result("app:2")).outcome is Outcome.HEALTHY


async def test_window_without_data_is_watched_again_after_a_resume_and_held_again(desk):
    desk.world.image("app:2", silent=frozenset({"error-rate"}))
    await desk.until_held("app:2")

    await desk.say("resume")
    await desk.skip(minutes=5)
    watched_again = await desk.is_at("monitor")
    await desk.skip(minutes=10)

    assert watched_again
    assert (await desk.progress()).held
    assert len(desk.told("held")) == 2


async def test_release_held_by_the_limit_is_held_again_when_it_still_fires(desk):
    desk.world.bad("app:2", after=60)
    desk.world.bad("app:3", after=60)
    await desk.release("app:2", rollback=AT_THE_LIMIT)
    await desk.until_held("app:3", rollback=AT_THE_LIMIT)

    await desk.say("resume")
    await desk.skip(minutes=5)

    assert (await desk.progress()).held
    assert len(desk.told("held")) == 2
    assert desk.images == ["app:2", "app:1", "app:3"]


async def test_denied_release_is_rolled_back_whatever_the_limit_says(desk):
    desk.world.bad("app:2", after=60)
    desk.world.bad("app:3", after=60)
    await desk.release("app:2", rollback=AT_THE_LIMIT)
    await desk.until_held("app:3", rollback=AT_THE_LIMIT)

    await desk.say("deny", reason="no")
    result = await desk.result("app:3")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "manual")
    assert desk.images == ["app:2", "app:1", "app:3", "app:1"]
    assert [one.actor for one in (await desk.overview()).rollbacks] == ["lastgood", "ann"]


async def test_ledger_says_who_approved_or_promoted(desk):
    await given_a_hold_in_the_window(desk)
    await desk.say("approve", reason="fine")
    await desk.result("app:2")
    await desk.deploy("app:3")
    await desk.skip(minutes=2)
    await desk.say("promote", reason="fine")
    await desk.result("app:3")

    good = [one for one in (await desk.overview()).ledger if one.status == "good"]

    assert [(one.revision.task_definition, one.why) for one in good[:2]] == [
        (arn(3), "promoted by ann"),
        (arn(2), "approved by ann"),
    ]


async def test_held_release_without_a_target_cannot_be_denied_but_goes_where_it_is_told(desk):
    desk.world.primary.state = "IN_PROGRESS"
    desk.world.bad("app:2", after=60)
    await desk.until_held("app:2")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.say("deny")

    assert refused.value.cause.message.startswith("There is no revision to go back to. Name one:")
    assert (await desk.progress()).held
    await desk.rollback(to="web:1")
    assert (await desk.result("app:2")).rollback.to == arn(1)


async def test_who_decides_second_is_told_who_was_first(desk):
    await given_a_hold_in_the_window(desk)
    await desk.skip(seconds=5)
    reached_end = []

    async def too_late() -> None:
        for verb in ("resume", "cancel", "deny"):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await desk.say(verb)
            reached_end.append(refused.value.cause.message)

    desk.aws.meanwhile["notify_slack"] = too_late
    await desk.say("cancel")
    result = await desk.result("app:2")

    assert result.outcome is Outcome.CANCELLED
    assert len(reached_end) == 3
    assert desk.images == ["app:2"]


# --- Superseding ---------------------------------------------------------------------------------


async def test_those_that_wait_are_superseded_too(desk):
    for image in ("app:2", "app:3", "app:4"):
        await desk.deploy(image)

    newest = await desk.release("app:5", deploy={"on_busy": "supersede"})

    assert newest.outcome is Outcome.HEALTHY
    for image in ("app:2", "app:3", "app:4"):
        ended = (await desk.view(image)).result
        assert ended.outcome is Outcome.SUPERSEDED
        assert ended.reason.startswith("Release app:5 superseded it.")
    assert set(desk.images) <= {"app:2", "app:5"}
    assert desk.images[-1] == "app:5"


async def test_target_of_a_release_that_superseded_one_in_its_window_is_what_was_good(desk):
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    await desk.deploy("app:3", deploy={"on_busy": "supersede"})
    await desk.skip(minutes=1)

    progress = await desk.progress()

    assert (progress.release, progress.rollback_target) == ("app:3", arn(1))


async def test_release_that_another_one_superseded_before_it_had_begun_ends_so(desk):
    """The one that supersedes comes while a release that an earlier guard began still runs."""
    await desk.deploy("app:2")
    await desk.skip(minutes=2)
    await desk.guard.terminate("lost")
    await desk.deploy("app:3")
    await desk.skip(seconds=2)
    assert (await desk.view("app:3")).state == "running"  # it waits for the orphan

    desk.patience = 60.0  # the test server gives the guard its news ten real seconds late
    await desk.deploy("app:4", deploy={"on_busy": "supersede"})
    waited = await desk.result("app:3")

    assert waited.outcome is Outcome.SUPERSEDED
    assert waited.reason == "Release app:4 superseded it. Nothing had been changed."
    assert "app:3" not in desk.images
