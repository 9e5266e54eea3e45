"""What is printed: lines, screen, results, annotations; pure functions, no server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from rich.console import Console

from lastgood.cli import actor, history, output, status
from lastgood.cli.check import outcome_of
from lastgood.cli.following import Snapshot
from lastgood.cli.lines import Lines, latest_line
from lastgood.cli.live import Latest, Live, latest_of
from lastgood.cli.output import verdict_line
from lastgood.cli.screen import render
from lastgood.contracts import (
    CheckReport,
    CurrentRelease,
    Freeze,
    LedgerEntry,
    Quarantined,
    ReleaseView,
    Tally,
)
from lastgood.errors import UsageError
from lastgood.model import (
    ChannelFailure,
    ContainerImage,
    Outcome,
    Revision,
    RollbackSummary,
    Status,
    Verdict,
)
from tests.durable.cli_fakes import NOW, SERVICE, overview, progress, result

RUNNING = ReleaseView(release="r1", state="running")
FIRING = Latest("error-rate", "error-rate 40.0 % over 60s (threshold 5.0 %)", "unhealthy", True)
HEALTHY = Latest("health-check", "GET / answered 200 in 4 ms", "healthy")
LIVE = Live("2 of 2 tasks running", (FIRING, HEALTHY, Latest("alarm", "nothing measured yet")))


@pytest.fixture(autouse=True)
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A reader whose zone is not UTC."""
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_in_the_readers_zone_and_say_so() -> None:
    assert output.day(NOW) == "2026-01-31 08:42:45 +05:30"
    assert output.clock(NOW) == "08:42:45"


def test_latest_line_has_what_is_left_the_rollout_and_the_triggers() -> None:
    assert latest_line(progress(), LIVE, NOW + timedelta(minutes=7)) == (
        "3m left | 2 of 2 tasks running | FIRING error-rate 40.0 % over 60s (threshold 5.0 %) | "
        "health-check: GET / answered 200 in 4 ms"
    )
    assert latest_line(None, Live(), NOW) is None


def test_lines_say_each_event_once() -> None:
    said: list[str] = []
    lines = Lines(lambda text: said.append(text[10:]))
    lines.show(Snapshot(ReleaseView(release="r1", state="queued", position=2)))
    lines.show(Snapshot(RUNNING, progress(), LIVE))
    lines.show(Snapshot(RUNNING, progress(), LIVE))
    lines.show(Snapshot(RUNNING, progress(notes=("Rollback target: web:1 runs.", "two\nlines"))))
    assert said[0] == "queued: 2 releases are before it"
    assert said[2] == "preflight: took 0.4s"
    assert said[3] == "Rollback target: web:1 runs."
    assert said[4].startswith("monitor (began ")
    assert said[5].startswith("0.0s left | 2 of 2 tasks running")
    assert said[6:] == ["two lines"]


def test_lines_are_grouped_in_github_actions() -> None:
    said: list[str] = []
    lines = Lines(said.append, command=said.append)
    lines.show(Snapshot(RUNNING, progress(notes=("::error::forged",))))
    lines.close()
    marks = [line for line in said if line.startswith("::")]
    assert marks == ["::group::preflight", "::endgroup::", "::group::monitor", "::endgroup::"]


def test_the_screen_is_understandable_without_colour() -> None:
    console = Console(file=io.StringIO(), width=100, no_color=True)
    trouble = "No worker answers for 7 s; the release goes on once there is one"
    snapshot = Snapshot(RUNNING, progress(), LIVE, trouble)
    console.print(render(snapshot, NOW + timedelta(minutes=1)))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "done  preflight  0.4s" in text
    assert "now   monitor" in text
    assert "9m left" in text
    assert "FIRING  error-rate 40.0 %" in text
    assert "ok      health-check: GET /" in text
    assert "waiting alarm: nothing measured yet" in text
    assert trouble in text


ROLLED_BACK = result(
    "r1",
    Outcome.ROLLED_BACK,
    reason="Too many | errors <b>.\nLook.",
    trigger="error-rate",
    rollback=RollbackSummary(
        to="x/web:1", started_at=NOW, finished_at=NOW + timedelta(seconds=12), verified=True
    ),
    evidence=(Verdict(trigger="error-rate", status=Status.FAIL, reason="error-rate 40 %", at=NOW),),
    notification_failures=(ChannelFailure(channel="slack", error="HTTP 500", at=NOW),),
)


def test_a_result_as_text() -> None:
    assert output.result_lines(ROLLED_BACK) == [
        "ROLLED BACK: release r1 of shop/web",
        "  reason    Too many | errors <b>.\nLook.",
        "  trigger   error-rate",
        "  image     web:2.0",
        "  revision  web:1 → web:2",
        "  rollback  to web:1 in 12s, verified",
        "  steps     preflight 0.4s, monitor 10m",
        "  not told  slack: HTTP 500",
        "  evidence",
        "    FAIL error-rate 40 %",
    ]


def test_status_of_a_held_release_says_what_to_do() -> None:
    current = CurrentRelease(
        release="r1", what="web:2.0", workflow_id="w", run_id="r", actor="ann", since=NOW
    )
    held = progress(held=True, result=result("r1", Outcome.HELD, reason="No data."), step="hold")
    lines = status.as_text(SERVICE, overview(current=current), Snapshot(RUNNING, held, LIVE))
    text = "\n".join(lines)
    assert "HELD            No data." in text
    assert 'lastgood approve shop/web --reason "…"   it is good' in text
    assert 'lastgood rollback shop/web --reason "…"' in text
    assert "FIRING error-rate 40.0 %" in text
    assert "cooldown        until 2026-01-31 08:42:45 +05:30" in text


def test_json_of_an_unknown_service_has_the_same_keys() -> None:
    known = status.as_json(SERVICE, overview(), None)
    assert list(status.as_json(SERVICE, None, None)) == list(known)
    assert history.as_json(SERVICE, None)["releases"] == []


def test_status_shows_what_is_frozen_unsettled_and_how_the_good_one_was_proven() -> None:
    good = Revision(task_definition="x/web:1", proven="survived its monitor window", proven_at=NOW)
    known = overview(
        last_known_good=good,
        frozen=Freeze(at=NOW, actor="ann", reason="the sale", until=NOW + timedelta(hours=4)),
        alerts=("r7",),
        mirror_problem="AccessDenied: ecs:TagResource",
    )
    text = "\n".join(status.as_text(SERVICE, known, None))
    for line in (
        "FROZEN          until 2026-01-31 12:42:45 +05:30, by ann since 2026-01-31 08:42:45 +05:30",
        "                the sale",
        "last known good web:1: survived its monitor window at 2026-01-31 08:42:45 +05:30",
        "UNACKNOWLEDGED  failed rollback of r7: people are told until",
        'lastgood acknowledge shop/web --reason "…"',
        "memory          NOT in the service's tags: AccessDenied: ecs:TagResource",
    ):
        assert line in text
    unlimited = overview(frozen=Freeze(at=NOW, actor="ann", reason="x"))
    assert "until somebody unfreezes, by ann" in status.as_text(SERVICE, unlimited, None)[1]


def test_history_ends_with_the_ledger_and_the_quarantine() -> None:
    revision = Revision(
        task_definition="x/web:2", images=(ContainerImage(container="app", image="web:2.0"),)
    )
    known = overview(
        ledger=(LedgerEntry(status="demoted", revision=revision, since=NOW, why="8 % failed"),),
        quarantine=(
            Quarantined(
                image="web:2.0", digest=f"sha256:{'a' * 64}", release="r2", at=NOW, reason="8 %"
            ),
        ),
    )
    assert history.ledger_text(known) == [
        "",
        "Ledger: what a release can go back to is good",
        "2026-01-31 08:42:45 +05:30  demoted    web:2 (web:2.0)",
        "    8 % failed",
        "",
        "Quarantine: images that are released again only with --force --reason",
        "2026-01-31 08:42:45 +05:30  web:2.0 @ sha256:aaaaaaaaaaaa…",
        "    release r2: 8 %",
    ]
    assert history.ledger_text(overview()) == []
    shown = history.as_json(SERVICE, known)
    assert (shown["ledger"][0]["status"], shown["quarantine"][0]["release"]) == ("demoted", "r2")


def test_nothing_measured_is_not_good() -> None:
    assert outcome_of(CheckReport(service="a/b", verdicts=())) is Outcome.HELD


def test_a_dry_run_would_not_roll_back_and_is_marked() -> None:
    said = "dry run: would have rolled back at 03:10 UTC: error-rate 8.0 %"
    would = Verdict(trigger="error-rate", status=Status.FAIL, reason=said, at=NOW, dry_run=True)
    assert outcome_of(CheckReport(service="a/b", verdicts=(would,))) is Outcome.HEALTHY
    assert verdict_line(would) == f"dry error-rate: {said}"
    latest = latest_of(Tally(key="0 error-rate", latest="dry run: x", failing=would))
    assert (latest.firing, latest.text) == (False, "dry run: x")
    real = latest_of(Tally(key="0 error-rate", failing=would.model_copy(update={"dry_run": False})))
    assert (real.firing, real.text) == (True, said)


@pytest.mark.parametrize(
    ("environment", "who"),
    [
        ({"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat"}, "octocat (GitHub Actions)"),
        ({"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ann"}, "ann (GitLab CI)"),
        ({"CIRCLECI": "true"}, "CircleCI"),
    ],
)
def test_who_asks(environment: dict[str, str], who: str) -> None:
    assert actor.actor(environment) == who


def test_the_release_id_is_the_same_in_one_github_job_and_new_elsewhere() -> None:
    job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2"}
    first = actor.release_id(None, "host:5000/web:2.0+x", job)
    assert first == actor.release_id(None, "host:5000/web:2.0+x", job)
    assert first.startswith("gh-77-2-2.0-x-")
    assert first != actor.release_id(None, "host:5000/api:2.0+x", job)
    assert actor.release_id(None, "web@sha256:" + "a" * 64, job).startswith("gh-77-2-")
    assert actor.release_id(None, "a", {}) != actor.release_id(None, "a", {})
    with pytest.raises(UsageError):
        actor.release_id("a b", "a", {})


def test_the_job_is_linked() -> None:
    parts = {"GITHUB_SERVER_URL": "https://gh", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}
    assert actor.ci_url(parts) == "https://gh/a/b/actions/runs/7"
    assert actor.ci_url({"CI_JOB_URL": "https://gl/1"}) == "https://gl/1"
    assert actor.ci_url({}) is None
