"""Tutorial and README, typed as they stand: each command runs, and prints what the page says.

Numbers, ids and times may differ. They have a playground of their own, and no scene.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL, README = ROOT / "docs/tutorial.md", ROOT / "README.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.M | re.S)
PATIENCE = 120.0
EXIT_CODES = {
    "--release bad": 10,
    "--release again": 15,
    "--release doubtful": 10,
    "lastgood rollback": 10,
}
"""Of the blocks whose last command does not end with 0; the page says so of each."""


CALLED_BY_CI = ("make demo", "make test")
"""Of the README: what runs this test, and what takes as long; .github/workflows runs both."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Kind and text of each block of a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def shape(line: str) -> str:
    """What of a line is the same each time."""
    known = re.sub(r"drill-\S+", "drill-#", line.strip())
    return re.sub(r"\d+(\.\d+)?(ms|s|m)?", "#", known)


def missing(wanted: str, printed: str) -> list[str]:
    """The lines that were not printed."""
    said = {shape(line) for line in printed.splitlines()}
    return [line for line in wanted.splitlines() if shape(line) not in said]


@pytest.fixture
def playground() -> Iterator[Path]:
    """`make playground`, until the test ends; its output."""
    log = ROOT / ".run/tutorial.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        make = subprocess.Popen(["make", "playground"], cwd=ROOT, stdout=output, stderr=output)
    try:
        give_up = time.monotonic() + PATIENCE
        while "Ctrl-C ends everything" not in log.read_text():
            assert make.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.2)
        yield log
    finally:
        for child in psutil.Process(make.pid).children():
            child.terminate()
        make.wait(30)


def typed(command: str, folder: str) -> tuple[int, str]:
    """One block, in the second terminal; in a folder, once the block that makes it was typed."""
    there = f"cd {folder} && . ../playground.env\n" if (ROOT / folder).exists() else ""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TEMPORAL_", "LASTGOOD_", "GITHUB_"))
    }
    done = subprocess.run(
        ["bash", "-c", there + command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout


def test_every_command_of_tutorial_and_readme_does_what_it_says(playground: Path) -> None:
    for folder in ("tutorial", "readme"):
        shutil.rmtree(ROOT / ".run" / folder, ignore_errors=True)
    (first, second), *others = blocks(TUTORIAL)
    assert (first, second.strip()) == ("sh", "make playground")
    printed, ran = playground.read_text(), 0
    for kind, text in others:
        if kind == "sh":
            printed = follow(text, ".run/tutorial")
            ran += 1
        else:
            assert missing(text, printed) == [], printed
    assert ran >= 10
    assert "rolled back" in playground.read_text(), "Slack was told"
    assert (ROOT / ".run/tutorial/bad.html").stat().st_size > 10_000
    the_readme()


def the_readme() -> None:
    """In the same playground, as that takes long to start; with the tutorial's short window."""
    commands = [text for kind, text in blocks(README) if kind == "sh"]
    assert [one.strip() for one in commands[:2]] == [*CALLED_BY_CI]
    here = ROOT / ".run/readme"
    here.mkdir()
    for number, text in enumerate(commands[2:]):
        follow(text, ".run/readme")
        if number == 0:
            shutil.copy(ROOT / ".run/tutorial/lastgood.yaml", here / "lastgood.yaml")
    assert len(commands) >= 5


def follow(text: str, folder: str) -> str:
    """Type a block; what it printed, if it ended as its page says."""
    code, printed = typed(text, folder)
    expected = next((c for words, c in EXIT_CODES.items() if words in text), 0)
    assert code == expected, f"$ {text}\n{printed}"
    return printed
