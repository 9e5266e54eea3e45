"""Failures that nobody has acknowledged yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import GuardState, Notice
from lastgood.decisions import alerts
from lastgood.model import Outcome, ReleaseResult
from lastgood.policy import Policy
from tests.decisions.made import REF, T0, at, seconds

EMPTY = GuardState(service=REF)
POLICY = Policy.model_validate({"service": "shop/web", "rollback": {"remind_every": "15m"}})
NOTICE = Notice(
    dedup="r/ended",
    kind="ended",
    severity="critical",
    title="The rollback failed",
    summary="It did not become steady.",
    facts=(),
    service="shop/web",
    release="r",
    at=T0,
)


def result(release: str, outcome: Outcome = Outcome.ROLLBACK_FAILED) -> ReleaseResult:
    return ReleaseResult(
        release=release,
        workflow_id="w",
        run_id="r",
        service="shop/web",
        outcome=outcome,
        reason="x",
    )


def failed(*releases: str, when: float = 0) -> GuardState:
    state = EMPTY
    for one in releases:
        state = alerts.after(state, result(one), NOTICE, POLICY, at(when))
    return state


def test_a_failed_rollback_is_told_again_after_the_policys_interval() -> None:
    state = failed("r")

    assert alerts.next_at(state) == at(900)
    assert alerts.due(state, at(899)) == ()
    assert [one.release for one in alerts.due(state, at(900))] == ["r"]
    assert alerts.next_at(EMPTY) is None


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_a_good_state_of_the_service_ends_the_reminders(outcome: Outcome) -> None:
    state = alerts.after(failed("r"), result("next", outcome), NOTICE, POLICY, at(5))

    good = (Outcome.HEALTHY, Outcome.ROLLED_BACK, Outcome.ROLLED_BACK_BY_ECS)
    open_ones = [one.release for one in state.alerts]
    if outcome is Outcome.ROLLBACK_FAILED:
        assert open_ones == ["r", "next"]
    else:
        assert open_ones == ([] if outcome in good else ["r"])


def test_the_same_failure_again_is_one_alert() -> None:
    assert len(failed("r", "r").alerts) == 1


def test_acknowledging_ends_all() -> None:
    assert alerts.acknowledged(failed("a", "b")).alerts == ()


@given(some.lists(some.integers(0, 5000), min_size=1, max_size=10))
def test_each_reminder_has_a_key_of_its_own_and_the_next_one_comes_later(
    moments: list[int],
) -> None:
    state, keys = failed("r"), []
    for moment in sorted(moments):
        (alert,) = state.alerts
        keys.append(alerts.reminder(alert, at(moment)).dedup)
        state = alerts.told(state, alert, at(moment))
        assert alerts.next_at(state) == at(moment) + seconds(900)
    assert len(set(keys)) == len(keys)


def test_what_is_told_of_one_failure_does_not_put_off_another() -> None:
    state = failed("a", "b")

    state = alerts.told(state, state.alerts[0], at(60))

    assert [(one.release, one.told, one.next_at) for one in state.alerts] == [
        ("a", 2, at(960)),
        ("b", 1, at(900)),
    ]


def test_one_that_was_acknowledged_while_people_were_told_does_not_come_back() -> None:
    (alert,) = failed("r").alerts

    assert alerts.told(EMPTY, alert, at(60)).alerts == ()


def test_a_reminder_says_how_long_and_how_to_stop_it() -> None:
    (alert,) = failed("r").alerts

    said = alerts.reminder(alert, at(900))

    assert (said.kind, said.title) == ("reminder", "Still open: The rollback failed")
    assert said.summary.startswith("Nobody has acknowledged this for 15")
    assert "It did not become steady." in said.summary
    assert 'lastgood acknowledge shop/web --reason "…"' in said.summary
    assert said.at == at(900)
