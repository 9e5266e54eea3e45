"""What it costs to judge: time for a look, and memory for each release that is watched."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import NamedTuple

from benchmarks.report import Cell, Report, Table
from lastgood.decisions.regression_verdicts import Followed
from lastgood.decisions.samples import SLOW, Baseline, Normal, Sample, SlowNormal
from lastgood.policy_triggers import RegressionTrigger

NAME = "judging"
QUESTION = "what a look costs, in time and memory, from a window's begin to its end"
_WINDOW, _SHORT = 3600, 600
"""Seconds, and a look in each."""
_RUNS, _FEW_RUNS = 3, 1
_PARTS = 10
_REQUESTS = 20
"""In each second."""
_KEPT = 2000
"""Looks that a watch remembers."""
_CAVEATS = (
    "Only the regression trigger's evidence: one bucket a second, all five streams (errors, three "
    "kinds of slow answers, probes), of a release that is no worse, so that it runs to its end. "
    "Reading metrics takes longer, and is not in here.",
    f"A watch remembers what the evidence was at the last {_KEPT:,} looks or more, for the guards "
    "of the other triggers: 16 bytes each, up to twice as many, and then no more.",
    "Memory is what tracemalloc counts as allocated and not freed; the process is larger. It is "
    "measured in a run of its own, as counting slows everything down.",
    "Times of the median look of each tenth; on a busy machine a tenth can be slower by chance.",
)


class _Tenth(NamedTuple):
    """One tenth of a window."""

    median_ms: float
    slowest_ms: float
    evidence_kib: float
    """What the evidence holds at its end."""
    watch_kib: float
    """What a watch holds of it, the looks that it remembers among it."""


def _baseline() -> Baseline:
    requests = 3600.0 * _REQUESTS
    slow = tuple(
        SlowNormal(
            name=name,
            usual=200.0 * (number + 1),
            limit=245.0 * (number + 1),
            normal=Normal(requests=requests, bad=requests * (1 - share) / more**2),
        )
        for number, (name, (share, more)) in enumerate(SLOW.items())
    )
    return Baseline(
        text="the hour before the release",
        errors=Normal(requests=requests, bad=0.005 * requests),
        slow=slow,
        probes=Normal(requests=360, bad=1),
    )


def _samples(window: int) -> list[Sample]:
    lots, slow = Random(NAME), _baseline().slow
    rates = [one.normal.rate * 0.8 for one in slow]

    def drawn(rate: float) -> float:
        return float(sum(lots.random() < rate for _ in range(_REQUESTS)))

    return [
        Sample(
            at=float(at),
            requests=_REQUESTS,
            errors=drawn(0.005),
            timed=_REQUESTS,
            slow=tuple(map(drawn, rates)),
            probes=float(at % 10 == 0),
        )
        for at in range(window)
    ]


def _followed(window: int, keep: int = _KEPT) -> Followed:
    return Followed(
        RegressionTrigger(),
        _baseline(),
        since=0.0,
        started=[],
        period=1.0,
        window=timedelta(seconds=window),
        keep=keep,
    )


def _tenths(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    size = len(samples) // _PARTS
    return [samples[n * size : (n + 1) * size] for n in range(_PARTS)]


def _times(samples: Sequence[Sample]) -> list[list[float]]:
    """Milliseconds of each look, by tenths."""
    followed, found = _followed(len(samples)), []
    for part in _tenths(samples):
        looks = []
        for sample in part:
            began = time.perf_counter()
            followed.feed(sample)
            looks.append(1000 * (time.perf_counter() - began))
        found.append(looks)
    if followed.fired:
        raise RuntimeError(f"a release that is no worse was found worse: {followed.fired.reason}")
    return found


def _sizes(samples: Sequence[Sample], keep: int) -> list[float]:
    """Kilobytes that a release holds after each tenth, with so many looks remembered."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        followed, found = _followed(len(samples), keep), []
        for part in _tenths(samples):
            for sample in part:
                followed.feed(sample)
            gc.collect()
            found.append((tracemalloc.get_traced_memory()[0] - before) / 1024)
    finally:
        tracemalloc.stop()
    return found


def tenths(window: int, runs: int) -> list[_Tenth]:
    """A window looked at each second; of several runs the quickest one counts, tenth by tenth."""
    samples = _samples(window)
    alone, watched = _sizes(samples, keep=1), _sizes(samples, keep=_KEPT)
    times = [_times(samples) for _ in range(runs)]
    return [
        _Tenth(
            min(statistics.median(run[n]) for run in times),
            min(max(run[n]) for run in times),
            alone[n],
            watched[n],
        )
        for n in range(_PARTS)
    ]


async def measure(runs: int | None, *, quick: bool) -> Report:
    """One window, several times over."""
    window = _SHORT if quick else _WINDOW
    found = tenths(window, runs or (_FEW_RUNS if quick else _RUNS))
    size = window // _PARTS
    rows = tuple((f"{n * size + 1:,}-{(n + 1) * size:,}", *one) for n, one in enumerate(found))
    first, last = found[0], found[-1]
    ratio: tuple[Cell, ...] = (
        "last / first",
        last.median_ms / first.median_ms,
        last.slowest_ms / first.slowest_ms,
        last.evidence_kib / first.evidence_kib,
        last.watch_kib / first.watch_kib,
    )
    table = Table(
        f"A window of {window // 60} minutes, looked at each second.",
        ("looks", "median ms", "slowest ms", "KiB, evidence", "KiB, watch"),
        (*rows, ratio),
    )
    command = f"python -m benchmarks {NAME}{' --quick' if quick else ''}"
    return Report(NAME, QUESTION, command, _CAVEATS, (table,))
