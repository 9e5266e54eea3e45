"""A group's release against guards that do as they are told: what begins, who goes back, why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.common import RetryPolicy

from lastgood import messages
from lastgood.model import Outcome
from tests.durable.group_fakes import GroupDesk, group_desk, order
from workflows import group_members, guard_calls
from workflows.options import ASK_BRIEFLY

HEALTHY, ROLLED_BACK = Outcome.HEALTHY, Outcome.ROLLED_BACK


@pytest.fixture
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[GroupDesk]:
    async with group_desk(cached=getattr(request, "param", 100)) as made:
        yield made


def outcomes(result) -> list[str]:
    return [one.outcome.value for one in result.members]


async def test_in_order_each_begins_when_the_one_before_is_healthy(desk):
    result = await desk.release("good", "good", "good")

    assert (result.outcome, outcomes(result)) == (HEALTHY, ["healthy"] * 3)
    assert result.reason == "All 3 services are healthy."
    a, b, c = result.members
    assert a.finished_at <= b.started_at
    assert b.finished_at <= c.started_at


async def test_at_once_all_begin_together(desk):
    await desk.start("slow", "slow", "slow", how="at-once")
    await desk.until(lambda progress: len(progress.notes) == 3)
    for name in "abc":
        await desk.guard(name).signal("say", HEALTHY)

    assert (await desk.end()).outcome is HEALTHY


@pytest.mark.parametrize("desk", [100, 0], ids=["", "replayed at every step"], indirect=True)
async def test_in_order_a_bad_one_takes_back_those_before_it_and_none_begins_after_it(desk):
    result = await desk.release("good", "bad", "good")

    assert result.outcome is ROLLED_BACK
    assert outcomes(result) == ["rolled_back", "rolled_back", "cancelled"]
    assert result.reason == (
        "shop/b was rolled back: It says so. shop/a went back, too. shop/c was not begun."
    )
    a = await desk.results("a")
    assert [one.outcome for one in a] == [HEALTHY, ROLLED_BACK]
    assert await desk.guard("a").query("actors") == ["group shop"]
    assert a[1].reason == "shop/b was rolled back: It says so."
    assert len(await desk.results("b")) == 1


@pytest.mark.parametrize(
    "desk",
    [
        pytest.param(100, id=""),
        pytest.param(0, id="replayed at every step", marks=pytest.mark.campaign),
    ],
    indirect=True,
)
async def test_at_once_all_go_back_one_after_the_other_in_reverse_order(desk):
    await desk.start("good", "slow", "slow", "good", how="at-once")
    await desk.until_noted("shop/a is healthy")
    await desk.until_noted("shop/d is healthy")
    await desk.guard("b").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert outcomes(result) == ["rolled_back"] * 4
    d, c, a = [(await desk.results(name))[-1] for name in "dca"]
    assert d.finished_at <= c.finished_at <= a.started_at
    assert (await desk.results("c"))[0].reason.startswith("shop/b was rolled back")


@pytest.mark.campaign
async def test_what_waits_in_a_queue_is_cancelled_and_never_begins(desk):
    result = await desk.release("good", "queued", "bad", how="at-once")

    assert result.outcome is ROLLED_BACK
    assert outcomes(result) == ["rolled_back", "cancelled", "rolled_back"]


async def test_first_one_refused_changes_nothing(desk):
    result = await desk.release("refused", "good")

    assert (result.outcome, result.reason) == (
        Outcome.REFUSED,
        "shop/a was refused: The service is frozen. shop/b was not begun.",
    )


@pytest.mark.parametrize("how", ["in-order", "at-once"])
async def test_nothing_is_changed_where_the_last_ones_preflight_is_refused(desk, how):
    result = await desk.release("good", "good", "unfit", how=how)

    assert (result.outcome, result.reason) == (
        Outcome.REFUSED,
        "shop/c was refused: No such alarm. shop/a was not begun. shop/b was not begun.",
    )
    assert await desk.results("a") == []


async def test_refused_one_is_left_alone_and_the_others_go_back(desk):
    result = await desk.release("good", "refused", how="at-once")

    assert result.outcome is ROLLED_BACK
    assert outcomes(result) == ["rolled_back", "refused"]


async def test_held_one_holds_the_group_and_goes_on_once_it_is_good(desk):
    await desk.start("good", "held", "good")
    held = (await desk.until(lambda progress: progress.result is not None)).result
    await desk.guard("b").signal("say", HEALTHY)

    assert held.outcome is Outcome.HELD
    assert held.reason == (
        "shop/b is held for a person: No data. "
        "Nothing further begins, and nothing goes back, until somebody decides."
    )
    assert (await desk.end()).outcome is HEALTHY


@pytest.mark.campaign
async def test_held_one_that_is_judged_again_no_longer_holds_the_group(desk):
    await desk.start("good", "held", "good")
    await desk.until(lambda progress: progress.result is not None)
    await desk.guard("b").signal("resume")

    progress = await desk.until(lambda progress: progress.result is None)
    assert progress.notes[-1] == "shop/b is judged again."
    await desk.guard("b").signal("say", HEALTHY)
    assert (await desk.end()).outcome is HEALTHY


async def test_held_one_that_is_denied_takes_the_others_back(desk):
    await desk.start("good", "held", "good")
    await desk.until(lambda progress: progress.result is not None)
    await desk.guard("b").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert result.outcome is ROLLED_BACK
    assert outcomes(result) == ["rolled_back", "rolled_back", "cancelled"]


@pytest.mark.campaign
async def test_nobody_decides_and_the_group_ends_held_without_going_back(desk):
    await desk.start("good", "held", "good")
    await desk.until(lambda progress: progress.result is not None)
    await desk.guard("b").signal("say", Outcome.HELD)

    result = await desk.end()

    assert result.outcome is Outcome.HELD
    assert outcomes(result) == ["healthy", "held", "cancelled"]
    assert "Nothing further was begun, and nothing went back." in result.reason


async def test_held_one_goes_back_when_another_goes_wrong(desk):
    await desk.start("held", "slow", how="at-once")
    await desk.until_noted("shop/a waits for a person")
    await desk.guard("b").signal("say", ROLLED_BACK)

    assert outcomes(await desk.end()) == ["rolled_back", "rolled_back"]


@pytest.mark.campaign
async def test_end_that_nobody_told_is_noticed(desk):
    assert (await desk.release("silent", "good")).outcome is HEALTHY


async def test_operators_rollback_of_one_that_was_healthy_takes_all_back(desk):
    await desk.start("good", "good", "slow")
    await desk.until_noted("shop/b is healthy")
    await desk.undo("a")

    result = await desk.end()

    assert result.outcome is ROLLED_BACK
    assert outcomes(result) == ["rolled_back"] * 3
    assert result.reason.startswith(
        "shop/a was rolled back after it had been healthy: wrong prices."
    )
    assert await desk.guard("a").query("requests") == ["x"]


@pytest.mark.campaign
async def test_operators_rollback_that_goes_on_at_the_verdict_has_gone_wrong(desk):
    await desk.start("good", "slow")
    await desk.until_noted("shop/b: release")
    await desk.undo("a", reason="takes long")
    await desk.guard("b").signal("say", HEALTHY)

    result = await desk.end()

    assert outcomes(result) == ["rolled_back", "rolled_back"]
    assert await desk.guard("a").query("requests") == ["x"]


@pytest.mark.campaign
async def test_operators_rollback_that_goes_on_lets_no_other_begin(desk):
    await desk.start("good", "slow", "good")
    await desk.until_noted("shop/b: release")
    await desk.undo("a", reason="takes long")
    await desk.guard("b").signal("say", HEALTHY)

    assert outcomes(await desk.end()) == ["rolled_back", "rolled_back", "cancelled"]


async def test_operators_rollback_under_way_is_waited_for_and_none_is_asked_for_beside_it(desk):
    await desk.start("good", "slow")
    await desk.until_noted("shop/b: release")
    await desk.undo("a", reason="takes long")
    await desk.guard("b").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert outcomes(result) == ["rolled_back", "rolled_back"]
    assert await desk.guard("a").query("requests") == ["x"]


@pytest.mark.campaign
async def test_one_that_cannot_go_back_is_the_verdict_and_the_others_go_back_all_the_same(desk):
    await desk.start("good", "good", "slow")
    await desk.until_noted("shop/c: release")
    await desk.guard("b").signal("be_unable")
    await desk.guard("c").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert outcomes(result) == ["rolled_back", "rollback_failed", "rolled_back"]
    assert "shop/b went wrong, and the ROLLBACK FAILED" in result.reason


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes no time."""
    moment = timedelta(seconds=0.2)
    for name in ("_AFTER_REFUSAL", "_LOOK_AGAIN", "_SHORTLY", "_UNANSWERED"):
        monkeypatch.setattr(group_members, name, moment)
    once = ASK_BRIEFLY | {"retry_policy": RetryPolicy(maximum_attempts=1)}
    monkeypatch.setattr(guard_calls, "ASK_BRIEFLY", once)


@pytest.mark.campaign
async def test_one_under_way_with_nothing_to_go_back_to_does_not_keep_the_others(desk, impatient):
    await desk.start("good", "nowhere", "slow", how="at-once")
    await desk.until_noted("shop/a is healthy")
    await desk.guard("c").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert result.outcome is Outcome.ROLLBACK_FAILED
    assert outcomes(result) == ["rolled_back", "rollback_failed", "rolled_back"]
    assert result.members[1].reason == (
        "It should have gone back, and could not: Nowhere to go back to."
    )
    assert len(await desk.guard("b").query("requests")) == 8


async def test_one_whose_guard_is_silent_does_not_keep_the_others(desk, impatient):
    await desk.start("good", "good", "slow")
    await desk.until_noted("shop/c: release")
    await desk.guard("b").signal("fall_silent")
    await desk.guard("c").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert outcomes(result) == ["rolled_back", "rollback_failed", "rolled_back"]
    assert result.members[1].reason.endswith("could not: its guard gives no answer.")


@pytest.mark.campaign
async def test_one_that_is_taken_up_late_is_not_left_behind(desk, impatient):
    await desk.start("sluggish", "bad", how="at-once")

    assert outcomes(await desk.end()) == ["rolled_back", "rolled_back"]


async def test_one_whose_policy_forbids_it_stays_and_is_held_for_a_person(desk):
    await desk.start("good", "good", "slow", by_hand="a")
    await desk.until_noted("shop/c: release")
    await desk.guard("c").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert (result.outcome, outcomes(result)) == (
        Outcome.HELD,
        ["held", "rolled_back", "rolled_back"],
    )
    assert 'lastgood rollback shop/a --reason "…"' in result.reason
    assert await desk.guard("a").query("requests") == []


@pytest.mark.campaign
async def test_rollback_that_came_too_late_is_asked_for_again(desk):
    result = await desk.release("late", "bad", how="at-once")

    assert outcomes(result) == ["rolled_back", "rolled_back"]
    first, second = await desk.guard("a").query("requests")
    assert (first, second) == ("r1.a/back/1", "r1.a/back/2")


async def test_one_that_has_a_newer_release_meanwhile_is_left_alone(desk):
    await desk.start("good", "slow")
    await desk.until_noted("shop/b: release")
    newer = order("good", "good", ident="r2").members[0].model_copy(update={"group": None})
    await desk.guard("a").execute_update(messages.DEPLOY, newer)
    await desk.guard("b").signal("say", ROLLED_BACK)

    result = await desk.end()

    assert result.outcome is ROLLED_BACK
    assert outcomes(result) == ["superseded", "rolled_back"]
    assert "Release r2.a came after it, and is left alone." in result.reason
    assert await desk.guard("a").query("requests") == []


async def test_cancelled_group_begins_nothing_more_and_changes_nothing(desk):
    await desk.start("good", "slow", "good")
    await desk.until_noted("shop/a is healthy")
    await desk.until_noted("shop/b: release")
    await desk.group.cancel()

    result = await desk.end()

    assert result.outcome is Outcome.CANCELLED
    assert result.reason == (
        "Cancelled. No further member begins, and nothing goes back. shop/b goes on by itself."
    )


@pytest.mark.campaign
async def test_cancelled_while_a_guard_is_asked_ends_once_that_has_answered(desk):
    await desk.start("sluggish", "good", how="at-once")
    await desk.until_noted("shop/b is healthy")
    await desk.group.cancel()

    assert (await desk.end()).outcome is Outcome.CANCELLED


async def test_cancelled_while_going_back_goes_on_to_the_end(desk):
    await desk.start("good", "slow")
    await desk.until_noted("shop/b: release")
    await desk.guard("b").signal("say", ROLLED_BACK)
    await desk.until_noted("shop/a goes back")
    await desk.group.cancel()

    assert outcomes(await desk.end()) == ["rolled_back", "rolled_back"]


@pytest.mark.campaign
async def test_each_service_costs_few_events(desk):
    result = await desk.release(*["good"] * 4, "bad")

    assert outcomes(result) == ["rolled_back"] * 5
    assert (await desk.group.describe()).history_length < 5 * 80
