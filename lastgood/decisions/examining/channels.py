"""Whom the policy tells, whichever kinds of channel there are, and whether they can be reached.

A channel is any part of ``notify`` whose class is called so; its secrets are the values that name
an environment variable; its receiver is the secret whose key ends in ``url``, or its mail server.
A channel that cannot be reached is broken: people would not hear of a rollback.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from lastgood.contracts import ChannelFacts, ChannelQuery, Line
from lastgood.decisions.examining.lines import NOTIFY, broken, fine, unread, warning
from lastgood.model import ChannelFailure
from lastgood.policy_notify import NotifyPolicy, SmtpServer

_SECRET = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
"""How a policy names one; a template that begins like that goes on."""


def channels_of(part: Any, path: str = "") -> Iterator[tuple[str, BaseModel]]:
    """All channels below a part of the policy, by their place in it: ``slack``, ``teams.0``."""
    if isinstance(part, BaseModel):
        if path and type(part).__name__.endswith("Channel"):
            yield path, part
            return
        inner = [(name, getattr(part, name)) for name in type(part).model_fields]
    elif isinstance(part, list | tuple):
        inner = [(str(number), one) for number, one in enumerate(part)]
    elif isinstance(part, dict):
        inner = [(str(name), one) for name, one in part.items()]
    else:
        return
    for name, value in inner:
        yield from channels_of(value, f"{path}.{name}" if path else name)


def queries(notify: NotifyPolicy) -> tuple[ChannelQuery, ...]:
    """What to look at of each channel."""
    return tuple(_query(path, channel) for path, channel in channels_of(notify))


def _query(path: str, channel: BaseModel) -> ChannelQuery:
    secrets = dict(_secrets(channel.model_dump(), ""))
    addresses = [name for key, name in secrets.items() if key.lower().endswith("url")]
    servers = [one for one in dict(channel).values() if isinstance(one, SmtpServer)]
    return ChannelQuery(
        channel=path,
        secrets=tuple(dict.fromkeys(secrets.values())),
        address=next(iter(addresses), None),
        smtp=next(iter(servers), None),
    )


def _secrets(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Key and variable of all secrets that a channel names."""
    if isinstance(value, str):
        if found := _SECRET.fullmatch(value):
            yield key, found[1]
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _secrets(one, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _secrets(one, f"{key}.{number}")


def judge(query: ChannelQuery, facts: ChannelFacts) -> Line:
    """How a channel stands, as far as can be told without sending anything."""
    if facts.missing:
        names = ", ".join(facts.missing)
        return broken(
            NOTIFY,
            query.channel,
            f"the worker's environment has no {names}",
            f"Set {names} in the worker's environment and start it again, or correct the name "
            f"in notify.{query.channel}.",
        )
    if facts.trouble:
        return broken(NOTIFY, query.channel, facts.trouble, _reach(query))
    if facts.receiver:
        return fine(NOTIFY, query.channel, _answers(query, facts.receiver))
    if query.secrets:
        return fine(NOTIFY, query.channel, "its secrets are there; --send-test tells more")
    return fine(NOTIFY, query.channel, "as permissions say; --send-test tells more")


def _answers(query: ChannelQuery, receiver: str) -> str:
    if query.smtp:
        account = " and takes user name and password" if query.smtp.username else ""
        return f"{receiver} greets{account}; nothing was sent"
    return f"{receiver} answers; whether it takes messages, --send-test tells"


def _reach(query: ChannelQuery) -> str:
    if query.smtp:
        return (
            f"See that the worker reaches {query.smtp.host}:{query.smtp.port}, that tls is "
            "right, and user name and password where there are some."
        )
    return (
        f"See that {query.address} in the worker's environment holds the receiver's URL, and "
        "that the worker's network (HTTPS_PROXY, firewall) leads there."
    )


def unlooked(query: ChannelQuery, why: str) -> Line:
    """A channel that the worker could not look at."""
    return unread(NOTIFY, query.channel, why)


def tells_nobody() -> Line:
    """A policy without channels."""
    return warning(
        NOTIFY,
        "channels",
        "the policy names none: nobody is told of a rollback",
        "Add slack, email, sns, webhook, pagerduty or teams below notify.",
    )


def of_test(notify: NotifyPolicy, failures: tuple[ChannelFailure, ...]) -> Iterator[Line]:
    """What became of a test message on each channel."""
    failed = {one.channel: one.error for one in failures}
    for name, error in failed.items():
        yield broken(
            NOTIFY,
            f"test: {name}",
            f"not sent: {error}",
            f"Correct notify.{name} or its secret, then `lastgood doctor --send-test` again.",
        )
    for path, _ in channels_of(notify):
        if path not in failed:
            yield fine(NOTIFY, f"test: {path}", "taken: see that it arrived")
