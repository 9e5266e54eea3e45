"""What a GitHub job is told, read as the runner reads it (`tests/e2e/runner.py`)."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lastgood.cli import github, github_job, github_plot, github_summary
from lastgood.cli.github_job import Job, what_now
from lastgood.cli.output import advice
from lastgood.contracts import Decided, Explanation, ReleaseOrder
from lastgood.decisions.charts import Chart, Curve, Level, Moment, Panel
from lastgood.decisions.record_columns import pack
from lastgood.model import (
    Action,
    ChannelFailure,
    Outcome,
    ReleaseResult,
    RollbackSummary,
    Status,
    Verdict,
)
from lastgood.policy import Policy
from tests.durable.cli_fakes import NOW, SERVICE, Rig, progress, result, rig
from tests.e2e.runner import outputs, parse

HOSTILE = "::error::x\r\n##[add-mask]a\n  ::set-output name=outcome::healthy | <b> `x` [a](b)"
FIRED = Verdict(
    trigger="error-rate",
    status=Status.FAIL,
    reason="error-rate 40 % (threshold 5 %)",
    message="Error rate exceeded threshold",
    at=NOW + timedelta(seconds=30),
)
DRY = Verdict(trigger="regression", status=Status.FAIL, reason="It is worse.", at=NOW, dry_run=True)
ROLLED_BACK = result(
    "r1",
    Outcome.ROLLED_BACK,
    reason="Too many | errors <b>.\nLook.",
    trigger="error-rate",
    rollback=RollbackSummary(to="x/web:1", started_at=NOW, finished_at=NOW, verified=True),
    evidence=(FIRED, DRY),
    notification_failures=(ChannelFailure(channel="slack", error="HTTP 500", at=NOW),),
)


def job(folder: Path, **more: str) -> tuple[Job, Path, Path]:
    """A job, its outputs and its summary."""
    files = folder / "outputs", folder / "summary.md"
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(files[0]),
        "GITHUB_STEP_SUMMARY": str(files[1]),
        **more,
    }
    return Job(environment), *files


def told(ended: ReleaseResult) -> Explanation:
    return Explanation(
        release=ReleaseOrder(id="r1", image="web:2.0", policy=Policy(service="a/b"), actor="ann"),
        progress=progress("r1", result=ended),
        verdicts=(FIRED,),
        decisions=(Decided(at=NOW, finding="trigger", reason="x", do="roll_back", why="It may."),),
        actions=(Action(at=NOW, actor="bob", verb="hold", reason="::wait *now*"),),
    )


# --- Lines -------------------------------------------------------------------------------------


WORDS = (
    "::",
    "##[",
    "]",
    "error",
    "add-mask",
    " ",
    "\t",
    "\r",
    "\n",
    "x",
    "title=a",
    ",",
    "#",
    "[",
)


@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
@example(HOSTILE)
@example("  ::error::x")
@example("10:00:00  said ##[error]x")
def test_the_runner_finds_no_command_in_what_people_wrote(text: str) -> None:
    lines = re.split(r"\r\n|\r|\n", github.harmless(text))
    assert [line for line in lines if parse(line)] == []


def test_what_is_harmless_stays_as_it_is() -> None:
    assert github.harmless("a::b\n  c # [d]") == "a::b\n  c # [d]"


@given(st.text(alphabet="ab:,%=é|", min_size=1), st.text())
def test_an_annotation_says_what_it_was_given(title: str, text: str) -> None:
    line = github.annotation("error", title, text)
    assert "\n" not in line
    assert "\r" not in line
    found = parse(line)
    assert found
    assert (found.name, found.data) == ("error", text)
    assert found.properties == {"title": title}


def test_a_problem_of_the_policy_is_shown_at_its_line() -> None:
    lines = github.failures("lastgood.yaml:4: treshold: use threshold\nlastgood.yaml:9: no::thing")
    assert lines == [
        "::error file=lastgood.yaml,line=4,title=Policy::treshold: use threshold",
        "::error file=lastgood.yaml,line=9,title=Policy::no::thing",
    ]
    [other] = github.failures("Temporal cannot be reached at a:1: no answer.\nSet TEMPORAL_ADDRESS")
    assert other.startswith("::error title=Lastgood failed::Temporal cannot be reached at a:1")


# --- Files -------------------------------------------------------------------------------------


def test_outputs_take_any_text_and_the_last_one_counts(tmp_path: Path) -> None:
    environment = {"GITHUB_OUTPUT": str(tmp_path / "out")}
    (tmp_path / "out").write_text("mine=1\n")
    forged = "a\nEOF\noutcome=healthy\nend-0\noutcome<<x\nhealthy\nx"
    assert github.write_outputs({"reason": "first", "release": "r1"}, environment) is None
    assert github.write_outputs({"reason": forged}, environment) is None
    found = outputs((tmp_path / "out").read_text())
    assert found == {"mine": "1", "release": "r1", "reason": forged}


def test_a_summary_takes_the_place_of_its_own_earlier_text_only(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    summary = github.Summary({"GITHUB_STEP_SUMMARY": str(path)})
    assert summary.write("under way: long\n") is None
    path.write_text(f"{path.read_text()}after\n")
    assert summary.write("healthy\n") is None
    assert path.read_text() == "before\nhealthy\nafter\n"
    path.write_text("somebody began anew\n")
    assert summary.write("healthy\n") is None
    assert path.read_text() == "somebody began anew\nhealthy\n"


def test_files_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    nowhere = {"GITHUB_STEP_SUMMARY": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path)}
    said = github.Summary(nowhere).write("x")
    assert said == "The job summary could not be written: Is a directory"
    said = github.write_outputs({"a": "b"}, nowhere)
    assert said == "The step's outputs could not be written: Is a directory"
    assert github.Summary({}).write("x") is None
    assert github.write_outputs({"a": "b"}, {}) is None


def test_a_summary_has_a_mebibyte_at_most_with_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("x" * 300_000)
    summary = github.Summary({"GITHUB_STEP_SUMMARY": str(path)})
    summary.write("```sh\n" + "ä line\n" * 200_000)
    text = path.read_text()
    assert 1_000_000 < path.stat().st_size <= github.MOST_SUMMARY
    assert text.endswith("ä line\n```\n\n*What follows was left out: a summary may have 1 MiB.*\n")
    path.write_text("x" * github.MOST_SUMMARY)
    assert summary.write("more") is None
    assert path.stat().st_size == github.MOST_SUMMARY


# --- The job -----------------------------------------------------------------------------------


def test_a_job_knows_its_release_before_there_is_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_job, out, summary = job(tmp_path, LASTGOOD_UI_URL="https://ui.example.com/")
    told_job.begun(github_job.of_service(SERVICE, "r1", "web:2.0"), "r1", "prod", "release/a/b/c")
    page = "https://ui.example.com/namespaces/prod/workflows/release%2Fa%2Fb%2Fc"
    assert outputs(out.read_text()) == {"release": "r1", "workflow-url": page}
    assert f"[In the Temporal UI]({page})" in summary.read_text()
    told_job.found("prod", "release/a/b/c", "run-1")
    assert outputs(out.read_text())["workflow-url"] == f"{page}/run-1/history"
    told_job.detached("")
    found = parse(capsys.readouterr().err)
    assert found
    assert found.name == "warning"
    assert "goes on: the job was stopped" in summary.read_text()
    for command in (
        "lastgood follow shop/web --release r1 --region eu-west-1",
        'lastgood rollback shop/web --release r1 --region eu-west-1 --reason "…"',
        'lastgood cancel shop/web --release r1 --region eu-west-1 --reason "…"',
    ):
        assert command in found.data
        assert command in summary.read_text()


def test_a_job_that_is_stopped_before_it_knows_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_job, _, summary = job(tmp_path)
    told_job.detached("Release r1 may have been accepted.")
    err = capsys.readouterr().err
    assert err == "::warning title=The job was stopped::Release r1 may have been accepted.\n"
    assert not summary.exists()


def test_a_rollback_is_told_with_what_fired_and_what_can_be_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told_job, out, summary = job(tmp_path)
    told_job.begun(github_job.of_service(SERVICE, "r1", "web:2.0"), "r1", "prod", "w")
    told_job.ended(ROLLED_BACK, told(ROLLED_BACK), "prod")
    said = [parse(line) for line in capsys.readouterr().err.splitlines()]
    shown = [(one.name, one.properties["title"], one.data) for one in said if one]
    assert len(shown) == len(said)
    assert shown == [
        (
            "error",
            "error-rate fired",
            "error-rate 40 % (threshold 5 %)\nError rate exceeded threshold",
        ),
        ("warning", "regression, a dry run", "It is worse."),
        ("warning", "slack was not told", "HTTP 500"),
        (
            "error",
            "ROLLED BACK: release r1 of shop/web",
            "Too many | errors <b>.\nLook. Release a fixed image.\n"
            "lastgood explain r1 --service shop/web",
        ),
    ]
    assert outputs(out.read_text()) == {
        "release": "r1",
        "workflow-url": "",
        "outcome": "rolled_back",
        "reason": "Too many | errors <b>. Look.",
    }
    text = summary.read_text()
    assert text.count("## Lastgood:") == 1, "it took the place of what was there"
    assert "**Too many &#124; errors &#60;b&#62;. Look.**" in text
    assert "| 03:13:15 | error-rate fires |  | error-rate 40 % (threshold 5 %) |" in text
    assert "| 03:12:45 | decided: roll back |  | It may. |" in text
    assert "| 03:12:45 | hold by bob |  | ::wait &#42;now&#42; |" in text
    assert "| 03:12:45 | preflight | 0.4s |  |" in text
    assert "| FAIL | error-rate | error-rate 40 % (threshold 5 %) |" in text


def test_without_an_explanation_the_summary_has_the_steps() -> None:
    text = github_summary.ended(ROLLED_BACK, None, "")
    assert "| monitor | 10m |" in text
    assert "| dry | regression | It is worse. |" in text
    refused = result("r1", Outcome.REFUSED, timings={}, reason=HOSTILE)
    text = github_summary.ended(refused, None, "")
    assert "It never began." in text
    for mark in ("<b>", "`x`", "[a]", " | <"):
        assert mark not in text.split("### Timeline")[0].split("|  |")[0]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_red_job_ends_with_something_to_do(outcome: Outcome, tmp_path: Path) -> None:
    now = what_now(result("r1", outcome))
    assert bool(now.text) == bool(now.commands) == (outcome is not Outcome.HEALTHY)
    last = parse(list(github_job.shown(result("r1", outcome)))[-1])
    assert last
    assert last.name == ("notice" if outcome is Outcome.HEALTHY else "error")
    assert all(re.match(r"lastgood [a-z]+ ", one) for one in now.commands)
    assert all(f" {one}   # " not in f" {now.text}" for one in now.commands)


def test_a_held_release_says_how_to_decide() -> None:
    commands = what_now(result("r1", Outcome.HELD)).commands
    assert 'lastgood approve shop/web --reason "…"   # it is good' in commands
    assert 'lastgood rollback shop/web --reason "…"' in commands


def test_a_release_that_ended_held_offers_what_still_works() -> None:
    now = what_now(result("r1", Outcome.HELD))
    assert now.text == (
        "While it waits: approve, deny or resume it. "
        "Once it has ended: release a fix, or roll it back."
    )
    said = "\n".join(advice(result("r1", Outcome.HELD)))
    before, after = said.split("once it has ended")
    for verb in ("approve", "deny", "resume"):
        assert f"lastgood {verb} " in before
        assert verb not in after
    assert "lastgood rollback " in after


@pytest.mark.parametrize(
    ("outcome", "run_id", "release"),
    [
        (Outcome.REFUSED, "", ""),
        (Outcome.REFUSED, "run-1", "r1"),
        (Outcome.CANCELLED, "", "r1"),
        (Outcome.HEALTHY, "run-1", "r1"),
    ],
)
def test_the_output_release_is_empty_if_it_was_not_accepted(
    outcome: Outcome, run_id: str, release: str, tmp_path: Path
) -> None:
    told_job, out, _ = job(tmp_path)
    told_job.ended(result("r1", outcome, run_id=run_id), None, "prod")
    found = outputs(out.read_text())
    assert (found["outcome"], found["release"]) == (outcome.value, release)


@pytest.mark.parametrize(
    "record", ["unreadable", pack({"kind": "threshold", "begun": 7}), pack({"kind": "unheard of"})]
)
def test_a_record_of_another_version_has_no_plot_and_changes_no_verdict(
    record: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = result("r1", Outcome.HEALTHY)
    policy = Policy.model_validate({"service": "a/b", "triggers": [{"type": "error-rate"}]})
    order = told(ended).release.model_copy(update={"policy": policy})
    odd = FIRED.model_copy(update={"record": record, "key": "0 error-rate"})
    known = told(ended).model_copy(update={"release": order, "verdicts": (odd,)})
    told_job, out, summary = job(tmp_path)
    told_job.ended(ended, known, "prod")
    assert outputs(out.read_text())["outcome"] == "healthy"
    assert "| FAIL | error-rate |" in summary.read_text()
    assert "not whole" not in capsys.readouterr().err


def test_a_summary_that_cannot_be_made_is_said_and_a_shorter_one_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = result("r1", Outcome.HEALTHY)
    odd = told(ended).model_copy(update={"actions": (None,)})  # as nobody foresaw it
    told_job, out, summary = job(tmp_path)
    told_job.ended(ended, odd, "prod")
    assert outputs(out.read_text())["outcome"] == "healthy"
    assert "HEALTHY: release r1" in summary.read_text()
    assert "The summary is not whole: AttributeError: " in capsys.readouterr().err


def test_outside_of_github_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"GITHUB_OUTPUT": str(tmp_path / "o"), "GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
    silent = Job(files)
    silent.begun(github_job.of_service(SERVICE, "r1", "web:2.0"), "r1", "prod", "w")
    silent.detached("")
    silent.ended(ROLLED_BACK, None, "prod")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


# --- The plot ----------------------------------------------------------------------------------


def drawn(*panels: Panel) -> str:
    return "\n".join(github_plot.markdown(Chart("error-rate", panels)))


def test_the_metric_is_drawn_against_its_threshold() -> None:
    at = NOW.timestamp()
    points = tuple((at + 10.0 * second, float(second)) for second in range(4))
    limit, before = Level(5.0, "threshold 5 %"), Level(0.1, "the hour before 0.1 %")
    panel = Panel("failed requests, %", (Curve(points),), 10.0, limit, before)
    marked = (Moment(at - 5, "deployed"), Moment(at + 21, "fires", "bad"), Moment(at + 99, "back"))
    text = "\n".join(github_plot.markdown(Chart("error-rate", (panel,), marked)))
    assert 'x-axis "seconds after 03:12:45 UTC" 0 --> 30' in text
    assert 'y-axis "failed requests, %" 0 --> 5.5' in text
    assert "line [5, 5, 5, 5]\n  line [0.1, 0.1, 0.1, 0.1]\n  line [0, 1, 2, 3]\n```" in text
    words = "Blue: failed requests, %; grey: the hour before 0.1 %; red: threshold 5 %."
    assert text.endswith(f"\n{words} Fires at 21 s.")
    assert text.count('"#e5484d, #8c959f, #2f81f7"') == 1


def test_what_is_missing_is_said_and_never_drawn_as_nothing() -> None:
    points = tuple((10.0 * place, 8.0) for place in (0, 1, 4, 5))
    text = drawn(Panel("x", (Curve(points),), 10.0))
    assert "line [8, 8, 8, 8, 8, 8]" in text
    assert "2 of 6 datapoints are missing; the line is drawn through." in text


def test_more_points_than_can_be_seen_keep_their_peaks() -> None:
    points = tuple((float(second), 9.0 if second == 501 else 1.0) for second in range(1000))
    text = drawn(Panel("x", (Curve(points),), 1.0))
    [line] = re.findall(r"line \[(.*)\]", text)
    values = line.split(", ")
    assert len(values) == 77
    assert values.count("9") == 1
    assert "Each point is the highest of 13 datapoints." in text


def test_a_title_cannot_leave_its_string() -> None:
    text = drawn(Panel('a"\n%%{init: b}%%', (Curve(((0.0, 1.0), (1.0, 2.0))),), 1.0))
    assert 'y-axis "a  %% init: b %%" 0' in text


def test_what_has_no_measure_on_an_even_scale_has_no_plot() -> None:
    assert drawn(Panel("state")) == ""
    assert drawn(Panel("evidence", (Curve(((0.0, 1.0), (1.0, 2.0))),), 1.0, log=True)) == ""
    assert drawn(Panel("one", (Curve(((0.0, 1.0),)),), 1.0)) == ""


# --- The command line in a job -----------------------------------------------------------------


async def test_attempts_of_a_run_and_what_goes_wrong(tmp_path: Path) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "1"}
    order = ("deploy", "--image", "a/web:2.0", "--no-wait", "--output", "json")
    async with rig(tmp_path) as cli:
        first = await _release(cli, order, env)
        third = env | {"GITHUB_RUN_ATTEMPT": "3"}
        assert await _release(cli, order, third) == first, "it is under way"
        mine = first.replace("gh-77-1-", "gh-77-3-")
        named = await cli.here(*order, "--release", mine, env=third)
        assert first not in named.out + named.err, "an id that somebody gave is that one"
        await cli.end(result(first))
        await cli.release().terminate()
        again = await cli.here(*order, env=third)
        assert json.loads(again.out)["release"].startswith("gh-77-3-2.0-"), "it has ended"
        wrong = await cli.here("deploy", "--image", "##[error]x", "--output", "nope", env=env)
        assert wrong.code == 2
        said = [one for line in wrong.err.splitlines() if (one := parse(line))]
        assert [(one.name, one.properties["title"]) for one in said] == [
            ("error", "Lastgood was called wrongly")
        ]
        (tmp_path / "lastgood.yaml").write_text("service: shop/web\nmonitr: {}\n")
        bad = await cli.here(*order, env=env)
        assert bad.code == 2
        assert "\n::error file=lastgood.yaml,line=2,title=Policy::monitr" in bad.err


async def _release(cli: Rig, order: tuple[str, ...], env: dict[str, str]) -> str:
    answer = await cli.here(*order, env=env)
    assert answer.code == 0, answer
    return str(json.loads(answer.out)["release"])
