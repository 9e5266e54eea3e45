"""One mail through one mail server, with one deadline for the whole conversation.

Where TLS is asked for, nothing is said without it: a server, or someone between, that does not
offer STARTTLS gets neither password nor mail.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from typing import NamedTuple

from activities.failures import smtp_call
from lastgood.policy import SmtpServer

_OUR_NAME = "[127.0.0.1]"
"""Who greets: as mail programs do that have no public name."""


class Account(NamedTuple):
    """Who we are for the mail server."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Account(…)"


async def deliver(
    message: EmailMessage,
    server: SmtpServer,
    account: Account | None,
    tls: ssl.SSLContext,
    deadline: float,
) -> int:
    """Send a mail to everybody in its To; returns how many of them the server refused.

    Raises:
        ApplicationError: if the server did not take it within ``deadline`` seconds.
    """

    def send(connection: smtplib.SMTP) -> int:
        return len(connection.send_message(message))

    return await _talk(send, server, account, tls, deadline)


async def greet(
    server: SmtpServer, account: Account | None, tls: ssl.SSLContext, deadline: float
) -> None:
    """Do all that a mail needs but send one.

    Raises:
        ApplicationError: if the server does not take us within ``deadline`` seconds.
    """

    def nothing(connection: smtplib.SMTP) -> int:
        return connection.noop()[0]

    await _talk(nothing, server, account, tls, deadline)


async def _talk(
    say: Callable[[smtplib.SMTP], int],
    server: SmtpServer,
    account: Account | None,
    tls: ssl.SSLContext,
    deadline: float,
) -> int:
    with smtp_call("smtp"):
        async with asyncio.timeout(deadline):
            return await asyncio.to_thread(_converse, say, server, account, tls, deadline)


def _converse(
    say: Callable[[smtplib.SMTP], int],
    server: SmtpServer,
    account: Account | None,
    tls: ssl.SSLContext,
    deadline: float,
) -> int:
    opened: list[smtplib.SMTP] = []
    # smtplib's time-out is for each read: a server that drips could hold the thread for ever.
    end = threading.Timer(deadline, _hang_up, [opened])
    end.daemon = True
    end.start()
    try:
        connection = _connect(server, tls, deadline, opened)
        if server.tls == "starttls":
            connection.starttls(context=tls)
        if server.tls != "none" and not isinstance(connection.sock, ssl.SSLSocket):
            raise smtplib.SMTPNotSupportedError("no TLS")
        if account:
            connection.login(account.username, account.password)
        said = say(connection)
        # Taken: whatever happens to the good-bye changes nothing.
        with suppress(OSError, smtplib.SMTPException):
            connection.quit()
        return said
    finally:
        end.cancel()
        for connection in opened:
            connection.close()


def _connect(
    server: SmtpServer, tls: ssl.SSLContext, deadline: float, opened: list[smtplib.SMTP]
) -> smtplib.SMTP:
    if server.tls == "implicit":
        return _Encrypted(opened, server, deadline, tls)
    return _Plain(opened, server, deadline)


class _Plain(smtplib.SMTP):
    """Known to the deadline before it connects; greets without asking the DNS for our name."""

    def __init__(self, opened: list[smtplib.SMTP], server: SmtpServer, deadline: float) -> None:
        opened.append(self)
        super().__init__(server.host, server.port, _OUR_NAME, timeout=deadline)


class _Encrypted(smtplib.SMTP_SSL):
    """As ``_Plain``, encrypted from the start."""

    def __init__(
        self,
        opened: list[smtplib.SMTP],
        server: SmtpServer,
        deadline: float,
        tls: ssl.SSLContext,
    ) -> None:
        opened.append(self)
        super().__init__(server.host, server.port, _OUR_NAME, timeout=deadline, context=tls)


def _hang_up(opened: list[smtplib.SMTP]) -> None:
    for connection in opened:
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
