"""Whether a release may begin."""

from datetime import timedelta
from typing import Any

import pytest

from lastgood.contracts import AlarmState, Freeze, FreezeAnswer
from lastgood.decisions import preflight
from lastgood.decisions.targets import Choice
from lastgood.model import Hook, ServiceState
from lastgood.policy import Policy
from tests.decisions.made import NEW, OLD, T0, deployment, revision, seconds, service

POLICY = Policy(service="shop/web", region="us-east-1")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "does not exist in us-east-1"),
        (service(deployment(OLD), status="DRAINING"), "is DRAINING"),
        (service(deployment(OLD), status="INACTIVE"), "was deleted"),
        (service(deployment(OLD), controller="CODE_DEPLOY"), "strategy BLUE_GREEN"),
        (service(deployment(OLD), controller="EXTERNAL"), "create the service anew"),
        (service(deployment(OLD), scheduling="DAEMON"), "Make it a REPLICA service"),
        (service(deployment(OLD), desired=0), "desiredCount 0"),
    ],
)
def test_what_is_refused(state: ServiceState | None, why: str) -> None:
    found = preflight.of_service(POLICY, state)
    assert len(found.refusals) == 1
    assert why in found.refusals[0]
    assert found.refusals[0].startswith("shop/web ")
    assert found.warnings == ()


def test_a_steady_service_is_fine() -> None:
    assert preflight.of_service(POLICY, service(deployment(OLD))) == preflight.Findings()


@pytest.mark.parametrize(
    "state",
    [
        service(deployment(OLD, running=0)),
        service(deployment(OLD, rollout_state="FAILED", running=0)),
        service(deployment(OLD), deployment(OLD, id="x", status="ACTIVE")),
    ],
)
def test_a_burning_service_can_be_released_to(state: ServiceState) -> None:
    found = preflight.of_service(POLICY, state)
    assert found.refusals == ()
    assert "is not steady" in found.warnings[0]


# --- Services that shift traffic ---------------------------------------------------------------

SHIFTED = "POST_PRODUCTION_TRAFFIC_SHIFT"
PAUSE = Hook(stages=(SHIFTED,), pauses=True, timeout=seconds(86400))


def shifting(*hooks: Hook, **keys: Any) -> ServiceState:
    defaults = {"strategy": "BLUE_GREEN", "bake": seconds(600), "hooks": hooks}
    return service(deployment(OLD), **{**defaults, **keys})


def test_a_service_that_shifts_traffic_and_waits_for_us_is_fine() -> None:
    assert preflight.of_service(POLICY, shifting(PAUSE)) == preflight.Findings()
    assert preflight.of_strategy(POLICY, shifting(PAUSE)) == preflight.Findings()


def test_a_rolling_service_is_asked_for_nothing() -> None:
    assert preflight.of_strategy(POLICY, service(deployment(OLD))) == preflight.Findings()


@pytest.mark.parametrize(("shift", "refused"), [(299, False), (300, True), (540, True)])
def test_the_steps_of_the_shift_must_fit_into_the_time_for_the_rollout(
    shift: float, refused: bool
) -> None:
    found = preflight.of_strategy(POLICY, shifting(PAUSE, strategy="LINEAR", shift=seconds(shift)))
    assert bool(found.refusals) == refused
    assert all("set deploy.timeout to more than" in one for one in found.refusals)


@pytest.mark.parametrize(
    ("hooks", "bake", "said"),
    [
        ((), 600, "has no PAUSE hook at POST_PRODUCTION_TRAFFIC_SHIFT"),
        ((Hook(stages=(SHIFTED,), pauses=False),), 600, "has no PAUSE hook"),
        ((Hook(stages=("PRE_SCALE_UP",), pauses=True),), 600, "has no PAUSE hook"),
        ((PAUSE.model_copy(update={"on_timeout": "CONTINUE"}),), 600, "time-out action to"),
        ((PAUSE.model_copy(update={"timeout": seconds(600)}),), 0, "before the window ends"),
    ],
)
def test_what_would_leave_a_bad_release_alone_is_said(
    hooks: tuple[Hook, ...], bake: float, said: str
) -> None:
    found = preflight.of_strategy(POLICY, shifting(*hooks, bake=seconds(bake)))
    assert (found.refusals, len(found.warnings)) == ((), 1)
    assert said in found.warnings[0]


def test_a_bake_time_shorter_than_the_window_is_said_unless_a_hook_waits() -> None:
    short = preflight.of_strategy(POLICY, shifting(bake=seconds(599)))
    assert any("Set bakeTimeInMinutes to the window or more" in one for one in short.warnings)
    assert preflight.of_strategy(POLICY, shifting(PAUSE, bake=seconds(0))) == preflight.Findings()


def test_nothing_to_go_back_to_is_said_before_it_is_needed() -> None:
    found = preflight.of_target(Choice(target=None, reason="There is nothing."))
    assert found.refusals == ()
    assert found.warnings == ("There is nothing. A release that goes wrong will be held.",)
    assert preflight.of_target(Choice(target=revision(1), reason="")) == preflight.Findings()


def alarms(
    state: str | None, says: dict[str, Any] | None = None, **keys: Any
) -> preflight.Findings:
    trigger = {"type": "alarm", "alarm": "hot", **keys}
    health = {"type": "health-check", "url": "http://x/"}
    policy = Policy.model_validate({**POLICY.model_dump(), "triggers": [health, trigger]})
    found = {"name": "hot", "state": state, **(says or {})}
    return preflight.of_alarms(policy, (AlarmState.model_validate(found),) if state else ())


@pytest.mark.parametrize(
    ("state", "keys", "refusal", "warning"),
    [
        ("OK", {}, "", ""),
        ("OK", {"already_in_alarm": "refuse"}, "", ""),
        (None, {}, "Alarm hot does not exist in us-east-1", ""),
        ("ALARM", {}, "", "ignored until it has been OK once"),
        ("ALARM", {"already_in_alarm": "arm"}, "", "fires at once"),
        ("ALARM", {"already_in_alarm": "refuse"}, "the policy refuses", ""),
        ("INSUFFICIENT_DATA", {}, "", "TreatMissingData"),
        ("INSUFFICIENT_DATA", {"already_in_alarm": "refuse"}, "", "TreatMissingData"),
        ("INSUFFICIENT_DATA", {"missing_data": "ignore"}, "", "TreatMissingData"),
        ("INSUFFICIENT_DATA", {"missing_data": "not_breaching"}, "", ""),
        ("INSUFFICIENT_DATA", {"missing_data": "breaching"}, "", "ignored until it has been OK"),
        (
            "INSUFFICIENT_DATA",
            {"missing_data": "breaching", "already_in_alarm": "refuse"},
            "is breaching, as it has no data, already, and the policy refuses",
            "",
        ),
        ("ALARM", {"already_in_alarm": "refuse", "dry_run": True}, "", "a dry run"),
        ("INSUFFICIENT_DATA", {"dry_run": True}, "", ""),
    ],
)
def test_alarms(state: str | None, keys: dict[str, Any], refusal: str, warning: str) -> None:
    found = alarms(state, **keys)
    assert [refusal in text for text in found.refusals] == ([True] if refusal else [])
    assert [warning in text for text in found.warnings] == ([True] if warning else [])


@pytest.mark.parametrize(
    ("says", "warning"),
    [
        ({"actions_enabled": False}, "The actions of alarm hot are disabled"),
        ({"evaluation": "EVALUATION_ERROR"}, "cannot be evaluated now (EVALUATION_ERROR)"),
        ({"evaluation": "EVALUATION_FAILURE"}, "cannot be evaluated now (EVALUATION_FAILURE)"),
        ({"evaluation": "PARTIAL_DATA"}, ""),
    ],
)
def test_what_an_alarm_says_of_itself_is_handed_on(says: dict[str, Any], warning: str) -> None:
    found = alarms("OK", says)
    assert found.refusals == ()
    assert [warning in text for text in found.warnings] == ([True] if warning else [])


def test_together() -> None:
    one = preflight.Findings(refusals=("a",), warnings=("b",))
    other = preflight.Findings(refusals=("c",), warnings=("d", "e"))
    both = preflight.together(one, preflight.Findings(), other)
    assert (both.refusals, both.warnings) == (("a", "c"), ("b", "d", "e"))


# --- Freezes -----------------------------------------------------------------------------------


def test_a_persons_freeze_refuses_until_it_ends() -> None:
    frozen = Freeze(at=T0, actor="ann", reason="Sale.", until=T0 + timedelta(hours=1))
    (why,) = preflight.of_freeze(frozen, POLICY, T0).refusals
    assert why.startswith("ann has frozen shop/web until 2026-01-31 13:00 UTC: Sale. Release after")
    assert preflight.of_freeze(frozen, POLICY, T0 + timedelta(hours=1)) == preflight.Findings()
    assert preflight.of_freeze(None, POLICY, T0) == preflight.Findings()


def test_a_freeze_of_the_policy_that_never_ends_says_what_to_change() -> None:
    answer = FreezeAnswer(frozen=True, text="at all hours (sold)")
    assert preflight.of_freeze_windows(POLICY, answer).refusals == (
        "The policy freezes shop/web at all hours (sold). Change deploy.freeze, or release with "
        "--force --reason.",
    )


# --- What somebody else changed ----------------------------------------------------------------


def having(arn: str, memory: int) -> Any:
    container = {"name": "app", "image": arn, "memory": memory}
    source = {"family": "web", "containerDefinitions": [container]}
    return revision(arn).model_copy(update={"source": source, "release": "r1"})


def test_what_somebody_else_changed_is_said_with_the_release_since() -> None:
    last, running = having(OLD, 512), having(NEW, 1024)
    assert preflight.of_changes(POLICY, running, last, (last,)).warnings == (
        "The task definition was changed since release r1 by somebody else: "
        "app: memory 512 → 1024.",
    )


@pytest.mark.parametrize(
    ("running", "last", "good"),
    [
        (having(NEW, 1024), None, ()),
        (having(NEW, 1024), having(OLD, 512), (having(NEW, 1024),)),  # we went back to it
        (having(OLD, 1024), having(OLD, 512), ()),
        (having(NEW, 512), having(OLD, 512), ()),  # the image alone
        (having(NEW, 512), revision(OLD), ()),  # its JSON is not known
    ],
)
def test_what_we_know_or_did_ourselves_is_not_somebody_elses(
    running: Any, last: Any, good: tuple[Any, ...]
) -> None:
    assert preflight.of_changes(POLICY, running, last, good) == preflight.Findings()


def test_a_release_of_ours_that_was_never_proven_is_not_somebody_elses() -> None:
    """Held, or cancelled: its own task definition brought what differs."""
    last, held = having(OLD, 512), having(NEW, 1024)
    told = preflight.of_changes(POLICY, held, last, (last,), unproven=(held.task_definition,))
    assert told == preflight.Findings()
