"""A release's timeline: its steps as bars, and everything that happened, by the second."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from lastgood.contracts import Explanation, Step
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.wording import sentence, took
from lastgood.model import Outcome, ReleaseResult
from lastgood.report.parts import Event, Phase, Tone

_CALL = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC  (.*)", re.DOTALL)
_STEPS = {
    "preflight": "Preflight",
    "deploy": "Deploys",
    "wait": "Waits for the rollout",
    "smoke test": "Smoke test",
    "monitor": "Monitor window begins",
    "roll back": "Rolls back",
    "verify": "Verifies that this helped",
    "cooldown": "Waits for the cooldown's end",
    "hold": "Held for a person",
}
_CALLING = ("deploy", "roll back")
_BACK = ("roll back", "verify", "hold", "cooldown")


class _Happened(NamedTuple):
    at: datetime
    order: int
    """Of what is told of one moment."""
    event: Event


def tone_of(outcome: Outcome) -> Tone:
    """How grave an outcome is."""
    severity = ENDINGS[outcome].severity
    return "good" if severity == "healthy" else severity


def lasted(duration: timedelta) -> str:
    """``0.4 s``, ``12s``, ``1m30s``."""
    seconds = duration.total_seconds()
    return f"{seconds:.1f}s" if seconds < 10 else took(duration)


def phases(steps: tuple[Step, ...], asked_at: datetime) -> tuple[Phase, ...]:
    """Each step as a bar on one line of time; one that goes on ends when it was asked."""
    if not steps:
        return ()
    begin = steps[0].started_at
    end = max(one.finished_at or asked_at for one in steps)
    whole = max((end - begin).total_seconds(), 1e-3)
    found = []
    for one in steps:
        length = max(timedelta(0), (one.finished_at or asked_at) - one.started_at)
        found.append(
            Phase(
                name=one.name,
                took=lasted(length) if one.finished_at else "goes on",
                left=round(100 * (one.started_at - begin).total_seconds() / whole, 2),
                width=round(100 * length.total_seconds() / whole, 2),
                tone=_tone(one),
                text=one.text,
            )
        )
    return tuple(found)


def _tone(step: Step) -> Tone:
    return "warning" if step.name in _BACK else "plain"


def events(told: Explanation, result: ReleaseResult | None) -> tuple[Event, ...]:
    """Everything that happened, oldest first."""
    happened = sorted(_happened(told, result), key=lambda one: (one.at, one.order))
    return tuple(_dated(happened))


def _dated(happened: list[_Happened]) -> Iterator[Event]:
    day = ""
    for one in happened:
        own = f"{one.at.astimezone(UTC):%Y-%m-%d}"
        clock = f"{one.at.astimezone(UTC):%H:%M:%S}"
        yield one.event._replace(clock=clock, day=own if own != day else "")
        day = own


def _happened(told: Explanation, result: ReleaseResult | None) -> Iterator[_Happened]:
    release, steps = told.release, told.progress.steps
    if steps:
        yield _new(steps[0].started_at, 0, f"Asked for: {release.what}", who=release.actor)
    for step in steps:
        what = _STEPS.get(step.name, step.name.capitalize())
        text = f"{what}: {step.text}" if step.text else what
        yield _new(step.started_at, 3, text, tone=_tone(step))
    for action in told.actions:
        yield _new(action.at, 1, action.verb.capitalize(), who=action.actor, why=(action.reason,))
    for one in told.decisions:
        why = tuple(sentence(text) for text in (one.reason, one.why) if text)
        do = one.do.replace("_", " ")
        tone: Tone = "warning" if one.do in ("roll_back", "hold", "wait") else "plain"
        yield _new(one.at, 2, f"Decided: {do}", tone=tone, why=why)
    for call in told.calls:
        found = _CALL.fullmatch(call)
        if found:
            yield _new(_sent(found[1], steps), 4, found[2], minor=True)
    yield from _ended(told, result)


def _sent(told: str, steps: tuple[Step, ...]) -> datetime:
    """When a call was sent: its second is told, and which steps call is known."""
    at = datetime.strptime(told, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    began = [one.started_at for one in steps if one.name in _CALLING]
    return max([at, *(one for one in began if one < at + timedelta(seconds=1))])


def _ended(told: Explanation, result: ReleaseResult | None) -> Iterator[_Happened]:
    failures = [*told.progress.notification_failures]
    failures += result.notification_failures if result else ()
    for failure in {(one.channel, one.at): one for one in failures}.values():
        text = f"Nobody was told through {failure.channel}"
        yield _new(failure.at, 6, text, tone="critical", why=(failure.error,))
    if result is None:
        return
    rollback = result.rollback
    if rollback and rollback.finished_at:
        label = rollback.to.rsplit("/", 1)[-1]
        good = rollback.verified
        what = f"Verified on {label}" if good else f"Not verified on {label}"
        yield _new(rollback.finished_at, 5, what, tone="good" if good else "critical")
    if result.finished_at and not told.progress.held:
        text = f"Ended: {result.outcome.value.replace('_', ' ')}"
        yield _new(result.finished_at, 7, text, tone=tone_of(result.outcome))


def _new(
    at: datetime,
    order: int,
    what: str,
    *,
    tone: Tone = "plain",
    who: str = "",
    why: tuple[str, ...] = (),
    minor: bool = False,
) -> _Happened:
    event = Event(clock="", day="", what=what, tone=tone, who=who, why=why, minor=minor)
    return _Happened(at, order, event)
