"""Markdown as Temporal's UI renders it, in which text from outside is text.

The rule. What an operator typed, a server answered or AWS reported is one line, and shows as it is
written: it makes no link, no image, no table and no HTML. (UI 2.54 passes raw HTML on; its content
policy lets no script run and no picture load, and we do not rely on that.) The UI hands a text
over in an address, so a whole stays below 6,000 characters: what does not fit is left out at the
end, by whole lines, and that is said. Its tables have no room between the columns, so their cells
bring it along.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lastgood.decisions.plain import cut, one_line

MOST = 6000
"""Characters of one text."""
_LEFT_OUT = "- … more does not fit here: see the event history"
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&^$]|-(?=-)|:(?=//)|(?<=mailto):|\((?=c\)|r\)|tm\))", re.I)
_AT_THE_START = re.compile(r"^(?=[-+]\s)|(?<=^\d)(?=[.)]\s)|^(?=[=:]\s)")
_GAP = "\u00a0"
_SUMMARY_CHARACTERS, _SUMMARY_BYTES = 160, 400
"""Temporal promises to show 400 bytes of a summary."""


def summary(text: str) -> str:
    """A line of the history: the UI shows it as it is, without Markdown."""
    line = one_line(text, _SUMMARY_CHARACTERS)
    while len(line.encode()) > _SUMMARY_BYTES:
        line = cut(line, len(line) - 10)
    return line


def text(plain: str, limit: int = 400) -> str:
    """Text from outside, as text."""
    escaped = _SPECIAL.sub(lambda found: f"\\{found[0]}", one_line(plain, limit))
    return _AT_THE_START.sub(r"\\", escaped)


def unbroken(plain: str, limit: int = 80) -> str:
    """Text from outside that stays on one line."""
    return text(plain, limit).replace(" ", _GAP)


def code(plain: str, limit: int = 300) -> str:
    """A name, or a command to copy."""
    line = one_line(plain, limit).replace("`", "'")
    return f"`{line}`" if line else ""


def link(label: str, address: str) -> str:
    """A link that opens beside the UI; the label alone where the address is none."""
    if not re.fullmatch(r"https?://[^\s<>()\[\]\"'`\\]{1,1000}", address):
        return text(label)
    return f"[{text(label)}]({address})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines; cells are Markdown already. Nothing without rows."""
    lines = [_row(row) for row in rows]
    return [_row(header), "|:--" * len(header) + "|", *lines, ""] if lines else []


def bullets(lines: Iterable[str]) -> list[str]:
    """A list's lines, those that say something, and the empty one after it."""
    listed = [f"- {line}" for line in lines if line]
    return [*listed, ""] if listed else []


def whole(lines: Iterable[str]) -> str:
    """All lines, or as many as fit."""
    kept: list[str] = []
    room = MOST - len(_LEFT_OUT)
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*kept, _LEFT_OUT])
        kept.append(line)
    return "\n".join(kept).strip()


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return f"| {first}{_GAP} | " + " | ".join(f"{_GAP}{cell}{_GAP}" for cell in others) + " |"
