"""Whether people can be told: secrets that are there, receivers that answer. Nothing is sent.

A webhook's host is asked for ``/``, which is no webhook: what of its address is secret stays here.
That it would take a message only a message can tell. A mail server is greeted, with TLS and account
as a mail would be, and left. SES and SNS are tried with the other permissions.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import http_call
from activities.posting import DEADLINE
from activities.smtp import Account, greet
from lastgood.contracts import ChannelFacts, ChannelQuery
from lastgood.policy import SmtpServer

_BRIEF = min(DEADLINE, 5.0)
"""Seconds: a person waits."""


class ChannelActivities:
    """Looks at channels; ``http`` and ``environment`` are those of the notifications."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        environment: Mapping[str, str],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._http = http
        self._environment = environment
        self._tls = tls or ssl.create_default_context()

    @activity.defn
    async def look_at_channel(self, query: ChannelQuery) -> ChannelFacts:
        """Changes nothing. Say whether a channel's secrets are here and its receiver answers."""
        missing = tuple(one for one in query.secrets if not self._value(one))
        if missing:
            return ChannelFacts(missing=missing)
        try:
            if query.smtp:
                return ChannelFacts(receiver=await self._greet(query.smtp))
            if query.address:
                return ChannelFacts(receiver=await self._knock(self._value(query.address)))
        except ApplicationError as error:
            return ChannelFacts(trouble=error.message)
        return ChannelFacts()

    def _value(self, variable: str) -> str:
        return self._environment.get(variable, "").strip()

    async def _knock(self, url: str) -> str:
        """The host of a URL, if anything answers there."""
        with http_call("its receiver"):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise httpx.UnsupportedProtocol("no URL")
            place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
            await self._http.head(place, follow_redirects=False, timeout=_BRIEF)
        return parts.hostname

    async def _greet(self, server: SmtpServer) -> str:
        account = None
        if server.username and server.password:
            names = (one.removeprefix("env:") for one in (server.username, server.password))
            account = Account(*(self._value(one) for one in names))
        await greet(server, account, self._tls, _BRIEF)
        return server.host
