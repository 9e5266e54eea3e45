"""A notice as an Adaptive Card, as a webhook of Teams' Workflows app takes it.

The rule. Title, why and what to do, one line for each fact, a button that leads to the workflow.
TextBlocks and FactSets read Markdown: what a notice says is put into TextRuns, which read none, so
that it is text whatever stands in it; and so is what a template makes. Teams refuses messages of
more than 28 KB, some say 21: a card stays below 20,000 bytes, and says how many facts it left out.
"""

from __future__ import annotations

from typing import Any

from lastgood.contracts import Notice
from lastgood.decisions.plain import cut, one_line
from lastgood.decisions.rendering.text import BUILT_IN, Wording, rows, title_of

_STYLES = {"healthy": "good", "warning": "warning", "critical": "attention"}
_SIGNS = {"healthy": "🟢", "warning": "🟠", "critical": "🔴"}
_TEXT_BYTES, _FACT_BYTES, _FACTS_BYTES = 7000, 400, 7500
_FRAME = 200
"""Bytes of JSON around one fact."""


def teams_message(notice: Notice, words: Wording = BUILT_IN) -> dict[str, Any]:
    """The body of a POST to a webhook of the Workflows app."""
    title = f"{_SIGNS[notice.severity]} {title_of(notice, 200, words)}"
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title,
        "msteams": {"width": "Full"},
        "body": [
            {
                "type": "Container",
                "style": _STYLES[notice.severity],
                "bleed": True,
                "items": [_paragraph(_run(title, size="Large", weight="Bolder"))],
            },
            *_content(notice, words),
            _paragraph(_run(_footer(notice), size="Small", isSubtle=True)),
        ],
    }
    if notice.link and notice.link.startswith(("http://", "https://")):
        link = one_line(notice.link, 1000)
        button = {"type": "Action.OpenUrl", "title": "Open the workflow", "url": link}
        card["actions"] = [button]
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _content(notice: Notice, words: Wording) -> list[dict[str, Any]]:
    if words.text is not None:
        return _own(words.text)
    summary = _within(one_line(notice.summary, 3000), _TEXT_BYTES)
    return [_paragraph(_run(summary)), *_facts(notice)] if summary else _facts(notice)


def _own(text: str) -> list[dict[str, Any]]:
    """A policy's own text, a paragraph for each line."""
    shown: list[dict[str, Any]] = []
    room = _TEXT_BYTES + _FACTS_BYTES
    for line in filter(str.strip, text.splitlines()):
        said = _within(line, min(room, _TEXT_BYTES))
        room -= len(said.encode()) + _FRAME
        if room < 0:
            shown.append(_paragraph(_run("…")))
            break
        shown.append(_paragraph(_run(said)))
    return shown


def _facts(notice: Notice) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    room, facts = _FACTS_BYTES, rows(notice)
    for label, value in facts:
        value = _within(value, _FACT_BYTES)
        room -= len(f"{label}{value}".encode()) + _FRAME
        if room < 0:
            left = f"{len(facts) - len(shown)} more: see the workflow"
            shown.append(_paragraph(_run(left), spacing="None"))
            break
        name = _run(f"{label}: ", weight="Bolder")
        spacing = "None" if shown else "Medium"
        shown.append(_paragraph(name, _run(value or "-"), spacing=spacing))
    return shown


def _footer(notice: Notice) -> str:
    return f"{notice.at:%Y-%m-%d %H:%M:%S} UTC · {one_line(notice.dedup, 200)}"


def _run(text: str, **looks: object) -> dict[str, Any]:
    plain = text.replace("{{", "{\u2060{")  # a word joiner: no longer a date to be worked out
    return {"type": "TextRun", "text": plain, **looks}


def _paragraph(*runs: dict[str, Any], spacing: str = "Medium") -> dict[str, Any]:
    return {"type": "RichTextBlock", "spacing": spacing, "inlines": list(runs)}


def _within(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis: at most so many bytes."""
    most = max(most, 3)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most:
        return text
    return cut(encoded[: most - 3].decode("utf-8", "ignore"), most).rstrip() + "…"
