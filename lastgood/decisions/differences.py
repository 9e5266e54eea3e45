"""What somebody changed in a task definition beside the image that a release replaces.

The rule. Only what RegisterTaskDefinition takes counts; tags do not, nor the order of lists whose
items have names, nor a default that one side writes out. Each change is one line, without the value
where that may be a secret: of environment variables, secrets, labels and options only the names are
told, of commands and the like only that they changed. Numbers, switches, roles, images and the few
words of ``_PLAIN`` are told with what they were and are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lastgood.decisions.plain import one_line
from lastgood.decisions.task_definitions import registrable

_NAMED = {
    "environment": "name",
    "secrets": "name",
    "secretOptions": "name",
    "ulimits": "name",
    "volumes": "name",
    "mountPoints": "containerPath",
    "volumesFrom": "sourceContainer",
    "dependsOn": "containerName",
    "extraHosts": "hostname",
    "systemControls": "namespace",
    "portMappings": "containerPort",
}
"""Lists whose items have names, and what names them."""
_BY_NAME = {"options", "dockerLabels"}
"""Mappings of which only the names are told."""
_PLAIN = {
    *("family", "cpu", "memory", "networkMode", "pidMode", "ipcMode", "taskRoleArn"),
    *("executionRoleArn", "image", "operatingSystemFamily", "cpuArchitecture", "logDriver"),
}
"""Keys whose text is told; that of all others may hold a secret."""
_DEFAULTS: dict[str, Any] = {
    "essential": True,
    "protocol": "tcp",
    "hostPort": 0,
    "readOnly": False,
    "interval": 30,
    "timeout": 5,
    "retries": 3,
}
"""What ECS writes out where nothing was said. The numbers are a health check's."""
_LONGEST = 200
MOST = 10


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], released: str | None
) -> tuple[str, ...]:
    """Each change from one task definition to another, in the order of their keys.

    Args:
        before: a task definition's JSON.
        after: another's.
        released: the container whose image does not count; None: no container's counts.
    """
    old, new = (_tidy(registrable(dict(one))) for one in (before, after))
    found = []
    old_containers = _by(old.pop("containerDefinitions", []), "name")
    new_containers = _by(new.pop("containerDefinitions", []), "name")
    for name in dict.fromkeys((*old_containers, *new_containers)):
        was, is_ = old_containers.get(name), new_containers.get(name)
        if was is None or is_ is None:
            found.append(f"{name}: {'added' if was is None else 'removed'}")
            continue
        if released in (name, None):
            was, is_ = ({k: v for k, v in one.items() if k != "image"} for one in (was, is_))
        found += [f"{name}: {line}" for line in _of_mapping(was, is_, "")]
    return tuple(one_line(line, _LONGEST) for line in (*found, *_of_mapping(old, new, "")))


def only_images(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two task definitions differ in nothing but their images (and tags)."""
    return not changes(before, after, None)


def in_words(found: tuple[str, ...]) -> str:
    """``a; b; c; and 3 more``."""
    more = (f"and {len(found) - MOST} more",) if len(found) > MOST else ()
    return "; ".join((*found[:MOST], *more))


def _of_mapping(was: Mapping[str, Any], is_: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in dict.fromkeys((*was, *is_)):
        if key != "tags" and was.get(key) != is_.get(key):
            yield from _of_value(key, was.get(key), is_.get(key), prefix)


def _of_value(key: str, was: Any, is_: Any, prefix: str) -> Iterator[str]:
    path = f"{prefix}{key}"
    if key in _NAMED:
        yield from _of_names(path, _by(was or [], _NAMED[key]), _by(is_ or [], _NAMED[key]))
    elif key in _BY_NAME and isinstance(was or {}, dict) and isinstance(is_ or {}, dict):
        yield from _of_names(path, was or {}, is_ or {})
    elif isinstance(was, dict) and isinstance(is_, dict):
        yield from _of_mapping(was, is_, f"{path}.")
    elif _tellable(key, was) and _tellable(key, is_):
        yield f"{path} {_said(key, was)} → {_said(key, is_)}"
    else:
        yield f"{path} {_verb(was, is_)}"


def _of_names(path: str, was: Mapping[str, Any], is_: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*was, *is_)):
        if was.get(name) != is_.get(name):
            yield f"{path} {name} {_verb(was.get(name), is_.get(name))}"


def _verb(was: Any, is_: Any) -> str:
    if was is None:
        return "added"
    return "removed" if is_ is None else "changed"


def _tellable(key: str, value: Any) -> bool:
    plain = key in _PLAIN and isinstance(value, str)
    return plain or value is None or isinstance(value, int | float)


def _said(key: str, value: Any) -> str:
    shown = _DEFAULTS.get(key, "none") if value is None else value
    return str(shown).lower() if isinstance(shown, bool) else str(shown)


def _by(items: Any, key: str) -> dict[str, Any]:
    """The items by their names; those without one, or with another's, by their place too."""
    named: dict[str, Any] = {}
    for number, item in enumerate(items):
        name = item.get(key) if isinstance(item, dict) else None
        unique = name is not None and str(name) not in named
        named[str(name) if unique else f"{name or 'item'} ({number + 1})"] = item
    return named


def _tidy(value: Any) -> Any:
    """Without what says nothing, and with lists of mappings in an order of their own."""
    if isinstance(value, dict):
        tidied = {key: _tidy(one) for key, one in value.items()}
        return {
            key: one
            for key, one in tidied.items()
            if one not in (None, "", [], {})
            and not (key in _DEFAULTS and one == _DEFAULTS[key])
            and not (key == "cpu" and one == 0)
            and not (key == "hostPort" and one == tidied.get("containerPort"))
        }
    if isinstance(value, list):
        tidied_items = [_tidy(one) for one in value]
        mappings = all(isinstance(one, dict) for one in tidied_items)
        return sorted(tidied_items, key=_sort_key) if mappings else tidied_items
    return value


def _sort_key(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, default=str)
