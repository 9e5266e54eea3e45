"""Whether a release may begin."""

from typing import Any

import pytest

from lastgood.contracts import AlarmState
from lastgood.decisions import preflight
from lastgood.decisions.targets import Choice
from lastgood.model import ServiceState
from lastgood.policy import Policy
from tests.decisions.made import OLD, deployment, revision, service

POLICY = Policy(service="shop/web", region="us-east-1")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "does not exist in us-east-1"),
        (service(deployment(OLD), status="DRAINING"), "is DRAINING"),
        (service(deployment(OLD), status="INACTIVE"), "was deleted"),
        (service(deployment(OLD), controller="CODE_DEPLOY"), "deployed by CODE_DEPLOY"),
        (service(deployment(OLD), controller="EXTERNAL"), "deployed by EXTERNAL"),
        (service(deployment(OLD), scheduling="DAEMON"), "DAEMON service"),
        (service(deployment(OLD), strategy="BLUE_GREEN"), "BLUE_GREEN"),
        (service(deployment(OLD), strategy="CANARY"), "CANARY"),
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


def test_nothing_to_go_back_to_is_said_before_it_is_needed() -> None:
    found = preflight.of_target(Choice(target=None, reason="There is nothing."))
    assert found.refusals == ()
    assert found.warnings == ("There is nothing. A release that goes wrong will be held.",)
    assert preflight.of_target(Choice(target=revision(1), reason="")) == preflight.Findings()


def alarms(state: str | None, **keys: Any) -> preflight.Findings:
    trigger = {"type": "alarm", "alarm": "hot", **keys}
    health = {"type": "health-check", "url": "http://x/"}
    policy = Policy.model_validate({**POLICY.model_dump(), "triggers": [health, trigger]})
    found = () if state is None else (AlarmState.model_validate({"name": "hot", "state": state}),)
    return preflight.of_alarms(policy, found)


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
    ],
)
def test_alarms(state: str | None, keys: dict[str, Any], refusal: str, warning: str) -> None:
    found = alarms(state, **keys)
    assert [refusal in text for text in found.refusals] == ([True] if refusal else [])
    assert [warning in text for text in found.warnings] == ([True] if warning else [])


def test_together() -> None:
    one = preflight.Findings(refusals=("a",), warnings=("b",))
    other = preflight.Findings(refusals=("c",), warnings=("d", "e"))
    both = preflight.together(one, preflight.Findings(), other)
    assert (both.refusals, both.warnings) == (("a", "c"), ("b", "d", "e"))
