"""Puts pydantic's errors about a policy into plain sentences, with the key they concern.

A sentence says what is wrong and what to write instead. It repeats no value: those that policy's
own validators repeat are durations and ratios.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lastgood.policy import Policy, models_in, tag_of
from lastgood.strict_yaml import Path

_SECRET_KEYS = {"webhook_url", "password", "username", "token", "routing_key", "secret"}
_NOT_IN_THE_FILE = {"[key]", "[one]", "[several]"}
_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")
_HARMLESS_KEY = re.compile(r"[a-z_]{1,20}")


def dotted(path: Path) -> str:
    """A path as people write it: ``triggers.1.threshold``.

    Stops at a key whose value is a secret, and hides keys that look like a misplaced value.
    """
    words: list[str] = []
    for part in path:
        notify = "notify" in words
        shape = _HARMLESS_KEY if notify else _PLAIN_KEY
        shown = isinstance(part, int) or shape.fullmatch(part)
        words.append(str(part) if shown else "…")
        if part in _SECRET_KEYS or (notify and part == "url"):
            break
    return ".".join(words)


def translate(error: ValidationError, file: type[BaseModel] = Policy) -> Iterator[tuple[Path, str]]:
    """Each problem as the path of its key in the file, and its sentence; ``file`` is its model.

    A required key that was only misspelt is not reported as missing too.
    """
    misspelt: set[Path] = set()
    missing: list[tuple[Path, str]] = []
    for detail in error.errors(include_url=False):
        path, owner = _follow(detail["loc"], file)
        context = detail.get("ctx", {})
        kind = detail["type"]
        if kind == "policy":
            for key, message in context["problems"]:
                yield (*path, *_parts(key)), message
        elif kind == "union_tag_not_found":
            missing.append(((*path, "type"), f"missing: add type: {_one_of(_trigger_types())}"))
        elif kind == "union_tag_invalid":
            yield (*path, "type"), _choice("unknown trigger", context["tag"], _trigger_types())
        elif kind == "extra_forbidden":
            misspelt |= {(*path[:-1], key) for key in _likely(path[-1], _keys(owner))}
            yield path, _choice("unknown key", path[-1], _keys(owner))
        elif kind == "missing":
            missing.append((path, f"missing: add it{_description(path[-1], owner)}"))
        else:
            yield path, _sentence(detail)
    yield from (problem for problem in missing if problem[0] not in misspelt)


def _sentence(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = re.findall("'([^']*)'", context["expected"])
        return _choice("unknown value", detail["input"], choices)
    if kind == "unknown_zone":
        return _unknown_zone(detail["input"], context["known"])
    if kind == "string_type" and isinstance(detail["input"], int | float):
        return "must be text: put it in quotes"
    words = _SENTENCES.get(kind)
    return words(context) if words else "cannot be used: see `lastgood policy schema`"


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "model_type": lambda _: "must be a mapping: write its keys below it, indented",
    "model_attributes_type": lambda _: "must be a mapping: write its keys below it, indented",
    "dict_type": lambda _: "must be a mapping: write its keys below it, indented",
    "list_type": lambda _: "must be a list: write each item on its own line, after a hyphen",
    "string_type": lambda _: "must be text",
    "string_unicode": lambda _: "must be text that UTF-8 can hold: take the \\u escape out",
    "int_type": lambda _: "must be a whole number such as 3, without quotes",
    "bool_type": lambda _: "must be true or false, without quotes",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda context: f"must be at most {context['max_length']} characters",
    "too_short": lambda context: _too_few(context["min_length"]),
    "too_long": lambda context: f"must be at most {context['max_length']} items",
}


def _too_few(least: int) -> str:
    if least > 1:
        return f"must have at least {least} items"
    return "must not be empty: write at least one, or leave the key out"


def _choice(complaint: str, given: Any, known: list[str]) -> str:
    """The complaint with the most likely choice, or else all of them; without what was given."""
    likely = _likely(given, known)
    if not likely:
        return f"{complaint}; write {_one_of(known)}" if known else complaint
    others = "" if complaint == "unknown key" else f" (known: {', '.join(known)})"
    return f"{complaint}; did you mean {likely[0]}?{others}"


def _unknown_zone(given: str, known: list[str]) -> str:
    """The zones that were probably meant: by their whole name, or by their city's alone.

    None of ``Etc/GMT+1`` and the like: these lie west of Greenwich, which nobody expects.
    """
    zones = [zone for zone in known if not zone.startswith("Etc/")]
    names: dict[str, str] = {}
    for zone in zones:
        names.setdefault(zone.rpartition("/")[2].casefold(), zone)
    names |= {zone.casefold(): zone for zone in zones}
    near = get_close_matches(given.casefold(), names, n=3, cutoff=0.7)
    found = dict.fromkeys(names[name] for name in near)
    meant = f"did you mean {_one_of(found)}?" if found else "write one such as Europe/Berlin or UTC"
    return f"unknown time zone; {meant}"


def _likely(given: Any, known: list[str]) -> list[str]:
    """The choice that was probably meant; none for what is too long to be a typo."""
    short = isinstance(given, str) and len(given) <= 40
    return get_close_matches(given, known, n=1) if short else []


def _one_of(choices: Iterable[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def _follow(
    location: Iterable[str | int], file: type[BaseModel]
) -> tuple[Path, type[BaseModel] | None]:
    """Where pydantic's location is in the file, and the model that owns its last key.

    pydantic puts a union's tag (``triggers, 1, alarm, threshold``; ``[one]`` or ``[several]``
    channels of a kind) and ``[key]`` into the location, which no file has.
    """
    path: list[str | int] = []
    owner: type[BaseModel] | None = None
    here: Any = file
    for part in location:
        models = list(models_in(here))
        tagged = [model for model in models if tag_of(model) == part]
        if len(models) > 1 and tagged:
            here = tagged[0]
        elif part not in _NOT_IN_THE_FILE:
            path.append(part)
            owner = models[0] if len(models) == 1 else None
            if not isinstance(part, int):
                here = _annotation(owner, part)
    return tuple(path), owner


def _annotation(owner: type[BaseModel] | None, key: str) -> Any:
    for name, info in owner.model_fields.items() if owner else ():
        if key == (info.alias or name):
            return info.annotation
    return None


def _keys(owner: type[BaseModel] | None) -> list[str]:
    return [info.alias or name for name, info in owner.model_fields.items()] if owner else []


def _description(key: str | int, owner: type[BaseModel] | None) -> str:
    for name, info in owner.model_fields.items() if owner else ():
        if key == (info.alias or name) and info.description:
            example = f", such as {info.examples[0]}" if info.examples else ""
            return f" ({info.description.rstrip('.')}{example})"
    return ""


def _trigger_types() -> list[str]:
    return [str(tag_of(model)) for model in models_in(Policy.model_fields["triggers"].annotation)]


def _parts(key: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in key.split("."))
