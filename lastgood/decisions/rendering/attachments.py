"""A picture that goes with a notice, where the channel can carry one."""

from __future__ import annotations

from typing import NamedTuple


class Attachment(NamedTuple):
    """A PNG, and what it shows in words, for those who do not see it."""

    name: str
    """``error-rate.png``: letters, digits, hyphens and a dot."""
    content: bytes
    alt: str
    """One line."""
