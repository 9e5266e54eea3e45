"""How old the last drill is that has passed, as ``lastgood status`` shows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lastgood.cli.output import day, drill_text
from lastgood.contracts import Overview
from lastgood.decisions.wording import took
from lastgood.model import ReleaseResult

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def as_json(overview: Overview, now: datetime) -> dict[str, Any]:
    """Whether drills are allowed, the last one, the last that passed and its age in seconds."""
    last, passed = overview.last_drill, overview.last_passed_drill
    age = now - passed.finished_at if passed and passed.finished_at else None
    return {
        "allowed": overview.drillable,
        "last": last.model_dump(mode="json") if last else None,
        "last_passed": passed.model_dump(mode="json") if passed else None,
        "last_passed_age": round(age.total_seconds(), 3) if age is not None else None,
    }


def as_text(overview: Overview, now: datetime) -> list[str]:
    """Lines for people; none where drills are no matter."""
    last, passed = overview.last_drill, overview.last_passed_drill
    if last is None:
        never = "  drill           none yet: lastgood drill " + overview.service
        return [never] if overview.drillable else []
    if passed is None:
        return [*_line("drill", last, now), "                  none has passed yet"]
    if passed.release == last.release:
        return _line("drill", last, now)
    return [*_line("drill", last, now), *_line("last passed", passed, now)]


def _line(name: str, result: ReleaseResult, now: datetime) -> list[str]:
    drill, at = result.drill, result.finished_at
    if drill is None or at is None:
        return []
    return [
        f"  {name:<15} {age(now - at)} ago, at {day(at)}: {result.release}",
        f"                  {drill_text(drill)}",
    ]


def age(lasted: timedelta) -> str:
    """``6 days``, ``3 hours``: no more than one needs."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour")):
        if lasted >= 2 * unit:
            return f"{lasted // unit} {name}s"
    return took(lasted)
