"""The benchmarks run and say what they must; their figures are nobody's promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

from benchmarks.__main__ import main
from benchmarks.records import Record, way_back

ROOT = Path(__file__).parents[2]
HISTORIES = ROOT / "tests" / "replay" / "histories"
NAMES = ["overhead", "reaction", "history", "recovery", "traffic", "detection", "judging"]


def test_lists_what_there_is(capsys):
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == NAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "no benchmark speed; there are overhead"),
        (["history", "--runs", "0"], "write 1 or more"),
    ],
)
def test_names_and_runs_are_checked(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_quickest_one_reports_caveats_command_and_figures():
    command = [sys.executable, "-m", "benchmarks", "history", "--quick", "--output", "json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    (report,) = json.loads(ran.stdout)["benchmarks"]
    assert report["name"] == "history"
    assert report["caveats"]
    assert report["command"] == "python -m benchmarks history --quick"
    first, last = report["tables"][0]["rows"]
    # A tenfold window is as many polls more, and no more events but for how answers fell together.
    assert (first[1], last[1]) == (6, 60)
    assert last[2] < 1.2 * first[2]


def recorded(workflow: str) -> Record:
    """The history of a release that was rolled back, as it was recorded for replays."""
    text = (HISTORIES / f"rolled_back.{workflow}.1.json").read_text()
    return Record(tuple(WorkflowHistory.from_json("recorded", text).events))


def test_the_way_back_is_read_from_the_histories_of_a_rollback():
    moments = way_back(recorded("Deployment"), recorded("Rollback"))
    names = list(moments)
    assert names[:2] == ["trigger fired", "Rollback begun"]
    assert names[-1] in ("update_service scheduled", "stop_service_deployment scheduled")
    assert list(moments.values()) == sorted(moments.values())


def test_the_page_shows_every_benchmark_and_how_to_run_it():
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert [name for name in NAMES if f"python -m benchmarks {name}" not in page] == []
    assert page.index("Caveats") < page.index("ratio")
