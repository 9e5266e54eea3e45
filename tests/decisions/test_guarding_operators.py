"""What a guard remembers of operators' requests, and where it says a release stands."""

import pytest

from lastgood.contracts import Begun, FreezeRequest, RollbackRequest
from lastgood.decisions import guarding, ledger
from lastgood.model import ContainerImage, Outcome, RollbackSummary
from tests.decisions.made import ARN, NEW, OLD, OTHER, REF, T0, at, revision, seconds
from tests.decisions.test_guarding import EMPTY, POLICY, STATE, current, order, report, result


@pytest.mark.parametrize(
    ("named", "held", "rolling_back", "phase", "under_way"),
    [
        (None, False, False, "under way", None),
        ("a", False, False, "under way", None),
        ("a", True, False, "held", None),
        ("a", True, True, "rolling back", None),
        ("b", False, False, "queued", "a"),
        ("z", False, False, "ended", "a"),
        ("nobody", False, False, "unknown", "a"),
    ],
)
def test_where_the_release_stands_that_an_operator_speaks_of(
    named: str | None, held: bool, rolling_back: bool, phase: str, under_way: str | None
) -> None:
    seen = guarding.standing(STATE, current("a"), named, held=held, rolling_back=rolling_back)

    assert (seen.phase, seen.under_way) == (phase, under_way)
    assert seen.release == (named or "a")


def test_nothing_is_under_way_between_two_releases() -> None:
    seen = guarding.standing(STATE, None, None, held=False, rolling_back=False)

    assert (seen.phase, seen.release) == ("nothing", None)


def test_releases_that_end_before_they_begin_leave_the_queue_with_a_result() -> None:
    first, second = STATE.queue

    state = guarding.without_queued(STATE, [first], Outcome.CANCELLED, "ann", at(9), "run")

    assert state.queue == (second,)
    ended = guarding.result_by_id(state, first.id)
    assert ended
    assert (ended.outcome, ended.reason, ended.finished_at) == (Outcome.CANCELLED, "ann", at(9))
    assert (ended.image, ended.actor) == ("shop:2", "ci")
    assert [one.release for one in state.results] == ["b", "z"]


def asked(**more: str) -> RollbackRequest:
    return RollbackRequest.model_validate(
        {"actor": "ann", "reason": "slow", "service": REF, **more}
    )


def test_who_has_gone_back_already_must_say_where_to_go_further() -> None:
    back = RollbackSummary(to=OLD, started_at=T0, finished_at=at(9), verified=True)
    ended = result("r", Outcome.ROLLED_BACK).model_copy(update={"rollback": back})
    state = EMPTY.model_copy(update={"results": (ended,)})

    why = guarding.refuse_rollback(state, asked(), OLD)
    assert str(why).startswith("shop/web went back to web:1 with release r already.")
    assert guarding.refuse_rollback(state, asked(to="web:3"), OLD) is None
    assert guarding.refuse_rollback(state, asked(), OTHER) is None  # somebody released since
    assert guarding.refuse_rollback(EMPTY, asked(), OLD) is None


def test_a_rollback_of_a_release_is_refused_where_something_else_runs() -> None:
    ended = result("r").model_copy(update={"to_task_definition": NEW})
    state = EMPTY.model_copy(update={"results": (ended,)})

    assert guarding.refuse_rollback(state, asked(release="r"), NEW) is None
    why = guarding.refuse_rollback(state, asked(release="r"), OTHER)
    assert why == (
        "shop/web no longer runs what release r brought (web:2), but web:3: nothing was done."
    )
    assert "brought (nothing)" in str(guarding.refuse_rollback(EMPTY, asked(release="r"), NEW))


def test_a_request_is_answered_as_it_was_and_one_without_an_id_is_always_new() -> None:
    state = guarding.with_answer(EMPTY, "q1", "done")

    assert guarding.answer_to(state, "q1") == "done"
    assert guarding.answer_to(state, "q2") is None
    assert guarding.answer_to(guarding.with_answer(state, "", "x"), "") is None


def test_the_newest_answers_are_kept() -> None:
    state = EMPTY
    for n in range(guarding.KEPT_ANSWERS + 1):
        state = guarding.with_answer(state, f"q{n}", "done")

    assert len(state.answered) == guarding.KEPT_ANSWERS
    assert guarding.answer_to(state, "q0") is None
    assert guarding.answer_to(state, "q1") == "done"


def test_a_freeze_lasts_as_long_as_it_was_asked_for() -> None:
    request = FreezeRequest(actor="ann", reason="Fair", lasts=seconds(60))

    freeze = guarding.frozen(EMPTY, request, T0).frozen
    assert freeze
    assert (freeze.until, freeze.actor, freeze.reason) == (at(60), "ann", "Fair")
    for_good = guarding.frozen(EMPTY, FreezeRequest(actor="ann", reason="Fair"), T0).frozen
    assert for_good
    assert for_good.until is None


def test_where_an_older_good_revision_helped_it_is_the_last_known_good() -> None:
    state = ledger.with_good(ledger.with_good(EMPTY, revision(1), T0), revision(2), T0)
    back = RollbackSummary(to=OLD, started_at=T0, finished_at=at(9), verified=True)
    ended = report(Outcome.ROLLED_BACK, revision(3), revision(2))

    for verified, first in ((True, OLD), (False, NEW)):
        told = back.model_copy(update={"verified": verified})
        after = guarding.after_release(
            state, ended.model_copy(update={"rollback": told}), POLICY, at(9)
        )
        assert after.good[0].task_definition == first


def test_what_ran_steadily_before_a_release_lifts_no_quarantine() -> None:
    image = ContainerImage(container="app", image="app:2", digest="sha256:bad")
    bad = revision(2, images=(image,), release="r")
    state = ledger.with_demoted(EMPTY, bad, T0, "5xx")
    begun = Begun(release="s", released=revision(4), target=revision(3, images=(image,)))

    after = guarding.release_begun(state, begun, at(9))

    assert after.quarantine == state.quarantine
    assert [one.label for one in after.good] == ["web:3"]


def test_what_went_back_for_its_own_sake_is_told_to_the_next_release() -> None:
    blamed = ledger.with_demoted(EMPTY, revision(2), T0, "5xx")
    both = ledger.with_demoted(blamed, revision(3), at(1), "its group", blame=False)

    told = guarding.order_for(both, order("r"), at(9), "guard")

    assert [one.revision.label for one in told.demoted] == ["web:2"]
    assert ledger.refuse_demoted(told.demoted, ARN.format(3)) is None
    why = ledger.refuse_demoted(told.demoted, ARN.format(2))
    assert str(why).startswith("web:2 was rolled back at 2026-01-31 12:00 UTC (5xx).")
