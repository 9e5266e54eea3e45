"""Tags of services, with AWS's limits."""

import re
from collections.abc import Iterable
from typing import Any

from sandbox.cloud.errors import invalid_parameter

MOST = 50
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")  # letters, digits and spaces of any script


def read(tags: Iterable[dict[str, Any]], known: dict[str, str]) -> dict[str, str]:
    """Return the known tags with these added, or refuse them as ECS does."""
    given = {str(tag.get("key") or ""): str(tag.get("value") or "") for tag in tags}
    for key, value in given.items():
        _check(key, value)
    merged = {**known, **given}
    if len(merged) > MOST:
        raise invalid_parameter(f"Too many tags: a resource can have at most {MOST}.")
    return merged


def _check(key: str, value: str) -> None:
    if not 1 <= len(key) <= 128:
        raise invalid_parameter("A tag's key must have from 1 to 128 characters.")
    if len(value) > 256:
        raise invalid_parameter(f"The value of the tag {key} must have at most 256 characters.")
    if not _ALLOWED.fullmatch(key) or not _ALLOWED.fullmatch(value):
        raise invalid_parameter(
            f"The tag {key} has characters other than letters, digits, spaces and + - = . _ : / @."
        )
    if key.lower().startswith("aws:"):
        raise invalid_parameter(f"The tag {key} begins with aws:, which is reserved.")
