"""A group's release in Temporal's UI: its members in order, and what became of each."""

from __future__ import annotations

from lastgood.contracts import GroupOrder, GroupProgress, Member
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.markdown import (
    bullets,
    code,
    summary,
    table,
    text,
    whole,
)
from lastgood.decisions.rendering.temporal_ui.release import Place
from lastgood.messages import deployment_id, guard_id
from lastgood.model import Model, Outcome

_NOTES = 10


class GroupNow(Model):
    """What is known of a group's release now."""

    place: Place
    progress: GroupProgress


def group_summary(order: GroupOrder) -> str:
    """One line for lists and headings."""
    return summary(f"{order.id}: {order.what} → group {order.group}")


def group_details(order: GroupOrder) -> str:
    """What does not change while it runs."""
    how = "one after the other" if order.order == "in-order" else "all at once"
    return whole(
        [
            f"Release {code(order.id)} of the group {code(order.group)} in {text(order.region)}, "
            f"{how}, asked for by {text(order.actor)}. If one goes wrong, all go back.",
            "",
            *bullets(f"{code(one.what)} to {code(one.policy.service)}" for one in order.members),
        ]
    )


def group_now(now: GroupNow) -> str:
    """Where it stands."""
    progress = now.progress
    return whole(
        [
            _verdict(progress),
            "",
            *table(("service", "release", "stands"), (_member(now, m) for m in progress.members)),
            *bullets(text(note, 300) for note in progress.notes[-_NOTES:]),
            *bullets((f"Why: {places.command('explain', progress.release)}",)),
        ]
    )


def _verdict(progress: GroupProgress) -> str:
    if progress.result is None:
        done = sum(one.result is not None for one in progress.members)
        return f"**Under way**: {done} of {len(progress.members)} have ended"
    if progress.result.outcome is Outcome.HELD:
        return f"**HELD for a person**: {text(progress.result.reason)}"
    return f"**{text(ENDINGS[progress.result.outcome].title)}**: {text(progress.result.reason)}"


def _member(now: GroupNow, one: Member) -> tuple[str, str, str]:
    # What it has begun is the release; what it has not is known to its guard alone.
    ident = deployment_id(one.service) if one.asked else guard_id(one.service)
    return now.place.other(str(one.service), ident), text(one.release, 80), _stands(one)


def _stands(one: Member) -> str:
    if one.back:
        return f"**back**: {text(one.back.reason, 160)}"
    if one.leaving:
        return "**goes back**"
    if one.result:
        outcome = one.result.outcome.value.replace("_", " ")
        return f"{outcome}: {text(one.result.reason, 160)}"
    if one.held:
        return f"**held**: {text(one.held.reason, 160)}"
    return "under way, or queued" if one.asked else "not begun"
