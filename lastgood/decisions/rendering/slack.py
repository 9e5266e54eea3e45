"""A notice as a Slack message (Block Kit).

The rule. Header, why and what to do, the facts two in a row, and a last line that says where to
look. Whatever stands in a notice is shown as text: it can mention nobody, link nowhere and change
no formatting of the blocks around it. A template's own text may: the policy's author wrote it;
what it inserts is escaped like all else. Slack's limits hold (header 150 characters, field 2,000,
ten fields a section, 50 blocks), and the whole stays below 12,000 characters: with more facts than
that, the message says how many are left out.
"""

from __future__ import annotations

import re
from typing import Any

from lastgood.contracts import Notice
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.text import BUILT_IN, Wording

_HEADER, _SUMMARY, _LABEL, _VALUE, _PER_SECTION = 150, 2500, 60, 400, 10
_ALL_FACTS = 6000
"""Characters for all facts together."""
_OWN = 2900
"""Characters of a policy's own text; a section takes 3,000."""

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


def slack_escape(text: str) -> str:
    """What a template inserts: text, that mentions nobody and links nowhere."""
    return _escape(_CALLS.sub("@\u2060", text))


def _escape(text: str) -> str:
    return "".join(_ENTITIES.get(character, character) for character in text)


def slack_message(notice: Notice, words: Wording = BUILT_IN) -> dict[str, Any]:
    """The body of a POST to an incoming webhook, and of a message of a bot's."""
    blocks: list[dict[str, Any]] = [_header(notice, words)]
    if words.text is not None:
        own = _cut_escaped(words.text, _OWN)
        blocks += [{"type": "section", "text": _mrkdwn(own)}] if own else []
    else:
        if notice.summary.strip():
            text = slack_text(notice.summary, _SUMMARY)
            blocks.append({"type": "section", "text": _mrkdwn(text)})
        blocks += _facts(notice)
    blocks.append({"type": "context", "elements": [_mrkdwn(_footer(notice))]})
    return {"text": _fallback(notice, words), "blocks": blocks}


def slack_update(first: tuple[Notice, Wording], latest: tuple[Notice, Wording]) -> dict[str, Any]:
    """The first message of a thread, under a title that says how the release stands now."""
    message = slack_message(*first)
    message["blocks"][0] = _header(*latest)
    now = f"now, at {latest[0].at:%Y-%m-%d %H:%M:%S} UTC: as the title says; more in the thread"
    message["blocks"][-1]["elements"].append(_mrkdwn(now))
    return {"text": _fallback(*latest), "blocks": message["blocks"]}


def _header(notice: Notice, words: Wording) -> dict[str, Any]:
    title = slack_text(f"{_SIGNS[notice.severity]} {words.title or notice.title}", _HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}


def _fallback(notice: Notice, words: Wording) -> str:
    return slack_text(f"{words.title or notice.title} — {notice.summary}", 1000)


def _cut_escaped(text: str, limit: int) -> str:
    """Text that is escaped already, cut without leaving half an entity."""
    if len(text) <= limit:
        return text
    return re.sub(r"&[a-z]*$", "", text[: limit - 1]) + "…"


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _facts(notice: Notice) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    room = _ALL_FACTS
    for label, value in notice.facts:
        text = f"*{slack_text(label, _LABEL) or '-'}*\n{slack_text(value, _VALUE) or '-'}"
        room -= len(text)
        if room < 0:
            left = len(notice.facts) - len(fields)
            fields.append(_mrkdwn(f"*And*\n{left} more: see the workflow"))
            break
        fields.append(_mrkdwn(text))
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
