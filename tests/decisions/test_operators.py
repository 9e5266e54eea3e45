"""Who may what, when: the table, and the sentence for everything that makes no sense."""

from datetime import timedelta
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Alert, Freeze, GuardState, Limits, Notice
from lastgood.decisions import operators
from lastgood.decisions.operators import Phase, Standing, Verb
from lastgood.policy import NotifyPolicy
from tests.decisions.made import REF, T0, at, record

EMPTY = GuardState(service=REF)
VERBS: tuple[Verb, ...] = get_args(Verb)
PHASES: tuple[Phase, ...] = get_args(Phase)
MAY: dict[Phase, str] = {
    "nothing": "rollback",
    "queued": "cancel",
    "preflight": "cancel rollback",
    "deploy": "hold cancel rollback",
    "wait": "hold cancel rollback",
    "smoke test": "hold cancel rollback",
    "cooldown": "hold cancel rollback",
    "monitor": "promote hold cancel rollback",
    "finish": "promote hold cancel rollback",
    "under way": "promote hold cancel rollback",
    "held": "approve deny resume cancel rollback",
    "rolling back": "",
    "ending": "rollback",
    "ended": "",
    "unknown": "",
}


def standing(phase: Phase, **more: str | None) -> Standing:
    named = None if phase == "nothing" else "r7"
    return Standing.model_validate(
        {"service": "shop/web", "phase": phase, "release": named, **more}
    )


def test_the_table_names_every_phase() -> None:
    assert set(MAY) == set(PHASES)


@pytest.mark.parametrize("phase", PHASES)
def test_what_an_operator_may_at_each_step(phase: Phase) -> None:
    allowed = {verb for verb in VERBS if operators.refuse(verb, standing(phase)) is None}

    assert allowed == set(MAY[phase].split())


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_refusal_says_why_and_what_is_possible(verb: Verb, phase: Phase) -> None:
    why = operators.refuse(verb, standing(phase))

    if why is None:
        return
    assert why.startswith(("Release r7 ", "No release of shop/web is under way."))
    assert "None" not in why
    assert "{" not in why
    possible = why.partition("Possible now: ")[2]
    assert possible or "lastgood " in why
    for allowed in MAY[phase].split():
        assert allowed in possible


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_called_possible_is_possible(phase: Phase) -> None:
    refusals = [operators.refuse(verb, standing(phase)) for verb in VERBS]
    told = next(why for why in refusals if why).partition("Possible now: ")[2]

    told = told.partition("(")[0]
    assert {verb for verb in VERBS if verb in told} == set(MAY[phase].split())


@pytest.mark.parametrize(
    ("verb", "phase", "said"),
    [
        ("promote", "wait", "Release r7 is at its step wait: its monitor window has not begun."),
        ("hold", "preflight", "Release r7 has not changed anything yet: there is nothing to hold."),
        ("hold", "held", "Release r7 is held already."),
        ("promote", "held", "Release r7 is held for a person."),
        ("approve", "monitor", "Release r7 is not held: it is at its step monitor."),
        ("resume", "under way", "Release r7 is not held: it is under way."),
        ("rollback", "queued", "Release r7 waits in the queue: there is nothing to rollback yet."),
        ("rollback", "rolling back", "Release r7 is being rolled back already."),
        ("cancel", "ending", "Release r7 has just been judged good."),
        ("cancel", "ended", "Release r7 has ended."),
        ("cancel", "unknown", "Release r7 is not known to the guard of shop/web."),
        ("cancel", "nothing", "No release of shop/web is under way."),
    ],
)
def test_words_of_a_refusal(verb: Verb, phase: Phase, said: str) -> None:
    assert str(operators.refuse(verb, standing(phase))).startswith(said)


def test_who_speaks_of_another_release_is_told_which_one_is_under_way() -> None:
    for phase in ("ended", "unknown"):
        why = operators.refuse("hold", standing(phase, under_way="r8"))  # type: ignore[arg-type]
        assert "; r8 is under way." in str(why)


def test_a_step_has_the_phase_of_its_name_and_an_unheard_of_one_is_under_way() -> None:
    assert operators.phase("smoke test") == "smoke test"
    assert operators.phase("tea") == "under way"


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_done_is_said_of_the_release(verb: Verb) -> None:
    assert operators.done(verb, standing("monitor")).startswith("Release r7 is ")


def test_a_rollback_that_moves_nothing_says_so() -> None:
    early = operators.done("rollback", standing("preflight"))
    assert early == "Release r7 ends before it changes anything."
    nowhere = operators.done("rollback", standing("monitor"), has_target=False)
    assert nowhere == "Release r7 is held: there is no revision to go back to."


# --- One order after another --------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_the_same_order_twice_is_refused_with_who_gave_it(verb: Verb) -> None:
    in_force = "rollback" if verb == "deny" else verb
    why = operators.refuse_after({in_force: "ann"}, verb)

    assert why == f"ann ordered {in_force} already: see what becomes of it first."


@given(some.lists(some.sampled_from(VERBS), max_size=5))
def test_orders_that_contradict_each_other_are_never_both_taken(said: list[Verb]) -> None:
    taken: dict[Verb, str] = {}
    for verb in said:
        if operators.refuse_after(taken, verb) is None:
            taken["rollback" if verb == "deny" else verb] = "ann"
    for before, after in permutations(taken, 2):
        if [*taken].index(before) < [*taken].index(after) and before in ("approve", "resume"):
            assert after == "rollback"
    assert "rollback" not in [*taken][:-1]  # after it nothing


def test_a_way_back_is_taken_after_any_order_but_itself() -> None:
    for verb in VERBS:
        if verb not in ("rollback", "deny"):
            assert operators.refuse_after({verb: "ann"}, "rollback") is None


@pytest.mark.parametrize("verb", ["rollback", "deny"])
def test_a_held_release_goes_nowhere_without_a_target(verb: Verb) -> None:
    why = operators.refuse_nowhere(verb, standing("held"), False)

    assert "Name one: lastgood rollback shop/web --to" in str(why)
    assert operators.refuse_nowhere(verb, standing("held"), True) is None
    assert operators.refuse_nowhere("approve", standing("held"), False) is None


# --- The service ---------------------------------------------------------------------------------


def test_a_reset_needs_a_rollback_that_counts() -> None:
    assert "nothing to reset" in str(operators.refuse_reset(EMPTY))
    counting = EMPTY.model_copy(update={"limits": Limits(rollbacks=(record(5),))})
    assert operators.refuse_reset(counting) is None
    reset = Limits(rollbacks=(record(5),), counted_from=at(6))
    why = operators.refuse_reset(EMPTY.model_copy(update={"limits": reset}))
    assert "No rollback of shop/web counts now" in str(why)


@pytest.mark.parametrize("until", [None, at(10)])
def test_what_is_frozen_is_not_frozen_again_and_only_that_is_unfrozen(until: object) -> None:
    freeze = Freeze.model_validate({"at": T0, "actor": "ann", "reason": "Fair.", "until": until})
    state = EMPTY.model_copy(update={"frozen": freeze})

    why = operators.refuse_freeze(state, at(9))
    assert str(why).startswith("shop/web is frozen already by ann (Fair). To change that, first:")
    assert operators.refuse_unfreeze(state, at(9)) is None
    over = until is not None
    assert (operators.refuse_freeze(state, at(10)) is None) == over
    assert (operators.refuse_unfreeze(state, at(10)) is not None) == over
    assert operators.refuse_freeze(EMPTY, T0) is None
    assert "is not frozen" in str(operators.refuse_unfreeze(EMPTY, T0))


def test_only_a_failure_that_people_are_told_of_is_acknowledged() -> None:
    notice = Notice(
        dedup="d",
        kind="ended",
        severity="critical",
        title="t",
        summary="s",
        facts=(),
        service="shop/web",
        release="r",
        at=T0,
    )
    alert = Alert(
        release="r", notice=notice, notify=NotifyPolicy(), every=timedelta(minutes=1), next_at=T0
    )
    told = EMPTY.model_copy(update={"alerts": (alert,)})

    assert operators.refuse_acknowledge(told) is None
    assert "nothing to acknowledge" in str(operators.refuse_acknowledge(EMPTY))


def test_what_is_under_way_is_not_adopted() -> None:
    assert operators.refuse_adopt(None) is None
    assert str(operators.refuse_adopt("r7")).startswith("r7 is under way: adopt what runs when")


def test_a_message_of_a_newer_guard_is_refused_not_misunderstood() -> None:
    assert operators.known("promote") == "promote"
    assert operators.known("teleport") is None
    assert "does not know teleport" in operators.too_new("teleport", "r1")
