"""Which channels a notice goes to, and what it is there.

The rule. A channel hears of warnings and of what is critical, and of healthy releases where the
policy says ``healthy``; or of the severities that it names itself. A channel that names services
hears of no others. Where a channel that names severities, a bot's thread or an incident was told
of a release, its end is told too, however grave: nobody is left with half a story.

A thread holds everything about its release. An incident is for what needs a person: it is
triggered when a release is held, fails during a cooldown, ends undecided or with a failed
rollback, and again with each reminder; acknowledged when an operator acknowledges; resolved when
the release is judged again, is over in any other way, or the service is good again. That a
rollback begins opens none, as nothing is to be done then, unless the channel wants it; nor is it
a card of its own in Teams, where a message cannot be changed later. A drill opens no incident.

A test is told in every channel, whatever it wants to hear; an incident that it opens is resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from lastgood.contracts import Notice, Thread
from lastgood.model import Outcome
from lastgood.policy_notify import (
    Channel,
    EmailChannel,
    NotifyPolicy,
    PagerDutyChannel,
    Severity,
    SlackChannel,
    SnsChannel,
    TeamsChannel,
)

Way = Literal["slack", "thread", "ses", "smtp", "sns", "webhook", "incident", "teams"]
Action = Literal["tell", "trigger", "acknowledge", "resolve"]

_AFTERWARDS = ("resumed", "acknowledged", "recovered")
"""Told only where a thread or an incident is open."""
_NEEDS_A_PERSON = (Outcome.HELD, Outcome.ROLLBACK_FAILED)


class Message(NamedTuple):
    """One message to one channel."""

    key: str
    """The channel's, as in the policy."""
    channel: Channel
    way: Way
    action: Action = "tell"

    @property
    def in_order(self) -> bool:
        """Whether it must wait for the message before it: a reply, or the end of an incident."""
        return self.way in ("thread", "incident")


def messages_of(
    notice: Notice, notify: NotifyPolicy, threads: Mapping[str, Thread]
) -> tuple[Message, ...]:
    """The messages that a notice becomes; ``threads``: what the channels were told before."""
    found: list[Message] = []
    for key, channel in notify.channels():
        thread, way = threads.get(key), _way(channel)
        if notice.kind == "test":
            actions: tuple[Action, ...] = ("trigger", "resolve") if way == "incident" else ("tell",)
            found += [Message(key, channel, way, one) for one in actions]
            continue
        wanted = notice.severity in _severities(notify, channel)
        action = _action(notice, channel, thread, wanted=wanted)
        if action:
            found.append(Message(key, channel, way, action))
    return tuple(found)


def begun(message: Message, before: Thread | None) -> Thread | None:
    """What the channel counts as told from now on; None if nothing is to be remembered."""
    if message.way == "incident":
        return Thread(channel=message.key, open=message.action != "resolve")
    if before:
        return before
    remembers = message.way == "thread" or message.channel.severities
    return Thread(channel=message.key) if remembers else None


def open_ones(threads: Iterable[Thread]) -> tuple[Thread, ...]:
    """The threads and incidents that may be told of what comes after the release."""
    return tuple(one for one in threads if one.first or one.open)


def aloud(notice: Notice) -> bool:
    """Whether a reply in a thread is shown in the channel, too: somebody must act."""
    held = notice.kind in ("held", "cooldown", "reminder")
    return held or (notice.kind == "ended" and notice.outcome in _NEEDS_A_PERSON)


def hears_of_healthy(service: str, notify: NotifyPolicy) -> bool:
    """Whether any channel is told of a service's healthy release of which it heard nothing yet."""
    return any(
        "healthy" in _severities(notify, channel)
        and not isinstance(channel, PagerDutyChannel)
        and not (channel.services and service not in channel.services)
        for _, channel in notify.channels()
    )


def _severities(notify: NotifyPolicy, channel: Channel) -> frozenset[Severity]:
    """What is told in this channel."""
    usual: frozenset[Severity] = frozenset({"warning", "critical"})
    usual |= {"healthy"} if notify.healthy else set()
    wanted = channel.severities
    return usual if wanted is None else wanted


def _action(
    notice: Notice, channel: Channel, thread: Thread | None, *, wanted: bool
) -> Action | None:
    if channel.services and notice.service not in channel.services:
        return None
    if isinstance(channel, PagerDutyChannel) and notice.drill:
        return None
    if isinstance(channel, PagerDutyChannel):
        return _event(notice, channel, wanted=wanted, opened=bool(thread and thread.open))
    if notice.kind in _AFTERWARDS:
        return "tell" if thread and _way(channel) == "thread" else None
    if isinstance(channel, TeamsChannel) and notice.kind == "rollback_started":
        return "tell" if wanted and channel.rollback_started else None
    followed = notice.kind == "ended" and thread is not None
    return "tell" if wanted or followed else None


def _event(
    notice: Notice, channel: PagerDutyChannel, *, wanted: bool, opened: bool
) -> Action | None:
    """What a notice is to an incident."""
    if notice.kind == "acknowledged":
        return "acknowledge" if opened else None
    over = notice.kind == "ended" and notice.outcome not in _NEEDS_A_PERSON
    if over or notice.kind in ("resumed", "recovered"):
        return "resolve" if opened else None
    if notice.kind == "rollback_started" and not channel.rollback_started:
        return None
    return "trigger" if wanted or opened else None


def _way(channel: Channel) -> Way:
    match channel:
        case SlackChannel():
            return "thread" if channel.token else "slack"
        case EmailChannel():
            return channel.via
        case SnsChannel():
            return "sns"
        case PagerDutyChannel():
            return "incident"
        case TeamsChannel():
            return "teams"
        case _:
            return "webhook"
