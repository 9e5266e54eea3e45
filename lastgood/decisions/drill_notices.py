"""How a drill is told: so that nobody takes it for the real thing, and nobody is woken by it.

The rule. Every notice about a drill begins with DRILL, and says in its first sentence that nothing
is wrong. One that goes as it should is told as a healthy release is: to those who want to hear of
those. One that does not is a warning, never critical: what users are served is what they were.
"""

from __future__ import annotations

from datetime import timedelta

from lastgood.contracts import Notice
from lastgood.decisions.wording import sentence, took
from lastgood.model import DrillSummary, Outcome

_FINE = "This is a drill: nothing is wrong."
_NOT_FINE = "This is a drill: no release has gone wrong, but what a bad one needs does not work."
_LOOK = "Find out why before a bad release needs it: lastgood explain {release} --service {service}"
_UNDECIDED = "This is a drill, and it waits."
_OF_REAL_ONES = ("Severity", "Rollbacks")
"""Facts that a drill has nothing to do with."""
_NOTHING = (Outcome.REFUSED, Outcome.CANCELLED, Outcome.SUPERSEDED)


def told(notice: Notice, drill: DrillSummary, reason: str = "") -> Notice:
    """A notice about a drill's release, as a drill's.

    Args:
        notice: as a release's.
        drill: what is known of the drill.
        reason: how it ended, if it has.
    """
    facts = tuple(one for one in notice.facts if one[0] not in _OF_REAL_ONES)
    notice = notice.model_copy(update={"facts": facts, "drill": True})
    if notice.kind == "ended":
        if notice.outcome in _NOTHING:
            return _nothing(notice, reason)
        return _passed(notice, drill) if drill.passed else _failed(notice, drill)
    if notice.kind == "rollback_started":
        title, severity = f"DRILL: {notice.title}", "healthy"
        summary = f"{_FINE} {notice.summary}"
    else:
        title, severity = f"DRILL: {notice.title}", "warning"
        summary = f"{_UNDECIDED} {notice.summary}"
    return notice.model_copy(update={"title": title, "summary": summary, "severity": severity})


def _passed(notice: Notice, drill: DrillSummary) -> Notice:
    seconds = drill.seconds.get("all")
    lasted = f" in {took(timedelta(seconds=seconds))}" if seconds is not None else ""
    update = {
        "title": f"DRILL passed: {notice.service} goes back{lasted}, and that is proved",
        "summary": f"{_FINE} The way back of {notice.service} works. Nothing is to be done.",
        "severity": "healthy",
        "facts": (*notice.facts, *_measured(drill)),
    }
    return notice.model_copy(update=update)


def _nothing(notice: Notice, reason: str) -> Notice:
    refused = notice.outcome is Outcome.REFUSED
    update = {
        "title": f"DRILL refused: {notice.service}" if refused else f"DRILL over: {notice.title}",
        "summary": f"This is a drill that proved nothing. {sentence(reason)}",
        "severity": "warning",
    }
    return notice.model_copy(update=update)


def _failed(notice: Notice, drill: DrillSummary) -> Notice:
    last = _LOOK.format(release=notice.release, service=notice.service)
    if notice.outcome is Outcome.ROLLBACK_FAILED:
        last = f"Look at the service: lastgood status {notice.service}. {last}"
    why = sentence(drill.why_not) if drill.why_not else notice.summary
    update = {
        "title": f"DRILL FAILED: {notice.title}",
        "summary": f"{_NOT_FINE} {why} {last}",
        "severity": "warning",
        "facts": (*notice.facts, *_measured(drill)),
    }
    return notice.model_copy(update=update)


def _measured(drill: DrillSummary) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"Drill: {name}", took(timedelta(seconds=value))) for name, value in drill.seconds.items()
    )
