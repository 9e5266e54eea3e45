"""How long a receiver that is busy wants to be left alone.

The rule. Retry-After is seconds or a date. It is honoured up to a minute, as a notice that comes
late is worth little; what is neither, or missing, means five seconds; nothing means less than one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

AT_LEAST = timedelta(seconds=1)
USUALLY = timedelta(seconds=5)
AT_MOST = timedelta(seconds=60)


def retry_after(header: str | None, now: datetime) -> timedelta:
    """The delay before the next attempt. ``now``: aware, to read a date against."""
    wish = _wish((header or "").strip(), now)
    return USUALLY if wish is None else min(max(wish, AT_LEAST), AT_MOST)


def _wish(header: str, now: datetime) -> timedelta | None:
    if header.isascii() and header.isdecimal():
        return timedelta(seconds=int(header[:6]))  # more digits are more than AT_MOST anyway
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
