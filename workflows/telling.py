"""Telling people: every channel by itself, none of them able to change an outcome.

What is told where is decided in ``lastgood.decisions.routing``. A channel that keeps a thread or an
incident gets its messages one after the other, as a reply must know what it replies to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.calls import why
from workflows.options import NOTIFY, PICTURE, Options

with workflow.unsafe.imports_passed_through():
    from activities.incidents import IncidentActivities
    from activities.notifications import NotificationActivities
    from activities.slack import SlackActivities
    from lastgood.contracts import (
        EmailOrder,
        Notice,
        PagerDutyOrder,
        Picture,
        SlackOrder,
        SlackPicture,
        SlackPost,
        SnsOrder,
        TeamsOrder,
        Thread,
        WebhookOrder,
    )
    from lastgood.decisions import routing
    from lastgood.decisions.rendering.temporal_ui.markdown import summary
    from lastgood.model import ChannelFailure
    from lastgood.policy_notify import NotifyPolicy, SlackChannel


Turns = dict[str, asyncio.Lock]
"""Whose turn it is in each channel; shared by all who tell of one release."""


def here() -> str:
    """Where this run is in the Temporal UI, below the UI's own address."""
    info = workflow.info()
    parts = (info.namespace, info.workflow_id, info.run_id)
    namespace, ident, run = (quote(part, safe="") for part in parts)
    return f"/namespaces/{namespace}/workflows/{ident}/{run}/history"


class Conversation:
    """What the channels have been told about one release, and are told next."""

    def __init__(self, threads: Iterable[Thread] = (), turns: Turns | None = None) -> None:
        self._threads = {one.channel: one for one in threads}
        self._turns: Turns = {} if turns is None else turns

    @property
    def open(self) -> tuple[Thread, ...]:
        """The threads and incidents that may be told of what comes later."""
        return routing.open_ones(self._threads.values())

    async def tell(
        self, notice: Notice, notify: NotifyPolicy, region: str, picture: Picture | None = None
    ) -> tuple[ChannelFailure, ...]:
        """Tell everybody whom the policy names; with a picture, where a channel can carry one.

        Returns:
            The channels that could not be reached.
        """
        attempts = []
        for message in routing.messages_of(notice, notify, self._threads):
            thread = routing.begun(message, self._threads.get(message.key))
            if thread:
                self._threads[message.key] = thread
            attempts.append(self._attempt(message, notice, region, picture))
        failures = await asyncio.gather(*attempts)
        return tuple(failure for failure in failures if failure)

    async def _attempt(
        self, message: routing.Message, notice: Notice, region: str, picture: Picture | None
    ) -> ChannelFailure | None:
        try:
            if not message.in_order:
                await _send(message, notice, region, picture)
                return None
            async with self._turns.setdefault(message.key, asyncio.Lock()):
                if message.way == "thread":
                    await self._post(message, notice)
                    await self._add(message, picture)
                else:
                    await _send(message, notice, region, None)
        except ActivityError as error:
            text = why(error)[:300]
            return ChannelFailure(channel=message.key, error=text, at=workflow.now())
        return None

    async def _post(self, message: routing.Message, notice: Notice) -> None:
        """A Slack bot's message; the first one shows from then on how the release stands."""
        thread = self._threads[message.key]
        channel: Any = message.channel
        aloud = routing.aloud(notice)
        order = SlackPost(notice=notice, channel=channel, thread=thread, aloud=aloud)
        text = f"Tell {message.key}: {notice.title}"
        posted = await _call(SlackActivities.post_slack_message, order, text)
        if posted.ts == posted.first:
            update = {"place": posted.place, "first": posted.first, "notice": notice}
            self._threads[message.key] = thread.model_copy(update=update)
            return
        try:
            text = f"Bring the first message in {message.key} up to date"
            await _call(SlackActivities.update_slack_message, order, text)
        except ActivityError as error:
            workflow.logger.warning("The first message was not updated: %s", why(error))

    async def _add(self, message: routing.Message, picture: Picture | None) -> None:
        """The picture of what fired, once in a thread; without it nothing is missing."""
        thread, channel = self._threads[message.key], message.channel
        if picture is None or thread.pictured or not isinstance(channel, SlackChannel):
            return
        order = SlackPicture(channel=channel, thread=thread, picture=picture)
        self._threads[message.key] = thread.model_copy(update={"pictured": True})
        try:
            text = f"Picture of what fired, for {message.key}"
            await _call(SlackActivities.add_slack_picture, order, text, PICTURE)
        except ActivityError as error:
            workflow.logger.warning("There is no picture in the thread: %s", why(error))


async def tell(notice: Notice, notify: NotifyPolicy, region: str) -> tuple[ChannelFailure, ...]:
    """Tell everybody whom the policy names of what nothing was told before, nor will be.

    Returns:
        The channels that could not be reached.
    """
    return await Conversation().tell(notice, notify, region)


async def _send(
    message: routing.Message, notice: Notice, region: str, picture: Picture | None
) -> None:
    method, order = _order(message, notice, region, picture)
    what = "Tell" if message.action == "tell" else message.action.capitalize()
    await _call(method, order, f"{what} {message.key}: {notice.title}")


async def _call(method: Any, order: Any, text: str, options: Options = NOTIFY) -> Any:
    call = workflow.execute_activity_method
    return await call(method, order, summary=summary(text), **options)


def _order(
    message: routing.Message, notice: Notice, region: str, picture: Picture | None
) -> tuple[Any, Any]:
    """The activity for a message, and its input."""
    channel: Any = message.channel
    match message.way:
        case "slack":
            order = SlackOrder(notice=notice, channel=channel)
            return NotificationActivities.notify_slack, order
        case "ses" | "smtp":
            mail = EmailOrder(notice=notice, channel=channel, region=region, picture=picture)
            if message.way == "ses":
                return NotificationActivities.notify_email_ses, mail
            return NotificationActivities.notify_email_smtp, mail
        case "sns":
            topic = SnsOrder(notice=notice, channel=channel)
            return NotificationActivities.notify_sns, topic
        case "incident":
            action: Any = message.action
            event = PagerDutyOrder(notice=notice, channel=channel, action=action, region=region)
            return IncidentActivities.send_pagerduty_event, event
        case "teams":
            card = TeamsOrder(notice=notice, channel=channel)
            return NotificationActivities.notify_teams, card
        case _:
            hook = WebhookOrder(notice=notice, channel=channel)
            return NotificationActivities.notify_webhook, hook
