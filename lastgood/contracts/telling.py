"""What people are told, and through which channel."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from lastgood.model import Model, Outcome
from lastgood.policy import EmailChannel, NotifyPolicy, SlackChannel, SnsChannel, WebhookChannel


class Notice(Model):
    """What people are told, before any channel's form. All text is plain."""

    dedup: str
    """The same for each retry: ``RELEASE/KIND``."""
    kind: Literal["rollback_started", "cooldown", "held", "ended", "reminder", "test"]
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
    release: str
    at: datetime


class SlackOrder(Model):
    """A notice for a Slack webhook."""

    notice: Notice
    channel: SlackChannel


class EmailOrder(Model):
    """A notice by mail."""

    notice: Notice
    channel: EmailChannel
    region: str


class SnsOrder(Model):
    """A notice for an SNS topic."""

    notice: Notice
    channel: SnsChannel


class WebhookOrder(Model):
    """A notice for a webhook."""

    notice: Notice
    channel: WebhookChannel


class Telling(Model):
    """A notice and whom to tell."""

    notice: Notice
    notify: NotifyPolicy
    region: str
