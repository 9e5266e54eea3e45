"""One POST to a receiver of ours: with one deadline, without a redirect, and without a trace.

The policy names secrets, the worker's environment holds them, and they are read here, at the last
moment: no order, result, error or log line ever holds one.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from temporalio.exceptions import ApplicationError

from activities.failures import http_call, http_refusal
from lastgood.contracts import Notice
from lastgood.decisions.rendering.waiting import retry_after
from lastgood.errors import MISSING_SECRET

DEADLINE = 10.0
"""Seconds for one whole call."""

_MOST_OF_AN_ANSWER = 256 * 1024
"""Bytes that are read of a receiver's answer, where one is wanted."""
_MOST_OF_A_REFUSAL = 2048


class Poster:
    """POSTs for whoever tells people.

    ``http`` must not follow redirects; ``environment`` holds the secrets that policies name;
    ``ui_url`` is where people find the Temporal UI.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        environment: Mapping[str, str],
        deadline: float = DEADLINE,
        ui_url: str = "",
    ) -> None:
        self._http = http
        self._environment = environment
        self.deadline = deadline
        self._ui_url = ui_url
        # httpx logs the address of every request, and a webhook's address is a secret.
        logging.getLogger("httpx").addFilter(_silent)

    def linked(self, notice: Notice) -> Notice:
        """The notice with its link completed; workflows know the path, not the UI's address."""
        if notice.link and notice.link.startswith("/") and self._ui_url:
            return notice.model_copy(update={"link": self._ui_url + notice.link})
        return notice

    def secret(self, name: str) -> str:
        """What the worker's environment holds under a name such as ``env:NAME``.

        Raises:
            ApplicationError: ``MissingSecret`` if it holds nothing.
        """
        variable = name.removeprefix("env:")
        value = self._environment.get(variable, "").strip()
        if not value:
            text = f"the worker's environment has no {variable}, which the policy names"
            raise ApplicationError(text, type=MISSING_SECRET, non_retryable=True)
        return value

    async def post(
        self,
        receiver: str,
        url: str,
        body: dict[str, Any] | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        answered: bool = False,
    ) -> dict[str, Any]:
        """POST JSON; returns the answer's JSON if it is wanted (``answered``), else nothing.

        Raises:
            ApplicationError: for any answer but 2xx, and for none within the deadline.
        """
        content = body if isinstance(body, bytes) else as_bytes(body)
        sent = {
            "User-Agent": "lastgood",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        with http_call(receiver):
            async with (
                asyncio.timeout(self.deadline),
                self._http.stream(
                    "POST",
                    url,
                    content=content,
                    headers=sent,
                    follow_redirects=False,
                    timeout=self.deadline,
                ) as response,
            ):
                if not response.is_success:
                    raise await _refusal(receiver, response)
                return await _json(response) if answered else {}


def as_bytes(body: dict[str, Any]) -> bytes:
    """A body as it is sent."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def word(text: object) -> str:
    """A receiver's one word for a refusal (``no_service``), if it is one; else nothing."""
    one = text.strip() if isinstance(text, str) else ""
    plain = one.isascii() and one.replace("_", "").isalpha() and one.islower()
    return one if plain and len(one) <= 40 else ""


async def _refusal(receiver: str, response: httpx.Response) -> ApplicationError:
    wait = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
    said = response.headers.get("retry-after") or response.status_code == 429
    slack = receiver == "slack"
    reason = word((await _read(response, _MOST_OF_A_REFUSAL)).decode("ascii", "replace"))
    return http_refusal(
        receiver, response.status_code, reason if slack else "", wait if said else None
    )


async def _json(response: httpx.Response) -> dict[str, Any]:
    answer = json.loads(await _read(response, _MOST_OF_AN_ANSWER))
    if not isinstance(answer, dict):
        raise TypeError("no object")
    return answer


async def _read(response: httpx.Response, most: int) -> bytes:
    text = b""
    async for chunk in response.aiter_raw(most):
        text += chunk
        if len(text) >= most:
            break
    return text


def _silent(record: logging.LogRecord) -> bool:
    """Lets nothing pass."""
    del record
    return False
