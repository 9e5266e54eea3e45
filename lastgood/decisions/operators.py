"""Who may what, when: what an operator asks for, against where the release stands.

===========  ========  ========  ====================  ==========  ======  ============  =====
verb         nothing   queued    preflight … smoke     monitor …   held    rolling back  ended
===========  ========  ========  ====================  ==========  ======  ============  =====
promote      no        no        no                    yes         no      no            no
hold         no        no        once it is changing   yes         no      no            no
resume       no        no        no                    no          yes     no            no
approve      no        no        no                    no          yes     no            no
deny         no        no        no                    no          yes     no            no
cancel       no        yes       yes                   yes         yes     no            no
rollback     yes       no        yes                   yes         yes     no            no
===========  ========  ========  ====================  ==========  ======  ============  =====

``preflight … smoke`` includes a cooldown that is sat out before the rollout is complete; ``monitor
…`` is the monitor window, also while a cooldown is sat out in it, and ECS's own end of a traffic
shift. Whatever makes no sense now is refused with a sentence that says why and what is possible.
A guard that does not know a release's very step asks the release itself: ``under way``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, cast, get_args

from lastgood.contracts import Freeze, GuardState
from lastgood.model import Model

Verb = Literal["promote", "hold", "resume", "approve", "deny", "cancel", "rollback"]
Phase = Literal[
    "nothing",
    "queued",
    "preflight",
    "deploy",
    "wait",
    "smoke test",
    "monitor",
    "cooldown",
    "finish",
    "under way",
    "held",
    "rolling back",
    "ending",
    "ended",
    "unknown",
]
"""``ending``: judged good, people are being told."""


_PHASES = frozenset(get_args(Phase))


def known(verb: str) -> Verb | None:
    """A message that this version knows; None for one of a newer guard."""
    return cast(Verb, verb) if verb in get_args(Verb) else None


def too_new(verb: str, release: str) -> str:
    """Why a message of a newer guard is refused by a release of an older build."""
    return (
        f"Release {release} runs on an older build of Lastgood, which does not know {verb}. "
        "It ends on that build; rollback and cancel are always known."
    )


def phase(step: str) -> Phase:
    """The phase of a step that is called the same."""
    if step not in _PHASES:
        return "under way"
    return cast(Phase, step)


class Standing(Model):
    """Where the release stands that an operator speaks of."""

    service: str
    phase: Phase
    release: str | None = None
    under_way: str | None = None
    """The release that is under way, if it is another one."""


_BEFORE_CHANGE = ("preflight",)
_ROLLING_OUT = ("deploy", "wait", "smoke test", "cooldown")
_WATCHED = ("monitor", "finish")
_RUNNING = (*_BEFORE_CHANGE, *_ROLLING_OUT, *_WATCHED, "under way")

_POSSIBLE: dict[str, str] = {
    "nothing": "Possible now: rollback, freeze, adopt, and to release.",
    "queued": "Possible now: cancel it, or wait for its turn.",
    "preflight": "Possible now: cancel, rollback (which ends it before anything is changed).",
    "deploy": "Possible now: hold, cancel, rollback.",
    "wait": "Possible now: hold, cancel, rollback.",
    "smoke test": "Possible now: hold, cancel, rollback.",
    "monitor": "Possible now: promote, hold, cancel, rollback.",
    "cooldown": "Possible now: hold, cancel, rollback.",
    "finish": "Possible now: promote, hold, cancel, rollback.",
    "under way": "Possible now: hold, cancel, rollback; promote once its window has begun.",
    "held": "Possible now: approve, deny, resume, cancel, rollback, or a new release.",
    "rolling back": "Wait for its end: lastgood status {service}",
    "ending": "Possible now: rollback.",
    "ended": "See what became of it: lastgood explain {release}",
    "unknown": "See: lastgood history {service}",
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "promote": (*_WATCHED, "under way"),
    "hold": (*_ROLLING_OUT, *_WATCHED, "under way"),
    "resume": ("held",),
    "approve": ("held",),
    "deny": ("held",),
    "cancel": ("queued", *_RUNNING, "held"),
    "rollback": ("nothing", *_RUNNING, "held", "ending"),
}


def refuse(verb: Verb, standing: Standing) -> str | None:
    """Why a message makes no sense now, and what is possible; None if it does."""
    if standing.phase in _ALLOWED[verb]:
        return None
    possible = _POSSIBLE[standing.phase].format(
        service=standing.service, release=standing.release or "RELEASE"
    )
    return f"{_why_not(verb, standing)} {possible}"


_FINAL = ("rollback", "cancel")
"""What ends a release: nothing else is ordered of it any more."""
_DECISIONS = ("approve", "resume")
"""What ends a hold: only a way back is taken after it."""


def refuse_after(in_force: Mapping[Verb, str], verb: Verb) -> str | None:
    """Why what was ordered already stands against another order; None if it does not.

    Args:
        in_force: who ordered what that is not done yet.
        verb: what is ordered now.
    """
    back = verb in ("rollback", "deny")
    for given, actor in in_force.items():
        final = given in _FINAL and not (given == "cancel" and back)
        if final or given == verb or (given in _DECISIONS and not back):
            return f"{actor} ordered {given} already: see what becomes of it first."
    return None


def refuse_in_drill(verb: Verb, release: str) -> str | None:
    """Why a drill is not taken for good: it is none that anybody wants to keep."""
    if verb not in ("promote", "approve"):
        return None
    return (
        f"Release {release} is a drill: it goes back in any case. Possible now: rollback, cancel."
    )


def refuse_nowhere(verb: Verb, standing: Standing, has_target: bool) -> str | None:
    """Why a held release cannot be rolled back: there is nothing to go back to."""
    if verb not in ("rollback", "deny") or has_target or standing.phase != "held":
        return None
    return (
        "There is no revision to go back to. Name one: "
        f"lastgood rollback {standing.service} --to FAMILY:REVISION --reason TEXT"
    )


_DONE = {
    "promote": "Release {release} is promoted: its window ends now, as good.",
    "hold": "Release {release} is held: nothing happens by itself until a person decides.",
    "resume": "Release {release} is judged again.",
    "approve": "Release {release} is approved: it counts as good.",
    "deny": "Release {release} is denied: it is rolled back.",
    "cancel": "Release {release} is cancelled: it is no longer watched.",
    "rollback": "Release {release} is rolled back.",
}


def done(verb: Verb, standing: Standing, has_target: bool = True) -> str:
    """What is answered where a message is carried out."""
    if verb == "rollback" and standing.phase == "preflight":
        return f"Release {standing.release} ends before it changes anything."
    if verb == "rollback" and not has_target:
        return f"Release {standing.release} is held: there is no revision to go back to."
    return _DONE[verb].format(release=standing.release)


def _why_not(verb: Verb, standing: Standing) -> str:
    release = f"Release {standing.release}" if standing.release else "The release"
    if standing.phase == "held":
        return f"{release} is held {'already' if verb == 'hold' else 'for a person'}."
    if standing.phase == "preflight" and verb == "hold":
        return f"{release} has not changed anything yet: there is nothing to hold."
    if standing.phase in _RUNNING and verb == "promote":
        return f"{release} is at its step {standing.phase}: its monitor window has not begun."
    if standing.phase in _RUNNING:
        return f"{release} is not held: it is {_where(standing.phase)}."
    other = f"; {standing.under_way} is under way" if standing.under_way else ""
    return {
        "nothing": f"No release of {standing.service} is under way.",
        "unknown": f"{release} is not known to the guard of {standing.service}{other}.",
        "ended": f"{release} has ended{other}.",
        "ending": f"{release} has just been judged good.",
        "queued": f"{release} waits in the queue: there is nothing to {verb} yet.",
        "rolling back": f"{release} is being rolled back already.",
    }[standing.phase]


def _where(phase: Phase) -> str:
    return phase if phase == "under way" else f"at its step {phase}"


# --- Messages about the service rather than a release ------------------------------------------


def refuse_reset(state: GuardState) -> str | None:
    """A reset needs something that counts."""
    since = state.limits.counted_from
    if any(since is None or one.started_at > since for one in state.limits.rollbacks):
        return None
    return f"No rollback of {state.service} counts now: there is nothing to reset."


def frozen_now(state: GuardState, now: datetime) -> Freeze | None:
    """The freeze that is in force."""
    freeze = state.frozen
    return freeze if freeze and (freeze.until is None or freeze.until > now) else None


def refuse_freeze(state: GuardState, now: datetime) -> str | None:
    """What is frozen is not frozen again."""
    freeze = frozen_now(state, now)
    if freeze is None:
        return None
    return (
        f"{state.service} is frozen already by {freeze.actor} ({freeze.reason.rstrip('.')}). "
        f'To change that, first: lastgood unfreeze {state.service} --reason "…"'
    )


def refuse_unfreeze(state: GuardState, now: datetime) -> str | None:
    """Only what is frozen can be unfrozen."""
    if frozen_now(state, now):
        return None
    return f"{state.service} is not frozen: releases may begin."


def refuse_acknowledge(state: GuardState) -> str | None:
    """Only a failure that people are told of can be acknowledged."""
    if state.alerts:
        return None
    return f"Nobody is being told of a failed rollback of {state.service}: nothing to acknowledge."


def refuse_adopt(busy: str | None) -> str | None:
    """Not while a release or a rollback is under way: what runs is its business."""
    if busy:
        return f"{busy} is under way: adopt what runs when it has ended."
    return None
