"""A member of a group: where it stands by its guard's word, and how it goes back."""

from datetime import timedelta

import pytest

from lastgood.contracts import (
    CurrentRelease,
    MemberStanding,
    Overview,
    StandingQuery,
)
from lastgood.decisions import group_verdicts, groups, standings
from lastgood.messages import rollback_id
from lastgood.model import Outcome, ReleaseResult, RollbackRecord, RollbackSummary
from lastgood.policy import RollbackPolicy
from tests.decisions.grouped import A, C, member, result, state
from tests.decisions.made import T0, at, record


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
    seen = standings.standing(said, A, "r1.a")
    assert (seen.state, seen.undone and seen.undone.release, seen.replaced_by) == expected
    assert standings.way_back(member(A, "under way"), seen, RollbackPolicy()).do == do


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
    assert " ".join(one.until for one in asked if standings.has_come(one, seen)) == come


def test_one_that_cannot_go_back_is_told_of_whether_its_release_has_ended_or_not() -> None:
    for said in ("under way", "paused", "healthy"):
        stuck = standings.stays(member(A, said), "its guard gives no answer.")
        assert (stuck.outcome, stuck.reason) == (
            Outcome.ROLLBACK_FAILED,
            "It should have gone back, and could not: its guard gives no answer.",
        )
        assert (stuck.release, stuck.service) == ("r1.a", "shop/a")


def test_a_rollback_is_given_the_time_that_its_policy_gives_it() -> None:
    policy = RollbackPolicy.model_validate({"timeout": "10m", "verify_timeout": "5m"})
    further = policy.model_copy(update={"try_next_good": True})
    assert standings.patience(policy) == timedelta(minutes=30)
    assert standings.patience(further) == timedelta(minutes=60)


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
    seen = standings.standing(said, A, "r1.a")
    way = standings.way_back(member(A, "under way"), seen, RollbackPolicy(enabled=False))
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
    replaced = standings.way_back(
        member(A), standings.standing(overview(OURS, NEWER), A, "r1.a"), RollbackPolicy()
    )
    assert replaced.back
    assert replaced.back.outcome is Outcome.SUPERSEDED
    undone = standings.way_back(
        member(A), standings.standing(overview(OURS, UNDOING), A, "r1.a"), RollbackPolicy()
    )
    assert undone.back == UNDOING


def test_a_release_that_nobody_knows_any_more_was_not_judged() -> None:
    way = standings.way_back(
        member(A, "under way"), MemberStanding(state="unknown"), RollbackPolicy()
    )
    assert way.result
    assert way.result.outcome is Outcome.HELD
    assert "lastgood status shop/a" in way.result.reason
