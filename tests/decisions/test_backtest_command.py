"""``lastgood backtest``: files as people have them, what is said of them, and the exit codes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lastgood.cli.backtest import backtest
from lastgood.cli.main import cli
from lastgood.errors import LastgoodError

BEGIN, STEP = 1_700_000_000, 10
DEPLOYED = BEGIN + 3600
HEADER = "time,requests,errors,latency_avg,probes,probes_failed"
POLICY = """
service: shop/web
triggers:
  - {type: error-rate}
  - {type: response-time}
  - {type: health-check}
  - {type: regression, dry_run: true}
"""


def lines(bad_from: int | None = None, share: float = 0.2, minutes: int = 80) -> list[str]:
    """100 requests in ten seconds; from ``bad_from`` seconds after the release on some fail."""
    found = []
    for n in range(minutes * 6):
        at = BEGIN + n * STEP
        bad = bad_from is not None and at >= DEPLOYED + bad_from
        found.append(f"{at},100,{int(100 * share) if bad else n % 2},120.5,1,0")
    return found


def text(rows: list[str], header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(backtest, list(map(str, arguments)), standalone_mode=False)
    if code and result.exception:
        assert isinstance(result.exception, LastgoodError), result.exception
        return result
    assert result.exception is None, result.exception
    assert result.return_value == code
    return result


def judge(file: Path, *more: str) -> dict[str, Any]:
    done = run("--metrics", file, "--deployed-at", DEPLOYED, "--output", "json", *more)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "lastgood.yaml"
    path.write_text(POLICY)
    return path


def written(tmp_path: Path, content: str | bytes, name: str = "web.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- One release -------------------------------------------------------------------------------


def test_a_good_release(tmp_path, policy) -> None:
    found = judge(written(tmp_path, text(lines())), "--policy", policy)
    assert set(found) == {"outcome", "at", "trigger", "reason", "triggers"}
    assert (found["outcome"], found["at"], found["trigger"]) == ("healthy", None, None)
    assert [one["verdict"] for one in found["triggers"]] == ["pass"] * 4
    assert [one["at"] for one in found["triggers"]] == [None] * 4
    assert [one.get("dry_run") for one in found["triggers"]] == [None, None, None, True]


def test_a_bad_release(tmp_path, policy) -> None:
    file = written(tmp_path, text(lines(bad_from=120)))
    found = judge(file, "--policy", policy)
    assert (found["outcome"], found["trigger"]) == ("rolled_back", "error-rate")
    assert found["at"] == DEPLOYED + 170
    fired = {one["type"]: one["at"] for one in found["triggers"]}
    assert fired["error-rate"] == DEPLOYED + 170
    assert fired["response-time"] is None
    assert DEPLOYED + 120 < fired["regression"] < DEPLOYED + 170
    shown = run("--metrics", file, "--deployed-at", DEPLOYED, "--policy", policy).stdout
    assert "shop/web, web.csv: ROLLED BACK, 2m50s after it was deployed" in shown
    assert "FAIL error-rate after 2m50s" in shown
    assert "dry  regression" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_without_a_policy_the_default_triggers_judge_and_no_service_is_shown(tmp_path) -> None:
    file = written(tmp_path, text(lines()))
    types = [one["type"] for one in judge(file)["triggers"]]
    assert types[:3] == ["error-rate", "response-time", "health-check"]
    assert "any/any" not in run("--metrics", file, "--deployed-at", DEPLOYED).stdout


def test_times_are_written_as_in_the_file(tmp_path) -> None:
    rows = lines(bad_from=120)
    iso = []
    for row in rows:
        at, _, rest = row.partition(",")
        iso.append(f"{datetime.fromtimestamp(int(at), UTC).isoformat()},{rest}")
    found = judge(written(tmp_path, text(iso)))
    assert found["at"] == "2023-11-14T23:16:10Z"
    assert judge(written(tmp_path, text(rows)))["at"] == DEPLOYED + 170


def test_what_the_file_does_not_have_is_said_and_decides_nothing(tmp_path, policy) -> None:
    rows = [",".join(line.split(",")[:3]) for line in lines()]
    found = judge(written(tmp_path, text(rows, "time,requests,errors")), "--policy", policy)
    assert found["outcome"] == "healthy"
    unmeasured = [one["type"] for one in found["triggers"] if one.get("measured") is False]
    assert unmeasured == ["response-time", "health-check"]
    probes = found["triggers"][2]
    assert probes["verdict"] == "inconclusive"
    assert "no columns probes and probes_failed" in probes["reason"]


def test_a_window_without_data_is_held(tmp_path, policy) -> None:
    rows = [line for line in lines() if int(line.split(",")[0]) < DEPLOYED]
    rows.append(f"{DEPLOYED + 1190},100,0,120,1,0")
    found = judge(written(tmp_path, text(rows)), "--policy", policy, "--period", "10")
    assert (found["outcome"], found["at"]) == ("held", DEPLOYED + 1200)


# --- Files as people have them -----------------------------------------------------------------


def spoilt(row: str, cell: int, value: str) -> str:
    cells = row.split(",")
    return ",".join([*cells[:cell], value, *cells[cell + 1 :]])


SAME: dict[str, Callable[[list[str]], str | bytes]] = {
    "out of order": lambda rows: text(rows[::-1]),
    "corrected by a later line": lambda rows: text([spoilt(r, 2, "99") for r in rows] + rows),
    "twice": lambda rows: text(rows + rows),
    "CRLF": lambda rows: text(rows).replace("\n", "\r\n"),
    "a BOM": lambda rows: b"\xef\xbb\xbf" + text(rows).encode(),
    "empty lines": lambda rows: text(rows).replace("\n", "\n\n"),
    "quoted": lambda rows: text([",".join(f'"{c}"' for c in row.split(",")) for row in rows]),
    "spaces and capitals": lambda rows: text(rows, HEADER.upper().replace(",", " , ")),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("bad_from", [None, 120])
def test_files_that_say_the_same(tmp_path, policy, name: str, bad_from: int | None) -> None:
    rows = lines(bad_from=bad_from)
    plain = judge(written(tmp_path, text(rows)), "--policy", policy)
    other = judge(written(tmp_path, SAME[name](rows), "other.csv"), "--policy", policy)
    assert other == plain


@pytest.mark.parametrize("value", ["", "NaN", "inf", "-inf", "-5", "1e400", "1000000"])
@pytest.mark.parametrize("bad_from", [None, 120])
def test_numbers_that_cannot_be_are_neither_good_nor_bad(
    tmp_path, policy, value: str, bad_from: int | None
) -> None:
    rows = [spoilt(row, 2, value) if n % 3 == 1 else row for n, row in enumerate(lines(bad_from))]
    found = judge(written(tmp_path, text(rows)), "--policy", policy)
    assert found["outcome"] == ("rolled_back" if bad_from else "healthy"), found


@pytest.mark.parametrize("deployed_at", [DEPLOYED, None])
@pytest.mark.parametrize("wrong", ["1000000000", "1900000000", "250000000000"])
def test_one_wrong_time_does_not_make_it_years(
    tmp_path, policy, wrong: str, deployed_at: int | None
) -> None:
    file = written(tmp_path, text([*lines(), f"{wrong},100,1,120,1,0"]))
    given = [] if deployed_at is None else ["--deployed-at", deployed_at]
    done = run("--metrics", file, "--policy", policy, "--output", "json", *given)
    found = json.loads(done.stdout)
    if deployed_at is None:
        assert found["windows"] < 100
    else:
        assert found["outcome"] != "rolled_back"


@pytest.mark.parametrize("step", [0.5, 2, 7, 15, 45, 90, 120])
@pytest.mark.parametrize("bad", [False, True])
def test_data_of_any_period(tmp_path, policy, step: float, bad: bool) -> None:
    """Also of periods that CloudWatch does not know."""
    count = int(10 * step)
    rows = []
    for n in range(int(4800 / step)):
        at = BEGIN + n * step
        errors = count // 4 if bad and at >= DEPLOYED else 0
        rows.append(f"{at:.1f},{count},{errors},120,1,0")
    found = judge(written(tmp_path, text(rows)), "--policy", policy)
    assert found["outcome"] == ("rolled_back" if bad else "healthy"), found


def test_gaps_are_no_zeros(tmp_path, policy) -> None:
    rows = [row for n, row in enumerate(lines(bad_from=120)) if n % 4]
    found = judge(written(tmp_path, text(rows)), "--policy", policy)
    assert found["outcome"] == "rolled_back"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "web.csv: line 1: no column time"),
        (HEADER + "\n", "web.csv: line 2: no line after the header"),
        ("time,errors\n1,2\n", "web.csv: line 1: errors without requests"),
        ("time,requests,load\n1,2,3\n", "web.csv: line 1: unknown column 'load'"),
        ("time,requests\n1700000000,5\n1700000010\n", "web.csv: line 3: 1 cells"),
        ("time,requests\nyesterday,5\n", "web.csv: line 2: 'yesterday' is no time: write seconds"),
        ("time,requests\n1700000000000,5\n", "web.csv: line 2: '1700000000000' is no time"),
        ("time,requests\n1700000000,many\n", "web.csv: line 2: 'many' is no number: write a"),
        (b"time,requests\n1700000000,\xff\n", "web.csv: line 2: is no UTF-8: save it as UTF-8"),
        (f"time,requests\n{'9' * 200000},1\n", "web.csv: line 2: field larger than"),
        ("time,requests\n1600000000,5\n", "web.csv: line 2: the file ends at 2020-09-13"),
        ("time,requests\n1800000000,5\n", "web.csv: line 2: the file begins at 2027-01-15"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, content: str | bytes, sentence: str) -> None:
    file = written(tmp_path, content)
    result = run("--metrics", file, "--deployed-at", DEPLOYED, code=2)
    assert str(result.exception).startswith(sentence)
    assert result.stdout == ""


def test_wrong_usage_ends_with_2(tmp_path) -> None:
    from lastgood.cli.main import run as run_verb

    file = str(written(tmp_path, text(lines())))
    assert run_verb(["backtest"]) == 2
    assert run_verb(["backtest", "--metrics", str(tmp_path / "none.csv")]) == 2
    assert run_verb(["backtest", "--metrics", file, "--deployed-at", "yesterday"]) == 2
    assert run_verb(["backtest", "--metrics", file, "--period", "0"]) == 2
    assert run_verb(["backtest", "--metrics", file, "--policy", str(tmp_path / "no.yaml")]) == 2
    assert run_verb(["backtest", "--metrics", str(tmp_path / "empty")]) == 2


def test_it_is_a_verb() -> None:
    assert "backtest" in CliRunner().invoke(cli, ["--help"]).stdout


# --- A folder ----------------------------------------------------------------------------------


def test_a_folder_is_judged_on_all_cores_in_the_order_of_names(tmp_path, policy) -> None:
    for n in range(9):
        written(tmp_path, text(lines(bad_from=120 if n % 2 else None)), f"{n}.csv")
    written(tmp_path, "time,requests\nnever,1\n", "5b.csv")
    (tmp_path / "notes.txt").write_text("no metrics")
    with_two = run("--metrics", tmp_path, "--deployed-at", DEPLOYED, "--policy", policy,
                   "--output", "json", "--jobs", "2", code=2)  # fmt: skip
    found = [json.loads(line) for line in with_two.stdout.splitlines()]
    names = ["0", "1", "2", "3", "4", "5", "5b", "6", "7", "8"]
    assert [one["file"] for one in found] == [f"{name}.csv" for name in names]
    broken = found.pop(6)
    assert set(broken) == {"file", "error"}
    assert broken["error"].startswith("5b.csv: line 2: 'never' is no time")
    assert [one["outcome"] for one in found] == ["healthy", "rolled_back"] * 4 + ["healthy"]
    alone = judge(tmp_path / "1.csv", "--policy", policy)
    assert found[1] == {"file": "1.csv", **alone}
    with_one = run("--metrics", tmp_path, "--deployed-at", DEPLOYED, "--policy", policy,
                   "--output", "json", "--jobs", "1", code=2)  # fmt: skip
    assert with_one.stdout == with_two.stdout


def test_a_folder_as_text_has_one_line_a_file(tmp_path) -> None:
    written(tmp_path, text(lines(bad_from=120)), "bad.csv")
    written(tmp_path, text(lines()), "good.csv")
    shown = run("--metrics", tmp_path, "--deployed-at", DEPLOYED)
    assert shown.stdout.splitlines() == [
        "bad.csv  ROLLED BACK  2023-11-14 23:16:10 UTC  error-rate",
        "good.csv  healthy",
    ]
    assert shown.stderr == "2 files, 1 healthy, 1 rolled back\n"


# --- At every hour -----------------------------------------------------------------------------


FULL_HOUR = 1_700_002_800


def past(hours: int, burning: range) -> list[str]:
    """A line a minute; in the minutes of ``burning`` a tenth of the requests fails."""
    return [
        f"{FULL_HOUR + n * 60},600,{60 if n in burning else 1},120,6,0" for n in range(hours * 60)
    ]


def test_without_a_time_a_release_is_pretended_every_hour(tmp_path, policy) -> None:
    file = written(tmp_path, text(past(30, burning=range(600, 660))))  # ten hours later
    found = json.loads(run("--metrics", file, "--policy", policy, "--output", "json").stdout)
    assert found["windows"] == 29
    assert found["first"] == FULL_HOUR + 3600
    assert FULL_HOUR + 29 * 3600 <= found["last"] <= FULL_HOUR + 30 * 3600 - 600
    assert (found["rolled_back"], found["held"]) == (1, 0)
    assert found["false_alarms_per_week"] == pytest.approx(168 / 29, abs=0.001)
    errors = found["triggers"][0]
    assert (errors["type"], errors["fired"]) == ("error-rate", 1)
    assert FULL_HOUR + 603 * 60 <= errors["at"][0] <= FULL_HOUR + 663 * 60
    assert found["triggers"][3]["dry_run"]
    shown = run("--metrics", file, "--policy", policy).stdout
    assert "shop/web, web.csv: 29 releases pretended, each watched for 10m" in shown
    assert "error-rate 10.0 % over 3m" in shown
    assert "ROLLED BACK      1   one in 29 releases; 5.8 a week, with one each hour" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_what_was_held_is_said_with_its_reason(tmp_path, policy) -> None:
    lost = [row for n, row in enumerate(past(12, range(0))) if not 300 <= n < 480]
    file = written(tmp_path, text(lost))
    found = json.loads(run("--metrics", file, "--policy", policy, "--output", "json").stdout)
    assert found["held"] >= 2
    [because] = found["held_because"]
    assert because["windows"] == found["held"]
    assert "error-rate had data for only 0% of the window" in because["reason"]
    assert "held, and why" in run("--metrics", file, "--policy", policy).stdout


def test_a_past_that_is_too_short(tmp_path) -> None:
    file = written(tmp_path, text(lines(minutes=50)))
    result = run("--metrics", file, code=2)
    assert "web.csv: it covers 50m, and 1h10m are needed" in str(result.exception)
