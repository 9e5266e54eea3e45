"""Every rule on every window, on all cores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

from benchmarks.detection import files
from benchmarks.detection.ours import lastgood
from benchmarks.detection.peers import PEERS, Decisions
from benchmarks.detection.scenarios import Scenario, scenarios
from benchmarks.detection.series import Views
from benchmarks.detection.windows import Truth, Window, generate

_AT_ONCE = 16
Given = TypeVar("Given")
Made = TypeVar("Made")


class Judged(NamedTuple):
    """What was known of a window, and when each rule would have rolled back."""

    truth: Truth
    decisions: Decisions


def judged(window: Window) -> Judged:
    """All rules on one window."""
    views = Views(window)
    decisions: Decisions = {}
    for judge in (*PEERS, lastgood):
        decisions |= judge(views)
    return Judged(window.truth, decisions)


async def on_all_cores(
    task: Callable[[Given], Made], given: Iterable[Given], processes: int | None = None
) -> list[Made]:
    """Do it for each, in order. Spawned, as the Temporal client's threads survive no fork."""
    everything = list(given)
    chunks = [everything[n : n + _AT_ONCE] for n in range(0, len(everything), _AT_ONCE)]
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(processes or os.cpu_count(), mp_context=get_context("spawn"))
    try:
        work = [loop.run_in_executor(pool, _each, task, chunk) for chunk in chunks]
        return [one for made in await asyncio.gather(*work) for one in made]
    finally:
        pool.shutdown(cancel_futures=True)


def _each(task: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    return [task(one) for one in given]


def _generated(seed: int, resolution: int, one: Scenario) -> Judged:
    return judged(generate(seed, one, resolution))


def _read(folder: Path, told: dict[str, object]) -> Judged:
    return judged(files.read(folder / str(told["file"]), told))


async def judge_generated(
    seed: int, resolution: int = 10, count: int | None = None, processes: int | None = None
) -> list[Judged]:
    """All windows of a seed, or about ``count`` of them; nothing is written."""
    task = partial(_generated, seed, resolution)
    return await on_all_cores(task, scenarios(seed, count), processes)


async def judge_written(folder: Path, processes: int | None = None) -> list[Judged]:
    """The windows of a folder."""
    return await on_all_cores(partial(_read, folder), files.truths(folder), processes)


def _written(seed: int, resolution: int, folder: Path, one: Scenario) -> dict[str, object]:
    return files.write(generate(seed, one, resolution), folder)


async def write_generated(
    folder: Path,
    seed: int,
    resolution: int = 10,
    count: int | None = None,
    processes: int | None = None,
) -> list[dict[str, object]]:
    """Write a seed's windows as CSV files; return what is known of each."""
    task = partial(_written, seed, resolution, folder)
    return await on_all_cores(task, scenarios(seed, count), processes)
