"""What the page shows, in the order in which it shows it; words and numbers, no HTML."""

from __future__ import annotations

from typing import Literal, NamedTuple

from lastgood.decisions.charts import Chart

Tone = Literal["good", "warning", "critical", "plain"]


class Fact(NamedTuple):
    """One line of a table."""

    label: str
    value: str
    href: str | None = None
    """Only http and https."""


class Phase(NamedTuple):
    """A step of the pipeline as a bar."""

    name: str
    took: str
    left: float
    """Percent of the release's time before it."""
    width: float
    """Percent of the release's time."""
    tone: Tone
    text: str = ""


class Event(NamedTuple):
    """One line of the timeline."""

    clock: str
    day: str
    """Only where another day begins."""
    what: str
    tone: Tone = "plain"
    who: str = ""
    why: tuple[str, ...] = ()
    minor: bool = False
    """What was sent to AWS: smaller than what was decided."""


class Look(NamedTuple):
    """One measurement in words."""

    clock: str
    reading: str
    text: str


class Judged(NamedTuple):
    """One trigger's verdict."""

    key: str
    mark: str
    """``fired``, ``passed``, ``inconclusive``; ``dry run`` where it decides nothing."""
    tone: Tone
    name: str
    reason: str
    message: str | None
    chart: Chart | None
    without: str | None
    """Why there is no picture."""
    looks: tuple[Look, ...]


class ReleasePart(NamedTuple):
    """All that the page says of one release."""

    release: str
    service: str
    badge: str
    tone: Tone
    title: str
    sentence: str
    """Why, in one."""
    more: tuple[str, ...]
    """What was done about it; what is to be done."""
    facts: tuple[Fact, ...]
    lead: Judged | None
    """What decided; the picture that shows why."""
    phases: tuple[Phase, ...]
    events: tuple[Event, ...]
    others: tuple[Judged, ...]
    """All other triggers."""
    silent: str
    """Those without a verdict, in a sentence."""
    latest: tuple[str, ...]
    """What they measured last, while the release goes on."""
    details: tuple[tuple[str, tuple[str, ...]], ...]
    """Headings, each with its lines."""
    remark: str = ""
    """Why less is known of it than of others."""


class MemberRow(NamedTuple):
    """A service of a group."""

    service: str
    release: str
    badge: str
    tone: Tone
    reason: str
    anchor: str


class Page(NamedTuple):
    """The whole page."""

    title: str
    lead: ReleasePart
    """Of a group: what became of all."""
    members: tuple[tuple[MemberRow, ReleasePart | None], ...] = ()
    """None: nothing is known of it, as it was not begun."""
    command: str = ""
    """Makes it anew."""
    made: str = ""
    """When, and by which version."""
    so_far: bool = False
    """The release goes on."""
