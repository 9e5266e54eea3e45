"""What the demo tells: headings, quoted output, the timeline and the truth line."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Moment:
    """One line of the timeline."""

    at: float
    what: str
    source: str


class Teller:
    """Prints the story; understandable without colour."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def title(self, text: str) -> None:
        """Begin a part."""
        self._console.print()
        self._console.rule(Text(text, style="bold"), align="left")

    def say(self, text: str) -> None:
        """One sentence."""
        self._console.print(Text(text))

    def aside(self, text: str) -> None:
        """Something done to the system from outside."""
        self._console.print(Text(f"  >>> {text}", style="bold yellow"))

    def quote(self, text: str) -> None:
        """What a program printed, or a person received."""
        for line in text.rstrip().splitlines():
            self._console.print(Text(f"  | {line}", style="dim"), soft_wrap=True)

    def timeline(self, moments: list[Moment]) -> None:
        """Moments in order, in seconds since the first."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("after", "what", "seen in"):
            table.add_column(column, justify="right" if column == "after" else "left")
        ordered = sorted(moments, key=lambda one: one.at)
        for moment in ordered:
            after = f"{moment.at - ordered[0].at:5.1f} s"
            table.add_row(after, Text(moment.what), Text(moment.source, style="dim"))
        self._console.print(table)


def seconds_of(text: str) -> float:
    """An ISO time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def slack_text(post: bytes) -> str:
    """A Slack message as its reader sees it, without its form."""
    message = json.loads(post)
    lines = []
    for block in message.get("blocks", []):
        texts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        lines += [_plain(one["text"]) for one in texts if isinstance(one, dict) and "text" in one]
    return "\n".join(lines) or str(message.get("text", ""))


def _plain(markdown: str) -> str:
    """Slack's markdown without its marks: a label and its value on one line, links bare."""
    text = re.sub(r"^\*(.+?)\*\n", r"\1: ", markdown)
    return re.sub(r"<([^|>]+)\|([^>]+)>", r"\2: \1", text)


def mail_text(mail: dict[str, Any]) -> str:
    """A mail as its reader sees it."""
    cells = re.sub(r"</td>\s*<td[^>]*>", ": ", mail["body"])
    lines = re.sub(r"<[^>]+>", "\n", cells).splitlines()
    body = "\n".join(html.unescape(line).strip() for line in lines if line.strip())
    to = ", ".join(mail["destinations"]["ToAddresses"])
    return f"From: {mail['source']}\nTo: {to}\nSubject: {mail['subject']}\n\n{body}"


def first_error(truth: dict[str, Any], version: str) -> float | None:
    """The second in which a version answered its first request with an error."""
    for second in truth["timeline"]:
        if second["versions"].get(version, {}).get("errors"):
            return float(second["second"])
    return None


def steady_since(truth: dict[str, Any], version: str) -> float | None:
    """When the last task of a version that was stopped had ended."""
    ended = [task["stoppedAt"] for task in truth["stopped"] if task["version"] == version]
    return max((at for at in ended if at), default=None)
