"""A drill's report: all that happened, with its times, for whoever keeps the proof."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from temporalio.client import Client

from lastgood.cli import explanation, tracing
from lastgood.cli.output import day, result_lines, say, seconds
from lastgood.cli.tracing import Traced
from lastgood.errors import LastgoodError, UsageError
from lastgood.model import ReleaseResult, ServiceRef


def check(name: str, *, no_wait: bool) -> None:
    """See that there will be a report, and where to write it, before anything begins.

    Raises:
        UsageError: if not.
    """
    if no_wait:
        raise UsageError("--report is written at the end, and --no-wait does not wait for it")
    path = Path(name)
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--report: {name} cannot be written: name a file in a folder that exists")


async def write(client: Client, service: ServiceRef, result: ReleaseResult, name: str) -> None:
    """Write the report; says where it is, or why it is not: that changes no exit code."""
    if name.lower().endswith((".html", ".htm")):
        from lastgood.cli import reporting  # here, because it takes long and is seldom needed

        await reporting.beside(client, result, Path(name), service)
        return
    traced: Traced | None = None
    with suppress(LastgoodError):  # what the result tells is written all the same
        traced = await tracing.trace(client, result.release, service=service, region=None)
    form = as_json if name.endswith(".json") else as_text
    say(_save(name, form(result, traced)))


def _save(name: str, text: str) -> str:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        return f"The report could not be written to {name}: {error.strerror}"
    return f"Report: {name}"


def as_json(result: ReleaseResult, traced: Traced | None) -> str:
    """The result, and what ``explain`` tells."""
    told = traced.explanation if traced else None
    data = {
        "result": result.model_dump(mode="json"),
        "explanation": told.model_dump(mode="json") if told else None,
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_text(result: ReleaseResult, traced: Traced | None) -> str:
    """What was proved and how long it took, then the whole story."""
    told = traced.explanation if traced else None
    lines = [*result_lines(result), "", *_measured(result)]
    if told:
        story = explanation.lines(told, result)
        lines += story[story.index("") :]  # what comes before that is said already
    return "\n".join(lines) + "\n"


def _measured(result: ReleaseResult) -> list[str]:
    drill = result.drill
    if drill is None or drill.marked_at is None:
        return ["It was not marked bad: nothing was measured."]
    named = {
        "detection": "from the mark to the beginning of the rollback",
        "rollback": "until the service was steady on the old revision",
        "verify": "until that was proved",
        "all": "from the mark to the proof",
    }
    lines = [f"Marked bad at {day(drill.marked_at)}"]
    lines += [
        f"  {name:<9} {seconds(value):>8}  {named.get(name, '')}"
        for name, value in drill.seconds.items()
    ]
    return lines
