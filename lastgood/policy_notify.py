"""Whom a policy tells, where, of what and in which words: its ``notify``.

A kind of channel is one mapping, or a list of them. What belongs where is decided in
``decisions.routing``; what a template may hold, in ``message_templates``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from lastgood.policy_part import Part, refuse
from lastgood.values import (
    EmailAddress,
    MessageTemplate,
    Name,
    SecretName,
    ServiceName,
    SlackChannelId,
    TopicArn,
)

Severity = Literal["healthy", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("healthy", "warning", "critical")


class Channel(Part):
    """What all channels have in common: what is told there, and in which words."""

    severity: Annotated[
        list[Severity] | None, Field(min_length=1, max_length=3, examples=[["critical"]])
    ] = None
    """Only notices of these severities, and the end of what was told here."""
    at_least: Annotated[Severity | None, Field(examples=["warning"])] = None
    """Only notices as grave as this or graver, and the end of what was told here."""
    services: Annotated[
        list[ServiceName] | None,
        Field(min_length=1, max_length=100, examples=[["my-cluster/my-service"]]),
    ] = None
    """Only notices about these services. For a notify that several services share."""
    title: Annotated[
        MessageTemplate | None, Field(examples=["{{ service }}: release {{ release }}"])
    ] = None
    """Your own title, a template of one line; or file:NAME beside the policy file."""
    template: Annotated[MessageTemplate | None, Field(examples=["file:message.j2"])] = None
    """Your own text, a template; or file:NAME beside the policy file. See docs/notifications.md."""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.severity and self.at_least:
            refuse(("at_least", "says the same as severity: leave one of them out"))
        return self

    @property
    def severities(self) -> frozenset[Severity] | None:
        """What is told here; None if the channel does not say."""
        if self.severity:
            return frozenset(self.severity)
        return frozenset(SEVERITIES[SEVERITIES.index(self.at_least) :]) if self.at_least else None


class SlackChannel(Channel):
    """Slack: an incoming webhook, or a bot, which keeps one thread for each release."""

    webhook_url: Annotated[SecretName | None, Field(examples=["env:SLACK_WEBHOOK_URL"])] = None
    """The environment variable that holds an incoming webhook's URL. It cannot keep threads."""
    token: Annotated[SecretName | None, Field(examples=["env:SLACK_BOT_TOKEN"])] = None
    """The environment variable that holds a bot's token, in place of webhook_url."""
    channel: Annotated[SlackChannelId | None, Field(examples=["C0123456789"])] = None
    """The id of the channel that the bot writes to. Only with token."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.webhook_url and self.token:
            refuse(("webhook_url", "is not used beside token: leave one of them out"))
        if not self.webhook_url and not self.token:
            refuse(
                (
                    "webhook_url",
                    "missing: add it, such as env:SLACK_WEBHOOK_URL, or token and channel of a bot",
                )
            )
        if self.token and not self.channel:
            refuse(("token", "goes with channel: add channel: C0123456789"))
        if self.channel and not self.token:
            refuse(("channel", "is not used, as a webhook has its own: add token, or leave it out"))
        return self


class SmtpServer(Part):
    """A mail server of your own."""

    host: Annotated[Name, Field(examples=["smtp.example.com"])]
    """The server's name."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """The server's port."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """How the connection is encrypted."""
    username: Annotated[SecretName | None, Field(examples=["env:SMTP_USERNAME"])] = None
    """The environment variable that holds the user name."""
    password: Annotated[SecretName | None, Field(examples=["env:SMTP_PASSWORD"])] = None
    """The environment variable that holds the password."""

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.username and not self.password:
            refuse(("username", "goes with password: add password"))
        if self.password and not self.username:
            refuse(("password", "goes with username: add username"))
        if self.password and self.tls == "none":
            refuse(("tls", "a password is not sent without TLS: write starttls or implicit"))
        return self


class EmailChannel(Channel):
    """Mail, through Amazon SES or through a mail server."""

    from_: Annotated[EmailAddress, Field(alias="from", examples=["deploys@example.com"])]
    """The sender."""
    to: Annotated[
        list[EmailAddress], Field(min_length=1, max_length=50, examples=[["oncall@example.com"]])
    ]
    """Who receives it."""
    via: Literal["ses", "smtp"] = "ses"
    """Amazon SES, or a mail server of your own."""
    smtp: SmtpServer | None = None
    """The mail server. Only with via: smtp."""

    @model_validator(mode="after")
    def _server(self) -> Self:
        if self.via == "smtp" and not self.smtp:
            refuse(("via", "smtp needs a mail server: add smtp: {host: ...}"))
        if self.via == "ses" and self.smtp:
            refuse(("smtp", "is not used, as via is ses: write via: smtp, or leave smtp out"))
        return self


class SnsChannel(Channel):
    """An SNS topic."""

    topic_arn: Annotated[TopicArn, Field(examples=["arn:aws:sns:us-east-1:123456789012:deploys"])]
    """The topic's ARN."""


class WebhookChannel(Channel):
    """Any HTTP endpoint; receives the notice as JSON, signed if you want."""

    url: Annotated[SecretName, Field(examples=["env:DEPLOY_WEBHOOK_URL"])]
    """The environment variable that holds the URL."""
    secret: Annotated[SecretName | None, Field(examples=["env:DEPLOY_WEBHOOK_SECRET"])] = None
    """The environment variable that holds what each request is signed with. Left out: unsigned."""


class PagerDutyChannel(Channel):
    """A PagerDuty service; one incident for each release that needs a person."""

    routing_key: Annotated[SecretName, Field(examples=["env:PAGERDUTY_ROUTING_KEY"])]
    """The environment variable that holds the integration key of an Events API v2 integration."""
    region: Literal["us", "eu"] = "us"
    """Where the PagerDuty account is."""
    rollback_started: bool = False
    """True: a rollback that begins opens an incident too, though nothing is to be done then."""


class TeamsChannel(Channel):
    """A Microsoft Teams channel or chat, by a webhook of its Workflows app."""

    webhook_url: Annotated[SecretName, Field(examples=["env:TEAMS_WEBHOOK_URL"])]
    """The environment variable that holds the webhook's URL."""
    rollback_started: bool = False
    """True: a card when a rollback begins, too; its end has one in any case."""


def _one_or_several(value: Any) -> str:
    return "[several]" if isinstance(value, list | tuple) else "[one]"


_ONE, _SEVERAL = Tag("[one]"), Tag("[several]")
_LIST = Field(min_length=1, max_length=20)
_BY_FORM = Discriminator(_one_or_several)

Slack = Annotated[
    Annotated[SlackChannel, _ONE] | Annotated[list[SlackChannel], _LIST, _SEVERAL], _BY_FORM
]
Email = Annotated[
    Annotated[EmailChannel, _ONE] | Annotated[list[EmailChannel], _LIST, _SEVERAL], _BY_FORM
]
Sns = Annotated[
    Annotated[SnsChannel, _ONE] | Annotated[list[SnsChannel], _LIST, _SEVERAL], _BY_FORM
]
Webhook = Annotated[
    Annotated[WebhookChannel, _ONE] | Annotated[list[WebhookChannel], _LIST, _SEVERAL], _BY_FORM
]
PagerDuty = Annotated[
    Annotated[PagerDutyChannel, _ONE] | Annotated[list[PagerDutyChannel], _LIST, _SEVERAL],
    _BY_FORM,
]
Teams = Annotated[
    Annotated[TeamsChannel, _ONE] | Annotated[list[TeamsChannel], _LIST, _SEVERAL], _BY_FORM
]


class NotifyPolicy(Part):
    """Who is told. Each channel is tried by itself; none can change an outcome."""

    healthy: bool = False
    """Tell about healthy releases too, where a channel does not say which severities it wants."""
    slack: Slack | None = None
    """Slack: an incoming webhook, or a bot. One mapping, or a list of them; so the others."""
    email: Email | None = None
    """Mail, through Amazon SES or through a mail server."""
    sns: Sns | None = None
    """An SNS topic."""
    webhook: Webhook | None = None
    """Any HTTP endpoint; receives the notice as JSON, signed if you want."""
    pagerduty: PagerDuty | None = None
    """A PagerDuty service; one incident for each release that needs a person."""
    teams: Teams | None = None
    """A Microsoft Teams channel or chat, by a webhook of its Workflows app."""

    def channels(self) -> tuple[tuple[str, Channel], ...]:
        """All channels, each with its key in the file: ``slack``, or ``slack.1`` in a list."""
        found: list[tuple[str, Channel]] = []
        for kind in (name for name in type(self).model_fields if name != "healthy"):
            given: Channel | list[Channel] | None = getattr(self, kind)
            if isinstance(given, list):
                found += [(f"{kind}.{number}", one) for number, one in enumerate(given)]
            elif given:
                found.append((kind, given))
        return tuple(found)
