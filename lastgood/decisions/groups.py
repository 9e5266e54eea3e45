"""Services that belong together: what comes next, who goes back, and the one verdict.

The rule. In order, a member begins when the one before it is healthy; at once, all begin together.
The first member that ends otherwise than healthy, or whose rollback begins after its end, is the
one that went wrong: no further member begins, and all that were changed go back, one after the
other, in the reverse order of their start. A member that waits for a person holds the group:
nothing begins and nothing goes back until it has ended. What was not changed is left alone, and so
is what no longer runs what its release brought; a newer release that left it on that does not
count. One that cannot go back is told of, and the others go back all the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Literal

from lastgood.contracts import (
    GroupOrder,
    GroupState,
    Member,
    MemberStanding,
    OperatorRequest,
)
from lastgood.decisions.wording import sentence
from lastgood.model import Model, Outcome, ReleaseResult, ServiceRef

_LONGEST = 128
"""Characters of a member's release id."""
_STAYS_CHANGED = (Outcome.HEALTHY, Outcome.HELD, Outcome.CANCELLED)
"""Ends that leave the service on the new revision, if it came so far."""


class Move(Model):
    """Something to do about one member."""

    do: Literal["begin", "take_back"]
    release: str


class Stop(Model):
    """A group's release ends before its members say so."""

    outcome: Literal[Outcome.CANCELLED, Outcome.SUPERSEDED]
    why: str


def release_ids(release: str, services: tuple[ServiceRef, ...]) -> tuple[str, ...]:
    """An id for each member's release: what is registered or told twice is known by it."""
    names = Counter(one.name for one in services)
    clusters = Counter((one.cluster, one.name) for one in services)
    found = []
    for one in services:
        words = [one.name] if names[one.name] == 1 else [one.cluster, one.name]
        if clusters[one.cluster, one.name] > 1:
            words = [one.region, *words]
        found.append(_short(".".join([release, *words])))
    return tuple(found)


def _short(ident: str) -> str:
    if len(ident) <= _LONGEST:
        return ident
    digest = hashlib.sha256(ident.encode()).hexdigest()[:12]
    return f"{ident[: _LONGEST - 13]}-{digest}"


# --- What comes next ---------------------------------------------------------------------------


def begin(order: GroupOrder) -> GroupState:
    """Where a group's release stands before anything was done."""
    return GroupState(
        group=order.group,
        order=order.order,
        members=tuple(Member(service=one.policy.ref(), release=one.id) for one in order.members),
    )


def next_moves(state: GroupState) -> tuple[Move, ...]:
    """What is to be done now; nothing where something must end first."""
    if state.wrong is not None:
        return _backwards(state)
    if any(_is_held(one) for one in state.members):
        return ()
    waiting = [one for one in state.members if not one.asked]
    if state.order == "in-order":
        under_way = any(one.asked and not _is_healthy(one) for one in state.members)
        waiting = [] if under_way else waiting[:1]
    return tuple(Move(do="begin", release=one.release) for one in waiting)


def _backwards(state: GroupState) -> tuple[Move, ...]:
    for member in reversed(state.members):
        if goes_back(member):
            move = Move(do="take_back", release=member.release)
            return () if member.leaving else (move,)
    return ()


def is_over(state: GroupState) -> bool:
    """Whether nothing is left to be done or waited for."""
    if state.wrong is not None:
        return not any(goes_back(one) for one in state.members)
    if next_moves(state):
        return False
    return not any(one.asked and one.result is None for one in state.members)


def to_look_at(state: GroupState) -> tuple[str, ...]:
    """Releases that ended well, and are looked at once more: before others begin, and at the end.

    Whoever rolls one of them back says that the group went wrong, and may have done so just now.
    """
    begins = any(one.do == "begin" for one in next_moves(state))
    if state.wrong is not None or not (begins or is_over(state)):
        return ()
    return tuple(one.release for one in state.members if _is_healthy(one))


def goes_back(member: Member) -> bool:
    """Whether a member has to go back now that one went wrong."""
    if not member.asked or member.back is not None:
        return False
    return member.result is None or is_changed(member.result)


def is_changed(result: ReleaseResult) -> bool:
    """Whether a release left its service on the new revision."""
    moved = result.to_task_definition not in (None, result.from_task_definition)
    return result.outcome in _STAYS_CHANGED and moved and result.rollback is None


def waits_for_a_person(state: GroupState) -> bool:
    """Whether nothing happens until somebody decides."""
    ended = [one.held is not None or one.result is not None for one in state.members if one.asked]
    held = any(_is_held(one) for one in state.members)
    return state.wrong is None and held and all(ended) and not is_over(state)


def refuse_to_stand_aside(state: GroupState, request: OperatorRequest) -> str | None:
    """Why a newer release of the group may not begin; None if it may.

    One that only waits for a person never stands in the way of a fix.
    """
    if waits_for_a_person(state):
        return None
    return f"Release {request.release} has to wait: another one of {state.group} is under way."


def refuse_cancel(state: GroupState, request: OperatorRequest, under_way: str) -> str | None:
    """Why a group's release cannot be cancelled; None if it can.

    Args:
        state: where its members stand.
        request: what is asked for.
        under_way: the id of the release that runs.
    """
    if request.release not in (None, under_way):
        return f"Not {request.release}, but release {under_way} of {state.group} is under way."
    if state.wrong is not None:
        return f"Release {under_way} of {state.group} goes back already: that goes on to its end."
    return None


def cancelled(request: OperatorRequest) -> Stop:
    """A person does not want it any more."""
    return Stop(
        outcome=Outcome.CANCELLED, why=f"{request.actor} cancelled it: {sentence(request.reason)}"
    )


def superseded(request: OperatorRequest) -> Stop:
    """A newer release of the group begins."""
    why = f"Release {request.release} superseded it while it waited for a person."
    return Stop(outcome=Outcome.SUPERSEDED, why=why)


def _is_held(member: Member) -> bool:
    if member.result is None:
        return member.held is not None
    return member.result.outcome is Outcome.HELD


def _is_healthy(member: Member) -> bool:
    return member.result is not None and member.result.outcome is Outcome.HEALTHY


# --- What was seen -----------------------------------------------------------------------------


def find(state: GroupState, release: str) -> Member | None:
    """The member with this release."""
    return next((one for one in state.members if one.release == release), None)


def changed(state: GroupState, release: str, **update: object) -> GroupState:
    """The state with one member's fields replaced."""
    members = tuple(
        one.model_copy(update=update) if one.release == release else one for one in state.members
    )
    return state.model_copy(update={"members": members})


def with_end(state: GroupState, result: ReleaseResult) -> GroupState:
    """A member's release has ended, for good; the first end counts."""
    member = find(state, result.release)
    if member is None or member.result is not None:
        return state
    state = changed(state, result.release, result=result, asked=True)
    fine = result.outcome in (Outcome.HEALTHY, Outcome.HELD) and result.rollback is None
    return state if fine else _went_wrong(state, result.release)


def with_hold(state: GroupState, result: ReleaseResult) -> GroupState:
    """A member's release waits for a person."""
    member = find(state, result.release)
    if member is None or member.result is not None or member.held is not None:
        return state
    return changed(state, result.release, held=result)


def with_undoing(state: GroupState, release: str, seen: MemberStanding) -> GroupState:
    """Somebody rolls, or rolled, a member back after its release had ended well."""
    member = find(state, release)
    if member is None or member.leaving or member.back or not (seen.undone or seen.undoing):
        return state
    return _went_wrong(changed(state, release, back=seen.undone, undoing=seen.undoing), release)


def _went_wrong(state: GroupState, release: str) -> GroupState:
    return state if state.wrong else state.model_copy(update={"wrong": release})
