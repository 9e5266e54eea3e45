"""The policy's calendar: time zones, whose rules are in files and change with the years."""

from __future__ import annotations

import zoneinfo

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import MISCONFIGURED
from lastgood.contracts import FreezeAnswer, FreezeQuery
from lastgood.decisions.freezes import frozen_at, in_words


class CalendarActivities:
    """Reads the rules of time zones: the system's, or those of the package tzdata."""

    @activity.defn
    async def look_up_freeze(self, query: FreezeQuery) -> FreezeAnswer:
        """Whether a policy's freeze windows hold at a moment."""
        frozen = frozen_at(query.windows, query.at, _zone)
        if frozen is None:
            return FreezeAnswer(frozen=False)
        text = in_words(frozen, query.at, _zone)
        return FreezeAnswer(frozen=True, text=text, until=frozen.ends_at)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ApplicationError(
            f"The worker knows no time zone {name}, which deploy.freeze names: "
            "bring its package tzdata up to date.",
            type=MISCONFIGURED,
            non_retryable=True,
        ) from None
