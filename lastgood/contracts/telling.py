"""What people are told, and through which channel."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from lastgood.model import Model, Outcome, Verdict
from lastgood.policy_notify import (
    EmailChannel,
    NotifyPolicy,
    PagerDutyChannel,
    SlackChannel,
    SnsChannel,
    TeamsChannel,
    WebhookChannel,
)
from lastgood.policy_triggers import Trigger


class Notice(Model):
    """What people are told, before any channel's form. All text is plain."""

    dedup: str
    """The same for each retry: ``RELEASE/KIND``; another service may have the same one."""
    kind: Literal[
        "rollback_started",
        "cooldown",
        "held",
        "ended",
        "reminder",
        "resumed",
        "acknowledged",
        "recovered",
        "test",
    ]
    """``resumed``, ``acknowledged`` and ``recovered`` are told only where a thread or an incident
    is open; ``test`` is told everywhere."""
    severity: Literal["healthy", "warning", "critical"]
    title: str
    """One line: service, release, what happened."""
    summary: str
    """One or two sentences: why, with numbers, and what to do if something is to be done."""
    facts: tuple[tuple[str, str], ...]
    """Label and value: service, release, trigger, measured, threshold, from, to, rollbacks…"""
    link: str | None = None
    """The workflow in the Temporal UI."""
    outcome: Outcome | None = None
    service: str
    region: str = ""
    """Empty in what older versions have made."""
    release: str
    at: datetime
    drill: bool = False
    """Of a drill: it opens no incident anywhere."""


class Thread(Model):
    """What one channel has been told about one release: where its next message belongs."""

    channel: str
    """As in the policy: ``slack``, or ``slack.1`` in a list."""
    place: str | None = None
    """Slack's id of its channel."""
    first: str | None = None
    """Slack's id of the first message (``ts``); the later ones are replies to it."""
    notice: Notice | None = None
    """What the first message says."""
    open: bool = False
    """An incident was opened at PagerDuty, and is not resolved yet."""
    pictured: bool = False
    """It has its picture."""


class Picture(Model):
    """What a picture is drawn from, where a channel can carry one."""

    trigger: Trigger
    """As the policy has it."""
    verdict: Verdict
    """With its record."""


class SlackOrder(Model):
    """A notice for a Slack webhook."""

    notice: Notice
    channel: SlackChannel


class EmailOrder(Model):
    """A notice by mail."""

    notice: Notice
    channel: EmailChannel
    region: str
    picture: Picture | None = None


class SnsOrder(Model):
    """A notice for an SNS topic."""

    notice: Notice
    channel: SnsChannel


class WebhookOrder(Model):
    """A notice for a webhook."""

    notice: Notice
    channel: WebhookChannel


class SlackPost(Model):
    """A notice for a Slack bot: the first message about a release, or a reply to it."""

    notice: Notice
    channel: SlackChannel
    thread: Thread
    aloud: bool = False
    """A reply is shown in the channel, too."""


class SlackPosted(Model):
    """Where a message to Slack went."""

    place: str
    """Slack's id of the channel."""
    ts: str
    """Slack's id of the message."""
    first: str
    """Slack's id of the message that it replies to; its own if it is the first."""


class SlackPicture(Model):
    """A picture for the thread of a Slack bot."""

    channel: SlackChannel
    thread: Thread
    picture: Picture


class PagerDutyOrder(Model):
    """An event for PagerDuty about one release's incident."""

    notice: Notice
    channel: PagerDutyChannel
    action: Literal["trigger", "acknowledge", "resolve"]
    region: str


class TeamsOrder(Model):
    """A notice for a Microsoft Teams webhook."""

    notice: Notice
    channel: TeamsChannel


class Telling(Model):
    """A notice and whom to tell."""

    notice: Notice
    notify: NotifyPolicy
    region: str
