"""A task definition that differs from the running one only in its image, or in how it names it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable
from typing import Any

from lastgood.messages import COPY_TAG
from lastgood.model import ContainerImage

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
    if "tags" in changed:  # it is no copy of anything any more
        changed["tags"] = [tag for tag in changed["tags"] if tag.get("key") != COPY_TAG]
    for one in changed["containerDefinitions"]:
        if one.get("name") == container:
            one["image"] = image
    return changed


def pinned(source: dict[str, Any], images: Iterable[ContainerImage]) -> dict[str, Any] | None:
    """The same task definition with its images named by the digests that ran.

    A tag may have moved since; UpdateService would resolve it anew.

    Returns:
        What to register; None if every image is named by its digest, or no digest is known.
    """
    digests = {(one.container, one.image): one.digest for one in images if one.digest}
    changed = registrable(source)
    moved = False
    for one in changed.get("containerDefinitions", []):
        digest = digests.get((str(one.get("name")), str(one.get("image"))))
        if digest and "@" not in str(one["image"]):
            one["image"], moved = f"{one['image']}@{digest}", True
    if not moved:
        return None
    original = str(source.get("taskDefinitionArn", ""))
    others = [tag for tag in changed.get("tags", []) if tag.get("key") != COPY_TAG]
    changed["tags"] = [{"key": COPY_TAG, "value": original}, *others] if original else others
    return changed


def pin_id(source: dict[str, Any]) -> str:
    """By which a pinned copy is found again: the same for the same original and digests."""
    images = [str(one.get("image")) for one in source.get("containerDefinitions", [])]
    text = "\n".join([str(source.get("family")), original_of(source) or "", *images])
    return f"pinned-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def original_of(source: dict[str, Any]) -> str | None:
    """ARN of the task definition of which this one is a digest-pinned copy; None if it is none."""
    tags = {tag.get("key"): tag.get("value") for tag in source.get("tags") or []}
    return tags.get(COPY_TAG) or None
