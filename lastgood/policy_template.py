"""A first policy file, with every key and what it means.

The comments are the docstrings of ``policy``, the values its defaults and examples: this module
only lays them out. A key without a default is shown behind a hash, with an example.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lastgood import strict_yaml
from lastgood.policy import Policy, models_in, tag_of
from lastgood.policy_notify import Channel
from lastgood.values import format_duration

_HEAD = """\
# The policy of one ECS service: when a release counts as bad, and what is done about it.
# Every key has a default but service. Those behind a hash are left out, with an example.
# After a change: lastgood policy check --policy FILE

"""
_COLUMN = 40
_FIRST = ("type", "threshold")
_EXAMPLES = {
    ("error-rate", "metric"): {"name": "ErrorRate", "unit": "ratio"},
    ("response-time", "metric"): {"name": "ResponseTime", "unit": "ms"},
}
"""Examples that differ between triggers, though the keys are the same."""


@dataclass(frozen=True)
class _Line:
    indent: int
    text: str
    comment: str = ""
    hidden_from: int | None = None
    """The column of the hash, where the key is only shown."""

    def __str__(self) -> str:
        line = " " * self.indent + self.text
        if self.hidden_from is not None:
            line = " " * self.hidden_from + "# " + line[self.hidden_from :]
        return f"{line:<{_COLUMN}} # {self.comment}" if self.comment else line


def render(values: Mapping[str, Any] | None = None) -> str:
    """The text of a policy file; ``values`` as a file has them, over the defaults."""
    text = _HEAD
    for name, info in Policy.model_fields.items():
        lines = "\n".join(map(str, _field(name, info, values or {}, 0)))
        text += f"\n{lines}\n" if "\n" in lines else f"{lines}\n"
    return text


def _fields(model: type[BaseModel], values: Mapping[str, Any], indent: int) -> Iterator[_Line]:
    def order(item: tuple[str, FieldInfo]) -> int:
        shared = issubclass(model, Channel) and item[0] in Channel.model_fields
        return _FIRST.index(item[0]) if item[0] in _FIRST else len(_FIRST) + shared

    for name, info in sorted(model.model_fields.items(), key=order):
        yield from _field(name, info, values, indent)


def _field(name: str, info: FieldInfo, values: Mapping[str, Any], indent: int) -> Iterator[_Line]:
    key = info.alias or name
    given, kind = values.get(key), str(values.get("type"))
    models = list(models_in(info.annotation))
    if get_origin(info.annotation) is list and models:
        lines = [_Line(indent, f"{key}:", _comment(info)), *_items(models, given, indent + 2)]
    elif models:
        inner = _fields(models[0], given or _EXAMPLES.get((kind, key), {}), indent + 2)
        lines = [_Line(indent, f"{key}:", _comment(info)), *inner]
    else:
        lines = [_Line(indent, f"{key}: {_value(info, given)}", _comment(info))]
    shown = given is not None or info.is_required() or info.get_default() not in (None, [], {})
    yield from lines if shown else _hide(lines, indent)


def _items(models: list[type[BaseModel]], given: Any, indent: int) -> Iterator[_Line]:
    """The items of a list, then an example of each kind that is not among them."""
    by_type = {tag_of(model): model for model in models}
    default = Policy.model_fields["triggers"].get_default() if len(models) > 1 else []
    items = given or [
        {"type": tag_of(type(item)), **item.model_dump(exclude_unset=True)} for item in default
    ]
    for item in items:
        yield from _item(by_type[item.get("type")], item, indent)
    present = {item.get("type") for item in items}
    for kind, model in by_type.items():
        if not items or kind not in present:
            yield from _hide(_item(model, {"type": kind}, indent), indent)


def _item(model: type[BaseModel], values: Mapping[str, Any], indent: int) -> Iterator[_Line]:
    first, *others = _fields(model, values, indent + 2)
    yield replace(first, indent=indent, text=f"- {first.text}")
    yield from others


def _hide(lines: Iterable[_Line], indent: int) -> Iterator[_Line]:
    """The lines behind a hash: all at the same column, so that an editor can take it away."""
    for line in lines:
        yield replace(line, hidden_from=indent)


def _value(info: FieldInfo, given: Any) -> str:
    default = info.get_default()
    value = given
    if value is None and info.examples:
        value = info.examples[0]
    return _flow(default if value is None else value)


def _flow(value: Any) -> str:
    """A value on one line: plain where it reads back as the same text, else in quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(one)}' for key, one in value.items())}}}"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, str) and strict_yaml.read(f"- [{value}]").data == [[value]]:
        return value
    return json.dumps(value, ensure_ascii=False)


def _comment(info: FieldInfo) -> str:
    choices = [str(one) for kind in _literals(info.annotation) for one in get_args(kind)]
    words = (info.description or "").rstrip(".")
    return f"{' | '.join(choices)}: {words}" if len(choices) > 1 else words


def _literals(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return [annotation]
    return [kind for inner in get_args(annotation) for kind in _literals(inner)]
