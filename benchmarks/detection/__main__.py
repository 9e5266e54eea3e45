"""``python -m benchmarks.detection``: windows whose verdict is known, and the rules on them."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.detection.files import TRUTH
from benchmarks.detection.judging import judge_generated, judge_written, write_generated
from benchmarks.detection.scenarios import ALL
from benchmarks.detection.tables import as_markdown, tables


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection",
        description="Release windows whose verdict is known, and rules that judge them.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    windows = commands.add_parser("windows", help="write windows as CSV files, and their truth")
    windows.add_argument("--out", type=Path, required=True, metavar="DIR")
    windows.add_argument("--resolution", type=int, choices=(1, 10, 60), default=10)
    run = commands.add_parser("run", help="all rules side by side, as tables")
    run.add_argument(
        "--windows", type=Path, metavar="DIR", help="read them (1 s or 10 s); else made"
    )
    run.add_argument("--resolution", type=int, choices=(1, 10), default=10)
    for command in (windows, run):
        command.add_argument("--seed", type=int, default=7)
        command.add_argument("--count", type=int, metavar="N", help=f"about so many, not {ALL}")
        command.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    return parser.parse_args(given)


def _windows(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    work = write_generated(
        folder, arguments.seed, arguments.resolution, arguments.count, arguments.processes
    )
    told = asyncio.run(work)
    (folder / TRUTH).write_text("".join(json.dumps(one) + "\n" for one in told))
    print(f"{len(told)} windows and {TRUTH} in {folder}", file=sys.stderr)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.windows:
        work = judge_written(arguments.windows, arguments.processes)
        origin = "read from files"
    else:
        work = judge_generated(
            arguments.seed, arguments.resolution, arguments.count, arguments.processes
        )
        origin = f"seed {arguments.seed}"
    judged = asyncio.run(work)
    print(f"{len(judged)} windows, {origin}.")
    for table in tables(judged):
        print(f"\n{as_markdown(table)}")


def main(given: Sequence[str] | None = None) -> int:
    """Do what was asked; 130 if it was stopped."""
    arguments = _arguments(given)
    try:
        _windows(arguments) if arguments.command == "windows" else _run(arguments)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
