"""PagerDuty's Events API v2: one incident for each release, by its deduplication key."""

from __future__ import annotations

from temporalio import activity

from activities.posting import Poster
from activities.wording import worded
from lastgood.contracts import PagerDutyOrder
from lastgood.decisions.rendering.pagerduty import pagerduty_event

APIS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}


class IncidentActivities:
    """Calls to PagerDuty; ``api`` is its address, left out: by the channel's region."""

    def __init__(self, poster: Poster, api: str = "") -> None:
        self._poster = poster
        self._api = api

    @activity.defn
    async def send_pagerduty_event(self, order: PagerDutyOrder) -> None:
        """Idempotent by its deduplication key. Trigger, acknowledge or resolve an incident."""
        channel = order.channel
        body = pagerduty_event(
            *worded(self._poster.linked(order.notice), channel, "pagerduty"),
            action=order.action,
            region=order.region,
        )
        routing_key = self._poster.secret(channel.routing_key)
        url = f"{self._api or APIS[channel.region]}/v2/enqueue"
        await self._poster.post("pagerduty", url, {"routing_key": routing_key, **body})
