"""Where one member of a group stands, read from what its guard says, and how it goes back.

The rule. What ended well goes back unless somebody has rolled it back already, or the service no
longer runs what it brought. What is under way is rolled back, what is queued is cancelled. A
rollback that goes on is waited for. Where the policy forbids a machine to roll the service back,
the member stays and a person decides.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from lastgood.contracts import Member, MemberStanding, Overview, ReleaseOrder, StandingQuery
from lastgood.decisions.groups import is_changed
from lastgood.messages import guard_id, rollback_id
from lastgood.model import Model, Outcome, ReleaseResult, RollbackRecord, ServiceRef
from lastgood.policy import RollbackPolicy

_TELLING = timedelta(minutes=5)
"""What it takes beside that: reading, calling, telling people."""


class WayBack(Model):
    """How one member goes back, as of now."""

    do: Literal["cancel", "roll_back", "wait", "nothing"]
    """``wait``: a rollback is on its way. ``nothing``: it has ended, and is not ours
    to change, or no longer."""
    result: ReleaseResult | None = None
    """How its release ended, if it has."""
    back: ReleaseResult | None = None
    """What became of its way back, if that is known."""


def standing(overview: Overview, service: ServiceRef, release: str) -> MemberStanding:
    """Where a release stands, read from what its guard says of the service."""
    current = overview.current.release if overview.current else None
    if current == release:
        return MemberStanding(state="running", undoing=_under_way(overview, release))
    if release in overview.queued:
        return MemberStanding(state="queued")
    known = [one.release for one in overview.results]
    if release not in known:
        return MemberStanding(state="unknown")
    place = known.index(release)
    later = tuple(reversed(overview.results[:place]))
    ours, result = rollback_id(service), overview.results[place]
    rollbacks = (one for one in later if one.workflow_id == ours)
    brought = result.to_task_definition
    undone = next((one for one in rollbacks if one.from_task_definition == brought), None)
    newer = _newer(result, tuple(one for one in later if one is not undone)) or current
    return MemberStanding(
        state="ended",
        result=result,
        undone=undone,
        undoing=_after_its_end(overview, result) if undone is None and newer is None else None,
        replaced_by=newer,
    )


def _newer(result: ReleaseResult, later: tuple[ReleaseResult, ...]) -> str | None:
    """The release after which the service no longer runs what ours brought; None if it does.

    Args:
        result: how our release ended.
        later: what ended after it, oldest first.
    """
    found = None
    for one in later:
        runs = _left_on(one)
        if runs == result.to_task_definition:
            found = None
        elif runs is not None:
            found = found or one.release
    return found


def _left_on(result: ReleaseResult) -> str | None:
    """What a service ran after a release or a rollback; None if that changed nothing."""
    if result.rollback and result.outcome is not Outcome.SUPERSEDED:
        return result.rollback.to
    moved = result.to_task_definition not in (None, result.from_task_definition)
    return result.to_task_definition if moved else None


def _under_way(overview: Overview, release: str) -> RollbackRecord | None:
    """The rollback with which a release ends."""
    goes_on = (one for one in overview.rollbacks if one.finished_at is None)
    return next((one for one in goes_on if one.release == release), None)


def _after_its_end(overview: Overview, result: ReleaseResult) -> RollbackRecord | None:
    """A rollback that began after a release's end, as long as it has no result itself."""
    end, ended = result.finished_at, {one.release for one in overview.results}
    later = (one for one in overview.rollbacks if end is None or one.started_at >= end)
    return next((one for one in later if one.release not in ended), None)


def has_come(query: StandingQuery, seen: MemberStanding) -> bool:
    """Whether what is waited for has come."""
    if query.until == "undone":
        return seen.undone is not None or seen.undoing is not None
    if query.until == "back":
        return seen.undone is not None or seen.replaced_by is not None
    return seen.state == "ended"


def way_back(member: Member, seen: MemberStanding, policy: RollbackPolicy) -> WayBack:
    """How a member goes back, from what its guard says of it.

    The group decides as a machine does: where the policy forbids that, a person decides.
    """
    if seen.state == "queued":
        return WayBack(do="cancel")
    if seen.state == "running" and seen.undoing is None and not policy.enabled:
        return WayBack(do="nothing", back=_forbidden(_untold(member)))
    if seen.state == "running":
        return WayBack(do="wait" if seen.undoing else "roll_back")
    result = member.result or seen.result
    if result is None:
        return WayBack(do="nothing", result=lost(member))
    if seen.undone or not is_changed(result):
        return WayBack(do="nothing", result=result, back=seen.undone)
    if seen.replaced_by:
        return WayBack(do="nothing", result=result, back=_replaced(result, seen.replaced_by))
    if seen.undoing is None and not policy.enabled:
        return WayBack(do="nothing", result=result, back=_forbidden(result))
    return WayBack(do="wait" if seen.undoing else "roll_back", result=result)


def _forbidden(result: ReleaseResult) -> ReleaseResult:
    reason = (
        "Its policy forbids automatic rollbacks, so it stays where it is until a person decides: "
        f'lastgood rollback {result.service} --reason "…"'
    )
    return result.model_copy(update={"outcome": Outcome.HELD, "reason": reason})


def _replaced(result: ReleaseResult, newer: str) -> ReleaseResult:
    reason = f"Release {newer} came after it, and is left alone."
    return result.model_copy(update={"outcome": Outcome.SUPERSEDED, "reason": reason})


def refused(order: ReleaseOrder, why: str) -> ReleaseResult:
    """A member that its guard did not take up: nothing was changed."""
    service = order.policy.ref()
    return ReleaseResult(
        release=order.id,
        workflow_id=guard_id(service),
        run_id="",
        service=str(service),
        outcome=Outcome.REFUSED,
        reason=why,
        image=order.image,
        actor=order.actor,
    )


def lost(member: Member) -> ReleaseResult:
    """A release that its guard does not know any more: nobody judged it to its end."""
    reason = (
        "Its guard does not know it any more, and may have been terminated: it was not judged "
        f"to its end. Look at the service: lastgood status {member.service}"
    )
    return _untold(member).model_copy(update={"reason": reason})


def _untold(member: Member) -> ReleaseResult:
    """What is known of a release whose end nobody told."""
    return member.held or ReleaseResult(
        release=member.release,
        workflow_id="",
        run_id="",
        service=str(member.service),
        outcome=Outcome.HELD,
        reason="",
    )


def patience(policy: RollbackPolicy) -> timedelta:
    """How long a rollback may take: until steady, twice at most, verified; then further back."""
    once = 2 * policy.timeout + policy.verify_timeout + _TELLING
    return 2 * once if policy.try_next_good else once


def stays(member: Member, why: str) -> ReleaseResult:
    """A member that could not be taken back."""
    known = member.result or _untold(member)
    reason = f"It should have gone back, and could not: {why}"
    return known.model_copy(update={"outcome": Outcome.ROLLBACK_FAILED, "reason": reason})
