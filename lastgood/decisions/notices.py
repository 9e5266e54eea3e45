"""What people are told, in words for somebody who was woken at three in the morning.

The rule. A notice says first what happened to which service, then why with the numbers, then what
to do if something is to be done. Its facts hold what one asks next: release, who started it,
trigger, measured against threshold, from which revision to which with their images, and how many
rollbacks there were. While something is to be decided, a notice is as grave as the trigger that
fired; what ended is as grave as its outcome. What dry runs would have done is told at the end.
Notices of one kind about one release have one key, which
service and region make unique on the wire (``rendering.text.wire_key``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from lastgood.contracts import Notice
from lastgood.decisions import drill_notices
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.wording import (
    clock,
    day,
    describe,
    measured,
    period,
    rollback_command,
    sentence,
    took,
)
from lastgood.model import (
    DrillSummary,
    Model,
    Outcome,
    ReleaseResult,
    Revision,
    RollbackRecord,
    Status,
    Verdict,
)

Facts = list[tuple[str, str]]


class NoticeContext(Model):
    """What every notice about a release needs to know."""

    service: str
    """CLUSTER/SERVICE, as commands take it."""
    region: str = ""
    release: str
    what: str
    """What is released, in a few words: the image."""
    actor: str
    """Who started the release."""
    forced: str | None = None
    """Why it was released in spite of a freeze or a quarantine, if it was."""
    drill: DrillSummary | None = None
    """Set for a drill."""
    from_revision: Revision | None = None
    """What ran before the release."""
    to_revision: Revision | None = None
    """What the release brought."""
    rollbacks_counted: int = 0
    """That count against the limit now, with the one that is under way."""
    max_rollbacks: int
    per: timedelta
    link: str | None = None
    at: datetime


def rollback_started(
    context: NoticeContext,
    *,
    reason: str,
    fired: Verdict | None = None,
    target: Revision | None = None,
    asked_by: str | None = None,
) -> Notice:
    """A rollback begins.

    Args:
        context: the release.
        reason: why, in one sentence; the trigger's own where one fired.
        fired: the trigger that fired.
        target: what is brought back, if it is not what ran before the release.
        asked_by: the operator, if one asked for it.
    """
    back = target or context.from_revision
    goal = back.label if back else "the last known good revision"
    return _notice(
        context,
        "rollback_started",
        fired.severity if fired else "critical",
        title=f"{context.service}: rolling back release {context.release}",
        summary=(
            f"{sentence(reason)} The service goes back to {goal} now. "
            "Nothing is to be done; the result follows."
        ),
        facts=[
            *_cause(fired, asked_by=asked_by),
            *_back(context, target),
        ],
    )


def cooldown(
    context: NoticeContext,
    *,
    reason: str,
    until: datetime,
    fired: Verdict | None = None,
    last: RollbackRecord | None = None,
) -> Notice:
    """Something went wrong during the cooldown: people are told, the rollback waits."""
    ended = (last.finished_at or last.started_at) if last else None
    since = f" ({took(context.at - ended)} ago)" if ended and ended <= context.at else ""
    return _notice(
        context,
        "cooldown",
        fired.severity if fired else "critical",
        title=(
            f"{context.service}: release {context.release} is failing, "
            f"no rollback before {clock(until)}"
        ),
        summary=(
            f"{sentence(reason)} The cooldown after the last rollback{since} ends at "
            f"{clock(until)}; if it still fires then, the release is rolled back. "
            f"To roll back now: {rollback_command(context.service)}"
        ),
        facts=[*_cause(fired), *_forward(context), ("Cooldown ends", clock(until))],
    )


def held(
    context: NoticeContext,
    *,
    reason: str,
    fired: Verdict | None = None,
    until: datetime | None = None,
    number: int = 1,
) -> Notice:
    """A release waits for a person; for the second time, if it was judged again in between."""
    wait = f" It waits until {day(until)}, then ends as held." if until else ""
    notice = _notice(
        context,
        "held",
        fired.severity if fired else "warning",
        title=f"{context.service}: release {context.release} is held and needs a decision",
        summary=(
            f"{sentence(reason)} Nothing is rolled back by itself.{wait} "
            "Release a fix, which is not kept waiting, or go back: "
            f"{rollback_command(context.service)}"
        ),
        facts=[
            *_cause(fired),
            *_forward(context),
            *([("Held until", day(until))] if until else []),
        ],
        outcome=Outcome.HELD,
    )
    if number == 1:
        return notice
    return notice.model_copy(update={"dedup": f"{notice.dedup}-{number}"})


def resumed(context: NoticeContext, *, by: str, reason: str, number: int = 1) -> Notice:
    """A person lets a held release be judged again: told only where the hold was told."""
    notice = _notice(
        context,
        "resumed",
        "warning",
        title=f"{context.service}: release {context.release} is judged again",
        summary=f"{by} resumed it: {sentence(reason)} Nothing is to be done; the result follows.",
        facts=[("Asked by", by), *_forward(context)],
    )
    return notice.model_copy(update={"dedup": f"{notice.dedup}-{number}"})


_BACK = (Outcome.ROLLED_BACK, Outcome.ROLLED_BACK_BY_ECS, Outcome.ROLLBACK_FAILED)


def ended(
    context: NoticeContext,
    *,
    result: ReleaseResult,
    fired: Verdict | None = None,
    target: Revision | None = None,
    now_runs: str | None = None,
) -> Notice:
    """A release, or a rollback, has ended.

    Args:
        context: the release.
        result: how it ended.
        fired: the trigger that fired.
        target: what was brought back, if it is not what ran before the release.
        now_runs: the state that the service is in, as one sentence; above all when a rollback
            failed.
    """
    ending = ENDINGS[result.outcome]
    todo = ending.next.format(service=context.service, command=rollback_command(context.service))
    state = f" Now: {sentence(now_runs)}" if now_runs else ""
    return _notice(
        context,
        "ended",
        fired.severity if fired and result.outcome is Outcome.HELD else ending.severity,
        title=f"{context.service}: release {context.release} {ending.title}",
        summary=f"{sentence(result.reason)}{state} {todo}".strip(),
        facts=[
            *_cause(fired, trigger=result.trigger),
            *(_back(context, target) if result.outcome in _BACK else _forward(context)),
            *([("Now", now_runs)] if now_runs else []),
            *_dry_runs(result),
            *_durations(result),
        ],
        outcome=result.outcome,
        result=result,
    )


def _cause(fired: Verdict | None, trigger: str | None = None, asked_by: str | None = None) -> Facts:
    number = measured(fired) if fired else None
    name = fired.trigger if fired else trigger
    return [
        *([("Trigger", name)] if name else []),
        *([("Measured", number)] if number else []),
        *([("Severity", fired.severity)] if fired else []),
        *([("Asked by", asked_by)] if asked_by else []),
    ]


def _forward(context: NoticeContext) -> Facts:
    return [("From", describe(context.from_revision)), ("To", describe(context.to_revision))]


def _back(context: NoticeContext, target: Revision | None) -> Facts:
    goal = target or context.from_revision
    return [("From", describe(context.to_revision)), ("To", describe(goal))]


def _dry_runs(result: ReleaseResult) -> Facts:
    would = [one for one in result.evidence if one.dry_run and one.status is Status.FAIL]
    return [(one.trigger, one.reason) for one in would]


def _durations(result: ReleaseResult) -> Facts:
    facts: Facts = []
    rollback = result.rollback
    if rollback and rollback.finished_at:
        facts.append(("Rollback took", took(rollback.finished_at - rollback.started_at)))
    if result.started_at and result.finished_at:
        facts.append(("All in all", took(result.finished_at - result.started_at)))
    return facts


def _notice(
    context: NoticeContext,
    kind: Literal["rollback_started", "cooldown", "held", "ended", "resumed"],
    severity: Literal["healthy", "warning", "critical"],
    *,
    title: str,
    summary: str,
    facts: Facts,
    outcome: Outcome | None = None,
    result: ReleaseResult | None = None,
) -> Notice:
    drill = (result.drill if result else None) or context.drill
    count = f"{context.rollbacks_counted} of {context.max_rollbacks} in {period(context.per)}"
    notice = Notice(
        dedup=f"{context.release}/{kind}",
        kind=kind,
        severity=severity,
        title=title,
        summary=summary,
        facts=(
            ("Service", context.service),
            ("Release", f"{context.release}: {context.what}"),
            *([("Region", context.region)] if context.region else []),
            ("Started by", context.actor),
            *([("Forced", context.forced)] if context.forced else []),
            *facts,
            ("Rollbacks", count),
        ),
        link=context.link,
        outcome=outcome,
        service=context.service,
        region=context.region,
        release=context.release,
        at=context.at,
    )
    if drill is None:
        return notice
    return drill_notices.told(notice, drill, result.reason if result else "")
