"""Draw the README's picture: a bad release and its rollback, as the sandbox recorded them.

Run it with `make picture`. It makes one real release of an image that answers 40 % of its
requests with errors, and plots what the sandbox served, second by second.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sandbox.scenarios.demo.__main__ import BAD, Demo, moments
from sandbox.scenarios.demo.story import Moment

TARGET = Path(__file__).resolve().parents[1] / "docs" / "rollback.svg"
BEFORE, AFTER = 5, 6
LABELS = {
    "fault": "first errors",
    "trigger": "trigger fires",
    "rollback": "UpdateService",
    "steady": "steady",
    "verified": "verified",
}

LEFT = ("trigger fires", "UpdateService")
"""Labels that stand left of their line, as the lines are close together."""


def series(truth: dict[str, Any], start: float, end: float) -> tuple[list[float], list[float]]:
    """Seconds since the start, and the share of failed requests in each."""
    times, rates = [], []
    for second in truth["timeline"]:
        at = second["second"]
        requests = sum(one["requests"] for one in second["versions"].values())
        errors = sum(one["errors"] for one in second["versions"].values())
        if start <= at <= end and requests:
            times.append(at - start)
            rates.append(100 * errors / requests)
    return times, rates


def draw(truth: dict[str, Any], marks: list[Moment]) -> None:
    """Plot the error rate with its threshold and the moments of the rollback."""
    marks = sorted(marks, key=lambda one: one.at)
    start, end = marks[0].at - BEFORE, marks[-1].at + AFTER
    times, rates = series(truth, start, end)
    mpl.rcParams |= {"svg.hashsalt": "lastgood", "font.size": 10}
    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    figure.patch.set_facecolor("white")
    axes.fill_between(times, rates, step="mid", color="#d9534f", alpha=0.25, linewidth=0)
    axes.step(times, rates, where="mid", color="#b52b27", linewidth=1.6)
    axes.axhline(5, color="#555555", linestyle="--", linewidth=1)
    axes.text(0.2, 6, "threshold 5 %", color="#555555", fontsize=9)
    heights = (66, 59, 52, 66, 59)
    for mark, height in zip(marks, heights, strict=True):
        at = mark.at - start
        word = next(text for key, text in LABELS.items() if mark.what.startswith(key))
        axes.axvline(at, color="#1f4e79", linewidth=1, ymax=height / 72)
        label = f"{word}  +{mark.at - marks[0].at:.1f} s"
        left = word in LEFT
        place, side = (at - 0.15, "right") if left else (at + 0.15, "left")
        axes.text(place, height, label, color="#1f4e79", fontsize=9, va="top", ha=side)
    axes.set(xlim=(0, end - start), ylim=(0, 72), xlabel="seconds", ylabel="failed requests, %")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(TARGET, metadata={"Date": None})


def main() -> int:
    """Release, roll back, draw."""
    with ExitStack() as stack:
        demo = Demo(stack)
        code, result = demo.release(BAD, "picture")
        if code != 10:
            sys.stderr.write(f"The bad release ended with exit code {code}, not 10.\n")
            return 1
        time.sleep(AFTER)
        draw(demo.truth(), moments(demo, result))
    sys.stdout.write("Drew docs/rollback.svg\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
