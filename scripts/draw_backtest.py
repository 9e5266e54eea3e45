"""Two weeks of a made-up service, and the picture of a release in them: docs/backtest.svg.

    python scripts/draw_backtest.py --csv web.csv     writes the two weeks, and no picture
    python scripts/draw_backtest.py                   draws docs/backtest.svg (make picture)

The service is busy by day and quiet at night and on Sundays, has a slow batch at 02:00, a neighbour
that failed for four minutes, a release that was bad, and twenty minutes of metrics that were lost.
"""

from __future__ import annotations

import argparse
import math
import random
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
POLICY = """\
service: shop/web
triggers:
  - {type: error-rate}
  - {type: response-time}
  - {type: regression, dry_run: true}
  - {type: band, dry_run: true}
"""


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


def main() -> int:
    """Write the two weeks, or draw the release."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, metavar="FILE", help="only write the two weeks")
    arguments = parser.parse_args()
    lines = list(minutes())
    if arguments.csv:
        arguments.csv.write_text("\n".join(lines) + "\n")
        return 0
    around = range(RELEASE - 90, RELEASE + 60)
    with tempfile.TemporaryDirectory() as folder:
        metrics, policy = Path(folder) / "web.csv", Path(folder) / "lastgood.yaml"
        metrics.write_text("\n".join([lines[0], *(lines[n + 1] for n in around)]) + "\n")
        policy.write_text(POLICY)
        command = ["backtest", "--policy", str(policy), "--metrics", str(metrics)]
        command += ["--deployed-at", str(BEGIN + 60 * RELEASE), "--plot", str(TARGET)]
        start = "import sys; from lastgood.cli.main import run; sys.exit(run())"
        done = subprocess.run([sys.executable, "-c", start, *command], cwd=ROOT)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
