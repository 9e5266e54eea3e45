"""What `doctor` found, as a table for people and as JSON for programs."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

import click

from lastgood.cli.output import print_json, print_text
from lastgood.contracts import Examination, Line, Standing
from lastgood.decisions.examining.lines import counted, is_good

_MARKS = {
    Standing.FINE: "ok",
    Standing.WARNING: "warning",
    Standing.UNKNOWN: "unknown",
    Standing.BROKEN: "BROKEN",
}
_COLOURS = {Standing.WARNING: "yellow", Standing.UNKNOWN: "cyan", Standing.BROKEN: "red"}
_WIDEST, _LONGEST_NAME = 100, 40


def show(examinations: Sequence[Examination], output: str) -> None:
    """Print what was found on stdout."""
    if output == "json":
        print_json(as_json(examinations))
    else:
        width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)
        print_text(as_text(examinations, width))


def as_json(examinations: Sequence[Examination]) -> dict[str, object]:
    """Everything that was examined, whether it is good, and how many lines stand how."""
    return {
        "good": is_good(examinations),
        "counts": {standing.value: number for standing, number in counted(examinations).items()},
        "examined": [one.model_dump(mode="json") for one in examinations],
    }


def as_text(examinations: Sequence[Examination], width: int) -> Iterator[str]:
    """A table for each of them, with a remedy below each line that is not fine."""
    for one in examinations:
        yield click.style(f"{one.subject} ({one.where})", bold=True)
        names = [len(line.what) for line in one.lines if len(line.what) <= _LONGEST_NAME]
        column = max(names, default=0)
        area = ""
        for line in one.lines:
            if line.area != area and len({each.area for each in one.lines}) > 1:
                yield f"  {line.area}"
            area = line.area
            yield from _line(line, column, width)
        yield ""
    yield _summary(examinations)


def _line(line: Line, column: int, width: int) -> Iterator[str]:
    mark = click.style(f"{_MARKS[line.standing]:<7}", fg=_COLOURS.get(line.standing))
    start = " " * (4 + 7 + 2)
    indent = start + " " * (column + 2)
    room = max(24, width - len(indent))
    if len(line.what) > column:
        yield f"    {mark}  {line.what}"
        texts = iter(textwrap.wrap(line.found, room))
    else:
        texts = iter(textwrap.wrap(line.found, room))
        yield f"    {mark}  {line.what:<{column}}  {next(texts, '')}"
    yield from (indent + text for text in texts)
    if line.remedy:
        wrapped = textwrap.wrap(
            line.remedy, width - len(start) - 2, break_long_words=False, break_on_hyphens=False
        )
        for number, text in enumerate(wrapped):
            yield f"{start}{'→' if not number else ' '} {text}"


def _summary(examinations: Sequence[Examination]) -> str:
    numbers = counted(examinations)
    found = ", ".join(f"{number} {one.value}" for one, number in numbers.items() if number)
    if not is_good(examinations):
        return f"Not ready: {found}."
    aside = numbers[Standing.WARNING] + numbers[Standing.UNKNOWN]
    return (
        f"Ready to release: {found}." if not aside else f"Ready to release, with remarks: {found}."
    )
