"""What a guard remembers outlives Temporal's database: it is kept in the service's tags."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from lastgood.model import Outcome
from tests.durable.desk import Desk, policy
from tests.durable.world import arn

LIMIT = {"max_rollbacks": 1, "cooldown": "5m", "hold_for": "30m"}


async def given_one_good_and_one_bad_release(desk: Desk) -> None:
    assert (await desk.release("app:2")).outcome is Outcome.HEALTHY
    desk.world.bad("app:3", after=60)
    assert (await desk.release("app:3")).outcome is Outcome.ROLLED_BACK


async def lose_the_database(desk: Desk) -> None:
    """The guard is gone with all it knew; whoever asks next starts another."""
    await desk.skip(seconds=1)  # the last change is written
    await desk.guard.terminate("its database is lost")


async def test_tags_say_what_was_good_what_went_back_and_what_is_frozen(desk):
    await given_one_good_and_one_bad_release(desk)
    await desk.say("freeze", reason="Black Friday")
    await desk.skip(seconds=1)

    tags = desk.world.tags
    assert tags["lastgood:good-1"].startswith("web:2 ")
    assert tags["lastgood:good-2"].startswith("web:1 ")
    assert tags["lastgood:unproven"] == "web:3"
    assert tags["lastgood:quarantine-1"] == f"app:3@{desk.world.digest_of('app:3')}"
    assert len(tags["lastgood:rollbacks-1"].split()) == 1
    assert tags["lastgood:frozen"].endswith("by=ann Black Friday")

    await desk.say("unfreeze")
    await desk.reset()
    await desk.skip(seconds=1)

    assert "lastgood:frozen" not in desk.world.tags
    assert "lastgood:counted-from" in desk.world.tags


async def test_guard_that_was_lost_knows_what_was_good_and_what_went_back(desk):
    await given_one_good_and_one_bad_release(desk)
    await lose_the_database(desk)
    desk.world.bad("app:4", after=60)

    result = await desk.release("app:4", rollback=LIMIT)

    assert result.outcome is Outcome.HELD
    assert "The limit is reached: 1 rollbacks within" in result.reason
    overview = await desk.overview()
    assert overview.last_known_good.task_definition == arn(2)
    assert [one.digest for one in overview.quarantine] == [desk.world.digest_of("app:3")]


async def test_guard_that_was_lost_keeps_the_cooldown(desk):
    await given_one_good_and_one_bad_release(desk)
    ends = (await desk.overview()).cooldown_until
    await lose_the_database(desk)
    desk.world.bad("app:4", after=40)

    result = await desk.release("app:4")

    assert result.outcome is Outcome.ROLLED_BACK
    assert len(desk.told("cooldown")) == 1
    assert desk.updates[-1].at >= ends.replace(microsecond=0)
    assert desk.world.runs == "app:2"


async def test_guard_that_was_lost_refuses_what_was_rolled_back(desk):
    desk.world.registry_answers = True
    await given_one_good_and_one_bad_release(desk)
    await lose_the_database(desk)

    result = await desk.release("app:3", id="again")

    assert result.outcome is Outcome.REFUSED
    assert "is quarantined" in result.reason


async def test_freeze_and_reset_are_known_to_a_new_guard_at_its_first_message(desk):
    await given_one_good_and_one_bad_release(desk)
    await desk.say("freeze", reason="Black Friday")
    await lose_the_database(desk)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.say("freeze")
    assert "is frozen already by ann (Black Friday)" in refused.value.cause.message

    await lose_the_database(desk)
    assert await desk.say("unfreeze") == "Releases of shop/web may begin again."
    await lose_the_database(desk)
    assert await desk.reset() == "Cooldown and rollback limit of shop/web are reset."
    assert (await desk.overview()).rollbacks_counted == 0


async def test_operators_rollback_by_a_new_guard_goes_where_the_tags_say(desk):
    for image in ("app:2", "app:3"):
        await desk.release(image)
    await lose_the_database(desk)

    accepted = await desk.rollback()

    assert accepted.text.startswith("shop/web goes back to web:2. Nobody is told of it:")
    assert "--policy FILE" in accepted.text
    assert (await desk.result(accepted.release)).outcome is Outcome.ROLLED_BACK


async def test_operators_rollback_by_a_new_guard_tells_whom_the_given_policy_names(desk):
    for image in ("app:2", "app:3"):
        await desk.release(image)
    await lose_the_database(desk)

    accepted = await desk.rollback(policy=policy())

    assert accepted.text == "shop/web goes back to web:2."
    await desk.result(accepted.release)
    assert desk.told("rollback_started")


async def test_tags_that_may_not_be_written_hinder_nothing_and_are_shown(desk):
    desk.world.tags_denied = True
    await given_one_good_and_one_bad_release(desk)

    assert desk.world.tags == {}
    problem = (await desk.overview()).mirror_problem
    assert problem.startswith("The service's tags cannot be written: ecs:TagResource")

    desk.world.tags_denied = False
    await desk.say("freeze")
    await desk.skip(seconds=1)

    assert (await desk.overview()).mirror_problem is None
    assert desk.world.tags["lastgood:good-1"].startswith("web:2 ")


async def test_tags_that_others_wrote_over_are_no_error(desk):
    desk.world.tags = {
        "team": "shop",
        "lastgood:good-1": "web:77 yesterday app=latest",
        "lastgood:good-2": "☃",
        "lastgood:rollbacks-1": "often 20269999T000000Z+1",
        "lastgood:counted-from": "never",
        "lastgood:unproven": ":: web:x",
        "lastgood:quarantine-1": "everything",
        "lastgood:frozen": "a bit",
    }

    await given_one_good_and_one_bad_release(desk)
    await desk.skip(seconds=1)

    assert desk.world.tags["team"] == "shop"
    assert desk.world.tags["lastgood:good-1"].startswith("web:2 ")
    assert (await desk.overview()).mirror_problem is None


async def test_tags_that_were_wiped_are_written_again_with_the_next_release(desk):
    """Terraform without ignore_changes, say; or the service was made anew."""
    await given_one_good_and_one_bad_release(desk)
    await desk.skip(seconds=1)
    before = dict(desk.world.tags)
    desk.world.tags = {"team": "shop"}
    await desk.skip(minutes=6)

    await desk.deploy("app:4")
    await desk.skip(seconds=20)

    assert desk.world.tags["team"] == "shop"
    for name in ("good-1", "rollbacks-1", "quarantine-1"):
        assert desk.world.tags[f"lastgood:{name}"] == before[f"lastgood:{name}"]


async def test_tags_of_others_come_first_however_many_they_became(desk):
    await given_one_good_and_one_bad_release(desk)
    await desk.skip(seconds=1)
    desk.world.tags |= {f"team-{n}": "shop" for n in range(46)}
    await desk.skip(minutes=6)

    await desk.release("app:4")
    await desk.skip(seconds=1)

    assert len(desk.world.tags) == 50
    assert len([name for name in desk.world.tags if name.startswith("team-")]) == 46
    assert desk.world.tags["lastgood:good-1"].startswith("web:4 ")


@pytest.mark.parametrize(
    ("kind", "first"), [("ClientException", "web:1"), ("AccessDeniedException", "web:2")]
)
async def test_good_revision_that_cannot_be_read_now_stays_in_the_tags(desk, kind, first):
    """Only one that is not there any more is forgotten."""
    await given_one_good_and_one_bad_release(desk)
    await lose_the_database(desk)
    tags = dict(desk.world.tags)

    def deny(*_: object) -> None:
        raise ApplicationError("ecs:DescribeTaskDefinition", type=kind, non_retryable=True)

    reads = desk.aws.count("describe_task_definition")
    desk.world.before("describe_task_definition", reads + 1, deny)
    await desk.say("reset")
    await desk.skip(seconds=1)

    assert desk.world.tags["lastgood:good-1"].startswith(f"{first} ")
    if first == "web:2":
        assert desk.world.tags["lastgood:good-1"] == tags["lastgood:good-1"]
        desk.world.registry_answers = True
        ran, desk.world.digests["app:2"] = desk.world.digest_of("app:2"), "sha256:moved"
        desk.world.bad("app:4", after=90)
        await desk.release("app:4")
        assert desk.world.resolved[desk.world.primary.id][1] == ran
