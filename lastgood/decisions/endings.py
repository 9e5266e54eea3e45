"""How each outcome is told: how grave it is, what happened, what to do next.

The rule. What serves badly with nobody acting is critical; what ended otherwise than wanted is a
warning. Where nothing is to be done the notice says nothing of it.
"""

from __future__ import annotations

from typing import Literal

from lastgood.model import Model, Outcome


class Ending(Model):
    """How the notice of one outcome sounds."""

    severity: Literal["healthy", "warning", "critical"]
    title: str
    next: str
    """What to do; empty if nothing is to be done."""


ENDINGS = {
    Outcome.HEALTHY: Ending(severity="healthy", title="is healthy", next=""),
    Outcome.ROLLED_BACK: Ending(
        severity="warning",
        title="was rolled back",
        next="The old version serves again. Find out what was wrong, then release a fix.",
    ),
    Outcome.ROLLED_BACK_BY_ECS: Ending(
        severity="warning",
        title="was rolled back by ECS itself",
        next="The old version serves. Find out what was wrong, then release a fix.",
    ),
    Outcome.ROLLBACK_FAILED: Ending(
        severity="critical",
        title="went wrong, and the ROLLBACK FAILED",
        next=(
            "Nothing more happens by itself. Look at the service now "
            "(lastgood status {service}), then: {command}. People are told again until somebody "
            'says: lastgood acknowledge {service} --reason "…"'
        ),
    ),
    Outcome.HELD: Ending(
        severity="critical",
        title="ended undecided",
        next="Nothing more happens by itself. Release a fix, or go back: {command}",
    ),
    Outcome.SUPERSEDED: Ending(
        severity="warning",
        title="was replaced by a newer deployment",
        next="It is no longer watched. If nobody deployed on purpose, find out who did.",
    ),
    Outcome.REFUSED: Ending(
        severity="warning",
        title="was refused",
        next="Nothing was changed. Put right what is said here, then release again.",
    ),
    Outcome.CANCELLED: Ending(
        severity="warning",
        title="was cancelled",
        next="It is no longer watched. See what runs: lastgood status {service}",
    ),
}
