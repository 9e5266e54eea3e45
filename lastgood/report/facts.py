"""The small print of a release: who asked for what, how long it took, and what else is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from lastgood.contracts import Explanation
from lastgood.decisions import limits, routing
from lastgood.decisions.wording import day, describe, period
from lastgood.model import Outcome, ReleaseResult, ServiceRef
from lastgood.report import timeline
from lastgood.report.parts import Fact


def of_release(
    service: ServiceRef, told: Explanation, result: ReleaseResult | None
) -> Iterator[Fact]:
    """What one asks first, in a table."""
    release, progress = told.release, told.progress
    yield Fact("image" if release.image else "released", release.what)
    yield Fact("asked for by", release.actor, _link(release.ci_url))
    if release.forced:
        yield Fact("forced", release.forced)
    if release.group:
        yield Fact("part of", release.group)
    before, after = progress.from_task_definition, progress.to_task_definition
    if before or after:
        yield Fact("revision", f"{_label(before)} → {_label(after)}")
    if progress.steps:
        yield Fact("began", _moment(progress.steps[0].started_at))
    if result:
        yield from _how_long(result)
    console = (
        f"https://{service.region}.console.aws.amazon.com/ecs/v2/clusters/{service.cluster}"
        f"/services/{service.name}/health?region={service.region}"
    )
    yield Fact("service", f"{service} in {service.region}", console)


def of_result(result: ReleaseResult) -> Iterator[Fact]:
    """The same of a release of which only its end is known."""
    if result.image:
        yield Fact("image", result.image)
    if result.actor:
        yield Fact("asked for by", result.actor)
    if result.from_task_definition or result.to_task_definition:
        moved = f"{_label(result.from_task_definition)} → {_label(result.to_task_definition)}"
        yield Fact("revision", moved)
    if result.started_at:
        yield Fact("began", _moment(result.started_at))
    yield from _how_long(result)


def _how_long(result: ReleaseResult) -> Iterator[Fact]:
    if result.started_at and result.finished_at:
        yield Fact("took", timeline.lasted(result.finished_at - result.started_at))
    for name, value in result.drill.seconds.items() if result.drill else ():
        yield Fact(f"drill: {name}", timeline.lasted(timedelta(seconds=value)))
    rollback = result.rollback
    if rollback:
        ended = rollback.finished_at
        within = f" in {timeline.lasted(ended - rollback.started_at)}" if ended else ""
        proved = "verified" if rollback.verified else "NOT verified"
        yield Fact("rollback", f"to {_label(rollback.to)}{within}, {proved}")


def _link(url: str | None) -> str | None:
    return url if url and url.startswith(("https://", "http://")) else None


def _label(task_definition: str | None) -> str:
    return task_definition.rsplit("/", 1)[-1] if task_definition else "unknown"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def details(
    told: Explanation, result: ReleaseResult | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Headings, each with its lines; some have none."""
    actions = (
        f"{_moment(one.at)}  {one.verb} by {one.actor}: {one.reason}" for one in told.actions
    )
    yield "Who did what", tuple(actions) or ("Nobody but Lastgood.",)
    yield "What it would go back to", tuple(_target(told))
    yield "Limits as they stood", tuple(_limits(told))
    yield "Calls to AWS", told.calls or ("None: nothing was changed.",)
    yield "Said meanwhile", told.progress.notes
    yield "Notifications", tuple(_notifications(told, result))
    if result:
        yield "In Temporal", (f"workflow {result.workflow_id}", f"run {result.run_id}")


def _target(told: Explanation) -> Iterator[str]:
    if told.target:
        proven = f": {told.target.proven}" if told.target.proven else ""
        yield describe(told.target) + proven
    if told.target_reason:
        yield told.target_reason


def _limits(told: Explanation) -> Iterator[str]:
    policy, stood = told.release.policy.rollback, limits.stood(told)
    if stood is None:
        return
    yield f"{stood.counted} of {policy.max_rollbacks} rollbacks in {period(policy.per)} before it"
    until = stood.cooldown_until
    yield f"Cooldown until {day(until)}" if until else "No cooldown"
    if not policy.enabled:
        yield "Rollback is off in the policy: a trigger that fires holds the release"


def _notifications(told: Explanation, result: ReleaseResult | None) -> Iterator[str]:
    notify = told.release.policy.notify
    channels = [key for key, _ in notify.channels()]
    yield f"Through {', '.join(channels)}" if channels else "No channel in the policy"
    healthy = result is not None and result.outcome is Outcome.HEALTHY
    if healthy and channels and not routing.hears_of_healthy(told.progress.service, notify):
        yield "No channel wants to hear of a healthy release, as the policy is"
