"""What notices say, and to whom it matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lastgood.contracts import Notice
from lastgood.decisions.notices import NoticeContext, cooldown, ended, held, rollback_started
from lastgood.decisions.rendering.text import as_json, as_text
from lastgood.decisions.wording import describe, measured, period, took
from lastgood.model import (
    ContainerImage,
    Outcome,
    ReleaseResult,
    Revision,
    RollbackRecord,
    RollbackSummary,
    Status,
    Verdict,
)

NOW = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
ARN = "arn:aws:ecs:eu-west-1:123456789012:task-definition/"


def revision(number: int, *images: str, digest: str | None = None) -> Revision:
    return Revision(
        task_definition=f"{ARN}web:{number}",
        images=tuple(
            ContainerImage(container=f"c{index}", image=image, digest=digest)
            for index, image in enumerate(images)
        ),
    )


FIRED = Verdict(
    trigger="error-rate",
    status=Status.FAIL,
    reason="Error rate exceeded: error-rate 8.0 % over 60s (threshold 5.0 %)",
    at=NOW,
    value=0.08,
    threshold=0.05,
)


def context(**changes: Any) -> NoticeContext:
    values: dict[str, Any] = {
        "service": "shop/web",
        "region": "eu-west-1",
        "release": "run-17",
        "what": "shop/web:2",
        "actor": "ci",
        "from_revision": revision(41, "shop/web:1"),
        "to_revision": revision(42, "shop/web:2"),
        "rollbacks_counted": 2,
        "max_rollbacks": 3,
        "per": timedelta(hours=24),
        "link": "http://temporal.test/w",
        "at": NOW,
    }
    return NoticeContext.model_validate(values | changes)


def result(outcome: Outcome, **changes: Any) -> ReleaseResult:
    values: dict[str, Any] = {
        "release": "run-17",
        "workflow_id": "release/eu-west-1/shop/web",
        "run_id": "r",
        "service": "shop/web",
        "outcome": outcome,
        "reason": "error-rate 8.0 % over 60s (threshold 5.0 %)",
        "started_at": NOW - timedelta(minutes=5),
        "finished_at": NOW,
    }
    return ReleaseResult.model_validate(values | changes)


def every_notice() -> list[Notice]:
    return [
        rollback_started(context(), reason=FIRED.reason, fired=FIRED),
        cooldown(context(), reason=FIRED.reason, fired=FIRED, until=NOW + timedelta(minutes=2)),
        held(context(), reason="The limit is reached.", fired=FIRED, until=NOW),
        *(ended(context(), result=result(outcome)) for outcome in Outcome),
    ]


@pytest.mark.parametrize("notice", every_notice(), ids=lambda one: one.title)
def test_each_says_who_what_where_and_how_often(notice: Notice) -> None:
    facts = dict(notice.facts)
    assert notice.title.startswith("shop/web: ")
    assert "run-17" in notice.title
    assert "\n" not in notice.title + notice.summary
    assert "{" not in notice.title + notice.summary
    assert facts["Service"] == "shop/web"
    assert facts["Region"] == notice.region == "eu-west-1"
    assert facts["Release"] == "run-17: shop/web:2"
    assert facts["Started by"] == "ci"
    assert facts["Rollbacks"] == "2 of 3 in 24h"
    assert {"From", "To"} <= facts.keys()
    assert len(facts) == len(notice.facts)
    assert notice.link == "http://temporal.test/w"
    assert notice.at == NOW
    assert notice.dedup == f"run-17/{notice.kind}"


def test_a_rollback_starts() -> None:
    notice = rollback_started(context(), reason=FIRED.reason, fired=FIRED)
    facts = dict(notice.facts)
    assert notice.severity == "critical"
    assert notice.title == "shop/web: rolling back release run-17"
    assert notice.summary == (
        "Error rate exceeded: error-rate 8.0 % over 60s (threshold 5.0 %). "
        "The service goes back to web:41 now. Nothing is to be done; the result follows."
    )
    assert facts["Trigger"] == "error-rate"
    assert facts["Measured"] == "8.0 % (threshold 5 %)"
    assert facts["From"] == "web:42 (shop/web:2)"
    assert facts["To"] == "web:41 (shop/web:1)"


QUIET = FIRED.model_copy(update={"severity": "warning"})


def test_a_notice_is_as_grave_as_what_fired() -> None:
    started = rollback_started(context(), reason="x", fired=QUIET)
    waiting = cooldown(context(), reason="x", fired=QUIET, until=NOW)
    kept = held(context(), reason="x", fired=QUIET)
    undecided = ended(context(), result=result(Outcome.HELD), fired=QUIET)
    for notice in (started, waiting, kept, undecided):
        assert notice.severity == "warning"
        assert dict(notice.facts)["Severity"] == "warning"
        assert as_json(notice)["severity"] == "warning"
        assert "Severity:" in as_text(notice)
    failed = ended(context(), result=result(Outcome.ROLLBACK_FAILED), fired=QUIET)
    assert failed.severity == "critical"


def test_dry_runs_are_told_at_the_end() -> None:
    would = FIRED.model_copy(
        update={"dry_run": True, "reason": "dry run: would have rolled back at 03:10 UTC: x"}
    )
    notice = ended(context(), result=result(Outcome.HEALTHY, evidence=[would]))
    assert notice.severity == "healthy"
    assert dict(notice.facts)["error-rate"] == would.reason
    assert would.reason in as_text(notice)
    told = ended(context(), result=result(Outcome.ROLLED_BACK, evidence=[FIRED]), fired=FIRED)
    assert "error-rate" not in dict(told.facts)


def test_an_operator_asked_for_another_revision() -> None:
    notice = rollback_started(
        context(), reason="it smells", asked_by="ada", target=revision(39, "shop/web:0")
    )
    facts = dict(notice.facts)
    assert facts["Asked by"] == "ada"
    assert facts["To"] == "web:39 (shop/web:0)"
    assert notice.summary.startswith("it smells. The service goes back to web:39 now.")
    assert "Trigger" not in facts


def test_the_cooldown_says_until_when_and_how_not_to_wait() -> None:
    last = RollbackRecord(
        release="run-16",
        started_at=NOW - timedelta(minutes=4),
        finished_at=NOW - timedelta(minutes=3),
        trigger="alarm",
        reason="",
        actor="lastgood",
        to=f"{ARN}web:41",
    )
    notice = cooldown(
        context(), reason=FIRED.reason, fired=FIRED, until=NOW + timedelta(minutes=2), last=last
    )
    assert notice.severity == "critical"
    assert "no rollback before 03:14:45 UTC" in notice.title
    assert "after the last rollback (3m ago) ends at 03:14:45 UTC" in notice.summary
    assert "if it still fires then, the release is rolled back" in notice.summary
    assert notice.summary.endswith('lastgood rollback shop/web --reason "…"')
    assert dict(notice.facts)["From"] == "web:41 (shop/web:1)"


def test_held_says_what_to_do() -> None:
    notice = held(context(), reason="No data", until=NOW + timedelta(hours=24))
    assert notice.severity == "warning"
    assert notice.outcome is Outcome.HELD
    assert notice.summary.startswith("No data. Nothing is rolled back by itself.")
    assert "It waits until 2026-02-01 03:12 UTC, then ends as held." in notice.summary
    assert "Release a fix" in notice.summary
    assert notice.summary.endswith('lastgood rollback shop/web --reason "…"')
    assert held(context(), reason="x", fired=FIRED).severity == "critical"


@pytest.mark.parametrize(
    ("outcome", "severity", "title", "says"),
    [
        (Outcome.HEALTHY, "healthy", "is healthy", ""),
        (Outcome.ROLLED_BACK, "warning", "was rolled back", "The old version serves again."),
        (Outcome.ROLLED_BACK_BY_ECS, "warning", "by ECS itself", "The old version serves."),
        (Outcome.ROLLBACK_FAILED, "critical", "ROLLBACK FAILED", "lastgood status shop/web"),
        (Outcome.HELD, "critical", "ended undecided", "lastgood rollback shop/web --reason"),
        (Outcome.SUPERSEDED, "warning", "replaced by a newer", "no longer watched"),
        (Outcome.REFUSED, "warning", "was refused", "Nothing was changed."),
        (Outcome.CANCELLED, "warning", "was cancelled", "lastgood status shop/web"),
    ],
)
def test_every_end(outcome: Outcome, severity: str, title: str, says: str) -> None:
    notice = ended(context(), result=result(outcome, trigger="error-rate"), fired=FIRED)
    assert notice.outcome is outcome
    assert notice.severity == severity
    assert title in notice.title
    assert says in notice.summary
    assert notice.summary.startswith("error-rate 8.0 % over 60s (threshold 5.0 %).")


def test_an_end_after_a_rollback_reads_backwards_and_says_how_long_it_took() -> None:
    back = RollbackSummary(
        to=f"{ARN}web:41", started_at=NOW - timedelta(seconds=95), finished_at=NOW, verified=True
    )
    notice = ended(context(), result=result(Outcome.ROLLED_BACK, rollback=back))
    facts = dict(notice.facts)
    assert facts["From"] == "web:42 (shop/web:2)"
    assert facts["To"] == "web:41 (shop/web:1)"
    assert facts["Rollback took"] == "1m35s"
    assert facts["All in all"] == "5m"
    forward = dict(ended(context(), result=result(Outcome.HEALTHY)).facts)
    assert forward["To"] == "web:42 (shop/web:2)"


def test_a_failed_rollback_says_what_runs() -> None:
    notice = ended(
        context(), result=result(Outcome.ROLLBACK_FAILED), now_runs="1 of 2 tasks run web:42"
    )
    assert " Now: 1 of 2 tasks run web:42. Nothing more happens by itself." in notice.summary
    assert dict(notice.facts)["Now"] == "1 of 2 tasks run web:42"


@pytest.mark.parametrize(
    ("trigger", "value", "threshold", "words"),
    [
        ("error-rate", 0.08, 0.05, "8.0 % (threshold 5 %)"),
        ("error-rate", 0.08, 0.005, "8.0 % (threshold 0.5 %)"),
        ("response-time", 3012.4, 1000.0, "3,012 ms (threshold 1,000 ms)"),
        ("health-check", 3.0, 3.0, "3 failed in a row (threshold 3)"),
        ("error-rate", 0.08, None, "8.0 %"),
        ("band", 12.5, 10.0, "12.5 (threshold 10)"),
        ("alarm", None, None, None),
    ],
)
def test_measured(trigger: str, value: float, threshold: float, words: str | None) -> None:
    verdict = Verdict(
        trigger=trigger, status=Status.FAIL, reason="", at=NOW, value=value, threshold=threshold
    )
    assert measured(verdict) == words


def test_revisions_with_their_images() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert describe(None) == "unknown"
    assert describe(revision(41)) == "web:41"
    assert describe(revision(41, "a:1", digest=digest)) == "web:41 (a:1 @ sha256:0123456789ab…)"
    assert describe(revision(41, f"a@{digest}", digest=digest)) == f"web:41 (a@{digest})"
    assert describe(revision(41, "a:1", "b:2")) == "web:41 (c0: a:1, c1: b:2)"


def test_durations() -> None:
    assert took(timedelta(seconds=89.6)) == "1m30s"
    assert took(timedelta(milliseconds=400)) == "under 1s"
    assert period(timedelta(hours=24)) == "24h"
    assert period(timedelta(days=7)) == "7d"
    assert period(timedelta(minutes=90)) == "1h30m"
