"""Single measurements: counted in a tally, and told as a verdict's evidence."""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import Tally
from lastgood.decisions.metrics import breaches, in_words
from lastgood.decisions.stretches import Grid
from lastgood.model import Measurement, Reading

_MOST = 20


def counted(tally: Tally, reading: Reading, text: str, now: datetime) -> Tally:
    """The tally with one more measurement."""
    return tally.model_copy(
        update={
            "latest": text,
            "reading": reading,
            "measured_at": now,
            reading.value: getattr(tally, reading.value) + 1,
            "streak": tally.streak + 1 if reading == tally.reading else 1,
        }
    )


def measurements(grid: Grid, left: int, right: int) -> tuple[Measurement, ...]:
    """The datapoints of some buckets; the last twenty."""
    trigger = grid.trigger
    return tuple(
        Measurement(
            at=point.start,
            reading=Reading.UNHEALTHY if breaches(trigger, point.value) else Reading.HEALTHY,
            value=point.value,
            text=in_words(trigger, point.value),
        )
        for index in range(left, right)
        if (point := grid.points.get(index)) and point.value is not None
    )[-_MOST:]
