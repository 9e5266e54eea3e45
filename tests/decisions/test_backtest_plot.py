"""The picture of a backtest: made with matplotlib, which one need not have."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from lastgood.cli import backtest_plot
from lastgood.decisions.recording import Recording, Row
from lastgood.errors import UsageError
from lastgood.plots import canvas
from tests.decisions.test_backtest_command import DEPLOYED, lines, past, run, text, written

needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None,
    reason="matplotlib is an extra, for pictures only: pip install 'lastgood[plots]' removes this",
)


def test_without_matplotlib_it_is_said_how_to_get_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    file = written(tmp_path, text(lines()))
    result = run("--metrics", file, "--plot", tmp_path / "web.svg", code=2)
    assert isinstance(result.exception, UsageError)
    assert "python -m pip install 'lastgood[plots]'" in str(result.exception)


def test_only_two_kinds_of_picture(tmp_path) -> None:
    file = written(tmp_path, text(lines()))
    result = run("--metrics", file, "--plot", tmp_path / "web.gif", code=2)
    assert "draw a .svg or a .png" in str(result.exception)


def test_it_is_not_imported_for_anything_else(tmp_path) -> None:
    file = written(tmp_path, text(lines()))
    code = (
        "import sys; from lastgood.cli.main import run; "
        f"run(['backtest', '--metrics', {str(file)!r}, '--deployed-at', '{DEPLOYED}']); "
        "sys.exit(any(name in sys.modules for name in ('matplotlib', 'boto3', 'temporalio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


@needs_matplotlib
def test_a_release_is_drawn(tmp_path) -> None:
    file, picture = written(tmp_path, text(lines(bad_from=120))), tmp_path / "web.svg"
    arguments = ("--metrics", file, "--deployed-at", DEPLOYED, "--plot", picture)
    run(*arguments)
    drawn = picture.read_text()
    assert drawn.startswith("<?xml")
    run(*arguments)
    assert picture.read_text() == drawn, "the same picture each time"


@needs_matplotlib
def test_a_long_past_is_drawn_in_a_small_file(tmp_path) -> None:
    file = written(tmp_path, text(past(96, burning=range(600, 660))))
    pictures = [tmp_path / "web.svg", tmp_path / "web.png"]
    for picture in pictures:
        run("--metrics", file, "--plot", picture)
    assert pictures[0].stat().st_size < 400_000
    assert pictures[1].read_bytes().startswith(b"\x89PNG")


def test_of_weeks_only_what_is_around_a_release_is_drawn() -> None:
    rows = [Row(60.0 * minute, 1.0, 0.0) for minute in range(10_000)]
    shown = backtest_plot.around(Recording(60.0, rows), 300_000.0, 1200.0)
    assert (shown.rows[0].at, shown.end) == (300_000 - 5400, 300_000 + 3600)
