"""A service's guard in Temporal's UI: what runs, what waits, what is known to be good.

The rule. What needs a person comes first: a failed rollback that nobody acknowledged, a release
that is held, a freeze. Then the release under way and the queue, the last known good revision,
what counts against the rollback limit, and the last results.
"""

from __future__ import annotations

from lastgood.contracts import Overview
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.markdown import bullets, code, text, whole
from lastgood.decisions.rendering.temporal_ui.release import Place, revision
from lastgood.decisions.wording import clock, day
from lastgood.model import Model, ReleaseResult, ServiceRef

_RESULTS = 8
_QUEUED = 10


class GuardNow(Model):
    """What a guard says of its service now."""

    place: Place
    service: ServiceRef
    overview: Overview
    held: str | None = None
    """Why the release under way waits for a person, if it does."""
    rolling_back: str | None = None
    """An operator's rollback outside of a release."""


def guard_details(service: ServiceRef) -> str:
    """What does not change while it runs."""
    return whole(
        [
            f"Guards {code(str(service))} in {text(service.region)}: one release at a time, and "
            "the memory of what was good. It lives as long as the service is released with "
            "Lastgood, and is no work that hangs.",
            "",
            *bullets(
                (
                    f"As it is now: {places.command('status', str(service))}",
                    f"What there was: {places.command('history', str(service))}",
                    places.ecs_console(service),
                )
            ),
        ]
    )


def guard_now(now: GuardNow) -> str:
    """What it guards, as of its last event."""
    view = now.overview
    return whole(
        [
            *_verdict(now),
            "",
            *bullets(_facts(now)),
            *bullets(_result(one) for one in view.results[:_RESULTS]),
        ]
    )


def _verdict(now: GuardNow) -> list[str]:
    view, lines = now.overview, []
    service = str(now.service)
    if view.alerts:
        command = places.command("acknowledge", service, True)
        lines.append(
            f"**ROLLBACK FAILED** ({text(', '.join(view.alerts))}); to take care: {command}"
        )
    if now.held:
        lines.append(f"**HELD for a person**: {text(now.held)}")
    if view.frozen:
        until = f"until {day(view.frozen.until)}" if view.frozen.until else "until unfrozen"
        reason = text(view.frozen.reason)
        lines.append(f"**Frozen** {until} by {text(view.frozen.actor)}: {reason}")
    if now.rolling_back:
        lines.append(f"**Rolls back** ({code(now.rolling_back)})")
    if view.current:
        what = f"{code(view.current.release)} of {code(view.current.what)}"
        since = f"since {clock(view.current.since)}, by {text(view.current.actor)}"
        lines.append(f"**Release under way**: {what} {since}")
    return lines or ["**Idle**: no release is under way"]


def _facts(now: GuardNow) -> list[str]:
    view, place, service = now.overview, now.place, now.service
    waiting = ", ".join(code(one) for one in view.queued[:_QUEUED])
    good, until = view.last_known_good, view.cooldown_until
    return [
        place.other("The release", view.current.workflow_id) if view.current else "",
        f"queued: {waiting}" if waiting else "",
        f"last known good: {revision(good) if good else 'none yet'}",
        f"rollbacks that count: {view.rollbacks_counted} of {view.max_rollbacks}"
        + (f"; cooldown until {clock(until)}" if until else ""),
        f"not remembered in the service's tags: {text(view.mirror_problem)}"
        if view.mirror_problem
        else "",
        places.ecs_console(service),
    ]


def _result(one: ReleaseResult) -> str:
    ended = f"{day(one.finished_at)} " if one.finished_at else ""
    by = f" by {text(one.actor, 60)}" if one.actor else ""
    outcome = one.outcome.value.replace("_", " ")
    return f"{ended}{code(one.release, 80)} **{outcome}**{by}: {text(one.reason, 240)}"
