"""Two weeks of a made-up service: what docs/judgement.md shows of them, and its picture.

    python scripts/draw_backtest.py --csv web.csv     writes the two weeks, and no picture
    python scripts/draw_backtest.py                   draws docs/backtest.svg, and prints what
                                                      docs/judgement.md shows anew (make picture)

The service is busy by day and quiet at night and on Sundays, has a slow job at 02:00, a neighbour
that failed for four minutes, a release that was bad, and twenty minutes of metrics that were lost.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "backtest.svg"
BEGIN = 1_793_577_600
"""Monday 2026-11-02, 00:00 UTC."""
DAY, MINUTES = 1440, 14 * 1440
BOUNDS = (10, 25, 50, 75, 100, 150, 200, 300, 450, 650, 1000, 1500, 2500, 5000, 10000)
HICCUP = range(5 * DAY + 190, 5 * DAY + 194)
RELEASE = 9 * DAY + 842
"""Wednesday 2026-11-11, 14:02: it was bad, and was taken back by hand after 25 minutes."""
BAD = range(RELEASE + 1, RELEASE + 26)
LOST = range(11 * DAY + 600, 11 * DAY + 620)
PAGE = ROOT / "docs" / "judgement.md"
POLICY = """\
service: shop/web
monitor: {window: 20m}
triggers:
  - {type: error-rate}
  - {type: response-time}
  - {type: regression, dry_run: true}
"""
"""As the page shows it."""
STRICTER = POLICY.replace("error-rate}", "error-rate, threshold: 1%, duration: 3m}")
SHOWN = re.compile(r"(?<=```\n)\$ (lastgood [^\n]*)\n(.*?)(?=```)", re.DOTALL)
"""A command and what it printed."""
_RUN = "import sys; from lastgood.cli.main import run; sys.exit(run())"


def traffic(minute: int) -> float:
    """Requests a minute that are to be expected."""
    hour = minute % DAY / 60
    day = 0.12 + 0.88 * math.exp(-(((hour - 14.5) / 4.6) ** 2))
    return 2400 * day * (0.55 if minute // DAY % 7 == 6 else 1.0)


def minutes() -> Iterator[str]:
    """The lines of the file."""
    chance = random.Random(7)
    yield ",".join(("time,requests,errors,latency_avg", *(f"le_{bound}" for bound in BOUNDS)))
    wander = 0.0
    for minute in range(MINUTES):
        wander = 0.98 * wander + chance.gauss(0, 0.05)
        expected = traffic(minute)
        requests = max(0, round(chance.gauss(expected, 1.3 * math.sqrt(expected))))
        rate = 0.0015 * math.exp(wander)
        rate += 0.11 if minute in HICCUP else 0.031 if minute in BAD else 0.0
        errors = min(requests, round(chance.gauss(requests * rate, math.sqrt(requests * rate))))
        batch = 120 <= minute % DAY < 132
        median = 92 * (1 + 0.15 * expected / 2400) * (1.6 if batch else 1.0) * math.exp(wander / 8)
        upto = [round(requests * _share(bound / median)) for bound in BOUNDS]
        mean = median * math.exp(0.55**2 / 2) * (1 + chance.gauss(0, 0.3) / math.sqrt(requests + 1))
        if minute not in LOST:
            cells = (BEGIN + 60 * minute, requests, max(0, errors), f"{mean:.1f}", *upto)
            yield ",".join(map(str, cells))


def _share(of_median: float) -> float:
    """How many answers of a log-normal service take at most so many times its median."""
    return 0.5 + 0.5 * math.erf(math.log(of_median) / (0.55 * math.sqrt(2)))


def run(folder: Path, *command: str) -> str:
    """What a command prints, run where the two weeks are."""
    start = [sys.executable, "-c", _RUN, *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        start, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def lay_out(folder: Path) -> None:
    """The files that the page's commands name."""
    lines = list(minutes())
    (folder / "web.csv").write_text("\n".join(lines) + "\n")
    around = lines[RELEASE - 89 : RELEASE + 61]
    (folder / "release.csv").write_text("\n".join([lines[0], *around]) + "\n")
    (folder / "lastgood.yaml").write_text(POLICY)
    (folder / "one.yaml").write_text(STRICTER)


def draw(folder: Path) -> None:
    """Draw the bad release."""
    deployed_at = ("--deployed-at", str(BEGIN + 60 * RELEASE))
    files = ("--policy", "lastgood.yaml", "--metrics", "release.csv")
    run(folder, "backtest", *files, *deployed_at, "--plot", str(TARGET))


def print_anew(folder: Path) -> None:
    """Put what the page's commands print now in place of what they printed."""

    def shown(found: re.Match[str]) -> str:
        return f"$ {found[1]}\n{run(folder, *shlex.split(found[1])[1:])}"

    PAGE.write_text(SHOWN.sub(shown, PAGE.read_text()))


def main() -> int:
    """Write the two weeks, or draw the release and print the results anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--csv", type=Path, metavar="FILE", help="only write the two weeks")
    arguments = parser.parse_args()
    if arguments.csv:
        arguments.csv.write_text("\n".join(minutes()) + "\n")
        return 0
    with tempfile.TemporaryDirectory() as name:
        lay_out(Path(name))
        draw(Path(name))
        print_anew(Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
