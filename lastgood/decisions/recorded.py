"""What decisions are given, as it is written into the record of a verdict.

The rule. One model for each kind of decision holds all that it was given but series, which are
written by columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lastgood.contracts import AlarmChange, AlarmSeen, AlarmState
from lastgood.decisions.band import BandFacts, Gauge
from lastgood.decisions.record_columns import Columns, rows_of
from lastgood.decisions.samples import Baseline, Sample, Side
from lastgood.decisions.series import Point
from lastgood.model import Measurement, Model

_POINT = ("start", "value", "weight", "counted", "problem")
_SIDE = ("requests", "errors", "timed", "slow")
_BESIDE = tuple(f"{who}_{name}" for who in ("new", "old") for name in _SIDE)
_SAMPLE = tuple(name for name in Sample._fields if name != "beside")


class OfThreshold(Model):
    """What ``thresholds.look`` was given, and at a window's end ``conclude_metric``."""

    kind: Literal["threshold"] = "threshold"
    points: tuple[Point, ...] = ()
    """Written by columns."""
    since: datetime
    now: datetime
    covers_from: datetime | None = None
    """The window's begin, at its end."""
    not_before: datetime | None = None
    before: float | None = None
    asked: tuple[tuple[datetime, float | None], ...] | None = None
    """The evidence at the moments that were asked for; None: there is none."""
    started: tuple[datetime, ...] = ()
    warm_up: timedelta = timedelta(0)
    latest: str = ""
    """The tally's, and so on."""
    value: float | None = None
    error: int = 0


class OfRegression(Model):
    """What ``regression_verdicts.Followed`` was given, but for the samples."""

    kind: Literal["regression"] = "regression"
    baseline: Baseline
    since: float
    started: tuple[float, ...] = ()
    period: float
    window: timedelta
    until: float


class OfBand(Model):
    """What the ``band.Followed`` of a trigger were given, but for their datapoints."""

    kind: Literal["band"] = "band"
    facts: tuple[BandFacts, ...]
    warm: tuple[tuple[float, float], ...] = ()
    asked: tuple[tuple[datetime, float | None], ...] | None = None
    until: float


class OfHealth(Model):
    """The checks that failed in a row."""

    kind: Literal["health"] = "health"
    checks: tuple[Measurement, ...]
    before: int = 0
    """How many of the same streak are not among them."""


class OfAlarm(Model):
    """What ``health.look_at_alarm`` was given."""

    kind: Literal["alarm"] = "alarm"
    state: AlarmState
    changes: tuple[AlarmChange, ...] = ()
    muted: bool = False
    seen_ok: bool = False
    alarm: AlarmSeen | None = None
    now: datetime


class OfCounts(Model):
    """What ``verdicts.conclude`` was given: a polled trigger at the end of its window."""

    kind: Literal["counts"] = "counts"
    latest: str
    healthy: int
    unhealthy: int
    no_data: int
    error: int
    expected: float
    at: datetime


Given = OfThreshold | OfRegression | OfBand | OfHealth | OfAlarm | OfCounts
KINDS: dict[str, type[Given]] = {
    "threshold": OfThreshold,
    "regression": OfRegression,
    "band": OfBand,
    "health": OfHealth,
    "alarm": OfAlarm,
    "counts": OfCounts,
}


def kept_samples() -> Columns:
    """Where the samples of a release are kept."""
    return Columns((*_SAMPLE, *_BESIDE))


def kept_gauges() -> Columns:
    """Where the datapoints of a gauge are kept."""
    return Columns(Gauge._fields)


def flat(sample: Sample) -> tuple[Any, ...]:
    """A sample as a row of ``kept_samples``."""
    beside = sample.beside
    sides = (*beside[0], *beside[1]) if beside else (None,) * len(_BESIDE)
    return (*(getattr(sample, name) for name in _SAMPLE), *sides)


def columns_of(points: Iterable[Point]) -> Columns:
    """The points of a threshold's metric, to be written."""
    columns = Columns(_POINT)
    for one in points:
        problem = 1.0 if one.problem else None
        counted = float(one.counted)
        columns.add((one.start.timestamp(), one.value, one.weight, counted, problem))
    return columns


def points_again(written: Mapping[str, Any], problems: Sequence[str]) -> tuple[Point, ...]:
    """These points as they were."""
    said = iter(problems)
    return tuple(
        Point(
            start=datetime.fromtimestamp(start, UTC),
            value=value,
            weight=weight,
            counted=bool(counted),
            problem=next(said) if problem else None,
        )
        for start, value, weight, counted, problem in rows_of(written, _POINT)
    )


def samples_again(written: Mapping[str, Any]) -> list[Sample]:
    """The samples of ``kept_samples`` as they were."""
    found = []
    for row in rows_of(written, (*_SAMPLE, *_BESIDE)):
        sides = row[len(_SAMPLE) :]
        new, old = sides[: len(_SIDE)], sides[len(_SIDE) :]
        beside = (_side(new), _side(old)) if new[0] is not None else None
        found.append(Sample(**dict(zip(_SAMPLE, row, strict=False)), beside=beside))
    return found


def gauges_again(written: Mapping[str, Any]) -> list[Gauge]:
    """The datapoints of ``kept_gauges`` as they were."""
    return [Gauge(*row) for row in rows_of(written, Gauge._fields)]


def _side(row: Sequence[Any]) -> Side:
    requests, errors, timed, slow = row
    return Side(requests, errors, timed, slow or ())
