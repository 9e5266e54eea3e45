"""Telling people: one call each, through injected clients.

The policy names secrets, the worker's environment holds them, and they are read here, at the last
moment: no order, result or error ever holds one. Each call has one deadline for the whole of it,
and may happen twice: every message carries its notice's key, so that a second one is recognised.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import aws_call, http_call, http_refusal
from activities.smtp import Account, deliver
from lastgood.contracts import EmailOrder, Notice, SlackOrder, SnsOrder, WebhookOrder
from lastgood.decisions.rendering.mail import mail, mime
from lastgood.decisions.rendering.slack import slack_message
from lastgood.decisions.rendering.sns import publication
from lastgood.decisions.rendering.text import as_json, key
from lastgood.decisions.rendering.waiting import retry_after
from lastgood.errors import MISSING_SECRET

DEADLINE = 10.0
"""Seconds for one whole call."""

_MOST_OF_AN_ANSWER = 2048
"""Bytes that are read of a receiver's answer."""

Clients = Callable[[str, str], Any]
"""(AWS service, region) → boto3 client."""


class NotificationActivities:
    """Calls to Slack, mail, SNS and webhooks.

    ``http`` must not follow redirects; ``environment`` holds the secrets that policies name;
    ``tls`` is what mail servers are verified with; ``ui_url`` is where people find the Temporal UI.
    """

    def __init__(
        self,
        clients: Clients,
        http: httpx.AsyncClient,
        environment: Mapping[str, str],
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
        ui_url: str = "",
    ) -> None:
        self._clients = clients
        self._http = http
        self._environment = environment
        self._tls = tls or ssl.create_default_context()
        self._deadline = deadline
        self._ui_url = ui_url
        # httpx logs the address of every request, and a webhook's address is a secret.
        logging.getLogger("httpx").addFilter(_silent)

    @activity.defn
    async def notify_slack(self, order: SlackOrder) -> None:
        """May post twice; both messages show the notice's key. POST to a Slack webhook."""
        url = self._secret(order.channel.webhook_url)
        await self._post("slack", url, slack_message(self._linked(order.notice)), {})

    @activity.defn
    async def notify_webhook(self, order: WebhookOrder) -> None:
        """Idempotent for receivers that honour ``Idempotency-Key``. POST the notice as JSON."""
        url = self._secret(order.channel.url)
        headers = {"Idempotency-Key": key(order.notice.dedup)}
        await self._post("webhook", url, as_json(self._linked(order.notice)), headers)

    @activity.defn
    async def notify_email_ses(self, order: EmailOrder) -> str:
        """May send twice, into the same thread. Returns SES's message id."""
        channel = order.channel
        content = mail(self._linked(order.notice), channel.from_)
        simple = {
            "Subject": {"Data": content.subject, "Charset": "UTF-8"},
            "Body": {
                "Text": {"Data": content.text, "Charset": "UTF-8"},
                "Html": {"Data": content.html, "Charset": "UTF-8"},
            },
            # SES writes its own Message-ID; the thread is what a second mail shares.
            "Headers": [{"Name": "References", "Value": content.thread}],
        }
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
        answer = await self._aws(
            "sns:Publish", client.publish, **publication(self._linked(order.notice), topic)
        )
        return str(answer.get("MessageId", ""))

    @activity.defn
    async def notify_email_smtp(self, order: EmailOrder) -> str:
        """May send twice, with the same Message-ID, which it returns."""
        channel, server = order.channel, order.channel.smtp
        if server is None:
            raise ValueError("the policy names no mail server")  # policies are validated
        account = None
        if server.username and server.password:
            account = Account(self._secret(server.username), self._secret(server.password))
        content = mail(self._linked(order.notice), channel.from_)
        message = mime(content, channel.from_, channel.to, order.notice)
        refused = await deliver(message, server, account, self._tls, self._deadline)
        if refused:
            activity.logger.warning("The mail server refused %d of the recipients", refused)
        return content.message_id

    def _linked(self, notice: Notice) -> Notice:
        """The notice with its link completed; workflows know the path, not the UI's address."""
        if notice.link and notice.link.startswith("/") and self._ui_url:
            return notice.model_copy(update={"link": self._ui_url + notice.link})
        return notice

    def _secret(self, name: str) -> str:
        variable = name.removeprefix("env:")
        value = self._environment.get(variable, "").strip()
        if not value:
            text = f"the worker's environment has no {variable}, which the policy names"
            raise ApplicationError(text, type=MISSING_SECRET, non_retryable=True)
        return value

    async def _aws(
        self, action: str, method: Callable[..., dict[str, Any]], **arguments: Any
    ) -> dict[str, Any]:
        with aws_call(action):
            async with asyncio.timeout(self._deadline):
                return await asyncio.to_thread(method, **arguments)

    async def _post(
        self, receiver: str, url: str, body: dict[str, Any], headers: dict[str, str]
    ) -> None:
        """POST JSON.

        Raises:
            ApplicationError: for any answer but 2xx, and for none within the deadline.
        """
        with http_call(receiver):
            async with (
                asyncio.timeout(self._deadline),
                self._http.stream(
                    "POST",
                    url,
                    json=body,
                    headers={"User-Agent": "lastgood", "Accept-Encoding": "identity", **headers},
                    follow_redirects=False,
                    timeout=self._deadline,
                ) as response,
            ):
                if response.is_success:
                    return
                wait = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                said = response.headers.get("retry-after") or response.status_code == 429
                raise http_refusal(
                    receiver,
                    response.status_code,
                    await _reason(response) if receiver == "slack" else "",
                    wait if said else None,
                )


def _silent(record: logging.LogRecord) -> bool:
    """Lets nothing pass."""
    del record
    return False


async def _reason(response: httpx.Response) -> str:
    """Slack's one word for a refusal (``no_service``), if it is one; anything else is not shown."""
    text = b""
    async for chunk in response.aiter_raw(_MOST_OF_AN_ANSWER):
        text += chunk
        if len(text) >= _MOST_OF_AN_ANSWER:
            break
    word = text.decode("ascii", "replace").strip()
    return word if word.replace("_", "").isalpha() and word.islower() and len(word) <= 40 else ""
