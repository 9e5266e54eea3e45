"""Parts of a policy file as lines: what is written, and how it came to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from lastgood import strict_yaml
from lastgood.cli.backtest_report import folded
from lastgood.decisions.suggesting import Proposal, chance_in_words
from lastgood.policy import format_duration
from lastgood.policy_triggers import Trigger

_FIRST = ("threshold", "duration", "min_requests")
"""Written even where it is the default: it was proposed."""
_RATIOS = {"threshold", "tolerance", "false_alarm", "error_rate", "margin"}


def proposal_lines(one: Proposal, trigger: Trigger | None = None) -> Iterator[str]:
    """A trigger that is proposed, with how it came to its numbers above it.

    Args:
        one: the proposal.
        trigger: what is written in its place, if that differs.
    """
    for text in (*one.why, f"false alarms: {chance_in_words(one)}", f"sees {one.sees}"):
        yield from comment_lines(text, "  ")
    yield from trigger_lines(trigger or one.trigger)


def comment_lines(text: str, indent: str) -> list[str]:
    """A comment in lines that fit a narrow screen."""
    first, *others = folded(text, f"{indent}# ")
    return [first, *(line.replace("# ", "#   ", 1) for line in others)]


def trigger_lines(trigger: Trigger) -> list[str]:
    """A trigger as a file has it: what was written, in one line a key."""
    keys = [key for key in _written(trigger) if key != "type"]
    keys.sort(key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST))
    lines = [f"    {key}: {flow(key, getattr(trigger, key))}" for key in keys]
    return [f"  - type: {trigger.type}", *lines]


def _written(part: BaseModel) -> list[str]:
    """The keys of a part that say something, in the order of the model."""
    fields = type(part).model_fields
    said = [key for key in fields if key in part.model_fields_set]
    return [
        key
        for key in said
        if key in _FIRST or getattr(part, key) not in (None, fields[key].get_default())
    ]


def flow(key: str, value: Any) -> str:
    """A value on one line."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, float) and key in _RATIOS:
        return f"{value * 100:g}%"
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in _written(value)}
    if isinstance(value, dict):
        inner = (f"{_key(name)}: {flow(name, one)}" for name, one in value.items())
        return f"{{{', '.join(inner)}}}"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """A key that reads back as the same text: a metric's dimension may have any name."""
    plain = strict_yaml.read(f"{{{name}: x}}").data == {name: "x"}
    return name if plain else json.dumps(name, ensure_ascii=False)
