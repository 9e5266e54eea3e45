"""Whether a release may begin at this hour, by the policy's freeze windows.

The rule. A window begins on each of its days as the clocks of its zone first show ``from``, and
ends as they last show ``to``: on that day, or on the next where ``to`` is earlier than ``from``.
Where clocks are put forward and skip that time, it is the moment at which they are; where they are
put back and show it twice, a window begins with the first and ends with the second: it lasts rather
too long than too short. Windows that touch or overlap are one freeze, which ends when all of them
have ended. A week without a gap has none in any other week either: that freeze never ends.

A zone's rules are read from files, so they are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple, get_args

from lastgood.policy import Day, FreezeWindow

Zones = Callable[[str], tzinfo]
"""IANA name → rules."""

_DAYS: tuple[str, ...] = get_args(Day)
_LONGEST = timedelta(days=9)
"""Longer than a week and a day, whatever clocks do."""


class Frozen(NamedTuple):
    """A freeze at one moment."""

    window: FreezeWindow
    """The first one that holds."""
    ends_at: datetime | None
    """When the first release may begin again; None: never, as the policy is."""


class _Span(NamedTuple):
    begins: datetime
    ends: datetime


def frozen_at(windows: Iterable[FreezeWindow], at: datetime, zones: Zones) -> Frozen | None:
    """The freeze that holds at a moment, if one does; raises what ``zones`` raises."""
    begun = [(window, span) for window in windows for span in _spans(window, at, zones)]
    holding = [window for window, span in begun if span.begins <= at < span.ends]
    if not holding:
        return None
    end = at
    for _, span in sorted(begun, key=lambda one: one[1].begins):
        if span.begins <= end:
            end = max(end, span.ends)
    return Frozen(holding[0], end if end - at < _LONGEST else None)


def in_words(frozen: Frozen, at: datetime, zones: Zones) -> str:
    """``until Mon 08:00 Europe/Berlin (Weekend)``."""
    why = f" ({frozen.window.reason})" if frozen.window.reason else ""
    if frozen.ends_at is None:
        return f"at all hours{why}"
    end = frozen.ends_at.astimezone(zones(frozen.window.zone))
    day = "" if end - at < timedelta(days=6) else f" {end:%Y-%m-%d}"
    seconds = f":{end:%S}" if end.second else ""
    return (
        f"until {_DAYS[end.weekday()].title()}{day} {end:%H:%M}{seconds} {frozen.window.zone}{why}"
    )


def _spans(window: FreezeWindow, at: datetime, zones: Zones) -> Iterator[_Span]:
    """The window's times from those that may hold now to those within ``_LONGEST``."""
    zone = zones(window.zone)
    first = at.astimezone(zone).date() - timedelta(days=2)
    for offset in range(_LONGEST.days + 4):
        day = first + timedelta(days=offset)
        if _DAYS[day.weekday()] not in window.days:
            continue
        overnight = window.to < window.from_
        span = _Span(
            _moment(day, window.from_, zone, last=False),
            _moment(day + timedelta(days=overnight), window.to, zone, last=True),
        )
        if span.begins < span.ends:
            yield span


def _moment(day: date, clock: str, zone: tzinfo, *, last: bool) -> datetime:
    """When the clocks of a zone show a time, for the first or the last time that day."""
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    shown = datetime.combine(day, time.fromisoformat(clock))
    before, after = (
        shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        for fold in (0, 1)  # by the offset before a change of the clocks, and after it
    )
    if before <= after:
        return after if last else before
    return _leap(shown, after, before, zone)


def _leap(shown: datetime, early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """When the clocks leap over a time that they never show; to the second."""
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
