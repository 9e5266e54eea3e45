"""Groups: what comes next, who goes back and how, and the verdict over all of them."""

from datetime import timedelta

import pytest

from lastgood.contracts import (
    CurrentRelease,
    GroupOrder,
    GroupState,
    Member,
    MemberStanding,
    OperatorRequest,
    Overview,
    ReleaseOrder,
    StandingQuery,
)
from lastgood.decisions import group_verdicts, groups
from lastgood.messages import deployment_id, rollback_id
from lastgood.model import Outcome, ReleaseResult, RollbackRecord, RollbackSummary, ServiceRef
from lastgood.policy import Policy, RollbackPolicy
from tests.decisions.made import T0, at, record

A, B, C = (ServiceRef(region="us-east-1", cluster="shop", name=name) for name in "abc")


def result(service: ServiceRef, outcome: Outcome, **keys: object) -> ReleaseResult:
    given: dict[str, object] = {
        "release": f"r1.{service.name}",
        "workflow_id": deployment_id(service),
        "run_id": "run",
        "service": str(service),
        "outcome": outcome,
        "reason": "Because.",
        "from_task_definition": "web:1",
        "to_task_definition": "web:2",
    }
    return ReleaseResult.model_validate(given | keys)


def member(service: ServiceRef, said: str = "waits") -> Member:
    """``waits``, ``under way``, ``paused``, ``leaving``, or its outcome; ``back: `` and another."""
    one = Member(service=service, release=f"r1.{service.name}", asked=said != "waits")
    if said in ("waits", "under way"):
        return one
    if said == "paused":
        return one.model_copy(update={"held": result(service, Outcome.HELD)})
    if said == "leaving":
        return one.model_copy(update={"leaving": True})
    first, _, back = said.partition("; back: ")
    update = {"result": result(service, Outcome(first))}
    if back:
        update["back"] = result(service, Outcome(back), release="rollback-1")
    return one.model_copy(update=update)


def state(*said: str, wrong: str | None = None, how: str = "in-order") -> GroupState:
    members = tuple(member(one, word) for one, word in zip((A, B, C), said, strict=False))
    return GroupState.model_validate(
        {"group": "shop", "order": how, "members": members, "wrong": wrong and f"r1.{wrong}"}
    )


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


# --- What a guard says -------------------------------------------------------------------------


def overview(*results: ReleaseResult, current: str = "", queued: tuple[str, ...] = ()) -> Overview:
    """What the guard of A says; results oldest first."""
    under_way = CurrentRelease(
        release=current, what="x", workflow_id="", run_id=None, actor="ci", since=T0
    )
    return Overview(
        service=str(A),
        current=under_way if current else None,
        queued=queued,
        last_known_good=None,
        rollbacks_counted=0,
        max_rollbacks=3,
        cooldown_until=None,
        results=tuple(reversed(results)),
        rollbacks=(),
        actions=(),
    )


OURS = result(A, Outcome.HEALTHY, finished_at=at(60))
OLDER = result(A, Outcome.HEALTHY, release="r0")


def newer(outcome: Outcome, to: str | None = "web:3", back_to: str | None = None) -> ReleaseResult:
    """How r2 ended, which found the service on what ours had brought."""
    more = {"from_task_definition": "web:2", "to_task_definition": to, "rollback": gone(back_to)}
    return result(A, outcome, release="r2", **more)


def gone(to: str | None) -> RollbackSummary | None:
    return RollbackSummary(to=to, started_at=T0, verified=True) if to else None


def undoing(started: str, to: str) -> ReleaseResult:
    """An operator's rollback."""
    more = {"from_task_definition": started, "to_task_definition": to, "rollback": gone(to)}
    ident = {"release": "rollback-1", "workflow_id": rollback_id(A)}
    return result(A, Outcome.ROLLED_BACK, **ident, **more)


NEWER = newer(Outcome.HEALTHY)
UNDOING = undoing("web:2", "web:1")
UNDONE = ("ended", "rollback-1", None)
BACK_ON_OURS = newer(Outcome.ROLLED_BACK, back_to="web:2")
BACK_FURTHER = newer(Outcome.ROLLED_BACK, back_to="web:1")
STRANGERS = newer(Outcome.SUPERSEDED, back_to="web:2")
"""Its rollback was on its way when somebody else's deployment came."""


def begun(record: RollbackRecord, said: Overview | None = None) -> Overview:
    return (said or overview(OURS)).model_copy(update={"rollbacks": (record,)})


GOING_BACK = begun(record(70, release="r1.a"), overview(OLDER, current="r1.a"))
GONE_BACK = begun(record(70, 80, release="r1.a"), overview(OLDER, current="r1.a"))


@pytest.mark.parametrize(
    ("said", "expected", "do"),
    [
        (begun(record(70)), ("ended", None, None), "wait"),
        (begun(record(70, 80)), ("ended", None, None), "wait"),
        (begun(record(70, 80, release="r1.a")), ("ended", None, None), "roll_back"),
        (begun(record(50)), ("ended", None, None), "roll_back"),
        (overview(), ("unknown", None, None), "nothing"),
        (overview(OLDER, current="r1.a"), ("running", None, None), "roll_back"),
        (GOING_BACK, ("running", None, None), "wait"),
        (GONE_BACK, ("running", None, None), "roll_back"),
        (overview(OLDER, queued=("r1.a",)), ("queued", None, None), "cancel"),
        (overview(OLDER, OURS), ("ended", None, None), "roll_back"),
        (overview(OLDER, OURS, UNDOING), ("ended", "rollback-1", None), "nothing"),
        (overview(OURS, NEWER), ("ended", None, "r2"), "nothing"),
        (overview(OURS, current="r2"), ("ended", None, "r2"), "nothing"),
        (overview(OURS, NEWER, undoing("web:3", "web:1")), ("ended", None, "r2"), "nothing"),
        (overview(OURS, NEWER, undoing("web:3", "web:2")), ("ended", None, None), "roll_back"),
        (overview(OURS, newer(Outcome.REFUSED, None)), ("ended", None, None), "roll_back"),
        (overview(OURS, newer(Outcome.CANCELLED, None)), ("ended", None, None), "roll_back"),
        (overview(OURS, newer(Outcome.SUPERSEDED, None)), ("ended", None, None), "roll_back"),
        (overview(OURS, BACK_ON_OURS), ("ended", None, None), "roll_back"),
        (overview(OURS, BACK_ON_OURS, UNDOING), UNDONE, "nothing"),
        (overview(OURS, BACK_FURTHER), ("ended", None, "r2"), "nothing"),
        (overview(OURS, newer(Outcome.CANCELLED)), ("ended", None, "r2"), "nothing"),
        (overview(OURS, newer(Outcome.HELD)), ("ended", None, "r2"), "nothing"),
        (overview(OURS, STRANGERS), ("ended", None, "r2"), "nothing"),
        (overview(OURS, newer(Outcome.CANCELLED, None), UNDOING), UNDONE, "nothing"),
        (overview(OURS, UNDOING, NEWER), ("ended", "rollback-1", "r2"), "nothing"),
        (overview(OURS, queued=("r2",)), ("ended", None, None), "roll_back"),
    ],
)
def test_where_a_member_stands_and_how_it_goes_back(said, expected, do) -> None:
    seen = groups.standing(said, A, "r1.a")
    assert (seen.state, seen.undone and seen.undone.release, seen.replaced_by) == expected
    assert groups.way_back(member(A, "under way"), seen, RollbackPolicy()).do == do


ENDED = MemberStanding(state="ended", result=OURS)


@pytest.mark.parametrize(
    ("seen", "come"),
    [
        (MemberStanding(state="running"), ""),
        (ENDED, "ended"),
        (ENDED.model_copy(update={"undoing": record(70)}), "ended undone"),
        (ENDED.model_copy(update={"undone": UNDOING}), "ended undone back"),
        (ENDED.model_copy(update={"replaced_by": "r2"}), "ended back"),
    ],
)
def test_what_is_waited_for(seen, come) -> None:
    asked = [
        StandingQuery(service=A, release="r1.a", until=until)
        for until in ("ended", "undone", "back")
    ]
    assert " ".join(one.until for one in asked if groups.has_come(one, seen)) == come


def test_one_that_cannot_go_back_is_told_of_whether_its_release_has_ended_or_not() -> None:
    for said in ("under way", "paused", "healthy"):
        stuck = groups.stays(member(A, said), "its guard gives no answer.")
        assert (stuck.outcome, stuck.reason) == (
            Outcome.ROLLBACK_FAILED,
            "It should have gone back, and could not: its guard gives no answer.",
        )
        assert (stuck.release, stuck.service) == ("r1.a", "shop/a")


def test_a_rollback_is_given_the_time_that_its_policy_gives_it() -> None:
    policy = RollbackPolicy.model_validate({"timeout": "10m", "verify_timeout": "5m"})
    further = policy.model_copy(update={"try_next_good": True})
    assert groups.patience(policy) == timedelta(minutes=30)
    assert groups.patience(further) == timedelta(minutes=60)


@pytest.mark.parametrize(
    ("said", "do", "outcome"),
    [
        (overview(OLDER, queued=("r1.a",)), "cancel", None),
        (overview(OLDER, current="r1.a"), "nothing", Outcome.HELD),
        (GOING_BACK, "wait", None),
        (overview(OLDER, OURS), "nothing", Outcome.HELD),
        (begun(record(70)), "wait", None),
        (overview(OLDER, OURS, UNDOING), "nothing", Outcome.ROLLED_BACK),
        (overview(OURS, NEWER), "nothing", Outcome.SUPERSEDED),
    ],
)
def test_one_whose_policy_forbids_automatic_rollbacks_waits_for_a_person(said, do, outcome) -> None:
    seen = groups.standing(said, A, "r1.a")
    way = groups.way_back(member(A, "under way"), seen, RollbackPolicy(enabled=False))
    assert (way.do, way.back and way.back.outcome) == (do, outcome)
    if outcome is Outcome.HELD:
        assert 'lastgood rollback shop/a --reason "…"' in way.back.reason


def test_one_under_way_that_may_not_go_back_is_reported_as_held() -> None:
    stays = result(C, Outcome.HELD, reason="A person decides.")
    now = groups.changed(
        state("healthy; back: rolled_back", "rolled_back", "under way", wrong="b"),
        "r1.c",
        back=stays,
    )
    assert (groups.is_over(now), group_verdicts.outcome(now)) == (True, Outcome.HELD)
    assert group_verdicts.member_result(now.members[2], now) == stays


def test_a_newer_release_is_left_alone_and_an_operators_rollback_is_adopted() -> None:
    replaced = groups.way_back(
        member(A), groups.standing(overview(OURS, NEWER), A, "r1.a"), RollbackPolicy()
    )
    assert replaced.back
    assert replaced.back.outcome is Outcome.SUPERSEDED
    undone = groups.way_back(
        member(A), groups.standing(overview(OURS, UNDOING), A, "r1.a"), RollbackPolicy()
    )
    assert undone.back == UNDOING


def test_a_release_that_nobody_knows_any_more_was_not_judged() -> None:
    way = groups.way_back(member(A, "under way"), MemberStanding(state="unknown"), RollbackPolicy())
    assert way.result
    assert way.result.outcome is Outcome.HELD
    assert "lastgood status shop/a" in way.result.reason


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
