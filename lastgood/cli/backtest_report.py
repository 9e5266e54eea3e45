"""What a backtest found, as people and programs read it: pure functions."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lastgood.cli.output import MARKS
from lastgood.cli.released import Release
from lastgood.decisions.backtest import Judged, Replay
from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.sliding import Slid, Sliding, same_hour
from lastgood.decisions.usual import error_rate_of, highest
from lastgood.decisions.wording import sentence
from lastgood.policy import format_duration

WIDTH = 80
_HEADLINES = {"healthy": "healthy", "rolled_back": "ROLLED BACK", "held": "HELD"}
_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 50
_PIECE = 300.0
"""Seconds: of a column of the line of bars, the worst five minutes count."""
_MOST_DATES = 8
_DRY = re.compile(r"^dry run: would have rolled back at [0-9:]+ UTC: ")
_INDENT = " " * 6


def time_of(at: datetime | float, recording: Recording) -> float | int | str:
    """A time as the recording's file writes them."""
    seconds = at.timestamp() if isinstance(at, datetime) else at
    if recording.iso:
        text = datetime.fromtimestamp(seconds, UTC).isoformat()
        return text.removesuffix("+00:00") + "Z"
    return int(seconds) if seconds == int(seconds) else round(seconds, 3)


# --- One release -------------------------------------------------------------------------------


def as_json(found: Replay, recording: Recording) -> dict[str, Any]:
    """How a release would have ended."""
    return {
        "outcome": found.outcome,
        "at": None if found.at is None else time_of(found.at, recording),
        "trigger": found.trigger,
        "reason": found.reason,
        "triggers": [_judged_as_json(one, recording) for one in found.triggers],
    }


def _judged_as_json(one: Judged, recording: Recording) -> dict[str, Any]:
    return {
        "type": one.trigger.type,
        "verdict": one.verdict.status.value,
        "at": None if one.fired_at is None else time_of(one.fired_at, recording),
        "reason": one.verdict.reason,
        **({"dry_run": True} if one.verdict.dry_run else {}),
        **({} if one.measured else {"measured": False}),
    }


def as_text(
    title: str, found: Replay, recording: Recording, deployed_at: float, window: float
) -> list[str]:
    """The same for people, with the error rate as a line of bars."""
    head = f"{title}: {_HEADLINES[found.outcome]}"
    if found.at and found.outcome == "rolled_back":
        head += f", {_after(found.at, deployed_at)} after it was deployed"
    watched = format_duration(timedelta(seconds=round(window)))
    lines = [head, f"  deployed {day(deployed_at)}, watched for {watched}; {_data(recording)}"]
    if found.at:
        what = "rolled back" if found.outcome == "rolled_back" else "held"
        by = f" by {found.trigger}" if found.trigger else ""
        lines.append(f"  {what} {day(found.at.timestamp())}{by}")
    for one in found.triggers:
        lines += _judged_as_text(one, deployed_at)
    fired = [one.fired_at.timestamp() for one in found.triggers if one.fired_at]
    return lines + sparkline(recording, deployed_at, fired)


def _judged_as_text(one: Judged, deployed_at: float) -> list[str]:
    verdict = one.verdict
    mark = "dry" if verdict.dry_run else MARKS[verdict.status]
    after = f" after {_after(one.fired_at, deployed_at)}" if one.fired_at else ""
    if not one.measured:
        mark = "-"
    return [f"  {mark:<4} {verdict.trigger}{after}", *folded(sentence(verdict.reason), _INDENT)]


def _after(at: datetime, deployed_at: float) -> str:
    return format_duration(timedelta(seconds=round(at.timestamp() - deployed_at)))


def _data(recording: Recording) -> str:
    period = format_duration(timedelta(seconds=recording.period))
    return f"{len(recording.rows):,} buckets of {period}"


def day(seconds: float) -> str:
    """A moment: ``2026-01-31 03:12:45 UTC``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def folded(text: str, indent: str) -> list[str]:
    """A text in lines that fit a narrow screen."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


# --- Many files --------------------------------------------------------------------------------


def line_of(found: dict[str, Any]) -> str:
    """One line for a file among many."""
    if "error" in found:
        return f"{found['file']}  ERROR  {found['error']}"
    if "windows" in found:
        return (
            f"{found['file']}  {found['windows']} releases, {found['rolled_back']} rolled back, "
            f"{found['held']} held, {found['false_alarms_per_week']:g} false alarms a week"
        )
    words = [found["file"], f"{_HEADLINES[found['outcome']]:<11}"]
    if found["trigger"]:
        at = found["at"]
        words.append(f"{at if isinstance(at, str) else day(at)}  {found['trigger']}")
    return "  ".join(words).rstrip()


def total_of(results: Sequence[dict[str, Any]]) -> str:
    """How often what came out."""
    counts = [f"{len(results):,} files"]
    for outcome, words in _HEADLINES.items():
        number = sum(1 for one in results if one.get("outcome") == outcome)
        if number:
            counts.append(f"{number:,} {words.lower()}")
    wrong = sum(1 for one in results if "error" in one)
    return ", ".join([*counts, *([f"{wrong:,} could not be read"] if wrong else [])])


# --- At every hour -----------------------------------------------------------------------------


def slid_as_json(slid: Sliding, recording: Recording) -> dict[str, Any]:
    """What a policy would have done all the time."""
    return {
        "windows": len(slid.releases),
        "held": len(slid.held),
        "rolled_back": len(slid.rolled_back),
        "false_alarms_per_week": round(slid.per_week(len(slid.rolled_back)), 3),
        "triggers": [_slid_as_json(one, slid, recording) for one in slid.triggers],
        "first": time_of(slid.releases[0], recording) if slid.releases else None,
        "last": time_of(slid.releases[-1], recording) if slid.releases else None,
        "held_because": [{"windows": n, "reason": reason} for n, reason in slid.reasons],
    }


def _slid_as_json(one: Slid, slid: Sliding, recording: Recording) -> dict[str, Any]:
    return {
        "type": one.trigger.type,
        "fired": len(one.fired),
        "per_week": round(slid.per_week(len(one.fired)), 3),
        "at": [time_of(at, recording) for at, _ in one.fired],
        "inconclusive": one.inconclusive,
        **({"dry_run": True} if one.trigger.dry_run else {}),
        **({} if one.measured else {"measured": False}),
    }


def slid_as_text(title: str, slid: Sliding, recording: Recording) -> list[str]:
    """The same for people."""
    count, bad = len(slid.releases), len(slid.rolled_back)
    if not count:
        return [f"{title}: no release to judge"]
    watched = format_duration(timedelta(seconds=slid.window))
    releases = "release" if count == 1 else "releases"
    lines = [
        f"{title}: {count:,} {releases} pretended, each watched for {watched}",
        f"  {day(slid.releases[0])} to {day(slid.releases[-1])}; {_data(recording)}",
        "",
        f"  {'healthy':<12} {count - bad - len(slid.held):>5,}",
        f"  {'ROLLED BACK':<12} {bad:>5,}{_rate(slid, bad)}",
        f"  {'HELD':<12} {len(slid.held):>5,}",
        "",
    ]
    for one in slid.triggers:
        lines += _slid_as_text(one, slid)
    if slid.held:
        lines += ["", "  held, and why"]
    for number, reason in slid.reasons:
        lines += folded(f"{times(number)}: {sentence(reason)}", "    ")
    lines += sparkline(recording, None, [at.timestamp() for at, _ in slid.rolled_back])
    if bad:
        lines += ["", *folded(_CAVEAT, "  ")]
    return lines


_CAVEAT = (
    "Nothing was released at these times, as far as is known here: what fired is a false alarm, "
    "unless something else was wrong then. Look at the dates."
)


def _rate(slid: Sliding, bad: int) -> str:
    if not bad:
        return ""
    one_in = f"{len(slid.releases) / bad:,.0f}"
    return f"   one in {one_in} releases; {slid.per_week(bad):.1f} a week, with one each hour"


def _slid_as_text(one: Slid, slid: Sliding) -> list[str]:
    name = f"{one.trigger.type}{' (dry run)' if one.trigger.dry_run else ''}"
    if not one.measured:
        return [f"  -    {name}", *folded(one.why, _INDENT)]
    unsure = f"; inconclusive {times(one.inconclusive)}" if one.inconclusive else ""
    if not one.fired:
        return [f"  ok   {name} never fired{unsure}"]
    dates = [f"{at:%Y-%m-%d %H:%M}" for at, _ in one.fired[:_MOST_DATES]]
    more = len(one.fired) - len(dates)
    listed = ", ".join(dates) + (f" and {more:,} more" if more else "") + " UTC"
    reason = _DRY.sub("", one.fired[0][1])
    often = f"{times(len(one.fired))}, {slid.per_week(len(one.fired)):.1f} a week"
    lines = [f"  !    {name} fired {often}{unsure}", *folded(listed, _INDENT)]
    lines += folded(f"{'First: ' if len(one.fired) > 1 else ''}{sentence(reason)}", _INDENT)
    return lines + [line for hint in _hints(one) for line in folded(hint, _INDENT)]


def _hints(one: Slid) -> Iterator[str]:
    found = same_hour(at for at, _ in one.fired)
    if found:
        yield hour_in_words(found, len(one.fired))


def hour_in_words(found: tuple[int, int], of: int) -> str:
    """What to do about what fires at the same time of the day."""
    hour, count = found
    return (
        f"{count} of {of} were between {hour:02}:00 and {(hour + 1) % 24:02}:00 UTC: if a job runs "
        "then, do not release then (deploy.freeze), or compare with the same hour (baseline: "
        "same-time)."
    )


def times(count: int) -> str:
    """``once``, ``15 times``."""
    return "once" if count == 1 else f"{count:,} times"


# --- At the times of real releases -------------------------------------------------------------

Judgements = Sequence[tuple[Release, Replay]]


def real_as_json(judged: Judgements, recording: Recording) -> list[dict[str, Any]]:
    """How each real release ended, and how it would have ended."""
    return [
        {
            "release": real.release,
            "deployed_at": time_of(real.deployed_at, recording),
            "really": real.outcome,
            **as_json(found, recording),
        }
        for real, found in judged
    ]


def real_as_text(title: str, judged: Judgements, recording: Recording) -> list[str]:
    """The same for people."""
    lines = [f"{title}: {len(judged)} real releases judged; {_data(recording)}"]
    for real, found in judged:
        lines.append(
            f"  {day(real.deployed_at)}  {_HEADLINES[found.outcome]:<11}  {real.release} "
            f"(really: {real.outcome})"
        )
        if found.outcome != "healthy":
            lines += folded(sentence(found.reason), _INDENT)
    fired = [
        found.at.timestamp() for _, found in judged if found.outcome == "rolled_back" and found.at
    ]
    return lines + sparkline(recording, None, fired)


# --- A line of bars ----------------------------------------------------------------------------


def sparkline(recording: Recording, deployed_at: float | None, fired: Sequence[float]) -> list[str]:
    """The error rate over the whole recording, and below it what happened; nothing without one.

    Of a long recording the worst five minutes of each part are shown.
    """
    if not {"requests", "errors"} <= recording.columns:
        return []
    begin, end = recording.rows[0].at, recording.end
    width = (end - begin) / _COLUMNS
    columns: list[list[Row]] = [[] for _ in range(_COLUMNS)]
    for row in recording.rows:
        if not row.problem:
            columns[min(_COLUMNS - 1, int((row.at - begin) / width))].append(row)
    piece = math.inf if width <= _PIECE else _PIECE
    rates = [highest(column, error_rate_of, recording.period, piece) for column in columns]
    top = max((rate for rate in rates if rate is not None), default=0.0)
    marks = [" "] * _COLUMNS
    for at, mark in [*((at, "!") for at in fired), *([(deployed_at, "|")] if deployed_at else [])]:
        if begin <= at <= end:
            marks[min(_COLUMNS - 1, int((at - begin) / width))] = mark
    legend = ", ".join((["| deployed"] if deployed_at else []) + (["! fired"] if fired else []))
    lines = ["", f"  5xx  {''.join(_bar(rate, top) for rate in rates)}  up to {top:.1%}"]
    return [*lines, f"       {''.join(marks)}  {legend}"] if legend else lines


def _bar(rate: float | None, top: float) -> str:
    if rate is None:
        return " "
    return _BARS[min(len(_BARS) - 1, int(rate / top * len(_BARS)))] if top else _BARS[0]
