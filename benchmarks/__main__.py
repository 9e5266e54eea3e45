"""``python -m benchmarks [NAME...]``: figures with their caveats; progress goes to stderr."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Sequence
from typing import Protocol

from benchmarks import history, judging, overhead, reaction, recovery, traffic
from benchmarks.detection import benchmark as detection
from benchmarks.report import Report, as_json, as_text, machine


class Benchmark(Protocol):
    """What a module of a benchmark offers."""

    NAME: str
    QUESTION: str

    def measure(self, runs: int | None, *, quick: bool) -> Awaitable[Report]:
        """Measure, with so many runs where runs vary."""


ALL: dict[str, Benchmark] = {
    one.NAME: one for one in (overhead, reaction, history, recovery, traffic, detection, judging)
}


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what Lastgood costs and how quickly it acts. Nothing is asserted.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; all if left out")
    parser.add_argument(
        "--runs", type=_positive, metavar="N", help="runs of each kind, where they vary"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument(
        "--quick", action="store_true", help="the smallest settings: to see it work, not to quote"
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks and stop")
    arguments = parser.parse_args(given)
    unknown = [name for name in arguments.names if name not in ALL]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}")
    return arguments


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: write 1 or more")
    return int(text)


async def _measure(arguments: argparse.Namespace) -> None:
    reports = []
    if arguments.output == "text":
        print(", ".join(f"{key} {value}" for key, value in machine().items()), flush=True)
    for name in arguments.names or ALL:
        began = time.monotonic()
        print(f"{name}: measuring ...", file=sys.stderr, flush=True)
        reports.append(await ALL[name].measure(arguments.runs, quick=arguments.quick))
        took = time.monotonic() - began
        print(f"{name}: done after {took:.0f} s", file=sys.stderr, flush=True)
        if arguments.output == "text":
            print(f"\n{as_text(reports[-1])}", flush=True)
    if arguments.output == "json":
        print(as_json(reports), flush=True)


def main(given: Sequence[str] | None = None) -> int:
    """Measure; 0 if all could be measured, 130 if it was stopped, which leaves nothing behind."""
    arguments = _arguments(given)
    if arguments.list:
        for one in ALL.values():
            print(f"{one.NAME:10} {one.QUESTION}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(_measure(arguments))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The interpreter can abort at its end after a Temporal client was connected (sdk-python#300).
    os._exit(code)
