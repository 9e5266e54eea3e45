"""Rows of numbers kept by columns: small in memory while a release is watched, and in its record.

Each column is an array of doubles; what is None is no number there. Only so many rows are kept: a
window has no end that is known here, and memory has. As text, columns that are the same are written
once, whole numbers without a fraction, and times as their differences.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

MOST = 16_000
"""Rows: four hours of seconds."""
_MOST_TEXT = 90_000
"""Characters of a record; a longer one is not kept."""
_MOST_JSON = 16_000_000
_NONE = math.nan
_WHOLE = 2.0**53


class Columns:
    """Rows of numbers, in the order in which they came.

    Args:
        names: of the columns.
        most: so many rows are kept, the first ones.
    """

    def __init__(self, names: Sequence[str], most: int = MOST) -> None:
        self._names = tuple(names)
        self._most = most
        self._columns: dict[str, array[float]] = {}
        self.rows = 0
        """How many came."""

    @property
    def whole(self) -> bool:
        """Whether all that came were kept."""
        return self.rows <= self._most

    def add(self, row: Sequence[Any]) -> None:
        """Keep one row: numbers, None, or tuples of numbers."""
        self.rows += 1
        if not self.whole:
            return
        for name, value in _cells(self._names, row):
            if name not in self._columns and value is not None:
                self._columns[name] = array("d", [_NONE]) * (self.rows - 1)
            if name in self._columns:
                self._columns[name].append(_NONE if value is None else value)
        for column in self._columns.values():
            if len(column) < self.rows:
                column.append(_NONE)

    def as_json(self) -> dict[str, Any]:
        """All that was kept, to be written."""
        written: dict[str, Any] = {}
        known: dict[bytes, str] = {}
        for name, column in self._columns.items():
            same = known.setdefault(column.tobytes(), name)
            written[name] = same if same != name else _differences(_numbers(column))
        return {"rows": min(self.rows, self._most), "came": self.rows, "columns": written}


def rows_of(written: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows again; a column of tuples is one column for each of their places."""
    columns: dict[str, list[float | None]] = {}
    for name, column in written["columns"].items():
        columns[name] = columns[column] if isinstance(column, str) else _read(column)
    split = {name: [one for one in columns if one.startswith(f"{name}.")] for name in names}
    for index in range(written["rows"]):
        yield tuple(
            _tuple(columns, split[name], index)
            if split[name]
            else columns[name][index]
            if name in columns
            else None
            for name in names
        )


def _tuple(
    columns: Mapping[str, Sequence[float | None]], names: Sequence[str], index: int
) -> tuple[float, ...] | None:
    values = [columns[name][index] for name in names]
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def _cells(names: Sequence[str], row: Sequence[Any]) -> Iterator[tuple[str, float | None]]:
    for name, value in zip(names, row, strict=True):
        if isinstance(value, tuple):
            yield from ((f"{name}.{place}", one) for place, one in enumerate(value))
        else:
            yield name, value


def _numbers(column: Sequence[float]) -> list[float | int | None]:
    return [
        None
        if math.isnan(value)
        else int(value)
        if value.is_integer() and abs(value) < _WHOLE
        else value
        for value in column
    ]


def _differences(values: list[float | int | None]) -> list[Any] | dict[str, Any]:
    """Whole numbers that only rise, times above all, as the first one and the steps from it."""
    whole = [value for value in values if isinstance(value, int)]
    if len(whole) < len(values) or any(b <= a for a, b in pairwise(whole)):
        return values
    return {"first": whole[0], "steps": [b - a for a, b in pairwise(whole)]}


def _read(column: Sequence[Any] | Mapping[str, Any]) -> list[float | None]:
    if isinstance(column, Mapping):
        return [float(one) for one in accumulate((column["first"], *column["steps"]))]
    return [None if one is None else float(one) for one in column]


def pack(written: Mapping[str, Any]) -> str:
    """A record as text; one that would be too long says only that it was."""
    text = _packed(written)
    if len(text) <= _MOST_TEXT:
        return text
    return _packed({"kind": written.get("kind"), "cut": f"it was {len(text):,} characters long"})


def _packed(written: Mapping[str, Any]) -> str:
    plain = json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.b85encode(zlib.compress(plain, 9)).decode()


def unpack(text: str) -> dict[str, Any]:
    """What ``pack`` wrote.

    Raises:
        ValueError: if it is no record.
    """
    try:
        opened = zlib.decompressobj()
        plain = opened.decompress(base64.b85decode(text), _MOST_JSON)
    except zlib.error as error:
        raise ValueError(f"this is no record: {error}") from None
    found = json.loads(plain)
    if not isinstance(found, dict):
        raise ValueError("this is no record")
    return found
