"""The one verdict over a group's release, and its reason.

The rule. Healthy if all are. A rollback that failed is the worst, then a member that nobody judged;
else what was done to bring the others back gives the outcome; and if nothing had to go back, it is
that of the member which went wrong.
"""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import GroupOrder, GroupResult, GroupState, Member
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.groups import Stop, find, waits_for_a_person
from lastgood.decisions.wording import sentence
from lastgood.model import Model, Outcome, ReleaseResult

_GRAVEST = (
    Outcome.ROLLBACK_FAILED,
    Outcome.HELD,
    Outcome.ROLLED_BACK,
    Outcome.ROLLED_BACK_BY_ECS,
)


class Run(Model):
    """Which workflow carries a group's release out, since when."""

    workflow_id: str
    run_id: str
    started_at: datetime
    now: datetime


def outcome_of(member: Member) -> Outcome | None:
    """What became of a member, in the end; None if it was never begun."""
    ended = member.back or member.result or member.held
    return ended.outcome if ended else None


def outcome(state: GroupState) -> Outcome:
    """The verdict."""
    found = [one for member in state.members if (one := outcome_of(member))]
    if state.wrong is None:
        healthy = all(one is Outcome.HEALTHY for one in found)
        return Outcome.HEALTHY if healthy else Outcome.HELD
    worst = next((one for one in _GRAVEST if one in found), None)
    wrong = find(state, state.wrong)
    return worst or (wrong and outcome_of(wrong)) or Outcome.REFUSED


def reason(state: GroupState) -> str:
    """Who went wrong, and what became of the others, for people."""
    if state.wrong is None:
        held = [one for one in state.members if outcome_of(one) is Outcome.HELD]
        return _held(held[0], state) if held else f"All {len(state.members)} services are healthy."
    wrong = find(state, state.wrong)
    others = [one for one in state.members if one is not wrong]
    return " ".join([blame(state), *(text for one in others if (text := _became(one)))])


def blame(state: GroupState) -> str:
    """The member that went wrong, and how: ``shop/web was rolled back: …``."""
    wrong = find(state, state.wrong or "")
    result = wrong.result if wrong else None
    if wrong is None or result is None:
        return ""
    if wrong.undoing and wrong.back is None:
        asked = sentence(wrong.undoing.reason)
        return (
            f"{wrong.undoing.actor} rolls {wrong.service} back after it had been healthy: {asked}"
        )
    undone = result.outcome is Outcome.HEALTHY and wrong.back
    ended, after = (undone, " after it had been healthy") if undone else (result, "")
    return f"{wrong.service} {ENDINGS[ended.outcome].title}{after}: {sentence(ended.reason)}"


def _held(member: Member, state: GroupState) -> str:
    ended = member.result or member.held
    why = sentence(ended.reason) if ended else ""
    then = (
        "Nothing further begins, and nothing goes back, until somebody decides."
        if waits_for_a_person(state)
        else "Nothing further was begun, and nothing went back."
    )
    return f"{member.service} is held for a person: {why} {then}"


def _became(member: Member) -> str:
    """What became of a member that was not the first to go wrong."""
    if not member.asked:
        return f"{member.service} was not begun."
    if member.back and member.back.outcome is Outcome.ROLLED_BACK:
        return f"{member.service} went back, too."
    ended = member.back or member.result
    if ended is None:
        return f"{member.service} is still under way."
    return f"{member.service} {ENDINGS[ended.outcome].title}: {sentence(ended.reason)}"


def member_result(member: Member, state: GroupState) -> ReleaseResult:
    """One member's own result, with what came after it."""
    result = member.result or member.held or member.back
    if result is None:
        why = "under way" if member.asked else "not begun"
        return ReleaseResult(
            release=member.release,
            workflow_id="",
            run_id="",
            service=str(member.service),
            outcome=Outcome.CANCELLED,
            reason=f"It was {why} when the group's release ended. {blame(state)}".strip(),
        )
    if member.back is None or member.back is result:
        return result
    came_after = {
        "outcome": member.back.outcome,
        "reason": f"It was {result.outcome.value.replace('_', ' ')}; then: {member.back.reason}",
        "rollback": member.back.rollback,
        "finished_at": member.back.finished_at or result.finished_at,
    }
    return result.model_copy(update=came_after)


def result_of(order: GroupOrder, state: GroupState, run: Run) -> GroupResult:
    """How a group's release ends, or what it waits with."""
    wrong = find(state, state.wrong or "")
    ended = wrong.result if wrong else None
    return GroupResult(
        release=order.id,
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        service=order.group,
        outcome=outcome(state),
        reason=reason(state),
        trigger=ended.trigger if ended else None,
        evidence=ended.evidence if ended else (),
        timings=_timings(state),
        started_at=run.started_at,
        finished_at=run.now,
        image=order.what,
        actor=order.actor,
        members=tuple(member_result(one, state) for one in state.members),
    )


def _timings(state: GroupState) -> dict[str, float]:
    """Seconds by member."""
    found = {}
    for one in state.members:
        ended = one.result
        if ended and ended.started_at and ended.finished_at:
            took = ended.finished_at - ended.started_at
            found[str(one.service)] = round(took.total_seconds(), 3)
    return found


def stopped(order: GroupOrder, state: GroupState, run: Run, stop: Stop) -> GroupResult:
    """The group's release itself was ended, while nothing had gone wrong."""
    under_way = [str(one.service) for one in state.members if one.asked and one.result is None]
    rest = f"{', '.join(under_way)} goes on by itself." if under_way else "Nothing is under way."
    text = f"{sentence(stop.why)} No further member begins, and nothing goes back. {rest}"
    result = result_of(order, state, run)
    return result.model_copy(update={"outcome": stop.outcome, "reason": text})
