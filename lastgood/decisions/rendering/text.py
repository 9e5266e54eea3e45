"""A notice as plain text, as one row per fact, and as JSON for machines."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from lastgood.contracts import Notice
from lastgood.decisions.plain import cut, one_line

_MOST_FACTS = 60
"""SNS takes 256 KiB, with each fact in it twice."""
_MOST_TEXT = 20_000


class Wording(NamedTuple):
    """What the policy's own templates made of a notice, escaped for the channel."""

    title: str | None = None
    """One line; None: the built-in one."""
    text: str | None = None
    """None: the built-in one."""


BUILT_IN = Wording()


def title_of(notice: Notice, limit: int = 200, words: Wording = BUILT_IN) -> str:
    """The title as one line."""
    return one_line(words.title or notice.title, limit)


def rows(notice: Notice) -> list[tuple[str, str]]:
    """The facts, each label and value one line; at most sixty, then how many are left out."""
    shown = [(one_line(a, 60), one_line(b, 300)) for a, b in notice.facts[:_MOST_FACTS]]
    left = len(notice.facts) - len(shown)
    return [*shown, ("and", f"{left} more: see the workflow")] if left else shown


def as_text(notice: Notice, words: Wording = BUILT_IN) -> str:
    """The notice for people who read plain text; lines end with ``\\n``."""
    if words.text is not None:
        return f"{cut(words.text, _MOST_TEXT)}\n"
    facts = rows(notice)
    width = min(24, max((len(label) for label, _ in facts), default=0))
    lines = [title_of(notice, words=words), "", one_line(notice.summary, 3000), ""]
    lines += [f"{label + ':':<{width + 1}} {value}" for label, value in facts]
    if notice.link:
        lines += ["", f"Where to look: {one_line(notice.link, 1000)}"]
    lines += ["", f"{notice.at:%Y-%m-%d %H:%M:%S} UTC · {one_line(notice.dedup, 300)}"]
    return "\n".join(lines) + "\n"


def as_json(notice: Notice, words: Wording = BUILT_IN) -> dict[str, Any]:
    """The notice for machines; keys are only ever added."""
    return {
        "version": 1,
        "dedup": notice.dedup,
        "kind": notice.kind,
        "severity": notice.severity,
        "outcome": notice.outcome.value if notice.outcome else None,
        "service": notice.service,
        "region": notice.region,
        "release": notice.release,
        "title": title_of(notice, words=words),
        "summary": one_line(notice.summary, 3000),
        "facts": [{"label": label, "value": value} for label, value in rows(notice)],
        "link": notice.link,
        "at": notice.at.isoformat(),
    }


def wire_key(notice: Notice) -> str:
    """What tells a notice from all others, as receivers that recognise copies take it.

    Two services may be released under one id: all of a repository's, say, under its version.
    """
    return key(f"{notice.region}/{notice.service}/{notice.dedup}")


def key(text: str, limit: int = 128) -> str:
    """A key that headers and queues accept: the text if it is fit for one, else its digest."""
    if len(text) <= limit and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]*", text):
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
