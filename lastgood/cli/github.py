"""What GitHub Actions' runner understands: workflow commands, and files by which a step tells.

The runner takes a line for a command if it begins with ``::``, blanks aside, or if it has ``##[``
anywhere in it (an older form that it still reads), on stdout and on stderr. So whatever people can
write, a reason say, goes through ``harmless`` before it is printed, or is escaped as the data of a
command of ours. Files are read when the step has ended, however it ended: also if it was cancelled.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

Level = Literal["notice", "warning", "error"]

MOST_SUMMARY = 1024 * 1024
"""Bytes of a step's summary: a longer one is not shown at all."""
_PLACED = re.compile(r"(?P<file>[^:]+\.ya?ml):(?P<line>\d+): (?P<text>.+)")
"""A problem of a policy file, as messages write it."""
_MOST_FAILURES = 10
"""GitHub shows no more errors of a step at the top of the run."""
_MOST_TEXT = 4000
"""Characters of an annotation's text; GitHub cuts what is much longer."""


def active(environment: Mapping[str, str]) -> bool:
    """Whether GitHub Actions runs us."""
    return environment.get("GITHUB_ACTIONS") == "true"


# --- Lines -------------------------------------------------------------------------------------


def harmless(text: str) -> str:
    """Text in which the runner finds no command."""
    lines = text.replace("##[", "# #[").splitlines()
    return "\n".join(_no_command(line) for line in lines)


def _no_command(line: str) -> str:
    blanks = len(line) - len(line.lstrip())
    return f"{line[:blanks]}: :{line[blanks + 2 :]}" if line[blanks:].startswith("::") else line


def annotation(level: Level, title: str, text: str) -> str:
    """The command that shows something at the top of the run."""
    cut = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
    return f"::{level} title={_property(title)}::{_data(cut)}"


def failures(text: str) -> list[str]:
    """Commands that show what went wrong; a problem of a file is shown at its line."""
    lines = [line for line in text.splitlines() if line.strip()]
    placed = [_PLACED.match(line) for line in lines]
    if not lines or not all(placed):
        return [annotation("error", "Lastgood failed", text)]
    return [
        f"::error file={_property(one['file'])},line={one['line']},title=Policy::"
        + _data(one["text"])
        for one in placed[:_MOST_FAILURES]
        if one
    ]


def group(name: str) -> str:
    """The command that begins a group of lines, which can be folded."""
    return f"::group::{_data(name)}"


END_GROUP = "::endgroup::"


def _data(text: str) -> str:
    # The older form is looked for only in lines that are no command of the newer one: these are.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def command(line: str) -> None:
    """Write a command, on stderr as all that is no result."""
    click.echo(line, err=True)


# --- Files -------------------------------------------------------------------------------------


def write_outputs(outputs: Mapping[str, str], environment: Mapping[str, str]) -> str | None:
    """Set outputs of the step; what went wrong, in a sentence, if they could not be.

    Of several values of one name the last one counts. A value may have any text: what ends it is
    made by chance.
    """
    path = environment.get("GITHUB_OUTPUT")
    if not path:
        return None
    ends = f"end-{secrets.token_hex(16)}"
    text = "".join(f"{name}<<{ends}\n{value}\n{ends}\n" for name, value in outputs.items())
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"The step's outputs could not be written: {error.strerror}"
    return None


class Summary:
    """Our part of the step's summary; written anew, it takes the place of what it was.

    What others have written into the file, before or after, is left as it is.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("GITHUB_STEP_SUMMARY")
        self._path = Path(path) if path else None
        self._ours = b""

    def write(self, text: str) -> str | None:
        """Write it; what went wrong, in a sentence, if it could not be."""
        if self._path is None:
            return None
        try:
            there = self._path.read_bytes() if self._path.exists() else b""
            before, ours, after = there.rpartition(self._ours) if self._ours else (there, b"", b"")
            others = len(before) + len(after) if ours else len(there)
            new = fitting(text, MOST_SUMMARY - others)
            self._path.write_bytes(before + new + after if ours else there + new)
            self._ours = new
        except OSError as error:
            return f"The job summary could not be written: {error.strerror}"
        return None


_CUT = "\n\n*What follows was left out: a summary may have 1 MiB.*\n"


def fitting(text: str, most: int) -> bytes:
    """Text as UTF-8 in so many bytes at most; it ends with a whole line, and says what is missing.

    A block of code that was open is closed.
    """
    whole = text.encode()
    if len(whole) <= most:
        return whole
    kept = whole[: max(0, most - len(_CUT) - 8)].decode(errors="ignore").rpartition("\n")[0]
    fence = "\n```" if kept.count("```") % 2 else ""
    return f"{kept}{fence}{_CUT}".encode() if kept else b""
