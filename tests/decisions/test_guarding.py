"""What a guard remembers and says."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from lastgood.contracts import (
    CurrentRelease,
    DeploymentReport,
    GuardState,
    Limits,
    Notice,
    ReleaseOrder,
    RollbackReport,
    RollbackRequest,
)
from lastgood.decisions import guarding, ledger
from lastgood.decisions.guarding import AskedRollback
from lastgood.decisions.limits import counted
from lastgood.decisions.targets import SURVIVED
from lastgood.model import Outcome, ReleaseResult, Revision, RollbackSummary
from lastgood.policy import Policy, RollbackPolicy
from tests.decisions.made import NEW, OLD, REF, T0, at, record, revision

POLICY = Policy(service="shop/web", region="us-east-1")
EMPTY = GuardState(service=REF)
NOTICE = Notice(
    dedup="r/ended",
    kind="ended",
    severity="critical",
    title="the rollback failed",
    summary="",
    facts=(),
    service="shop/web",
    release="r",
    at=T0,
)


def remembering(*good: Revision) -> GuardState:
    """A guard that knows these to be good, newest first."""
    state = EMPTY
    for one in reversed(good):
        state = ledger.with_good(state, one, T0)
    return state


def order(ident: str, on_busy: str = "queue") -> ReleaseOrder:
    policy = Policy.model_validate({"service": "shop/web", "deploy": {"on_busy": on_busy}})
    return ReleaseOrder(id=ident, image="shop:2", policy=policy, actor="ci")


def result(ident: str, outcome: Outcome = Outcome.HEALTHY) -> ReleaseResult:
    return ReleaseResult(
        release=ident, workflow_id="w", run_id="r", service="shop/web", outcome=outcome, reason="x"
    )


def current(ident: str) -> CurrentRelease:
    return CurrentRelease(
        release=ident, what="shop:2", workflow_id="w", run_id="r", actor="ci", since=T0
    )


ASKED = AskedRollback(
    id="rollback-1",
    request=RollbackRequest(actor="ada", reason="slow", service=REF),
    policy=POLICY,
    running=revision(2),
    target=revision(1),
)
STATE = EMPTY.model_copy(update={"queue": (order("b"), order("c")), "results": (result("z"),)})


@pytest.mark.parametrize(
    ("ident", "state", "position"),
    [
        ("a", "running", 0),
        ("b", "queued", 1),
        ("c", "queued", 2),
        ("z", "ended", 0),
        ("rollback-1", "queued", 0),
        ("nobody", "unknown", 0),
    ],
)
def test_where_a_release_stands(ident: str, state: str, position: int) -> None:
    seen = guarding.view(STATE, current("a"), [ASKED], ident)
    assert (seen.release, seen.state, seen.position) == (ident, state, position)
    assert (guarding.find(STATE, current("a"), ident) is not None) == (
        ident not in ("nobody", "rollback-1")
    )


def test_the_queue_moves_up_when_nothing_runs() -> None:
    assert guarding.view(STATE, None, [], "b").position == 0
    assert guarding.find(STATE, None, "a") is None


def report(
    outcome: Outcome, released: Revision | None, target: Revision | None
) -> DeploymentReport:
    return DeploymentReport.model_validate(
        {**result("r", outcome).model_dump(), "released": released, "target": target}
    )


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_is_good_after_a_release(outcome: Outcome) -> None:
    state = guarding.after_release(EMPTY, report(outcome, revision(2), revision(1)), POLICY, at(9))
    good = [one.task_definition for one in state.good]
    if outcome is Outcome.HEALTHY:
        assert good == [NEW, OLD]
        assert (state.good[0].proven, state.good[0].proven_at) == (SURVIVED, at(9))
        assert state.unproven == ()
    else:
        assert good == [OLD]
        assert state.unproven == (NEW,)
    assert [(one.release, one.outcome) for one in state.results] == [("r", outcome)]


def test_a_release_that_was_found_bad_is_demoted_even_if_a_stranger_came_in_between() -> None:
    begun = RollbackSummary(to=OLD, started_at=T0)
    ended = report(Outcome.SUPERSEDED, revision(2), revision(1))
    ended = ended.model_copy(update={"rollback": begun})
    state = guarding.after_release(EMPTY, ended, POLICY, T0)
    [entry] = [one for one in state.ledger if one.revision.task_definition == NEW]
    assert entry.status == "demoted"


def test_a_release_that_changed_nothing_leaves_all_as_it_was() -> None:
    before = remembering(revision(3))
    before = ledger.with_candidate(before, revision(2), T0)
    state = guarding.after_release(before, report(Outcome.REFUSED, None, None), POLICY, T0)
    assert (state.good, state.unproven) == (before.good, before.unproven)


def test_a_target_that_was_known_keeps_its_place_and_its_proof() -> None:
    proven = revision(1, proven=SURVIVED)
    before = remembering(revision(3), proven)
    held = report(Outcome.HELD, revision(2), revision(1))
    state = guarding.after_release(before, held, POLICY, T0)
    assert state.good == before.good


@pytest.mark.parametrize(
    ("outcome", "good", "unproven"),
    [
        (Outcome.ROLLED_BACK, [OLD], (NEW,)),
        (Outcome.ROLLBACK_FAILED, [], (NEW,)),
        (Outcome.SUPERSEDED, [NEW], ()),
    ],
)
def test_after_an_operators_rollback(
    outcome: Outcome, good: list[str], unproven: tuple[str, ...]
) -> None:
    before = remembering(revision(2))
    ended = result("rollback-1", outcome)
    state = guarding.after_rollback(before, ASKED, ended, NOTICE, T0)
    assert [one.task_definition for one in state.good] == good
    assert state.unproven == unproven


@given(some.lists(some.integers(0, 90), max_size=100))
def test_a_rollback_is_remembered_once_and_never_forgotten_too_early(starts: list[int]) -> None:
    state = EMPTY
    for n, start in enumerate(starts):
        state = guarding.with_rollback(state, record(start, start + n))
    kept = [one.started_at for one in state.limits.rollbacks]
    assert kept == sorted(set(kept))
    assert kept == sorted(at(s) for s in set(starts))[-guarding.KEPT :]


def test_what_is_known_at_a_rollbacks_end_replaces_what_was_known() -> None:
    state = guarding.with_rollback(EMPTY, record(0))
    state = guarding.with_rollback(state, record(0, 60, verified=True))
    [one] = state.limits.rollbacks
    assert (one.finished_at, one.verified) == (at(60), True)


def test_as_many_rollbacks_are_remembered_as_a_policy_may_count() -> None:
    rules = {"max_rollbacks": guarding.KEPT, "per": "90d"}
    policy = Policy.model_validate({"service": "a/b", "rollback": rules}).rollback
    most = policy.max_rollbacks
    with pytest.raises(ValidationError, match="max_rollbacks"):
        RollbackPolicy(max_rollbacks=most + 1)
    state = EMPTY
    for n in range(most + 5):
        state = guarding.with_rollback(state, record(n, n))
    assert len(counted(state.limits, policy, at(most + 5))) >= most


def test_operators_actions() -> None:
    state = EMPTY
    for n in range(guarding.KEPT + 5):
        state = guarding.with_action(state, "ada", "reset", f"reason {n}", at(n))
    assert len(state.actions) == guarding.KEPT
    assert (state.actions[0].reason, state.actions[0].actor) == ("reason 54", "ada")


def test_the_overview() -> None:
    state = STATE.model_copy(
        update={
            "ledger": remembering(revision(1, source={"family": "web"})).ledger,
            "limits": Limits(rollbacks=(record(0, 60),)),
            "policy": POLICY,
        }
    )
    seen = guarding.overview(state, current("a"), True, at(61))
    assert seen.current
    assert seen.current.what == "shop:2 (held for a person)"
    assert seen.queued == ("b", "c")
    assert seen.last_known_good
    assert seen.last_known_good.source == {}
    assert (seen.rollbacks_counted, seen.max_rollbacks) == (1, 3)
    assert seen.cooldown_until == at(360)
    assert guarding.overview(EMPTY, None, False, T0).last_known_good is None


def test_an_operators_rollback_as_a_result() -> None:
    done = RollbackReport(
        outcome=Outcome.ROLLED_BACK,
        reason="Brought back.",
        to=OLD,
        started_at=at(0),
        finished_at=at(30),
        verified=True,
    )
    seen = guarding.result_of(ASKED, done, REF)
    assert (seen.trigger, seen.actor, seen.outcome) == ("manual", "ada", Outcome.ROLLED_BACK)
    assert seen.reason == "ada asked for it: slow. Brought back."
    assert (seen.from_task_definition, seen.to_task_definition) == (NEW, OLD)
    assert seen.timings == {"rollback": 30}
    assert seen.rollback
    assert seen.rollback.verified
    context = guarding.context_of(ASKED, EMPTY, T0, "link")
    assert (context.actor, context.link, context.region) == ("ada", "link", REF.region)
