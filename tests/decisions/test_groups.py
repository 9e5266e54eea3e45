"""Groups: what comes next, who goes back and how, and the verdict over all of them."""

from datetime import timedelta

import pytest

from lastgood.contracts import (
    GroupOrder,
    GroupState,
    MemberStanding,
    OperatorRequest,
    ReleaseOrder,
)
from lastgood.decisions import group_verdicts, groups
from lastgood.model import Outcome, RollbackSummary, ServiceRef
from lastgood.policy import Policy
from tests.decisions.grouped import A, B, C, result, state
from tests.decisions.made import T0, at, record


def moves(now: GroupState) -> str:
    return " ".join(f"{one.do} {one.release[3:]}" for one in groups.next_moves(now))


# --- What comes next ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "how", "wrong", "expected"),
    [
        (("waits", "waits", "waits"), "in-order", None, "begin a"),
        (("under way", "waits", "waits"), "in-order", None, ""),
        (("healthy", "waits", "waits"), "in-order", None, "begin b"),
        (("healthy", "paused", "waits"), "in-order", None, ""),
        (("healthy", "held", "waits"), "in-order", None, ""),
        (("waits", "waits", "waits"), "at-once", None, "begin a begin b begin c"),
        (("paused", "waits", "waits"), "at-once", None, ""),
        (("healthy", "rolled_back", "waits"), "in-order", "b", "take_back a"),
        (("healthy", "rolled_back", "under way"), "at-once", "b", "take_back c"),
        (("healthy", "rolled_back", "leaving"), "at-once", "b", ""),
        (("healthy", "rolled_back", "rolled_back"), "at-once", "b", "take_back a"),
        (("healthy", "rolled_back", "refused"), "at-once", "b", "take_back a"),
        (("healthy", "rolled_back", "paused"), "at-once", "b", "take_back c"),
        (("healthy", "rolled_back", "held"), "at-once", "b", "take_back c"),
        (("healthy", "cancelled", "waits"), "in-order", "b", "take_back b"),
        (("healthy; back: rolled_back", "rolled_back", "waits"), "in-order", "b", ""),
        (("superseded", "under way", "waits"), "at-once", "a", "take_back b"),
        (("rollback_failed", "healthy", "waits"), "at-once", "a", "take_back b"),
    ],
)
def test_what_comes_next(said, how, wrong, expected) -> None:
    assert moves(state(*said, how=how, wrong=wrong)) == expected


@pytest.mark.parametrize(
    ("said", "wrong", "over"),
    [
        (("healthy", "healthy", "healthy"), None, True),
        (("healthy", "healthy", "waits"), None, False),
        (("healthy", "healthy", "under way"), None, False),
        (("healthy", "paused", "waits"), None, False),
        (("healthy", "held", "waits"), None, True),
        (("healthy", "rolled_back", "waits"), "b", False),
        (("healthy; back: rolled_back", "rolled_back", "waits"), "b", True),
        (("refused", "waits", "waits"), "a", True),
    ],
)
def test_when_it_is_over(said, wrong, over) -> None:
    assert groups.is_over(state(*said, wrong=wrong)) is over


def test_a_release_that_moved_nothing_does_not_go_back() -> None:
    same = result(A, Outcome.HEALTHY, to_task_definition="web:1")
    assert groups.is_changed(result(A, Outcome.HEALTHY))
    assert not groups.is_changed(same)
    assert not groups.is_changed(result(A, Outcome.CANCELLED, to_task_definition=None))
    back = RollbackSummary(to="web:1", started_at=T0)
    assert not groups.is_changed(result(A, Outcome.HELD, rollback=back)), "scaled to 0 going back"


def test_the_group_waits_for_a_person_once_nothing_else_is_under_way() -> None:
    assert groups.waits_for_a_person(state("healthy", "paused", "waits"))
    assert not groups.waits_for_a_person(state("paused", "under way", how="at-once"))
    assert not groups.waits_for_a_person(state("paused", "rolled_back", wrong="b", how="at-once"))


@pytest.mark.parametrize(
    ("said", "wrong", "aside"),
    [
        (("healthy", "paused", "waits"), None, True),
        (("healthy", "under way", "waits"), None, False),
        (("healthy", "waits", "waits"), None, False),
        (("healthy", "rolled_back", "waits"), "b", False),
    ],
)
def test_one_that_only_waits_for_a_person_stands_aside_for_the_next(said, wrong, aside) -> None:
    newer = OperatorRequest(actor="ci", reason="a fix", release="r2")
    why = groups.refuse_to_stand_aside(state(*said, wrong=wrong), newer)
    assert (
        why is None if aside else why == "Release r2 has to wait: another one of shop is under way."
    )


@pytest.mark.parametrize(
    ("wrong", "named", "why"),
    [
        (None, None, None),
        (None, "r1", None),
        (None, "r0", "Not r0, but release r1 of shop is under way."),
        ("b", "r1", "Release r1 of shop goes back already: that goes on to its end."),
    ],
)
def test_a_groups_release_is_cancelled_by_a_person_unless_it_goes_back(wrong, named, why) -> None:
    now = state("healthy", "rolled_back" if wrong else "under way", "waits", wrong=wrong)
    request = OperatorRequest(actor="ann", reason="wrong ticket", release=named)
    assert groups.refuse_cancel(now, request, "r1") == why


def test_a_cancelled_groups_release_says_who_did_it_and_what_goes_on() -> None:
    run = group_verdicts.Run(workflow_id="w", run_id="r", started_at=T0, now=at(60))
    stop = groups.cancelled(OperatorRequest(actor="ann", reason="wrong ticket"))
    now = state("healthy", "under way", "waits")
    ended = group_verdicts.stopped(order(A, B, C), now, run, stop)
    assert (ended.outcome, ended.reason) == (
        Outcome.CANCELLED,
        "ann cancelled it: wrong ticket. No further member begins, and nothing goes back. "
        "shop/b goes on by itself.",
    )


# --- What was seen -----------------------------------------------------------------------------


def test_the_first_that_goes_wrong_is_the_one_to_blame_and_the_first_end_counts() -> None:
    now = state("under way", "under way", "under way", how="at-once")
    now = groups.with_end(now, result(B, Outcome.ROLLED_BACK))
    now = groups.with_end(now, result(A, Outcome.ROLLBACK_FAILED))
    now = groups.with_end(now, result(B, Outcome.HEALTHY))
    now = groups.with_end(now, result(C, Outcome.HEALTHY, release="unknown"))
    assert now.wrong == "r1.b"
    assert [one.result and one.result.outcome.value for one in now.members] == [
        "rollback_failed",
        "rolled_back",
        None,
    ]


def test_one_that_was_deleted_while_it_went_back_has_gone_wrong_all_the_same() -> None:
    back = RollbackSummary(to="web:1", started_at=T0)
    under_way = state("under way", "waits", "waits")
    assert groups.with_end(under_way, result(A, Outcome.HELD, rollback=back)).wrong == "r1.a"
    assert groups.with_end(under_way, result(A, Outcome.HELD)).wrong is None


def test_a_rollback_of_one_that_was_healthy_is_going_wrong() -> None:
    undone = result(A, Outcome.ROLLED_BACK, reason="Wrong prices.")
    seen = MemberStanding(state="ended", undone=undone)
    now = groups.with_undoing(state("healthy", "under way", "waits"), "r1.a", seen)
    assert (now.wrong, moves(now)) == ("r1.a", "take_back b")
    assert group_verdicts.blame(now) == (
        "shop/a was rolled back after it had been healthy: Wrong prices."
    )


def test_a_rollback_that_has_begun_is_going_wrong_and_its_end_is_waited_for_in_its_turn() -> None:
    goes_on = record(70, actor="ann", reason="wrong prices")
    seen = MemberStanding(state="ended", undoing=goes_on)
    now = groups.with_undoing(state("healthy", "under way", "waits"), "r1.a", seen)
    assert (now.wrong, moves(now)) == ("r1.a", "take_back b")
    assert group_verdicts.blame(now) == (
        "ann rolls shop/a back after it had been healthy: wrong prices."
    )
    now = groups.changed(now, "r1.b", result=result(B, Outcome.ROLLED_BACK))
    assert (moves(now), groups.is_over(now)) == ("take_back a", False)


def test_one_that_goes_back_for_anothers_sake_is_not_the_one_that_went_wrong() -> None:
    now = state("leaving", "rolled_back", wrong="b")
    seen = MemberStanding(state="ended", undoing=record(70))
    assert groups.with_undoing(now, "r1.a", seen) == now
    assert groups.with_undoing(now, "r1.b", MemberStanding(state="ended")) == now


@pytest.mark.parametrize(
    ("said", "how", "wrong", "expected"),
    [
        (("healthy", "waits", "waits"), "in-order", None, ("r1.a",)),
        (("healthy", "healthy", "waits"), "in-order", None, ("r1.a", "r1.b")),
        (("healthy", "healthy", "healthy"), "at-once", None, ("r1.a", "r1.b", "r1.c")),
        (("healthy", "held", "waits"), "in-order", None, ("r1.a",)),
        (("healthy", "under way", "waits"), "in-order", None, ()),
        (("waits", "waits", "waits"), "at-once", None, ()),
        (("healthy", "rolled_back", "waits"), "in-order", "b", ()),
    ],
)
def test_what_ended_well_is_looked_at_again_before_others_begin_and_before_the_verdict(
    said, how, wrong, expected
) -> None:
    assert groups.to_look_at(state(*said, how=how, wrong=wrong)) == expected


def test_a_member_that_waited_and_then_ended_no_longer_waits() -> None:
    now = groups.with_hold(state("healthy", "under way", "waits"), result(B, Outcome.HELD))
    assert moves(now) == ""
    assert moves(groups.with_end(now, result(B, Outcome.HEALTHY))) == "begin c"


# --- The verdict -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "wrong", "expected"),
    [
        (("healthy", "healthy", "healthy"), None, "healthy"),
        (("healthy", "held", "waits"), None, "held"),
        (("healthy", "paused", "waits"), None, "held"),
        (("healthy; back: rolled_back", "rolled_back", "waits"), "b", "rolled_back"),
        (("rolled_back_by_ecs", "waits", "waits"), "a", "rolled_back_by_ecs"),
        (("healthy; back: rolled_back", "rolled_back_by_ecs", "waits"), "b", "rolled_back"),
        (("healthy; back: rollback_failed", "rolled_back", "waits"), "b", "rollback_failed"),
        (("healthy; back: rolled_back", "rollback_failed", "waits"), "b", "rollback_failed"),
        (("healthy; back: rolled_back", "refused", "waits"), "b", "rolled_back"),
        (("refused", "waits", "waits"), "a", "refused"),
        (("superseded", "waits", "waits"), "a", "superseded"),
        (("cancelled; back: rolled_back", "waits", "waits"), "a", "rolled_back"),
        (("healthy; back: superseded", "rolled_back", "waits"), "b", "rolled_back"),
    ],
)
def test_the_verdict(said, wrong, expected) -> None:
    assert group_verdicts.outcome(state(*said, wrong=wrong)).value == expected


def test_the_reason_names_who_went_wrong_and_what_became_of_the_others() -> None:
    now = state("healthy; back: rolled_back", "rolled_back", "waits", wrong="b")
    assert group_verdicts.reason(now) == (
        "shop/b was rolled back: Because. shop/a went back, too. shop/c was not begun."
    )
    stuck = state("healthy; back: rollback_failed", "refused", "refused", wrong="b")
    assert group_verdicts.reason(stuck) == (
        "shop/b was refused: Because. shop/a went wrong, and the ROLLBACK FAILED: Because. "
        "shop/c was refused: Because."
    )


def order(*services: ServiceRef) -> GroupOrder:
    members = tuple(
        ReleaseOrder(
            id=f"r1.{one.name}",
            image="x:1",
            policy=Policy(service=str(one), region=one.region),
            actor="ci",
        )
        for one in services
    )
    return GroupOrder(
        id="r1",
        group="shop",
        region="us-east-1",
        order="in-order",
        members=members,
        what="x:1",
        actor="ci",
    )


def test_a_members_result_says_what_came_after_its_release() -> None:
    run = group_verdicts.Run(workflow_id="w", run_id="r", started_at=T0, now=at(60))
    now = state("healthy; back: rolled_back", "rolled_back", "waits", wrong="b")
    ended = group_verdicts.result_of(order(A, B, C), now, run)
    first, second, third = ended.members
    assert (first.release, first.outcome) == ("r1.a", Outcome.ROLLED_BACK)
    assert first.reason == "It was healthy; then: Because."
    assert second == result(B, Outcome.ROLLED_BACK)
    assert (third.outcome, third.reason) == (
        Outcome.CANCELLED,
        "It was not begun when the group's release ended. shop/b was rolled back: Because.",
    )
    assert (ended.service, ended.release) == ("shop", "r1")
    assert ended.started_at
    assert ended.finished_at
    assert ended.finished_at - ended.started_at == timedelta(seconds=60)


# --- Ids ---------------------------------------------------------------------------------------


def test_each_members_release_has_an_id_of_its_own() -> None:
    assert groups.release_ids("v2", (A, B)) == ("v2.a", "v2.b")
    other = A.model_copy(update={"cluster": "stage"})
    abroad = A.model_copy(update={"region": "eu-west-1"})
    ids = groups.release_ids("v2", (A, other, abroad, B))
    assert ids == ("v2.us-east-1.shop.a", "v2.stage.a", "v2.eu-west-1.shop.a", "v2.b")
    long = [A.model_copy(update={"name": "x" * 250 + end}) for end in "12"]
    first, second = groups.release_ids("v2", tuple(long))
    assert first != second
    assert max(len(first), len(second)) <= 128
