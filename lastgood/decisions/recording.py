"""Metrics of the past as a CSV file: what ``lastgood backtest`` reads and releases record.

The format. A header ``time,requests,errors[,latency_avg][,le_25,le_50,…][,probes,probes_failed]``,
then one line for each bucket. ``time`` is the bucket's begin, in seconds since the epoch or ISO
8601. ``latency_avg`` is in ms; ``le_MS`` is how many requests took at most MS milliseconds. An
empty cell or an absent line is missing. A number that cannot be (not finite, negative, more errors
than requests) makes its bucket an error: it is neither good nor bad.
"""

from __future__ import annotations

import csv
import io
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

_BOUND = re.compile(r"le_([0-9]+(?:\.[0-9]+)?)")
_KNOWN = ("time", "requests", "errors", "latency_avg", "probes", "probes_failed")
_LAST_SECOND = 253_370_764_800.0
"""Of the year 9998: what is later was no number of seconds."""
_NUMBER = ("requests", "errors", "latency_avg", "probes", "probes_failed")


class RecordingError(ValueError):
    """Raised when a file cannot be read as metrics; the message names the line and the remedy."""


@dataclass(slots=True)
class Row:
    """One bucket; None is missing."""

    at: float
    requests: float | None = None
    errors: float | None = None
    average: float | None = None
    """Milliseconds."""
    upto: tuple[float, ...] | None = None
    """How many took at most each of the recording's bounds."""
    probes: float | None = None
    failed: float | None = None
    problem: str | None = None
    """Why its numbers cannot be."""


@dataclass
class Recording:
    """A service's metrics over some time, in order."""

    period: float
    """Seconds."""
    rows: list[Row]
    bounds: tuple[float, ...] = ()
    """Milliseconds, of ``Row.upto``."""
    columns: frozenset[str] = field(default_factory=frozenset)
    """Which were in the file; ``le`` for any of the response times' counts."""
    iso: bool = False
    """Whether the file writes its times as ISO 8601."""

    def between(self, begin: float, end: float) -> list[Row]:
        """The buckets that begin from ``begin`` on and before ``end``."""
        first = bisect_left(self.rows, begin, key=_begin)
        return self.rows[first : bisect_left(self.rows, end, lo=first, key=_begin)]

    @property
    def end(self) -> float:
        """When its last bucket ends."""
        return self.rows[-1].at + self.period if self.rows else 0.0


def _begin(row: Row) -> float:
    return row.at


def moment(text: str) -> float:
    """Seconds since the epoch, from such a number or from ISO 8601 (UTC where no zone is named).

    Raises:
        ValueError: if it is neither.
    """
    try:
        seconds = float(text)
    except ValueError:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not 0 <= seconds < _LAST_SECOND:
        raise ValueError(f"{text} is no time")
    return seconds


def read(text: str, period: float | None = None) -> Recording:
    """Read a file's text.

    Args:
        text: the whole file.
        period: the length of a bucket in seconds; left out: the shortest usual step between lines.

    Raises:
        RecordingError: naming the line and the remedy.
    """
    lines = _lines(text)
    header = [name.strip().lower() for name in next(lines, (1, []))[1]]
    columns, bounds = _columns(header)
    rows: dict[float, Row] = {}
    iso = False
    for number, cells in lines:
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if len(cells) != len(header):
            raise RecordingError(
                f"line {number}: {len(cells)} cells, and the header has {len(header)}: "
                "leave a missing one empty, between its commas"
            )
        row = _row(number, cells, columns, [column for _, column in bounds])
        iso = iso or (not rows and not _is_number(cells[columns["time"]]))
        rows[row.at] = row  # a later line about the same bucket corrects an earlier one
    ordered = [rows[at] for at in sorted(rows)]
    return Recording(
        period=period or _step(ordered),
        rows=ordered,
        bounds=tuple(bound for bound, _ in bounds),
        columns=frozenset(columns) | ({"le"} if bounds else frozenset()),
        iso=iso,
    )


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file with their numbers."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    number = 0
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            raise RecordingError(f"line {number + 1}: {error}: write plain CSV") from None
        number += 1
        yield number, cells


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(header: Sequence[str]) -> tuple[dict[str, int], list[tuple[float, int]]]:
    columns: dict[str, int] = {}
    bounds: dict[float, int] = {}
    for number, name in enumerate(header):
        bound = _BOUND.fullmatch(name)
        if name in columns or (bound and float(bound[1]) in bounds):
            raise RecordingError(f"line 1: the column {name} is there twice: leave one out")
        if bound:
            bounds[float(bound[1])] = number
        elif name in _KNOWN:
            columns[name] = number
        elif name not in ("le_inf", "le_+inf"):
            raise RecordingError(
                f"line 1: unknown column {name!r}: write {', '.join(_KNOWN)} and le_MS, "
                "such as le_250"
            )
    if "time" not in columns:
        raise RecordingError("line 1: no column time: begin the file with time,requests,errors")
    if "errors" in columns and "requests" not in columns:
        raise RecordingError("line 1: errors without requests say nothing: add the column requests")
    if "probes_failed" in columns and "probes" not in columns:
        raise RecordingError("line 1: probes_failed goes with probes: add the column probes")
    return columns, sorted(bounds.items())


def _row(number: int, cells: list[str], columns: dict[str, int], bounds: list[int]) -> Row:
    try:
        at = moment(cells[columns["time"]])
    except ValueError:
        raise RecordingError(
            f"line {number}: {cells[columns['time']]!r} is no time: write seconds since the epoch, "
            "or ISO 8601 such as 2026-11-28T14:02:00Z"
        ) from None
    try:
        named = {name: _number(cells[column]) for name, column in columns.items() if name != "time"}
        upto = _numbers([cells[column] for column in bounds]) if bounds else None
    except ValueError as error:
        raise RecordingError(f"line {number}: {error}: write a number, or nothing") from None
    row = Row(
        at,
        named.get("requests"),
        named.get("errors"),
        named.get("latency_avg"),
        upto,
        named.get("probes"),
        named.get("probes_failed"),
    )
    row.problem = problem_of(row)
    return row


def _numbers(cells: list[str]) -> tuple[float, ...] | None:
    """All of them; None if one is missing."""
    try:
        return tuple(map(float, cells))  # nearly all lines are like this
    except ValueError:
        known = [_number(cell) for cell in cells]
    return tuple(one for one in known if one is not None) if None not in known else None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        if not cell.strip():
            return None
        raise ValueError(f"{cell.strip()[:40]!r} is no number") from None


def problem_of(row: Row) -> str | None:
    """Why a bucket's numbers cannot be; None if they can."""
    named = {
        "requests": row.requests,
        "errors": row.errors,
        "latency_avg": row.average,
        "probes": row.probes,
        "probes_failed": row.failed,
    }
    for name, value in named.items():
        if value is not None and not math.isfinite(value):
            return f"{name} is not a finite number"
        if value is not None and value < 0:
            return f"{name} is negative ({value:g})"
    if row.requests is not None and row.errors is not None and row.errors > row.requests:
        return f"more errors ({row.errors:g}) than requests ({row.requests:g})"
    if row.probes is not None and row.failed is not None and row.failed > row.probes:
        return f"more failed probes ({row.failed:g}) than probes ({row.probes:g})"
    return _problem_of_times(row)


def _problem_of_times(row: Row) -> str | None:
    if row.upto is None:
        return None
    if row.upto[0] < 0 or not all(map(math.isfinite, row.upto)):
        return "a count of response times is negative or not a finite number"
    if list(row.upto) != sorted(row.upto):
        return "the counts of response times are not cumulative"
    if row.requests is not None and row.upto[-1] > row.requests:
        return "more response times than requests"
    return None


def _step(rows: Sequence[Row]) -> float:
    steps = Counter(round(right.at - left.at, 3) for left, right in pairwise(rows))
    if not steps:
        return 60.0
    # Gaps make longer steps, and more of them than there are short ones if most lines are lost.
    enough = max(2, 0.02 * steps.total()) if steps.total() > 2 else 1
    return min((step for step, count in steps.items() if count >= enough), default=min(steps))


def write(recording: Recording) -> Iterator[str]:
    """The lines of a recording's file, with the columns that it has."""
    names = [name for name in _NUMBER if name in recording.columns]
    times = [f"le_{bound:g}" for bound in recording.bounds]
    yield ",".join(["time", *names, *times])
    for row in recording.rows:
        values = {
            "requests": row.requests,
            "errors": row.errors,
            "latency_avg": row.average,
            "probes": row.probes,
            "probes_failed": row.failed,
        }
        upto = row.upto or (None,) * len(times)
        cells = [f"{row.at:.3f}".rstrip("0").rstrip("."), *(_cell(values[n]) for n in names)]
        yield ",".join([*cells, *map(_cell, upto)])


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")
