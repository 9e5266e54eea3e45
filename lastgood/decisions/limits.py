"""Cooldown and rollback limit, and what to do when something fired.

An automatic rollback waits until ``cooldown`` has passed since the last rollback ended. At most
``max_rollbacks`` happen in any period ``per``; when that many have been, the release is held for
a person. An operator's rollback is counted and never limited. A reset forgets what was counted.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Literal

from lastgood.contracts import Explanation, Limits
from lastgood.decisions.wording import period
from lastgood.model import Model, RollbackRecord
from lastgood.policy import RollbackPolicy, format_duration


class Remedy(Model):
    """What to do now."""

    do: Literal["roll_back", "wait", "hold"]
    reason: str
    until: datetime | None = None
    """With ``wait``: when the cooldown ends."""


def counted(limits: Limits, policy: RollbackPolicy, now: datetime) -> tuple[RollbackRecord, ...]:
    """The rollbacks that count against the limit now."""
    start = now - policy.per
    return tuple(
        record
        for record in limits.rollbacks
        if record.started_at > start
        and (limits.counted_from is None or record.started_at > limits.counted_from)
    )


def cooldown_ends(limits: Limits, policy: RollbackPolicy, now: datetime) -> datetime | None:
    """When the cooldown ends; None if there is none now."""
    ends = [
        (record.finished_at or record.started_at) + policy.cooldown
        for record in limits.rollbacks
        if limits.counted_from is None or record.started_at > limits.counted_from
    ]
    latest = max(ends, default=None)
    return latest if latest and latest > now else None


class Stood(Model):
    """The limits as they stood for a release, when something was decided about it."""

    counted: int
    cooldown_until: datetime | None


def stood(told: Explanation) -> Stood | None:
    """How the limits stood, without the release's own rollback; None before it began."""
    policy, steps = told.release.policy.rollback, told.progress.steps
    at = told.decisions[-1].at if told.decisions else steps[0].started_at if steps else None
    if at is None:
        return None
    others = tuple(one for one in told.limits.rollbacks if one.release != told.release.id)
    then = told.limits.model_copy(update={"rollbacks": others})
    return Stood(
        counted=len(counted(then, policy, at)), cooldown_until=cooldown_ends(then, policy, at)
    )


def decide(
    limits: Limits,
    policy: RollbackPolicy,
    *,
    by_operator: bool,
    has_target: bool,
    now: datetime,
) -> Remedy:
    """Whether a release that went wrong may be rolled back now."""
    if not has_target:
        return Remedy(do="hold", reason="There is no revision to go back to: none was ever good.")
    if by_operator:
        return Remedy(do="roll_back", reason="An operator asked for it.")
    if not policy.enabled:
        return Remedy(do="hold", reason="The policy forbids automatic rollbacks here.")
    number = len(counted(limits, policy, now))
    if number >= policy.max_rollbacks:
        reason = (
            f"The limit is reached: {number} rollbacks within {period(policy.per)} "
            f"(at most {policy.max_rollbacks})."
        )
        return Remedy(do="hold", reason=reason)
    ends = cooldown_ends(limits, policy, now)
    if ends is None:
        return Remedy(do="roll_back", reason="The limits allow it.")
    left = format_duration(timedelta(seconds=math.ceil((ends - now).total_seconds())))
    if policy.cooldown_then == "hold":
        return Remedy(do="hold", reason=f"The cooldown after the last rollback lasts {left} more.")
    reason = (
        f"The cooldown after the last rollback lasts {left} more; "
        "if it still fires then, the release is rolled back."
    )
    return Remedy(do="wait", reason=reason, until=ends)
