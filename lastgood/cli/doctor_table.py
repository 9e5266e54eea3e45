"""What `doctor` found, as a table for people and as JSON for programs."""

from __future__ import annotations

import os
import shutil
import sys
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
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print_text(as_text(examinations, width, coloured=coloured))


def as_json(examinations: Sequence[Examination]) -> dict[str, object]:
    """Everything that was examined, whether it is good, and how many lines stand how."""
    return {
        "good": is_good(examinations),
        "counts": {standing.value: number for standing, number in counted(examinations).items()},
        "examined": [one.model_dump(mode="json") for one in examinations],
    }


def as_text(
    examinations: Sequence[Examination], width: int, *, coloured: bool = False
) -> Iterator[str]:
    """A table for each of them, with a remedy below each line that is not fine."""
    for one in examinations:
        title = f"{one.subject} ({one.where})"
        yield click.style(title, bold=True) if coloured else title
        areas = list(dict.fromkeys(line.area for line in one.lines))
        for area in areas:
            if len(areas) > 1:
                yield f"  {area}"
            mine = [line for line in one.lines if line.area == area]
            yield from _area(_gathered(mine), width, coloured)
        yield ""
    yield _summary(examinations)


def _gathered(lines: Sequence[Line]) -> list[Line]:
    """What is unknown for one and the same reason, as one line."""
    found: list[Line] = []
    alike: dict[tuple[str, str | None], list[Line]] = {}
    for line in lines:
        same = alike.setdefault((line.found, line.remedy), [])
        if line.standing is not Standing.UNKNOWN or not same:
            found.append(line)
        same.append(line)
    return [_together(line, alike[line.found, line.remedy]) for line in found]


def _together(line: Line, same: Sequence[Line]) -> Line:
    if line.standing is not Standing.UNKNOWN or len(same) == 1:
        return line
    names = ", ".join(one.what for one in same)
    return line.model_copy(update={"what": f"{len(same)} lines", "found": f"{line.found}: {names}"})


def _area(lines: Sequence[Line], width: int, coloured: bool) -> Iterator[str]:
    """Its lines, with what was found in one column."""
    widest = min(_LONGEST_NAME, width // 3)
    column = max((len(line.what) for line in lines if len(line.what) <= widest), default=0)
    for line in lines:
        yield from _line(line, column, width, coloured)


def _line(line: Line, column: int, width: int, coloured: bool) -> Iterator[str]:
    mark, colour = f"{_MARKS[line.standing]:<7}", _COLOURS.get(line.standing)
    mark = click.style(mark, fg=colour) if coloured and colour else mark
    start = " " * (4 + 7 + 2)
    name, room = f"{line.what:<{column}}  ", width - len(start)
    if len(line.what) <= column or len(name + line.found) <= room:
        indent = start + " " * len(name)
        first, *rest = _wrapped(line.found, room - len(name)) or [""]
        yield f"    {mark}  {name}{first}".rstrip()
    else:
        indent = start + " " * (column + 2)
        rest = _wrapped(line.found, width - len(indent))
        yield f"    {mark}  {line.what}"
    yield from (indent + text for text in rest)
    if line.remedy:
        wrapped = _wrapped(line.remedy, width - len(start) - 2)
        for number, text in enumerate(wrapped):
            yield f"{start}{'→' if not number else ' '} {text}"


def _wrapped(text: str, room: int) -> list[str]:
    """In lines, with commands, names and addresses in one piece."""
    return textwrap.wrap(text, max(24, room), break_long_words=False, break_on_hyphens=False)


def _summary(examinations: Sequence[Examination]) -> str:
    numbers = counted(examinations)
    found = ", ".join(f"{number} {one.value}" for one, number in numbers.items() if number)
    if not is_good(examinations):
        return f"Not ready: {found}."
    aside = numbers[Standing.WARNING] + numbers[Standing.UNKNOWN]
    return (
        f"Ready to release: {found}." if not aside else f"Ready to release, with remarks: {found}."
    )
