"""Health checks and alarms: triggers that are polled.

Health check: it fires after ``threshold`` consecutive failed checks; a connection error or a
time-out is a failed check. It is good again after as many consecutive good ones.

Alarm: it fires when CloudWatch says ALARM, or its history tells of an ALARM since the last look.
What INSUFFICIENT_DATA means is the policy's to say: as bad as ALARM, as good as OK, what was
before, or no data. An alarm that is missing, or cannot be evaluated, is an error. An alarm that was
red before the release counts only once it has been OK. A state that somebody set by hand counts as
any other, and is said to be one.
"""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import (
    AlarmChange,
    AlarmSeen,
    AlarmState,
    ProbeAnswer,
    Tally,
    WatchedTrigger,
    WatchOrder,
)
from lastgood.decisions.readings import counted
from lastgood.decisions.verdicts import said_by
from lastgood.model import Measurement, Reading, Status, Verdict
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger

_MOST_RECENT = 20


def _count(tally: Tally, reading: Reading, text: str, now: datetime) -> Tally:
    nothing_yet = {"failing": None, "recovered": False, "recent": ()}
    return counted(tally, reading, text, now).model_copy(update=nothing_yet)


def look_failed(tally: Tally, error: str, now: datetime) -> Tally:
    """A look that could not be made: an error, never a bad release.

    What was firing before is neither forgotten nor confirmed: the next look decides.
    """
    return _count(tally, Reading.ERROR, error, now)


def look_at_health(
    watched: WatchedTrigger, tally: Tally, answer: ProbeAnswer, now: datetime
) -> Tally:
    """Count one health check."""
    trigger = watched.trigger
    if not isinstance(trigger, HealthCheckTrigger):
        raise TypeError(f"{trigger.type} is not a health check")
    reading = Reading.HEALTHY if answer.ok else Reading.UNHEALTHY
    streak = tally.recent
    tally = _count(tally, reading, answer.text, now)
    enough = tally.streak >= trigger.threshold
    this = () if answer.ok else (Measurement(at=now, reading=reading, text=answer.text),)
    return tally.model_copy(
        update={
            "recent": (*streak, *this)[-_MOST_RECENT:] if this else (),
            "value": 0.0 if answer.ok else float(tally.streak),
            "recovered": answer.ok and enough,
            "failing": None if answer.ok or not enough else _health_failed(trigger, tally, now),
        }
    )


def _health_failed(trigger: HealthCheckTrigger, tally: Tally, now: datetime) -> Verdict:
    text = (
        f"health-check failed {tally.streak} times in a row "
        f"(threshold {trigger.threshold}): {tally.latest}"
    )
    verdict = Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {text}" if trigger.message else text,
        at=now,
        value=float(tally.streak),
        threshold=float(trigger.threshold),
        message=trigger.message,
        evidence=(Measurement(at=now, reading=Reading.UNHEALTHY, text=tally.latest),),
    )
    return said_by(trigger, verdict)


def is_red(trigger: AlarmTrigger, state: AlarmState) -> bool:
    """Whether an alarm's state counts as bad."""
    silent = state.state == "INSUFFICIENT_DATA"
    return state.state == "ALARM" or (silent and trigger.missing_data == "breaching")


def unseen_from(order: WatchOrder, tally: Tally, state: AlarmState | None) -> datetime | None:
    """After when an alarm's history must be read; None if it tells nothing that is not known.

    That it is in ALARM now is news enough; so it is, in verification, that it is not.
    """
    if order.goal != "breach" or state is None or state.since is None or state.state == "ALARM":
        return None
    known = tally.alarm.since if tally.alarm else None
    seen = max(order.since, known) if known else order.since
    return seen if state.since > seen else None


def look_at_alarm(
    watched: WatchedTrigger,
    tally: Tally,
    state: AlarmState | None,
    now: datetime,
    changes: tuple[AlarmChange, ...] = (),
) -> Tally:
    """Count one look at an alarm.

    Args:
        watched: an alarm trigger.
        tally: what was remembered before.
        state: None if the alarm does not exist.
        now: the time of this look.
        changes: of its state since the last look, oldest first.
    """
    trigger = watched.trigger
    if not isinstance(trigger, AlarmTrigger):
        raise TypeError(f"{trigger.type} is not an alarm")
    if state is None:
        return _count(tally, Reading.ERROR, f"alarm {trigger.alarm} does not exist", now)
    between = _red_between(watched, tally, changes)
    seen = AlarmSeen(state=state.state, since=state.since)
    tally = tally.model_copy(update={"alarm": seen})
    text = f"alarm {trigger.alarm} is {state.state}{_notes(state)}"
    if state.evaluation in _NOT_EVALUATED:
        return _count(tally, Reading.ERROR, f"{text}, but it cannot be evaluated now", now)
    if between:
        was = f"alarm {trigger.alarm} was in ALARM at {between.at:%H:%M:%S} UTC{_notes(between)}"
        why = f"{was}: {between.reason}" if between.reason else was
        ended = tally.model_copy(update={"seen_ok": tally.seen_ok or state.state == "OK"})
        return _red(trigger, ended, f"{was}, and is {state.state} now", why, between.at, now)
    if is_red(trigger, state):
        if watched.muted_until_ok and not tally.seen_ok:
            text = f"{text} since before the release: ignored until OK"
            return _count(tally, Reading.NO_DATA, text, now)
        if state.state != "ALARM":
            text = f"{text}, which counts as breaching"
        why = f"{text}: {state.reason}" if state.reason else text
        return _red(trigger, tally, text, why, state.since or now, now)
    if state.state == "OK" or trigger.missing_data == "not_breaching":
        good = _count(tally, Reading.HEALTHY, text, now)
        return good.model_copy(update={"seen_ok": True, "recovered": True})
    if trigger.missing_data == "ignore":
        return _as_before(tally, text, now)
    return _count(tally, Reading.NO_DATA, text, now)


_NOT_EVALUATED = ("EVALUATION_ERROR", "EVALUATION_FAILURE")


def _notes(what: AlarmState | AlarmChange) -> str:
    """What must be known about a state, in brackets; nothing, as a rule."""
    notes = ["set by hand, not by its metric"] if what.by_hand else []
    if isinstance(what, AlarmState):
        notes += [] if what.actions_enabled else ["its actions are disabled"]
        notes += [what.evaluation] if what.evaluation else []
    return f" ({'; '.join(notes)})" if notes else ""


def _red_between(
    watched: WatchedTrigger, tally: Tally, changes: tuple[AlarmChange, ...]
) -> AlarmChange | None:
    """The first ALARM of these that counts."""
    if changes and tally.alarm and tally.alarm.state == changes[0].new == "ALARM":
        changes = changes[1:]  # the last look saw it
    been_ok = tally.seen_ok or not watched.muted_until_ok
    for change in changes:
        been_ok = been_ok or "OK" in (change.old, change.new)
        if been_ok and change.new == "ALARM":
            return change
    return None


def _as_before(tally: Tally, text: str, now: datetime) -> Tally:
    """The state says nothing: what the look before said still holds."""
    if tally.reading not in (Reading.HEALTHY, Reading.UNHEALTHY):
        return _count(tally, Reading.NO_DATA, text, now)
    kept = {"failing": tally.failing, "recovered": tally.recovered}
    latest = f"{text}; it stays {tally.reading.value}, as it was before"
    return _count(tally, tally.reading, latest, now).model_copy(update=kept)


def _red(
    trigger: AlarmTrigger, tally: Tally, text: str, why: str, since: datetime, now: datetime
) -> Tally:
    verdict = Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {why}" if trigger.message else why,
        at=now,
        message=trigger.message,
        evidence=(Measurement(at=since, reading=Reading.UNHEALTHY, text=why),),
    )
    red = _count(tally, Reading.UNHEALTHY, text, now)
    return red.model_copy(update={"failing": said_by(trigger, verdict)})
