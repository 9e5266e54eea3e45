"""The tutorial, typed as it stands: each command runs, and prints what the page says it prints.

Numbers, ids and times may differ. It has a playground of its own, and no scene.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.M | re.S)
PATIENCE = 120.0
EXIT_CODES = {"--release bad": 10, "--release again": 15, "--release doubtful": 10}
"""Of the blocks whose last command does not end with 0; the page says so of each."""


def blocks() -> list[tuple[str, str]]:
    """Kind and text of each block of the page."""
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


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


def typed(command: str) -> tuple[int, str]:
    """One block, in the second terminal."""
    script = (
        "cd .run/tutorial 2>/dev/null && . ../playground.env\n"
        if "playground.env" not in command
        else ""
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TEMPORAL_", "LASTGOOD_", "GITHUB_"))
    }
    done = subprocess.run(
        ["bash", "-c", script + command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout


def test_every_command_of_the_tutorial_does_what_it_says(playground: Path) -> None:
    (first, second), *others = blocks()
    assert (first, second.strip()) == ("sh", "make playground")
    printed, ran = playground.read_text(), 0
    for kind, text in others:
        if kind == "sh":
            code, printed = typed(text)
            expected = next((c for words, c in EXIT_CODES.items() if words in text), 0)
            assert code == expected, f"$ {text}\n{printed}"
            ran += 1
        else:
            assert missing(text, printed) == [], printed
    assert ran >= 10
    assert "rolled back" in playground.read_text(), "Slack was told"
    assert (ROOT / ".run/tutorial/bad.html").stat().st_size > 10_000
