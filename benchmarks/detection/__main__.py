"""``python -m benchmarks.detection windows``: write windows whose verdict is known."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pool
from pathlib import Path

from benchmarks.detection.files import TRUTH, write
from benchmarks.detection.scenarios import ALL, Scenario, scenarios
from benchmarks.detection.windows import generate

_RESOLUTIONS = (1, 10, 60)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection",
        description="Release windows whose verdict is known, and rules that judge them.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    windows = commands.add_parser("windows", help="write windows as CSV files, and their truth")
    windows.add_argument("--out", type=Path, required=True, metavar="DIR")
    for command in (windows,):
        command.add_argument("--seed", type=int, default=7)
        command.add_argument("--resolution", type=int, choices=_RESOLUTIONS, default=10)
        command.add_argument(
            "--count",
            type=int,
            metavar="N",
            help=f"about so many, in proportion; else {ALL}",
        )
        command.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    return parser.parse_args(given)


def _write_one(seed: int, resolution: int, folder: Path, one: Scenario) -> dict[str, object]:
    return write(generate(seed, one, resolution), folder)


def _windows(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    task = partial(_write_one, arguments.seed, arguments.resolution, folder)
    with Pool(arguments.processes) as pool:
        told = pool.map(task, scenarios(arguments.seed, arguments.count), chunksize=8)
    (folder / TRUTH).write_text("".join(json.dumps(one) + "\n" for one in told))
    print(f"{len(told)} windows and {TRUTH} in {folder}", file=sys.stderr)


def main(given: Sequence[str] | None = None) -> int:
    """Do what was asked."""
    arguments = _arguments(given)
    _windows(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
