"""What a picture of a trigger shows: its measurements, what they were held against, and when what
happened. Numbers and words alone; ``lastgood.plots`` draws them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Tone = Literal["plain", "good", "bad"]


class Moment(NamedTuple):
    """Something that happened, marked in each panel."""

    at: float
    """Seconds since the epoch."""
    text: str
    """Two or three words: ``deployed``, ``rolled back``."""
    tone: Tone = "plain"


class Curve(NamedTuple):
    """One series of buckets."""

    points: tuple[tuple[float, float], ...]
    """When a bucket begins, and its value; what was not measured is not there."""
    name: str = ""
    """Where there are several: ``new tasks``."""


class Level(NamedTuple):
    """A value that the measurements are held against."""

    value: float
    text: str
    """``threshold 5 %``."""


class Stretch(NamedTuple):
    """A state that lasted."""

    begin: float
    end: float
    text: str
    tone: Tone = "plain"


class Panel(NamedTuple):
    """One measure over time; or, with ``stretches``, states over time."""

    title: str
    curves: tuple[Curve, ...] = ()
    period: float = 0.0
    """The length of a bucket in seconds; 0 where each value is one measurement."""
    limit: Level | None = None
    """Beyond this it is bad."""
    normal: Level | None = None
    """What was normal before."""
    band: tuple[tuple[float, float, float], ...] = ()
    """Where the values should be: when a bucket begins, from which value to which."""
    log: bool = False
    stretches: tuple[Stretch, ...] = ()


class Chart(NamedTuple):
    """The picture of one trigger."""

    title: str
    panels: tuple[Panel, ...]
    moments: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()
    """What the picture cannot show, in sentences: what is missing, what cannot be used."""

    @property
    def begin(self) -> float:
        """When what was measured begins, in seconds since the epoch."""
        return min(self._times, default=0.0)

    @property
    def end(self) -> float:
        """When what was measured ends."""
        longest = max((panel.period for panel in self.panels), default=0.0)
        return max(self._times, default=0.0) + longest

    @property
    def _times(self) -> list[float]:
        of_curves = [at for one in self.panels for curve in one.curves for at, _ in curve.points]
        of_states = [at for one in self.panels for held in one.stretches for at in held[:2]]
        return of_curves + of_states
