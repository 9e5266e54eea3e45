"""Text from outside, made safe to show: one line, no control characters, bounded.

The rule. What a server answered, an operator typed or AWS reported may hold terminal escapes,
line breaks, invisible characters and characters that turn the reading direction. None of them
reaches a terminal, a log line, a chat or a mail: escapes and invisible characters are removed,
every stretch of white space becomes one space, and what is too long is cut with an ellipsis.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # window titles, hyperlinks
    r"|\x1b[PX^_][^\x1b\x9c]*(?:\x1b\\|\x9c)?"  # strings for the terminal itself
    r"|\x1b[ -/]*[0-~]?"  # all other escapes
)
_JOINERS = "\u200c\u200d"  # part of words in Persian and Hindi, and of emoji


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category in ("Cc", "Cf", "Co", "Cn") and character not in _JOINERS:
        return ""
    return character


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis: at most ``limit`` characters."""
    return text if len(text) <= limit else text[: max(0, limit - 1)].rstrip() + "…"


def one_line(text: str, limit: int = 500) -> str:
    """The text as one line of visible characters, at most ``limit`` long."""
    text = _ESCAPES.sub("", text[: limit * 20 + 1000])
    return cut(" ".join("".join(map(_shown, text)).split()), limit)
