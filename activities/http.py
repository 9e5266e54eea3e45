"""HTTP checks: one GET, with one deadline for the whole answer.

A check connects only to an address that it has looked at (`lastgood.decisions.addresses`): the
name is resolved once, every address of it must be allowed, and the connection goes to that
address, with the name in Host and in TLS. So neither a name that resolves differently the second
time nor an odd spelling leads to a metadata service. Redirects are not followed, proxies from the
environment are not asked, certificates are verified, and of the answer at most 64 KiB are read,
decoded.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import MISCONFIGURED
from lastgood.contracts import ProbeAnswer, SmokeOrder
from lastgood.decisions.addresses import why_blocked
from lastgood.decisions.probing import (
    MOST_OF_A_BODY,
    Heard,
    judge,
    no_answer,
    public,
    too_late,
)
from lastgood.errors import BLOCKED_ADDRESS
from lastgood.policy_triggers import Expectation

MOST_ON_THE_WIRE = 4 * MOST_OF_A_BODY
"""Bytes, encoded: an encoding that gives next to nothing is not read for ever."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to IP addresses, in the order in which they are tried; raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver; every spelling of an address ends in its usual one."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def check_transport(tls: ssl.SSLContext | None = None) -> httpx.AsyncHTTPTransport:
    """A transport fit for checks: no proxy, TLS verified, a new connection for each.

    ``tls``: what certificates are verified with; left out: ``SSL_CERT_FILE``, or httpx's own.
    """
    # Connections are told apart by address, not by name: keeping them would skip TLS's check.
    return httpx.AsyncHTTPTransport(
        verify=tls or httpx.create_ssl_context(),
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    )


class Prober:
    """Makes HTTP checks. ``transport`` as ``check_transport`` gives it; its owner closes it."""

    def __init__(self, transport: httpx.AsyncBaseTransport, resolve: Resolve = resolve) -> None:
        self._transport = transport
        self._resolve = resolve

    async def probe(self, url: str, expect: Expectation, timeout: timedelta) -> ProbeAnswer:
        """Make one check; whatever keeps the answer from being good is in the answer's text.

        Args:
            url: http or https; its query is sent and never shown.
            expect: what a good answer looks like.
            timeout: for the whole answer, with name resolution, TLS and body.

        Raises:
            ApplicationError: ``BlockedAddress`` if the URL leads to a link-local or metadata
                address, ``Misconfigured`` if it is none; neither is retried.
        """
        target = _Target(url)
        started = time.monotonic()
        heard: Heard | None = None
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                addresses = await self._allowed(target)
                heard, why = await self._ask(target, addresses, timeout), ""
        except TimeoutError:
            why = too_late(timeout)
        except (OSError, httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            why = _in_words(error)
        elapsed = (time.monotonic() - started) * 1000
        if heard is None:
            return no_answer(target.shown, why, elapsed)
        return judge(target.shown, expect, heard, elapsed)

    async def _allowed(self, target: _Target) -> list[str]:
        addresses = await self._resolve(target.host, target.port)
        for address in addresses:
            why = why_blocked(address)
            if why:
                text = f"{target.shown} leads to {address}, {why}: checks never go there"
                raise ApplicationError(text, type=BLOCKED_ADDRESS, non_retryable=True)
        if not addresses:
            raise OSError("no address")
        return addresses

    async def _ask(self, target: _Target, addresses: list[str], timeout: timedelta) -> Heard:
        """The answer of the first address that listens."""
        share = timeout.total_seconds() / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._exchange(target, address, share)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._exchange(target, addresses[-1], None)

    async def _exchange(self, target: _Target, address: str, connect: float | None) -> Heard:
        request = target.request(address, connect)
        response = await self._transport.handle_async_request(request)
        async with aclosing(response):
            encoding = response.headers.get("content-encoding", "")
            body = await _beginning(response.aiter_raw(), encoding)
            location = response.headers.get("location", "")
            return Heard(status=response.status_code, location=location, body=body)


class _Target:
    """A URL taken apart once, so that what is checked is what is asked."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            self.host = _ascii_host(parts)
            self.port = parts.port or (443 if parts.scheme == "https" else 80)
        except (ValueError, UnicodeError):
            parts, self.host = SplitResult("", "", "", "", ""), ""
        if parts.scheme not in ("http", "https") or not self.host or "@" in parts.netloc:
            text = "a check's URL must be http://HOST or https://HOST, without user and password"
            raise ApplicationError(text, type=MISCONFIGURED, non_retryable=True)
        self._scheme, self._path, self._query = parts.scheme, parts.path or "/", parts.query
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if parts.scheme == "https" else 80)
        self._authority = name if usual else f"{name}:{self.port}"
        self.shown = public(url)

    def request(self, address: str, connect: float | None) -> httpx.Request:
        """A GET to this address, in the name of the URL's host."""
        place = f"[{address}]" if ":" in address else address
        query = f"?{self._query}" if self._query else ""
        return httpx.Request(
            "GET",
            f"{self._scheme}://{place}:{self.port}{self._path}{query}",
            headers={
                "Host": self._authority,
                "User-Agent": "lastgood",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
            # The deadline of the whole answer ends everything but the connecting.
            extensions={"sni_hostname": self.host, "timeout": {"connect": connect}},
        )


def _ascii_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return host if host.isascii() else host.encode("idna").decode("ascii")


async def _beginning(chunks: AsyncIterator[bytes], encoding: str) -> bytes:
    """The first 64 KiB of a body, decoded; what cannot be decoded stays as it is."""
    decoder = zlib.decompressobj(wbits=47) if encoding.lower() in ("gzip", "deflate") else None
    body, read = bytearray(), 0
    async for chunk in chunks:
        read += len(chunk)
        room = MOST_OF_A_BODY - len(body)
        try:
            body += decoder.decompress(chunk, room) if decoder else chunk[:room]
        except zlib.error:
            break
        if len(body) >= MOST_OF_A_BODY or read >= MOST_ON_THE_WIRE or (decoder and decoder.eof):
            break
    return bytes(body)


def _in_words(error: BaseException) -> str:
    """Why a connection failed; the innermost reason that people know."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            break
        words = _known(current)
        if words:
            return words
        current = current.__cause__ or current.__context__
    return f"the connection failed ({type(error).__name__})"


def _known(error: BaseException) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate cannot be trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or 'no reason given'}"
        case socket.gaierror():
            return "its name does not resolve"
        case ConnectionRefusedError():
            return "connection refused"
        case httpx.RemoteProtocolError():
            return "what it answered is no HTTP"
        case ConnectionError() | httpx.ReadError() | httpx.WriteError():
            return "connection lost"
        case httpx.LocalProtocolError() | httpx.InvalidURL() | UnicodeError():
            return "this URL cannot be asked"
    return None


class HttpActivities:
    """HTTP checks made once, through an injected prober."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober

    @activity.defn
    async def smoke_test(self, order: SmokeOrder) -> ProbeAnswer:
        """Changes nothing. Make one check and say what was found; repeating is the workflow's.

        Raises:
            ApplicationError: as ``Prober.probe``.
        """
        check = order.check
        return await self._prober.probe(check.url, check.expect, check.timeout)
