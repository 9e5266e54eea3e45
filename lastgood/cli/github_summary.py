"""A job's summary in Markdown: while the release is under way, and when it has ended.

What people can write stays text: characters that mean something to Markdown or HTML are written as
entities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from lastgood.cli.output import facts, headline, mark, seconds
from lastgood.contracts import Explanation, Step
from lastgood.model import Outcome, ReleaseResult, Status, Verdict

_MEANS_SOMETHING = "&<>|`*_[]\\~$"


class UnderWay(NamedTuple):
    """A release that was asked for, in words."""

    title: str
    """``release 2.1 of shop/web``."""
    what: str
    follow: str
    """The command that follows it."""
    stop: tuple[tuple[str, str], ...]
    """Commands that stop it, each with what it does."""


def plain(text: str) -> str:
    """Text as one line that is nothing but text."""
    line = " ".join(text.split())
    return "".join(f"&#{ord(one)};" if one in _MEANS_SOMETHING else one for one in line)


def under_way(about: UnderWay, link: str, *, detached: bool = False) -> str:
    """The summary until there is a verdict, which is all there is if the job is cancelled."""
    said = "is under way"
    if detached:
        said = "goes on: the job was stopped, the release was not"
    commands = [(about.follow, "To follow it to its verdict"), *about.stop]
    lines = [f"## Lastgood: {plain(about.title)} {said}", "", plain(about.what), ""]
    lines += _link(link)
    lines += ["```sh", *(f"# {why}:\n{_code(command)}" for command, why in commands), "```"]
    return "\n".join(lines) + "\n"


def _link(link: str) -> list[str]:
    return [f"[In the Temporal UI]({link})", ""] if link else []


def _code(text: str) -> str:
    return " ".join(text.split()).replace("```", "'''")


def ended(
    result: ReleaseResult,
    told: Explanation | None,
    link: str,
    now: str = "",
    commands: Sequence[str] = (),
) -> str:
    """The summary of how it ended.

    Args:
        result: how it ended.
        told: all that went into that, if it could be asked.
        link: where it is in the Temporal UI; empty: not known.
        now: what can be done about it, in sentences.
        commands: with which.
    """
    lines = [f"## Lastgood: {plain(headline(result))}", "", f"**{plain(result.reason)}**", ""]
    lines += [plain(now), ""] if now else []
    lines += ["```sh", *map(_code, commands), "```", ""] if commands else []
    lines += [*_table(("release", plain(result.release)), _facts(result)), ""]
    lines += _link(link)
    for title, drawn in _plots(told):
        lines += [f"### {plain(title)}", "", *drawn, ""]
    lines += ["### Timeline", "", *_timeline(result, told), ""]
    if verdicts := (told.verdicts if told else ()) or result.evidence:
        rows = ((mark(one), one.trigger, one.reason) for one in verdicts)
        lines += ["### Triggers", "", *_table(("verdict", "trigger", "why"), rows)]
    return "\n".join(lines).rstrip() + "\n"


def _plots(told: Explanation | None) -> list[tuple[str, list[str]]]:
    if told is None:
        return []
    from lastgood.cli import github_plot  # here, because it takes long and is needed at the end

    return github_plot.plots(told)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(map(plain, row))} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body]


def _facts(result: ReleaseResult) -> Iterator[tuple[str, str]]:
    yield from ((name, text) for name, text in facts(result) if name not in ("reason", "steps"))
    if result.actor:
        yield "by", result.actor


# --- Timeline ----------------------------------------------------------------------------------


class _Row(NamedTuple):
    at: datetime
    what: str
    took: str
    text: str


def _timeline(result: ReleaseResult, told: Explanation | None) -> list[str]:
    # What was decided within a second comes before what followed from it.
    rows = sorted(_rows(told), key=lambda one: one.at.replace(microsecond=0)) if told else []
    if not rows:
        took = ((name, seconds(value)) for name, value in result.timings.items())
        return _table(("step", "time"), took) if result.timings else ["It never began."]
    days = {one.at.astimezone(UTC).date() for one in rows}
    form = "%H:%M:%S" if len(days) == 1 else "%Y-%m-%d %H:%M:%S"
    on = f" on {min(days)}" if len(days) == 1 else ""
    cells = ((f"{one.at.astimezone(UTC):{form}}", one.what, one.took, one.text) for one in rows)
    return _table((f"UTC{on}", "what", "took", "details"), cells)


def _rows(told: Explanation) -> Iterator[_Row]:
    for verdict in filter(_fired, told.verdicts):
        yield _Row(verdict.at, f"{verdict.trigger} fires", "", verdict.reason)
    for one in told.decisions:
        yield _Row(one.at, f"decided: {one.do.replace('_', ' ')}", "", one.why or one.reason)
    for action in told.actions:
        yield _Row(action.at, f"{action.verb} by {action.actor}", "", action.reason)
    for step in told.progress.steps:
        yield _Row(step.started_at, step.name, _took(step), step.text)
    result = told.progress.result
    if result and result.finished_at and result.outcome is not Outcome.HELD:
        yield _Row(result.finished_at, result.outcome.value.replace("_", " "), "", "")


def _fired(verdict: Verdict) -> bool:
    return verdict.status is Status.FAIL and not verdict.dry_run


def _took(step: Step) -> str:
    if step.finished_at is None:
        return "under way"
    return seconds((step.finished_at - step.started_at).total_seconds())
