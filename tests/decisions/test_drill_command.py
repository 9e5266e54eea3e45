"""``lastgood drill``: what cannot be meant, before anything is asked; and how results are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lastgood.cli import (
    drill,
    drill_report,
    drill_status,
    github_job,
    history,
    main,
    output,
    status,
)
from lastgood.cli.released import releases_of
from lastgood.contracts import Overview
from lastgood.errors import UsageError
from lastgood.model import (
    DrillSummary,
    Outcome,
    ReleaseResult,
    RollbackSummary,
    ServiceRef,
    exit_code,
)
from lastgood.report import telling

NOW = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
MONDAYS = ("--schedule", "0 9 * * 1")
SECONDS = {"detection": 0.1, "rollback": 31.4, "verify": 12.0, "all": 43.5}


@pytest.mark.parametrize(
    ("arguments", "allowed", "says"),
    [
        (("shop/web", *MONDAYS), "false", "drill.allowed"),
        (("shop/web", *MONDAYS, "--alarm", "red"), "true", "drill.alarms"),
        (("shop/web", *MONDAYS, "--after", "1h"), "true", "monitor.window"),
        (("shop/web", "--time-zone", "Europe/Berlin"), "true", "goes with --schedule CRON"),
        (("shop/web", *MONDAYS, "--time-zone", "Europe/Bonn"), "true", "nobody knows Europe/Bonn"),
        (("shop/web", *MONDAYS, "--report", "x.json"), "true", "about one drill"),
        (("shop/web", "--schedule", "run", "--after", "5s"), "true", "do not go with"),
        (("--schedule", "run"), "true", "Say which service"),
        ((), "true", "Say which service"),
        (("shop/api",), "true", "is the policy of shop/web, not of shop/api"),
        (("shop/web", "--report", "nowhere/x.json"), "true", "in a folder that exists"),
        (("shop/web", "--report", "x.json", "--no-wait"), "true", "written at the end"),
        (("shop/web", "--release", "a b"), "true", "--release"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(
    arguments: tuple[str, ...],
    allowed: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = f"service: shop/web\nregion: eu-west-1\ndrill: {{allowed: {allowed}}}\n"
    (tmp_path / "lastgood.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    code = main.run(["drill", *arguments])

    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert says in told.err


def drilled(outcome: Outcome = Outcome.ROLLED_BACK, **drill: Any) -> ReleaseResult:
    summary = DrillSummary(marked_at=NOW, seconds=SECONDS, **drill)
    return ReleaseResult(
        release="drill-1",
        workflow_id="release/eu-west-1/shop/web",
        run_id="run",
        service="shop/web",
        outcome=outcome,
        reason="A drill: ann ordered it. Brought shop/web back to web:1.",
        from_task_definition="arn:task-definition/web:1",
        to_task_definition="arn:task-definition/web:2",
        trigger="drill",
        rollback=RollbackSummary(to="web:1", started_at=NOW, finished_at=NOW, verified=True),
        timings={"deploy": 1.0},
        started_at=NOW - timedelta(minutes=1),
        finished_at=NOW,
        actor="ann",
        drill=summary,
    )


PASSED = drilled(passed=True)
FAILED = drilled(Outcome.ROLLBACK_FAILED, why_not="web:1 did not become steady.")
OTHERWISE = drilled(why_not="It went back for another reason than the drill's mark.")


def overview(*results: ReleaseResult, **more: Any) -> Overview:
    known: dict[str, Any] = {
        "service": "shop/web",
        "current": None,
        "queued": (),
        "last_known_good": None,
        "rollbacks_counted": 0,
        "max_rollbacks": 3,
        "cooldown_until": None,
        "results": results,
        "rollbacks": (),
        "actions": (),
    }
    return Overview(**known | more)


@pytest.mark.parametrize(
    ("result", "code", "level", "head"),
    [
        (PASSED, 0, "notice", "DRILL PASSED: drill-1 of shop/web"),
        (FAILED, 12, "error", "DRILL NOT PASSED, ROLLBACK FAILED: drill-1 of shop/web"),
        (OTHERWISE, 10, "error", "DRILL NOT PASSED, ROLLED BACK: drill-1 of shop/web"),
    ],
)
def test_drill_that_passed_ends_well_and_no_other(
    result: ReleaseResult, code: int, level: str, head: str
) -> None:
    assert exit_code(result) == code
    assert output.headline(result) == head
    shown = list(github_job.shown(result))
    assert shown[-1].startswith(f"::{level} title=DRILL")


def test_nobody_is_asked_to_acknowledge_or_approve_a_drill() -> None:
    told = "\n".join(
        line for one in Outcome for line in output.advice(drilled(one, why_not="so it is"))
    )
    assert "lastgood explain drill-1" in told
    assert "acknowledge" not in told
    assert "approve" not in told


def test_status_tells_how_old_the_last_drill_is_that_passed() -> None:
    later = NOW + timedelta(days=6, hours=2)
    known = overview(PASSED, last_drill=PASSED, last_passed_drill=PASSED, drillable=True)

    text = drill_status.as_text(known, later)

    assert text[0].startswith("  drill           6 days ago, at ")
    assert text[1].strip() == ("passed (detection 0.1s, rollback 31s, verify 12s, all 44s)")
    told = drill_status.as_json(known, later)
    assert told["last_passed_age"] == 6 * 86400 + 2 * 3600
    assert told["last_passed"]["release"] == "drill-1"


def test_status_tells_of_a_drill_that_did_not_pass_and_of_none() -> None:
    failed = overview(FAILED, last_drill=FAILED, drillable=True)
    assert "NOT passed" in drill_status.as_text(failed, NOW)[1]
    assert drill_status.as_text(failed, NOW)[2].strip() == "none has passed yet"
    both = overview(
        FAILED,
        last_drill=FAILED,
        last_passed_drill=PASSED.model_copy(update={"release": "drill-0"}),
    )
    assert [line.split()[0] for line in drill_status.as_text(both, NOW)[::2]] == ["drill", "last"]
    assert drill_status.as_text(overview(drillable=True), NOW) == [
        "  drill           none yet: lastgood drill shop/web"
    ]
    assert drill_status.as_text(overview(), NOW) == []


def test_status_history_and_backtest_do_not_take_a_drill_for_a_bad_release() -> None:
    real = PASSED.model_copy(
        update={"release": "r1", "outcome": Outcome.HEALTHY, "drill": None, "rollback": None}
    )
    known = overview(PASSED, real, last_drill=PASSED, last_passed_drill=PASSED)
    ref = ServiceRef(region="eu-west-1", cluster="shop", name="web")

    assert status.as_json(ref, known, None)["last_result"]["release"] == "r1"
    assert any("DRILL drill-1: rolled_back" in line for line in history.as_text(known))
    assert [one.release for one in releases_of(known)] == ["r1"]


def test_report_has_what_was_measured_as_text_and_as_json() -> None:
    text = drill_report.as_text(PASSED, None)
    assert text.startswith("DRILL PASSED: drill-1 of shop/web\n")
    assert "rollback       31s  until the service was steady on the old revision" in text
    told = json.loads(drill_report.as_json(PASSED, None))
    assert told["result"]["drill"]["seconds"] == SECONDS
    assert "not marked bad" in drill_report.as_text(
        PASSED.model_copy(update={"drill": DrillSummary()}), None
    )


def test_page_of_a_drill_asks_for_no_fix() -> None:
    passed = telling.of_result("shop/web", PASSED, "")
    assert (passed.badge, passed.tone) == ("drill passed", "good")
    assert passed.more == ("Nothing was wrong, and nothing is to be done.",)
    assert {one.label: one.value for one in passed.facts}["drill: rollback"] == "31s"
    failed = telling.of_result("shop/web", FAILED, "")
    assert (failed.badge, failed.tone) == ("drill not passed", "warning")
    assert failed.more[0].startswith("web:1 did not become steady.")


GROUP = """\
group: shop
notify: {sns: {topic_arn: "arn:aws:sns:us-east-1:123456789012:oncall"}}
services:
  - {service: shop/web, region: us-east-1, drill: {allowed: true}}
  - {service: shop/web, region: eu-west-1}
"""


def test_a_members_policy_is_that_of_its_region_and_tells_whom_the_group_tells(
    tmp_path: Path,
) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(GROUP)
    own = drill._policy_of(str(path), "shop/web", "us-east-1")
    assert [key for key, _ in own.notify.channels()] == ["sns"]
    assert not drill._policy_of(str(path), "shop/web", "eu-west-1").drill.allowed
    with pytest.raises(UsageError, match="about shop/web in us-east-1 and eu-west-1"):
        drill._policy_of(str(path), "shop/web", "eu-central-1")
