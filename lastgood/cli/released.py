"""When a service was released in truth, as its guard remembers it."""

from __future__ import annotations

from typing import NamedTuple

from lastgood.contracts import Overview


class Release(NamedTuple):
    """A real release."""

    release: str
    deployed_at: float
    """Seconds since the epoch."""
    outcome: str
    """How it ended in truth."""


def releases_of(overview: Overview | None) -> list[Release]:
    """The releases that changed the service, oldest first; without operators' rollbacks
    and drills."""
    found = []
    for one in overview.results if overview else ():
        if one.started_at is None or "deploy" not in one.timings or one.drill:
            continue
        deployed_at = one.started_at.timestamp() + one.timings.get("preflight", 0.0)
        found.append(Release(one.release, deployed_at, one.outcome.value))
    return sorted(found, key=lambda one: one.deployed_at)
