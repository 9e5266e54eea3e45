"""From what was seen to why a release does not simply go on."""

from typing import Any, get_args

import pytest

from lastgood.contracts import Finding, RollbackReport, RollbackRequest, ServiceNews
from lastgood.decisions import findings
from lastgood.model import Outcome, Status
from lastgood.policy import MonitorPolicy
from tests.decisions.made import OLD, REF, T0, verdict

KINDS = get_args(Finding.model_fields["kind"].annotation)
NEWS = get_args(ServiceNews.model_fields["kind"].annotation)


def monitor(on_inconclusive: str = "hold") -> MonitorPolicy:
    return MonitorPolicy.model_validate({"on_inconclusive": on_inconclusive})


def finding(kind: str, **keys: Any) -> Finding:
    return Finding.model_validate({"kind": kind, "reason": "why", **keys})


EXPECTED = {
    "complete": None,
    "paused": None,
    "quiet": None,
    "failed": "rollout",
    "stuck": "rollout",
    "rolled_back_by_ecs": "rolled_back_by_ecs",
    "superseded": "displaced",
    "gone": "lost",
    "scaled_to_zero": "lost",
    "unreadable": "lost",
}


@pytest.mark.parametrize("kind", NEWS)
def test_every_news_of_the_service_has_a_meaning(kind: str) -> None:
    found = findings.of_service_news(
        ServiceNews.model_validate({"kind": kind, "reason": "why", "at": T0})
    )
    assert (found.kind if found else None) == EXPECTED[kind]
    assert found is None or found.reason == "why"


@pytest.mark.parametrize(
    ("statuses", "hold", "promote", "rollback"),
    [
        ([Status.PASS], None, None, None),
        ([Status.PASS, Status.PASS], None, None, None),
        ([Status.PASS, Status.FAIL], "trigger", "trigger", "trigger"),
        ([Status.FAIL, Status.INCONCLUSIVE], "trigger", "trigger", "trigger"),
        ([Status.PASS, Status.INCONCLUSIVE], "inconclusive", None, "inconclusive"),
        ([], "inconclusive", None, "inconclusive"),
    ],
)
def test_the_end_of_a_window(
    statuses: list[Status], hold: str | None, promote: str | None, rollback: str | None
) -> None:
    for policy, kind in (("hold", hold), ("promote", promote), ("rollback", rollback)):
        found = findings.of_window([verdict(s) for s in statuses], monitor(policy))
        assert (found.kind if found else None) == kind


@pytest.mark.parametrize("status", list(Status))
def test_dry_runs_end_no_window(status: Status) -> None:
    dry = verdict(status).model_copy(update={"dry_run": True})
    for policy in ("hold", "promote", "rollback"):
        assert findings.of_window([dry], monitor(policy)) is None
        assert findings.of_window([dry, verdict(Status.PASS)], monitor(policy)) is None
        found = findings.of_window([dry, verdict(Status.FAIL, "alarm")], monitor(policy))
        assert found
        assert findings.trigger_of(found) == "alarm"


def test_what_a_result_tells() -> None:
    would = verdict(Status.FAIL).model_copy(update={"dry_run": True})
    would_not = verdict(Status.PASS).model_copy(update={"dry_run": True})
    fired = verdict(Status.FAIL, "alarm")
    seen = [would, would_not, fired, verdict(Status.PASS)]
    assert findings.evidence_of(finding("trigger", verdict=fired), seen) == (fired, would)
    assert findings.evidence_of(None, seen) == (would,)
    assert findings.evidence_of(finding("operator"), []) == ()
    recorded = [one.model_copy(update={"record": "long"}) for one in (fired, would)]
    told = findings.evidence_of(finding("trigger", verdict=recorded[0]), recorded)
    assert told == (fired, would), "a result is remembered without records"


@pytest.mark.parametrize(
    ("kind", "remedy", "waits", "outcome"),
    [
        ("trigger", True, True, Outcome.HELD),
        ("operator", True, True, Outcome.HELD),
        ("rollout", True, True, Outcome.HELD),
        ("smoke", True, True, Outcome.HELD),
        ("inconclusive", False, True, Outcome.HELD),
        ("lost", False, False, Outcome.HELD),
        ("refused", False, False, Outcome.REFUSED),
        ("displaced", False, False, Outcome.SUPERSEDED),
        ("superseded", False, False, Outcome.SUPERSEDED),
        ("cancelled", False, False, Outcome.CANCELLED),
        ("hold", False, True, Outcome.HELD),
        ("rolled_back_by_ecs", False, False, Outcome.HELD),  # adopted before this is asked
    ],
)
def test_what_follows(kind: str, remedy: bool, waits: bool, outcome: Outcome) -> None:
    found = finding(kind)
    assert findings.remedy_needed(found, monitor()) == remedy
    assert findings.waits_for_a_person(found) == waits
    assert findings.outcome_without_rollback(found) == outcome


def test_every_kind_is_in_that_table() -> None:
    [mark] = [m for m in test_what_follows.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    assert {row[0] for row in mark.args[1]} == set(KINDS)


@pytest.mark.parametrize(("policy", "needed"), [("hold", 0), ("promote", 0), ("rollback", 1)])
def test_an_inconclusive_window_is_rolled_back_only_if_asked(policy: str, needed: int) -> None:
    assert findings.remedy_needed(finding("inconclusive"), monitor(policy)) == bool(needed)


@pytest.mark.parametrize(
    ("found", "trigger"),
    [
        (None, None),
        (finding("operator"), "manual"),
        (finding("trigger", verdict=verdict(Status.FAIL, "alarm")), "alarm"),
        (finding("inconclusive", verdict=verdict(Status.INCONCLUSIVE, "alarm")), None),
        (finding("rollout"), None),
    ],
)
def test_only_what_fired_is_reported_as_trigger(found: Finding | None, trigger: str | None) -> None:
    assert findings.trigger_of(found) == trigger


def test_an_operator_is_named() -> None:
    request = RollbackRequest(actor="ada", reason="it is slow", to=OLD, service=REF)
    found = findings.of_operator(request)
    assert (found.kind, found.actor, found.to) == ("operator", "ada", OLD)
    assert found.reason == "ada asked for it: it is slow"


def test_the_reason_after_a_rollback() -> None:
    report = RollbackReport(
        outcome=Outcome.ROLLED_BACK,
        reason="Brought back.",
        to=OLD,
        started_at=T0,
        finished_at=T0,
        verified=True,
    )
    assert findings.reason_after(finding("trigger"), report) == "why. Brought back."
    silent = Finding(kind="trigger", reason="")
    assert findings.reason_after(silent, report) == "Brought back."


@pytest.mark.parametrize("kind", KINDS)
def test_what_counts_after_a_person_approved(kind: str) -> None:
    found = finding(kind)
    stays = kind in ("rollout", "lost", "trigger")
    assert findings.against_approval(found) == (None if stays else found)
    assert findings.against_approval(None) is None
