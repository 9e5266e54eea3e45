"""Telling people: one call each, through injected clients.

Each call has one deadline for the whole of it, and may happen twice: every message carries its
notice's key, so that a second one is recognised. Slack's bots are in ``activities.slack``,
PagerDuty in ``activities.incidents``.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import MISCONFIGURED, aws_call
from activities.pictures import Draw, drawn, draws_nothing
from activities.posting import Poster, as_bytes
from activities.smtp import Account, deliver
from activities.wording import worded
from lastgood.contracts import (
    EmailOrder,
    Notice,
    SlackOrder,
    SnsOrder,
    TeamsOrder,
    WebhookOrder,
)
from lastgood.decisions.plain import one_line
from lastgood.decisions.rendering.attachments import Attachment
from lastgood.decisions.rendering.mail import mail, mime
from lastgood.decisions.rendering.signing import signature_headers
from lastgood.decisions.rendering.slack import slack_message
from lastgood.decisions.rendering.sns import publication
from lastgood.decisions.rendering.teams import teams_message
from lastgood.decisions.rendering.text import Wording, as_json, wire_key
from lastgood.policy_notify import Channel

Clients = Callable[[str, str], Any]
"""(AWS service, region) → boto3 client."""
Order = EmailOrder | SlackOrder | SnsOrder | TeamsOrder | WebhookOrder


class NotificationActivities:
    """Calls to webhooks, mail and SNS; ``tls`` is what mail servers are verified with."""

    def __init__(
        self,
        clients: Clients,
        poster: Poster,
        tls: ssl.SSLContext | None = None,
        draw: Draw = draws_nothing,
    ) -> None:
        self._draw = draw
        self._clients = clients
        self._poster = poster
        self._tls = tls or ssl.create_default_context()

    @activity.defn
    async def notify_slack(self, order: SlackOrder) -> None:
        """May post twice; both messages show the notice's key. POST to a Slack webhook."""
        url = self._poster.secret(order.channel.webhook_url or "")
        await self._poster.post("slack", url, slack_message(*self._worded(order, "slack")))

    @activity.defn
    async def notify_teams(self, order: TeamsOrder) -> None:
        """May post twice; both cards show the notice's key. POST to a webhook of Workflows."""
        url = self._poster.secret(order.channel.webhook_url)
        await self._poster.post("teams", url, teams_message(*self._worded(order, "teams")))

    @activity.defn
    async def notify_webhook(self, order: WebhookOrder) -> None:
        """Idempotent for receivers that honour ``Idempotency-Key``. POST the notice as JSON."""
        channel, ident = order.channel, wire_key(order.notice)
        url = self._poster.secret(channel.url)
        notice, words = self._worded(order, "webhook")
        own = words.text
        body = as_bytes(as_json(notice, words)) if own is None else own.encode("utf-8", "replace")
        headers = {"Idempotency-Key": ident}
        if channel.secret:
            headers |= _signed(self._poster.secret(channel.secret), ident, body)
        await self._poster.post("webhook", url, body, headers)

    @activity.defn
    async def notify_email_ses(self, order: EmailOrder) -> str:
        """May send twice, into the same thread. Returns SES's message id."""
        channel = order.channel
        notice, words = self._worded(order, "email")
        picture = await drawn(self._draw, order.picture)
        content = mail(notice, channel.from_, words, picture)
        simple: dict[str, Any] = {
            "Subject": {"Data": content.subject, "Charset": "UTF-8"},
            "Body": {
                "Text": {"Data": content.text, "Charset": "UTF-8"},
                "Html": {"Data": content.html, "Charset": "UTF-8"},
            },
            # SES writes its own Message-ID; the thread is what a second mail shares.
            "Headers": [
                {"Name": "In-Reply-To", "Value": content.thread},
                {"Name": "References", "Value": content.thread},
            ],
        }
        if picture:
            simple["Attachments"] = [_attached(picture, content.picture_id)]
        answer = await self._aws(
            "ses:SendEmail",
            self._clients("sesv2", order.region).send_email,
            FromEmailAddress=channel.from_,
            Destination={"ToAddresses": list(channel.to)},
            Content={"Simple": simple},
        )
        return str(answer.get("MessageId", ""))

    @activity.defn
    async def notify_sns(self, order: SnsOrder) -> str:
        """Idempotent on a FIFO topic, else may publish twice. Returns SNS's message id."""
        topic = order.channel.topic_arn
        client = self._clients("sns", topic.split(":")[3])
        notice, words = self._worded(order, "sns")
        arguments = publication(notice, topic, words)
        answer = await self._aws("sns:Publish", client.publish, **arguments)
        return str(answer.get("MessageId", ""))

    @activity.defn
    async def notify_email_smtp(self, order: EmailOrder) -> str:
        """May send twice, with the same Message-ID, which it returns."""
        channel, server = order.channel, order.channel.smtp
        if server is None:
            raise ValueError("the policy names no mail server")  # policies are validated
        account = None
        if server.username and server.password:
            secret = self._poster.secret
            account = Account(secret(server.username), secret(server.password))
        notice, words = self._worded(order, "email")
        picture = await drawn(self._draw, order.picture)
        content = mail(notice, channel.from_, words, picture)
        message = mime(content, channel.from_, channel.to, notice, picture)
        refused = await deliver(message, server, account, self._tls, self._poster.deadline)
        if refused:
            activity.logger.warning("The mail server refused %d of the recipients", refused)
        return content.message_id

    def _worded(self, order: Order, kind: str) -> tuple[Notice, Wording]:
        channel: Channel = order.channel
        return worded(self._poster.linked(order.notice), channel, kind)

    async def _aws(
        self, action: str, method: Callable[..., dict[str, Any]], **arguments: Any
    ) -> dict[str, Any]:
        with aws_call(action):
            async with asyncio.timeout(self._poster.deadline):
                return await asyncio.to_thread(method, **arguments)


def _attached(picture: Attachment, ident: str) -> dict[str, Any]:
    """As SES takes it."""
    return {
        "RawContent": picture.content,
        "FileName": picture.name,
        "ContentType": "image/png",
        "ContentDisposition": "INLINE",
        "ContentId": ident,
        "ContentDescription": one_line(picture.alt, 300),
    }


def _signed(secrets: str, ident: str, body: bytes) -> dict[str, str]:
    try:
        return signature_headers(secrets, ident, int(time.time()), body)
    except ValueError as error:
        text = f"webhook: the secret that it is to be signed with {error}"
        raise ApplicationError(text, type=MISCONFIGURED, non_retryable=True) from None
