"""A notice as a Slack message (Block Kit).

The rule. Header, why and what to do, the facts two in a row, and a last line that says where to
look. Whatever stands in a notice is shown as text: it can mention nobody, link nowhere and change
no formatting of the blocks around it. Slack's limits hold (header 150 characters, field 2,000, ten
fields a section, 50 blocks), and the whole stays below 12,000 characters: with more facts than
that, the message says how many are left out.
"""

from __future__ import annotations

import re
from typing import Any

from lastgood.contracts import Notice
from lastgood.decisions.plain import one_line

_HEADER, _SUMMARY, _LABEL, _VALUE, _PER_SECTION = 150, 2500, 60, 400, 10
_ALL_FACTS = 6000
"""Characters for all facts together."""

_SIGNS = {"healthy": "🟢", "warning": "🟠", "critical": "🔴"}
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CALLS = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)


def slack_text(text: str, limit: int) -> str:
    """One line for Slack, at most ``limit`` long when escaped, never cut within an entity."""
    line = _CALLS.sub("@\u2060", one_line(text, limit))  # a word joiner: no longer a mention
    if len(escaped := _escape(line)) <= limit:
        return escaped
    room, kept = limit - 1, []
    for character in line:
        piece = _escape(character)
        if len(piece) > room:
            break
        kept.append(piece)
        room -= len(piece)
    return "".join(kept) + "…"


def _escape(text: str) -> str:
    return "".join(_ENTITIES.get(character, character) for character in text)


def slack_message(notice: Notice) -> dict[str, Any]:
    """The body of a POST to an incoming webhook."""
    title = f"{_SIGNS[notice.severity]} {notice.title}"
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": slack_text(title, _HEADER), "emoji": False},
        }
    ]
    if notice.summary.strip():
        blocks.append({"type": "section", "text": _words(slack_text(notice.summary, _SUMMARY))})
    blocks += _facts(notice)
    blocks.append({"type": "context", "elements": [_words(_footer(notice))]})
    fallback = slack_text(f"{notice.title} — {notice.summary}", 1000)
    return {"text": fallback, "blocks": blocks}


def _words(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _facts(notice: Notice) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    room = _ALL_FACTS
    for label, value in notice.facts:
        text = f"*{slack_text(label, _LABEL) or '-'}*\n{slack_text(value, _VALUE) or '-'}"
        room -= len(text)
        if room < 0:
            left = len(notice.facts) - len(fields)
            fields.append(_words(f"*And*\n{left} more: see the workflow"))
            break
        fields.append(_words(text))
    return [
        {"type": "section", "fields": fields[start : start + _PER_SECTION]}
        for start in range(0, len(fields), _PER_SECTION)
    ]


def _footer(notice: Notice) -> str:
    parts = [f"{notice.at:%Y-%m-%d %H:%M:%S} UTC", slack_text(notice.dedup, 200)]
    if notice.link and re.match(r"https?://", notice.link):
        address = _escape(notice.link).replace("|", "%7C")
        parts.insert(0, f"<{one_line(address, 1000)}|Open the workflow>")
    return " · ".join(parts)
