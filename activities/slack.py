"""Slack's Web API with a bot's token: one thread for each release.

Slack has no key that would make a second post the same one. Each message carries its notice's key
as metadata instead, and an attempt after the first looks for it before it posts again, where the
bot may read the channel. Where it may not, the message may come twice: better than never.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import http_refusal_in_words
from activities.pictures import Draw, drawn, draws_nothing
from activities.posting import Poster, as_bytes, word
from activities.wording import worded
from lastgood.contracts import Notice, SlackPicture, SlackPost, SlackPosted
from lastgood.decisions.rendering.slack import slack_message, slack_update
from lastgood.decisions.rendering.text import Wording, wire_key
from lastgood.policy_notify import SlackChannel

API = "https://slack.com/api"
_AGAIN = {
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
}
"""Errors of Slack's that pass by themselves."""
_PATIENCE = 25.0
"""Seconds for drawing a picture; nothing waits for it here."""
_EVENT = "lastgood_notice"
_BEFORE = timedelta(minutes=5)
"""How much earlier than the notice its message may be, as clocks differ."""


class SlackActivities:
    """Calls to Slack's Web API; ``api`` is its address."""

    def __init__(self, poster: Poster, api: str = API, draw: Draw = draws_nothing) -> None:
        self._poster = poster
        self._api = api or API
        self._draw = draw

    @activity.defn
    async def post_slack_message(self, order: SlackPost) -> SlackPosted:
        """Looks for its own message before it posts again. The first message, or a reply to it."""
        if activity.info().attempt > 1:
            found = await self._find(order)
            if found:
                return found
        try:
            return await self._post(order, order.thread.first)
        except ApplicationError as error:
            if not order.thread.first or "thread_not_found" not in str(error):
                raise
            return await self._post(order, None)  # somebody deleted it: a new one begins

    @activity.defn
    async def update_slack_message(self, order: SlackPost) -> None:
        """Idempotent. The first message's title says from now on how the release stands."""
        thread = order.thread
        if thread.first is None or thread.notice is None:
            return
        first, latest = self._worded(thread.notice, order), self._worded(order.notice, order)
        body = slack_update(first, latest)
        await self._call(order, "chat.update", {"ts": thread.first, **body})

    @activity.defn
    async def add_slack_picture(self, order: SlackPicture) -> bool:
        """May add it twice. A picture of what fired, into the thread; says whether it did."""
        picture = await drawn(self._draw, order.picture, _PATIENCE)
        if picture is None or order.thread.first is None:
            return False
        channel, size = order.channel, len(picture.content)
        what = {"filename": picture.name, "length": str(size), "alt_txt": picture.alt}
        answer = await self._method(channel, "files.getUploadURLExternal", what, form=True)
        url, ident = str(answer.get("upload_url", "")), answer.get("file_id")
        if urlsplit(url).scheme != urlsplit(self._api).scheme:
            raise http_refusal_in_words("slack", "no address to upload to", final=True)
        await self._poster.post("slack", url, picture.content, {"Content-Type": "image/png"})
        body = {
            "files": [{"id": ident, "title": picture.alt}],
            "channel_id": order.thread.place or channel.channel,
            "thread_ts": order.thread.first,
        }
        await self._method(channel, "files.completeUploadExternal", body)
        return True

    async def _post(self, order: SlackPost, first: str | None) -> SlackPosted:
        body: dict[str, Any] = {
            **slack_message(*self._worded(order.notice, order)),
            "metadata": {
                "event_type": _EVENT,
                "event_payload": {"key": wire_key(order.notice)},
            },
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if first:
            body |= {"thread_ts": first, "reply_broadcast": order.aloud}
        answer = await self._call(order, "chat.postMessage", body)
        ts, place = str(answer.get("ts", "")), str(answer.get("channel", ""))
        return SlackPosted(place=place, ts=ts, first=first or ts)

    async def _find(self, order: SlackPost) -> SlackPosted | None:
        """The message that an earlier attempt may have posted."""
        thread = order.thread
        since = (order.notice.at - _BEFORE).timestamp()
        query = {"oldest": f"{since:.6f}", "include_all_metadata": "true", "limit": "100"}
        try:
            if thread.first:
                query["ts"] = thread.first
                answer = await self._call(order, "conversations.replies", query, form=True)
            else:
                answer = await self._call(order, "conversations.history", query, form=True)
        except ApplicationError as error:
            activity.logger.warning("It may be posted twice: %s", error.message)
            return None
        wanted = wire_key(order.notice)
        for one in _messages(answer):
            metadata = one.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == _EVENT and payload.get("key") == wanted:
                ts, place = str(one.get("ts")), order.channel.channel or ""
                return SlackPosted(place=place, ts=ts, first=thread.first or ts)
        return None

    def _worded(self, notice: Notice, order: SlackPost) -> tuple[Notice, Wording]:
        return worded(self._poster.linked(notice), order.channel, "slack")

    async def _call(
        self, order: SlackPost, method: str, body: dict[str, Any], *, form: bool = False
    ) -> dict[str, Any]:
        where = {"channel": order.thread.place or order.channel.channel}
        return await self._method(order.channel, method, where | body, form=form)

    async def _method(
        self, channel: SlackChannel, method: str, body: dict[str, Any], *, form: bool = False
    ) -> dict[str, Any]:
        """One method of the API; those that read take a form and no JSON.

        Raises:
            ApplicationError: if Slack refuses it, with Slack's own word for why.
        """
        content = urlencode(body).encode() if form else as_bytes(body)
        kind = "application/x-www-form-urlencoded" if form else "application/json; charset=utf-8"
        answer = await self._poster.post(
            "slack",
            f"{self._api}/{method}",
            content,
            {
                "Authorization": f"Bearer {self._poster.secret(channel.token or '')}",
                "Content-Type": kind,
            },
            answered=True,
        )
        if answer.get("ok") is True:
            return answer
        reason = word(answer.get("error")) or "no reason given"
        raise http_refusal_in_words("slack", reason, final=reason not in _AGAIN)


def _messages(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    messages = answer.get("messages")
    for one in messages if isinstance(messages, list) else []:
        if isinstance(one, dict):
            yield one
