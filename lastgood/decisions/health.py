"""Health checks and alarms: triggers that are polled.

Health check: it fires after ``threshold`` consecutive failed checks; a connection error or a
time-out is a failed check. It is good again after as many consecutive good ones.

Alarm: it fires when CloudWatch says ALARM. INSUFFICIENT_DATA is no data; an alarm that is missing
is an error. An alarm that was red before the release counts only once it has been OK.
"""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import AlarmState, ProbeAnswer, Tally, WatchedTrigger
from lastgood.decisions.verdicts import said_by
from lastgood.model import Measurement, Reading, Status, Verdict
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger


def _count(tally: Tally, reading: Reading, text: str, now: datetime) -> Tally:
    return tally.model_copy(
        update={
            "latest": text,
            "reading": reading,
            "measured_at": now,
            reading.value: getattr(tally, reading.value) + 1,
            "streak": tally.streak + 1 if reading == tally.reading else 1,
            "failing": None,
            "recovered": False,
        }
    )


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
    tally = _count(tally, reading, answer.text, now)
    enough = tally.streak >= trigger.threshold
    return tally.model_copy(
        update={
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


def look_at_alarm(
    watched: WatchedTrigger, tally: Tally, state: AlarmState | None, now: datetime
) -> Tally:
    """Count one look at an alarm; ``state`` is None if it does not exist."""
    trigger = watched.trigger
    if not isinstance(trigger, AlarmTrigger):
        raise TypeError(f"{trigger.type} is not an alarm")
    if state is None:
        return _count(tally, Reading.ERROR, f"alarm {trigger.alarm} does not exist", now)
    text = f"alarm {trigger.alarm} is {state.state}"
    if state.state == "INSUFFICIENT_DATA":
        return _count(tally, Reading.NO_DATA, text, now)
    if state.state == "OK":
        good = _count(tally, Reading.HEALTHY, text, now)
        return good.model_copy(update={"seen_ok": True, "recovered": True})
    if watched.muted_until_ok and not tally.seen_ok:
        return _count(
            tally, Reading.NO_DATA, f"{text} since before the release: ignored until OK", now
        )
    red = _count(tally, Reading.UNHEALTHY, text, now)
    why = f"{text}: {state.reason}" if state.reason else text
    verdict = Verdict(
        trigger=trigger.type,
        status=Status.FAIL,
        reason=f"{trigger.message}: {why}" if trigger.message else why,
        at=now,
        message=trigger.message,
        evidence=(Measurement(at=state.since or now, reading=Reading.UNHEALTHY, text=why),),
    )
    return red.model_copy(update={"failing": verdict})
