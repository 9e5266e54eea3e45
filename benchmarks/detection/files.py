"""Windows as files: one CSV for each, and what is known of them in ``truth.jsonl``.

A line of a CSV is a datapoint: ``time`` (seconds since the epoch, its begin), ``requests``,
``errors``, ``latency_avg`` (ms, empty without requests), ``le_MS`` (how many requests took at most
so many ms), ``probes`` and ``probes_failed``. A datapoint that was lost is a line that is missing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

from benchmarks.detection.latencies import BOUNDS
from benchmarks.detection.windows import Bucket, Truth, Window

TRUTH = "truth.jsonl"
HEADER = (
    *("time", "requests", "errors", "latency_avg"),
    *(f"le_{bound}" for bound in BOUNDS),
    *("probes", "probes_failed"),
)


def write(window: Window, folder: Path) -> dict[str, object]:
    """Write a window's CSV; its line of ``truth.jsonl`` is handed back."""
    path = folder / f"{window.truth.name}.csv"
    with path.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(HEADER)
        for one in window.buckets:
            latency = "" if one.latency_avg is None else one.latency_avg
            lines.writerow(
                (
                    *(one.time, one.requests, one.errors, latency),
                    *(*one.at_most, one.probes, one.probes_failed),
                )
            )
    told = asdict(window.truth)
    return {
        "file": path.name,
        "class": told.pop("kind"),
        **told,
        "traffic": window.truth.traffic,
        "deployed_at": window.deployed_at,
        "resolution": window.resolution,
    }


def read(path: Path, told: dict[str, object]) -> Window:
    """A window from its CSV and its line of ``truth.jsonl``."""
    known = {**told, "kind": told["class"]}
    truth = Truth(**{one.name: known[one.name] for one in fields(Truth)})  # type: ignore[arg-type]
    with path.open(newline="") as file:
        buckets = tuple(_bucket(line) for line in csv.DictReader(file))
    return Window(truth, int(str(told["resolution"])), buckets, int(str(told["deployed_at"])))


def _bucket(line: dict[str, str]) -> Bucket:
    return Bucket(
        int(line["time"]),
        int(line["requests"]),
        int(line["errors"]),
        float(line["latency_avg"]) if line["latency_avg"] else None,
        tuple(int(line[f"le_{bound}"]) for bound in BOUNDS),
        int(line["probes"]),
        int(line["probes_failed"]),
    )


def truths(folder: Path) -> Iterator[dict[str, object]]:
    """The lines of a folder's ``truth.jsonl``."""
    for line in (folder / TRUTH).read_text().splitlines():
        yield json.loads(line)
