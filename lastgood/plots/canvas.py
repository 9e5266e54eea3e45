"""matplotlib as all our pictures use it; imported only when something is drawn.

Who wants no pictures need not have it: it is the extra ``plots``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any, NamedTuple

from lastgood.errors import UsageError

MOST = 600
"""Columns of a picture: more buckets are drawn as their mean and their highest."""
INSTALL = "python -m pip install 'lastgood[plots]'"
ONE_AT_A_TIME = Lock()
"""matplotlib's settings are the process's: whoever draws holds this."""


class Column(NamedTuple):
    """What is drawn of one or more buckets."""

    at: float
    """When it begins, in seconds since the epoch."""
    mean: float
    highest: float


class Weighted(NamedTuple):
    """The value of one bucket."""

    at: float
    value: float
    weight: float = 1.0


def available() -> bool:
    """Whether pictures can be drawn here."""
    return find_spec("matplotlib") is not None


def needed_for(what: str) -> None:
    """See that pictures can be drawn.

    Args:
        what: the option or command that asked for one.

    Raises:
        UsageError: if they cannot, with what to install.
    """
    if not available():
        raise UsageError(f"{what} needs matplotlib: {INSTALL}")


def load(**settings: Any) -> Any:
    """matplotlib itself, with our settings and these; Any: who checks types need not have it."""
    mpl: Any = import_module("matplotlib")
    ours = {"svg.hashsalt": "lastgood", "svg.fonttype": "path", "text.parse_math": True}
    mpl.rcParams |= {**ours, "font.size": 9} | settings
    return mpl


@contextmanager
def quietly() -> Iterator[None]:
    """Draw without a word about letters that matplotlib's own font lacks: they become boxes."""
    with ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def in_columns(
    buckets: Sequence[Weighted], begin: float, end: float, most: int = MOST
) -> tuple[list[Column], float]:
    """No more than can be seen, and how long a column is; 0: a bucket each."""
    if len(buckets) <= most:
        return [Column(one.at, one.value, one.value) for one in buckets], 0.0
    width = (end - begin) / most
    columns: dict[int, list[Weighted]] = {}
    for one in buckets:
        columns.setdefault(int((one.at - begin) / width), []).append(one)
    found = []
    for number, some in sorted(columns.items()):
        whole = math.fsum(one.weight for one in some) or 1.0
        mean = math.fsum(one.weight * one.value for one in some) / whole
        found.append(Column(begin + number * width, mean, max(one.value for one in some)))
    return found, width
