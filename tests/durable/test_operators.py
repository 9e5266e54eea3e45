"""What people ask of a guard: rollbacks during a release and long after it."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError

from lastgood.model import Outcome
from tests.durable.desk import Desk
from tests.durable.world import arn


async def given_two_good_releases(desk: Desk) -> None:
    for image in ("app:2", "app:3"):
        assert (await desk.release(image)).outcome is Outcome.HEALTHY


def why(refused) -> str:
    return str(refused.value.cause)


@pytest.mark.parametrize("after", [5, 120], ids=["wait", "window"])
async def test_rollback_during_a_release(desk, after):
    await desk.deploy("app:2")
    await desk.skip(seconds=after)

    accepted = await desk.rollback()
    result = await desk.result("app:2")

    assert (accepted.release, accepted.during_release) == ("app:2", True)
    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "manual")
    assert desk.images == ["app:2", "app:1"]
    (record,) = (await desk.overview()).rollbacks
    assert (record.actor, record.trigger, record.verified) == ("ann", "manual", True)
    (action,) = (await desk.overview()).actions
    assert (action.actor, action.verb, action.reason) == ("ann", "rollback", "looks bad")


async def test_rollback_before_anything_was_changed_cancels_the_release(desk):
    async def rolled_back(*_: object) -> None:
        await desk.rollback()

    desk.aws.meanwhile["describe_services"] = rolled_back

    result = await desk.release("app:2")

    assert result.outcome is Outcome.CANCELLED
    assert "Nothing had been changed" in result.reason
    assert desk.images == []


async def test_second_rollback_while_the_first_is_under_way_changes_nothing(desk):
    desk.world.bad("app:2", after=60)
    await desk.deploy("app:2")
    await desk.skip(seconds=75)
    assert desk.images == ["app:2", "app:1"]

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.rollback()
    result = await desk.result("app:2")

    assert "Release app:2 is being rolled back already." in why(refused)
    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    assert desk.images == ["app:2", "app:1"]


async def test_rollback_long_after_goes_to_the_newest_good_revision_but_what_runs(desk):
    await given_two_good_releases(desk)

    accepted = await desk.rollback()
    result = await desk.result(accepted.release)

    assert not accepted.during_release
    assert accepted.text == "shop/web goes back to web:2."
    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "manual")
    assert (result.from_task_definition, result.to_task_definition) == (arn(3), arn(2))
    assert desk.world.runs == "app:2"
    assert len(desk.told("rollback_started")) == 1
    assert desk.told_of(Outcome.ROLLED_BACK) == 1


@pytest.mark.campaign
async def test_second_rollback_goes_further_back_only_where_it_says_so(desk):
    await given_two_good_releases(desk)
    first = (await desk.rollback()).release
    await desk.result(first)
    await desk.skip(seconds=5)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.rollback()
    accepted = await desk.rollback(to="web:1")
    result = await desk.result(accepted.release)

    assert f"went back to web:2 with release {first} already" in why(refused)
    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:3", "app:2", "app:1"]


async def test_rollback_is_of_the_release_that_begins_while_it_looks(desk):
    await given_two_good_releases(desk)

    async def released(*_: object) -> None:
        await desk.deploy("app:4")

    desk.aws.meanwhile["describe_services"] = released
    accepted = await desk.rollback(id="one")
    result = await desk.result("app:4")

    assert (accepted.release, accepted.during_release) == ("app:4", True)
    assert result.outcome in (Outcome.CANCELLED, Outcome.ROLLED_BACK)
    assert desk.world.runs == "app:3"
    assert (await desk.overview()).current is None


@pytest.mark.campaign
async def test_release_after_a_rollback_goes_back_to_what_was_rolled_back_to(desk):
    await given_two_good_releases(desk)
    await desk.result((await desk.rollback()).release)
    assert (await desk.overview()).last_known_good.task_definition == arn(2)
    desk.world.bad("app:4", after=60)

    result = await desk.release("app:4")

    assert result.outcome is Outcome.ROLLED_BACK
    assert desk.world.runs == "app:2"


async def test_rollback_can_name_its_target(desk):
    await given_two_good_releases(desk)

    accepted = await desk.rollback(to="web:1")
    result = await desk.result(accepted.release)

    assert (result.outcome, result.to_task_definition) == (Outcome.ROLLED_BACK, arn(1))
    assert desk.world.runs == "app:1"


async def test_rollback_during_a_release_can_name_its_target(desk):
    await given_two_good_releases(desk)
    await desk.deploy("app:4")
    await desk.skip(minutes=1)

    await desk.rollback(to="web:1")
    result = await desk.result("app:4")

    assert result.rollback.to == arn(1)
    assert desk.images[-2:] == ["app:4", "app:1"]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (None, "No other revision is known to be good"),
        ("web:1", "web:1 is already what the service runs"),
        ("web:77", "Nothing was done: ecs:DescribeTaskDefinition: no web:77"),
    ],
)
async def test_rollback_that_leads_nowhere_is_refused(desk, to, said):
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.rollback(to=to)

    assert said in why(refused)
    assert desk.images == []


async def test_rollback_of_a_service_that_is_gone_is_refused(desk):
    desk.world.exists = False

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.rollback()

    assert "shop/web does not exist" in why(refused)


async def test_rollback_that_does_not_become_steady_is_told_as_failed(desk):
    await given_two_good_releases(desk)
    desk.world.image("app:2", ends="never")

    accepted = await desk.rollback()
    result = await desk.result(accepted.release)

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert desk.told_of(Outcome.ROLLBACK_FAILED) == 1


async def test_release_waits_for_an_operators_rollback(desk):
    await given_two_good_releases(desk)
    accepted = await desk.rollback()

    await desk.release("app:4")

    assert (await desk.view(accepted.release)).result.outcome is Outcome.ROLLED_BACK
    assert desk.images == ["app:2", "app:3", "app:2", "app:4"]


@pytest.mark.parametrize("ids", [("", ""), ("a", "b")], ids=["without ids", "with ids"])
async def test_two_operators_at_once_go_back_once(desk, ids):
    await given_two_good_releases(desk)

    answers = await asyncio.gather(*(desk.rollback(id=i) for i in ids), return_exceptions=True)
    await desk.skip(minutes=5)

    assert desk.images == ["app:2", "app:3", "app:2"]
    refused = [one for one in answers if isinstance(one, WorkflowUpdateFailedError)]
    assert len(refused) == 1
    assert "under way" in str(refused[0].cause)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"controller": "CODE_DEPLOY"}, "is deployed by CODE_DEPLOY"),
        ({"scheduling": "DAEMON"}, "is a DAEMON service"),
    ],
)
async def test_service_of_another_kind_is_not_rolled_back_by_us(desk, shape, said):
    await desk.release("app:2")
    desk.world.shape = shape

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await desk.rollback()

    assert said in refused.value.cause.message
    assert desk.images == ["app:2"]
