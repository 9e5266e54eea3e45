"""A release's whole decision in words, to be read at night without colour."""

from __future__ import annotations

from collections.abc import Iterator

from lastgood.cli import judged_again
from lastgood.cli.output import clock, day, headline, label, mark, seconds
from lastgood.contracts import Decided, Explanation, Progress
from lastgood.decisions import limits
from lastgood.decisions.wording import describe, sentence
from lastgood.model import Outcome, ReleaseResult, Verdict
from lastgood.policy import format_duration


def lines(told: Explanation, result: ReleaseResult | None, *, again: bool = False) -> list[str]:
    """All of it, in the order in which one asks: what, why, by which numbers, who.

    Args:
        told: what the release says.
        result: how it ended, if it has.
        again: judge its verdicts again.
    """
    result = result or told.progress.result
    ended = result is not None and not told.progress.held
    return [
        headline(result) if result and ended else _under_way(told.progress),
        *([f"  {sentence(result.reason)}"] if result else []),
        *_section("Asked for", _asked(told)),
        *_section("Steps", _steps(told.progress)),
        *_section("Target of a rollback", _target(told)),
        *_section("Triggers", _verdicts(told, again)),
        *_section("Limits as they stood", _limits(told)),
        *_section("Decisions", (line for one in told.decisions for line in _decision(one))),
        *_section("Calls", told.calls, "none: nothing was changed"),
        *_section("Who did what", _actions(told), "nobody but Lastgood"),
        *_section("Said", told.progress.notes),
        *_section("Notifications", _notifications(told, result)),
    ]


def _section(title: str, content: Iterator[str] | tuple[str, ...], empty: str = "") -> list[str]:
    found = [f"  {line}" for line in content] or ([f"  {empty}"] if empty else [])
    return ["", title, *found] if found else []


def _under_way(progress: Progress) -> str:
    state = "HELD for a person" if progress.held else f"UNDER WAY, at its step {progress.step}"
    return f"{state}: release {progress.release} of {progress.service}"


def _asked(told: Explanation) -> Iterator[str]:
    release, progress = told.release, told.progress
    yield f"{release.what}, by {release.actor}"
    if release.ci_url:
        yield release.ci_url
    if release.forced:
        yield f"forced: {release.forced}"
    if release.group:
        yield f"part of a group: {release.group}"
    before, after = progress.from_task_definition, progress.to_task_definition
    if before or after:
        yield f"{label(before)} → {label(after)}"


def _steps(progress: Progress) -> Iterator[str]:
    for step in progress.steps:
        took = "under way"
        if step.finished_at:
            took = seconds((step.finished_at - step.started_at).total_seconds())
        text = f"  {step.text}" if step.text else ""
        yield f"{day(step.started_at)}  {step.name:<11} {took:>9}{text}"


def _target(told: Explanation) -> Iterator[str]:
    target = told.target
    if target:
        proven = f": {target.proven}" if target.proven else ""
        yield describe(target) + proven
    if told.target_reason:
        yield f"why: {told.target_reason}"


def _verdicts(told: Explanation, again: bool) -> Iterator[str]:
    for one in told.verdicts:
        yield from _verdict(one)
        if again:
            yield f"     {judged_again.judge(told, one).text}"


def _verdict(verdict: Verdict) -> Iterator[str]:
    said_already = verdict.reason.startswith(verdict.trigger)
    named = verdict.reason if said_already else f"{verdict.trigger}: {verdict.reason}"
    yield f"{mark(verdict):<4} {named}"
    if verdict.message:
        yield f"     the policy says: {verdict.message}"
    for one in verdict.evidence:
        yield f"     {clock(one.at)}  {one.reading.value:<9}  {one.text}"


def _limits(told: Explanation) -> Iterator[str]:
    policy, stood = told.release.policy.rollback, limits.stood(told)
    if stood is None:
        return
    until = stood.cooldown_until
    yield f"rollbacks   {stood.counted} of {policy.max_rollbacks} in {format_duration(policy.per)}"
    yield f"cooldown    {f'until {day(until)}' if until else 'none'}"
    if not policy.enabled:
        yield "rollback    is off in the policy: a trigger that fires holds the release"


def _decision(one: Decided) -> Iterator[str]:
    yield f"{day(one.at)}  {one.finding} → {one.do.replace('_', ' ')}"
    yield f"     found: {one.reason}"
    if one.why:
        yield f"     why: {one.why}"


def _actions(told: Explanation) -> Iterator[str]:
    for one in told.actions:
        yield f"{day(one.at)}  {one.verb} by {one.actor}: {one.reason}"


def _notifications(told: Explanation, result: ReleaseResult | None) -> Iterator[str]:
    notify, progress = told.release.policy.notify, told.progress
    channels = [key for key, _ in notify.channels()]
    yield f"through {', '.join(channels)}" if channels else "no channel in the policy"
    if result and result.outcome is Outcome.HEALTHY and not notify.healthy:
        yield "nobody is told of a healthy release, as the policy is"
    failed = {
        (one.channel, one.at): one
        for one in (
            *progress.notification_failures,
            *(result.notification_failures if result else ()),
        )
    }
    for one in failed.values():
        yield f"NOT TOLD  {one.channel} at {day(one.at)}: {one.error}"
