"""A task definition that differs from the running one only in its image."""

from __future__ import annotations

import copy
from typing import Any

_ASSIGNED_BY_ECS = (
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
)


def registrable(source: dict[str, Any]) -> dict[str, Any]:
    """What RegisterTaskDefinition takes, from what DescribeTaskDefinition gave."""
    return {
        key: copy.deepcopy(value)
        for key, value in source.items()
        if key not in _ASSIGNED_BY_ECS and value is not None
    }


def container_of(source: dict[str, Any], wanted: str | None) -> str:
    """The container whose image a release replaces.

    Raises:
        ValueError: if it is not there, or if there are several and none was named.
    """
    names = [str(one.get("name")) for one in source.get("containerDefinitions", [])]
    if wanted:
        if wanted in names:
            return wanted
        raise ValueError(
            f"The task definition has no container {wanted!r}, only {', '.join(names)}: "
            "set container in the policy."
        )
    if len(names) == 1:
        return names[0]
    raise ValueError(
        f"The task definition has several containers ({', '.join(names)}): "
        "name the one to replace as container in the policy."
    )


def with_image(source: dict[str, Any], container: str, image: str) -> dict[str, Any]:
    """The same task definition with another image in one container."""
    changed = registrable(source)
    for one in changed["containerDefinitions"]:
        if one.get("name") == container:
            one["image"] = image
    return changed
