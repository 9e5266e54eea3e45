"""Asking AWS with the caller's own permissions: what is refused is said, and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

AWS_ERRORS = (BotoCoreError, ClientError)

Client = Callable[[str], Any]
"""AWS service → boto3 client."""


@dataclass
class Remarks:
    """What a person should know; what could not be read is said, and left out."""

    said: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Around what may stay unknown."""
        try:
            yield
        except AWS_ERRORS as error:
            self.said.append(f"{what} could not be read ({in_words(error)})")


def in_words(error: Exception) -> str:
    """AWS's own error code, or what boto3 says."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return str(error)
