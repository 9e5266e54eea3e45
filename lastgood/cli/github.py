"""What GitHub Actions shows: an annotation of the end, and the job's summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lastgood.cli.output import advice, facts, headline, mark, seconds
from lastgood.model import Outcome, ReleaseResult

_LEVELS = {
    Outcome.HEALTHY: "notice",
    Outcome.SUPERSEDED: "warning",
    Outcome.CANCELLED: "warning",
    Outcome.HELD: "warning",
}


def active(environment: Mapping[str, str]) -> bool:
    """Whether GitHub Actions runs us."""
    return environment.get("GITHUB_ACTIONS") == "true"


def annotation(result: ReleaseResult) -> str:
    """The workflow command that shows the end at the top of the run."""
    passed = result.drill is not None and result.drill.passed
    level = "notice" if passed else _LEVELS.get(result.outcome, "error")
    return f"::{level} title={_property(headline(result))}::{_data(result.reason)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(result: ReleaseResult) -> str:
    """The job summary in Markdown."""
    lines = [f"## Lastgood: {_cell(headline(result))}", ""]
    lines += ["| | |", "|---|---|"]
    shown = [fact for fact in facts(result) if fact[0] != "steps"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in shown]
    if result.timings:
        lines += ["", "| step | time |", "|---|---:|"]
        lines += [f"| {_cell(name)} | {seconds(took)} |" for name, took in result.timings.items()]
    if result.evidence:
        lines += ["", "| verdict | trigger | why |", "|---|---|---|"]
        lines += [
            f"| {mark(one)} | {_cell(one.trigger)} | {_cell(one.reason)} |"
            for one in result.evidence
        ]
    lines += ["", *(f"{line.strip()}  " for line in map(_cell, advice(result)))]
    return "\n".join(lines).rstrip() + "\n"


def _cell(text: str) -> str:
    """Text that stays in its cell, and is no HTML."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(escaped.split()).replace("|", "\\|")


def write_summary(result: ReleaseResult, environment: Mapping[str, str]) -> str | None:
    """Append the summary to the job's; what went wrong, in a sentence, if it could not be."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path:
        return None
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(result))
    except OSError as error:
        return f"The job summary could not be written: {error.strerror}"
    return None
