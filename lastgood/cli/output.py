"""Results as people and programs read them; pure functions, but for printing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import click

from lastgood.cli import github
from lastgood.contracts import GroupResult
from lastgood.decisions.wording import took
from lastgood.model import DrillSummary, Outcome, ReleaseResult, Status, Verdict

MARKS = {Status.PASS: "ok", Status.FAIL: "FAIL", Status.INCONCLUSIVE: "?"}


def print_json(data: Any) -> None:
    """Print one JSON document on stdout."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    click.echo(text.replace("##[", "\\u0023#[") if github.active(os.environ) else text)
    sys.stdout.flush()


def print_text(lines: Iterable[str]) -> None:
    """Print lines on stdout."""
    click.echo(_for_here("\n".join(lines)))
    sys.stdout.flush()


def say(text: str) -> None:
    """Say something on stderr: progress, or advice."""
    click.echo(_for_here(text), err=True)


def _for_here(text: str) -> str:
    """Text that whoever reads our output does not take for a command."""
    return github.harmless(text) if github.active(os.environ) else text


def clock(moment: datetime) -> str:
    """A time of day in the reader's zone: ``03:12:45``."""
    return f"{moment.astimezone():%H:%M:%S}"


def day(moment: datetime) -> str:
    """A moment in the reader's zone, with its offset: ``2026-01-31 03:12:45 +01:00``."""
    local = moment.astimezone()
    return local.isoformat(sep=" ", timespec="seconds")[:19] + f" {_offset(local)}"


def _offset(local: datetime) -> str:
    offset = f"{local:%z}"
    return "UTC" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"


def label(task_definition: str | None) -> str:
    """``family:revision`` of an ARN."""
    return task_definition.rsplit("/", 1)[-1] if task_definition else "unknown"


def seconds(value: float) -> str:
    """A step's time: ``0.4s``, ``12s``, ``1m30s``."""
    return f"{value:.1f}s" if value < 10 else took(timedelta(seconds=value))


def steps(timings: Mapping[str, float]) -> str:
    """``preflight 0.4s, deploy 0.2s, monitor 10m``."""
    return ", ".join(f"{name} {seconds(value)}" for name, value in timings.items())


def verdict_line(verdict: Verdict) -> str:
    """``FAIL error-rate: 40.0 % of requests failed (threshold 5 %)``."""
    said_already = verdict.reason.startswith(verdict.trigger)
    named = verdict.reason if said_already else f"{verdict.trigger}: {verdict.reason}"
    return f"{mark(verdict)} {named}"


def mark(verdict: Verdict) -> str:
    """``ok``, ``FAIL`` or ``?``; ``dry`` for what decides nothing."""
    return "dry" if verdict.dry_run else MARKS[verdict.status]


HEADLINES = {
    Outcome.HEALTHY: "HEALTHY",
    Outcome.ROLLED_BACK: "ROLLED BACK",
    Outcome.ROLLED_BACK_BY_ECS: "ROLLED BACK BY ECS",
    Outcome.ROLLBACK_FAILED: "ROLLBACK FAILED",
    Outcome.HELD: "HELD for a person",
    Outcome.SUPERSEDED: "SUPERSEDED",
    Outcome.REFUSED: "REFUSED",
    Outcome.CANCELLED: "CANCELLED",
}


def headline(result: ReleaseResult) -> str:
    """One line that says how it ended."""
    if result.drill:
        return f"{_drill_headline(result)}: {title(result)} of {result.service}"
    group = "the group " if isinstance(result, GroupResult) else ""
    return f"{HEADLINES[result.outcome]}: {title(result)} of {group}{result.service}"


def _drill_headline(result: ReleaseResult) -> str:
    passed = result.drill is not None and result.drill.passed
    return "DRILL PASSED" if passed else f"DRILL NOT PASSED, {HEADLINES[result.outcome]}"


def title(result: ReleaseResult) -> str:
    """``release 2.1``, or the id of a drill, or of an operator's rollback, which says so itself."""
    name = result.release
    if result.drill:
        return name if name.startswith("drill") else f"drill {name}"
    return name if name.startswith("rollback") else f"release {name}"


def drill_text(drill: DrillSummary) -> str:
    """``passed: detection 2.1s, rollback 31s, verify 12s, all 45s``; or why it did not."""
    measured = f" ({steps(drill.seconds)})" if drill.seconds else ""
    if drill.passed:
        return f"passed{measured}"
    return f"NOT passed{measured}" + (f": {drill.why_not}" if drill.why_not else "")


def facts(result: ReleaseResult) -> list[tuple[str, str]]:
    """What a result says, as label and value."""
    found = [("reason", result.reason)]
    if result.drill and (result.drill.seconds or result.drill.why_not):
        found.insert(0, ("drill", drill_text(result.drill)))
    if result.drill and result.drill.alarm:
        found.append(("alarm", result.drill.alarm))
    if result.trigger:
        found.append(("trigger", result.trigger))
    if result.image:
        found.append(("image", result.image))
    if result.to_task_definition or result.from_task_definition:
        moved = f"{label(result.from_task_definition)} → {label(result.to_task_definition)}"
        found.append(("revision", moved))
    if result.rollback:
        found.append(("rollback", rollback_text(result)))
    if isinstance(result, GroupResult):
        found += [("member", _member(one)) for one in result.members]
    if result.timings:
        found.append(("steps", steps(result.timings)))
    failures = result.notification_failures
    return found + [("not told", f"{one.channel}: {one.error}") for one in failures]


def _member(result: ReleaseResult) -> str:
    """``shop/web ROLLED BACK: …``."""
    return f"{result.service} {HEADLINES[result.outcome]}: {result.reason}"


def rollback_text(result: ReleaseResult) -> str:
    """``to shop:1 in 12s, verified``."""
    rollback = result.rollback
    if rollback is None:
        return "none"
    ended = rollback.finished_at
    lasted = f" in {took(ended - rollback.started_at)}" if ended else ""
    return f"to {label(rollback.to)}{lasted}, {'verified' if rollback.verified else 'NOT verified'}"


def result_lines(result: ReleaseResult) -> list[str]:
    """A result as text."""
    lines = [headline(result)]
    lines += [f"  {name:<9} {value}" for name, value in facts(result)]
    if result.evidence:
        lines.append("  evidence")
        lines += [f"    {verdict_line(verdict)}" for verdict in result.evidence]
    return lines + [f"  {line}" for line in advice(result)]


def advice(result: ReleaseResult) -> list[str]:
    """What a person can do now, where something is to be done."""
    if isinstance(result, GroupResult):
        at_fault = [one for one in result.members if one.outcome is result.outcome]
        return [line for one in at_fault for line in advice(one)]
    if result.drill:
        return _drill_advice(result)
    back = f'lastgood rollback {result.service} --reason "…"'
    if result.outcome is Outcome.HELD:
        return [
            "Nothing more happens by itself. While it waits:",
            f'  lastgood approve {result.service} --reason "…"   it is good',
            f'  lastgood deny {result.service} --reason "…"      it is bad: roll it back',
            f'  lastgood resume {result.service} --reason "…"    judge it again',
            "Then, and once it has ended: release a fix, which is not kept waiting, or go back:",
            f"  {back}",
        ]
    if result.outcome is Outcome.ROLLBACK_FAILED:
        return [
            f"Look at the service now: lastgood status {result.service}",
            f"To try again: {back}",
            f'To be told no more: lastgood acknowledge {result.service} --reason "…"',
        ]
    return []


def _drill_advice(result: ReleaseResult) -> list[str]:
    """What a person can do about a drill: it is no emergency."""
    if result.outcome is Outcome.HELD:
        return [
            "The same image runs as before. To let it go back while it waits:",
            f'  lastgood deny {result.service} --reason "…"',
        ]
    if result.outcome is Outcome.ROLLBACK_FAILED:
        return [
            f"Look at the service: lastgood status {result.service}",
            f"Find out why: lastgood explain {result.release} --service {result.service}",
        ]
    return []


def show_result(result: ReleaseResult, output: str) -> None:
    """Print a result on stdout."""
    if output == "json":
        print_json(result.model_dump(mode="json"))
    else:
        print_text(result_lines(result))
