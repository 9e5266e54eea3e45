"""A first policy as a short file: what was found, what it came from, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lastgood.cli.backtest_report import day
from lastgood.cli.policy_lines import comment_lines, flow, proposal_lines, trigger_lines
from lastgood.decisions.first_policy import Draft, Seen, others_in_words, timeout_in_words
from lastgood.decisions.recording import Recording
from lastgood.decisions.suggesting import Proposal, Suggestion
from lastgood.policy import format_duration


class Past(NamedTuple):
    """What the numbers came from."""

    recording: Recording
    suggestion: Suggestion
    proposals: Mapping[int, Proposal]
    """By the number of their trigger."""
    warnings: tuple[str, ...] = ()
    """What of the policy cannot work with this past."""


def lines_of(seen: Seen, draft: Draft, past: Past | str) -> Iterator[str]:
    """The file.

    Args:
        seen: the service.
        draft: what is to be written.
        past: what the numbers came from; or why there is none, in one sentence.
    """
    policy = draft.policy
    yield from _head(seen, draft)
    yield f"service: {policy.service}"
    if policy.region:
        yield f"region: {policy.region}"
    if policy.container:
        yield f"container: {policy.container}"
    yield from _times(seen, draft)
    yield ""
    yield from _about_numbers(past)
    yield "triggers:"
    proposals = {} if isinstance(past, str) else past.proposals
    for number, (trigger, notes) in enumerate(zip(policy.triggers, draft.notes, strict=True)):
        for note in notes:
            yield from comment_lines(note, "  ")
        if number in proposals:
            yield from proposal_lines(proposals[number], trigger)
        else:
            yield from trigger_lines(trigger)
    yield from _to_be_added(draft)
    yield from _others(seen)
    yield from _notify(seen)


def _head(seen: Seen, draft: Draft) -> Iterator[str]:
    yield f"# When a release of {seen.service} counts as bad, and what is done then."
    yield f"# First written by: lastgood policy init --from {seen.service}"
    yield "# All that is not here is at its default: lastgood policy init --all shows it."
    if draft.remarks:
        yield "#"
        yield "# To look at:"
        for remark in draft.remarks:
            yield from comment_lines(f"- {remark}", "")
    yield ""


def _times(seen: Seen, draft: Draft) -> Iterator[str]:
    policy = draft.policy
    if "deploy" in policy.model_fields_set:
        yield "deploy:"
        yield from comment_lines(timeout_in_words(seen), "  ")
        yield f"  timeout: {format_duration(policy.deploy.timeout)}"
    if "window" in policy.monitor.model_fields_set:
        yield "monitor:"
        yield from comment_lines("longer than the default, as few requests come", "  ")
        yield f"  window: {format_duration(policy.monitor.window)}"


def _about_numbers(past: Past | str) -> Iterator[str]:
    if isinstance(past, str):
        yield from comment_lines(
            f"The numbers below are defaults: {past}. Later, "
            "lastgood policy suggest --policy FILE --since 14d proposes better ones.",
            "",
        )
        return
    rows = past.recording.rows
    requests = sum(row.requests or 0.0 for row in rows)
    counted = f", {requests:,.0f} requests" if requests else ""
    yield from comment_lines(
        f"The numbers come from {day(rows[0].at)} to {day(past.recording.end)}: "
        f"{past.suggestion.usual.hours} hours with data{counted}. Releases were pretended in "
        "that time, to see what would have fired.",
        "",
    )
    for warning in past.warnings:
        yield from comment_lines(f"Beware: {warning}", "")


def _to_be_added(draft: Draft) -> Iterator[str]:
    for why, trigger in draft.offers:
        yield from comment_lines(why, "  ")
        first, *others = trigger.items()
        yield f"  # - {first[0]}: {first[1]}"
        yield from (f"  #   {key}: {_value(key, value)}" for key, value in others)


def _value(key: str, value: Any) -> str:
    return str(value) if key == "url" else flow(key, value)


def _others(seen: Seen) -> Iterator[str]:
    said = others_in_words(seen.metrics)
    if not said:
        return
    yield ""
    yield from comment_lines(
        "Its own metrics that are not used. If you know better, write under error-rate or "
        "response-time: metric: {namespace: …, name: …, dimensions: {…}, unit: …}",
        "",
    )
    for one in said:
        yield from comment_lines(f"- {one}", "")


def _notify(seen: Seen) -> Iterator[str]:
    topics = list(dict.fromkeys(topic for one in seen.alarms for topic in one.topics))
    yield ""
    yield "# Nobody is told yet. Take the hash off notify, and off what you have:"
    yield "# notify:"
    yield "#   slack: {webhook_url: env:SLACK_WEBHOOK_URL}"
    yield "#   email: {from: deploys@example.com, to: [oncall@example.com]}"
    if topics:
        yield f"#   sns: {{topic_arn: {topics[0]}}}   # which its alarms tell"
