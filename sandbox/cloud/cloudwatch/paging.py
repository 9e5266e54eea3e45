"""`NextToken`: where the next page starts."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from sandbox.cloud.cloudwatch.errors import CloudWatchError

Item = TypeVar("Item")


def token_at(offset: int) -> str:
    """A token that stands for "go on at this offset"."""
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def offset_of(token: str | None) -> int:
    """The offset a token stands for; `InvalidNextToken` for anything else."""
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
        if word == "offset" and number.isdigit():
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise CloudWatchError("InvalidNextToken", "The next token specified is invalid.")


def page(items: Sequence[Item], token: str | None, size: int) -> tuple[Sequence[Item], str | None]:
    """One page and the token of the next, if there is one."""
    offset = offset_of(token)
    end = offset + size
    return items[offset:end], token_at(end) if end < len(items) else None
