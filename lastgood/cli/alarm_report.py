"""What a plan, and what was done about it, looks like to people and to programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from lastgood.decisions.alarms.differences import Deed, Difference, Step
from lastgood.decisions.alarms.wanted import Wanted, WantedAlarm
from lastgood.policy import format_duration

_MARKS = {
    "create": "+",
    "change": "~",
    "unchanged": "=",
    "edited": "!",
    "foreign": "!",
    "left-over": "-",
}
_SAID = {
    "create": "create",
    "change": "change",
    "unchanged": "unchanged",
    "edited": "edited by hand (is → policy)",
    "foreign": "not ours (is → policy)",
    "left-over": "no longer in the policy",
}
_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
}
_WIDTH = 96

Done = Mapping[str, Deed]
"""What was done, by the alarm's name."""


def left_alone(steps: Sequence[Step], done: Done) -> list[Step]:
    """What is not as the policy says, and stays so."""
    return [one for one in steps if one.state != "unchanged" and one.name not in done]


def as_json(wanted: Wanted, region: str, steps: Sequence[Step], done: Done) -> dict[str, Any]:
    """A plan, or what became of it, for programs."""
    return {
        "service": wanted.service,
        "region": region,
        "alarms": [_entry(step, done.get(step.name)) for step in steps],
        "remarks": list(wanted.remarks),
    }


def _entry(step: Step, deed: Deed | None) -> dict[str, Any]:
    return {
        "name": step.name,
        "trigger": step.wanted.trigger if step.wanted else None,
        "state": step.state,
        "owner": step.owner,
        "differences": [one.model_dump(mode="json") for one in step.differences],
        "done": deed,
        "notes": list(step.wanted.notes) if step.wanted else [],
        "alarm": step.wanted.config if step.wanted else None,
    }


def plan_lines(wanted: Wanted, region: str, steps: Sequence[Step]) -> list[str]:
    """What would be done."""
    entries = [_step_lines(step, f"{_MARKS[step.state]} {_SAID[step.state]}") for step in steps]
    return [f"{wanted.service} in {region}: {_counted(steps)}", *_apart(entries), *_remarks(wanted)]


def done_lines(wanted: Wanted, region: str, steps: Sequence[Step], done: Done) -> list[str]:
    """What was done, and what was not."""
    entries = []
    for step in steps:
        deed = done.get(step.name)
        if deed is None and step.state != "unchanged":
            entries.append(_step_lines(step, f"! left alone, {_SAID[step.state]}"))
        else:
            changed = _difference_lines(step.differences) if deed == "put" else []
            entries.append([f"{_MARKS[step.state]} {past(step, deed)}: {step.name}", *changed])
    return [
        f"{wanted.service} in {region}: {_outcome(steps, done)}",
        *_apart(entries),
        *_remarks(wanted),
    ]


def _apart(entries: Sequence[list[str]]) -> Iterator[str]:
    """The lines of all entries, with a blank one between those that are longer than a line."""
    yield ""
    for number, entry in enumerate(entries):
        if number and max(len(entry), len(entries[number - 1])) > 1:
            yield ""
        yield from entry


def advice(apply: str, steps: Sequence[Step], done: Done | None) -> list[str]:
    """The commands to type next; ``apply`` is the one without further options."""
    states = {one.state for one in steps if not done or one.name not in done}
    takeable = any(one.takeable for one in steps)
    found = []
    if done is None and states & {"create", "change"}:
        found.append(("To make it so:", apply))
    if "edited" in states:
        found.append(("To undo what was changed by hand:", f"{apply} --overwrite"))
    if "foreign" in states and takeable:
        found.append(("To make alarms ours that are not:", f"{apply} --take-over"))
    if "left-over" in states:
        found.append(("To remove what the policy has no more:", f"{apply} --prune"))
    return [line for what, command in found for line in (what, f"  {command}")]


def _counted(steps: Sequence[Step]) -> str:
    order = [state for state in _SAID if any(one.state == state for one in steps)]
    counts = [f"{sum(one.state == state for one in steps)} {_as_count(state)}" for state in order]
    return ", ".join(counts) or "no alarms"


def _as_count(state: str) -> str:
    if state in ("create", "change"):
        return f"to {state}"
    return _SAID[state].removesuffix(" (is → policy)")


def _outcome(steps: Sequence[Step], done: Done) -> str:
    alone = len(left_alone(steps, done))
    words = [past(step, done[step.name]) for step in steps if step.name in done]
    counts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    fine = sum(one.state == "unchanged" and one.name not in done for one in steps)
    counts += [f"{fine} unchanged"] if fine else []
    counts += [f"{alone} left alone"] if alone else []
    return ", ".join(counts) or "no alarms"


def past(step: Step, deed: Deed | None) -> str:
    """What was done to an alarm, in a word."""
    match deed:
        case None:
            return "unchanged"
        case "put":
            return "created" if step.state == "create" else "changed"
        case "delete":
            return "removed"
    return "taken over" if step.state == "foreign" else "unchanged, tags renewed"


def _step_lines(step: Step, head: str) -> list[str]:
    lines = [f"{head}: {step.name}"]
    lines += [f"    {step.owner}"] if step.owner else []
    if step.wanted and step.state == "create":
        lines += _alarm_lines(step.wanted)
    lines += _difference_lines(step.differences)
    if step.state == "foreign" and step.takeable and not step.differences:
        lines.append("    it is just as the policy wants it")
    if step.wanted and step.state in ("create", "change"):
        lines += [line for note in step.wanted.notes for line in _folded(f"note: {note}")]
    return lines


def _alarm_lines(alarm: WantedAlarm) -> Iterator[str]:
    """What an alarm watches, and when it goes off."""
    config = alarm.config
    queries = config.get("Metrics")
    if queries:
        computed = [one for one in queries if "Expression" in one]
        for number, one in enumerate(computed):
            yield from _folded(
                f"{'watches' if not number else ''}|{one['Id']} = {one['Expression']}"
            )
    else:
        statistic = config.get("Statistic") or config["ExtendedStatistic"]
        named = ", ".join(f"{one['Name']}={one['Value']}" for one in config["Dimensions"])
        yield from _folded(f"watches|{statistic} of {config['Namespace']} {config['MetricName']}")
        yield from _folded(f"|{named}") if named else ()
    sign = _SIGNS[config["ComparisonOperator"]]
    period = config.get("Period") or next(
        one["MetricStat"]["Period"] for one in queries or () if "MetricStat" in one
    )
    counted = f"{config['DatapointsToAlarm']} of {config['EvaluationPeriods']} datapoints"
    lasts = format_duration(timedelta(seconds=period))
    watched = next((f"{one['Id']} " for one in queries or () if one["ReturnData"]), "")
    yield from _folded(f"alarm|{watched}{sign} {config['Threshold']:g} in {counted} of {lasts}")
    yield from _folded(f"missing|{config['TreatMissingData']}")
    yield from _folded(f"tells|{', '.join(config['AlarmActions']) or 'nobody'}")


def _difference_lines(differences: Sequence[Difference]) -> list[str]:
    """Field by field, what is there → what is wanted; the description, which is long, at last."""
    lines: list[str] = []
    for one in sorted(differences, key=lambda one: one.field == "AlarmDescription"):
        short = f"    {one.field}: {_value(one.old)} → {_value(one.new)}"
        if len(short) <= _WIDTH:
            lines.append(short)
        else:
            lines.append(f"    {one.field}:")
            lines += _folded(f"  {_value(one.old)}") + _folded(f"→ {_value(one.new)}")
    return lines


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(one)}" for key, one in value.items())
    return str(value)


def _folded(text: str) -> list[str]:
    """Indented, in lines that fit; ``label|text`` in two columns."""
    label, bar, rest = text.partition("|")
    if not bar or len(label) > 7:
        label, rest, deep = "", text, "    "
        first = deep
    else:
        first, deep = f"    {label:<9}", " " * 13
    return textwrap.wrap(
        rest,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=deep if bar else f"{deep}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _remarks(wanted: Wanted) -> list[str]:
    found = [line for one in wanted.remarks for line in _folded(one)]
    return ["", *(line[2:] for line in found)] if found else []
