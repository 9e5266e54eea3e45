"""A group's release on one page: what became of all, and then each service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from lastgood.contracts import GroupProgress, Member
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.wording import sentence
from lastgood.model import Outcome
from lastgood.report import timeline
from lastgood.report.parts import Fact, MemberRow, ReleasePart, Tone


def of_group(group: GroupProgress) -> ReleasePart:
    """What became of a group's release as a whole."""
    result = group.result
    held = any(one.held for one in group.members)
    badge, title = "under way", "is under way"
    tone: Tone = "plain"
    why = "So far nothing was decided for all of its services."
    if result:
        badge = result.outcome.value.replace("_", " ")
        tone, title = timeline.tone_of(result.outcome), ENDINGS[result.outcome].title
        why = sentence(result.reason)
    if held and (result is None or result.outcome is Outcome.HELD):
        badge, tone, title = "held", "critical", "is held and needs a decision"
    facts = [Fact("began", f"{group.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")]
    if result:
        facts += [Fact("released", result.image)] if result.image else []
        facts += [Fact("asked for by", result.actor)] if result.actor else []
        if result.finished_at:
            facts.append(Fact("took", timeline.lasted(result.finished_at - group.started_at)))
    return ReleasePart(
        release=group.release,
        service=group.group,
        badge=badge,
        tone=tone,
        title=f"group {group.group}: release {group.release} {title}",
        sentence=why,
        more=(),
        facts=tuple(facts),
        lead=None,
        phases=(),
        events=(),
        others=(),
        silent="",
        latest=(),
        details=(("What happened", group.notes),) if group.notes else (),
    )


def rows(members: Sequence[Member]) -> list[MemberRow]:
    """Each service in a line, in the order in which they are released."""
    return [_row(number, one) for number, one in enumerate(members, start=1)]


def _row(number: int, member: Member) -> MemberRow:
    ended = member.back or member.result or member.held
    badge = "under way" if member.asked else "waits"
    tone: Tone = "plain"
    if ended:
        badge, tone = ended.outcome.value.replace("_", " "), timeline.tone_of(ended.outcome)
    elif member.leaving:
        badge, tone = "goes back", "warning"
    return MemberRow(
        service=str(member.service),
        release=member.release,
        badge=badge,
        tone=tone,
        reason=sentence(ended.reason) if ended else "",
        anchor=f"service-{number}",
    )
