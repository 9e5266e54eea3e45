"""What an operator decides about a service: the policy file, as frozen models.

Read a file with ``lastgood.policy_file.load``; it adds lines to the errors. Every key has a
default but ``service``. The docstring under each key is its description everywhere: in the JSON
Schema, in the file that ``lastgood policy init`` writes, in the reference. Its first sentence must
stand alone. ``examples`` are written as in the file, for keys without a telling default.

Longer than other files, on purpose: it is the list of all keys, to be read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, NoReturn, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from lastgood.model import ServiceRef
from lastgood.values import (
    ContainerName,
    Deadline,
    EmailAddress,
    EndTime,
    Interval,
    Long,
    Name,
    Pause,
    Period,
    Ratio,
    Region,
    ResponseTimeLimit,
    SecretName,
    ServiceName,
    Statistic,
    Text,
    TimeOfDay,
    Timeout,
    TopicArn,
    Url,
    Window,
    Zone,
)
from lastgood.values import format_duration as format_duration
from lastgood.values import parse_duration as parse_duration
from lastgood.values import parse_ratio as parse_ratio


def refuse(*problems: tuple[str, str]) -> NoReturn:
    """Refuse a combination of keys, each problem as (dotted key, what is wrong and the remedy)."""
    raise PydanticCustomError(
        "policy",
        "{text}",
        {"text": "; ".join(f"{key}: {what}" for key, what in problems), "problems": problems},
    )


class Part(BaseModel):
    """A mapping of the file: its keys and no others."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class FreezeWindow(Part):
    """Hours in which no release may begin, in a named time zone. Rollbacks may at any time."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)] = list(get_args(Day))
    """The days on which it begins. Left out: every day."""
    from_: Annotated[TimeOfDay, Field(alias="from", examples=["16:00"])] = "00:00"
    """When it begins, as the clocks of the zone show. Left out: as the day begins."""
    to: Annotated[EndTime, Field(examples=["08:00"])] = "24:00"
    """When it ends; on the next day, if that is earlier than from. Left out: as the day ends."""
    zone: Annotated[Zone, Field(examples=["Europe/Berlin"])]
    """The IANA name of the time zone."""
    reason: Annotated[Text | None, Field(examples=["Weekend"])] = None
    """Your own words for whoever is refused."""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.from_ == self.to:
            refuse(("to", "is the same as from: leave both out for the whole day"))
        return self


class DeployPolicy(Part):
    """How a new revision is rolled out."""

    timeout: Deadline = timedelta(minutes=5)
    """The rollout must be complete by then."""
    on_busy: Literal["queue", "supersede", "reject"] = "queue"
    """What becomes of a release that arrives while another is under way."""
    freeze: Annotated[list[FreezeWindow], Field(max_length=20)] = []
    """Hours in which no release may begin, but with --force. Rollbacks may at any time."""


class Expectation(Part):
    """What a good answer looks like."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    """The status code."""
    contains: Annotated[Text | None, Field(examples=["ok"])] = None
    """Text that must stand in the first 64 KiB of the body."""


class SmokeCheck(Part):
    """One HTTP check made once, after the rollout and before the window."""

    url: Annotated[Url, Field(examples=["https://api.example.com/health"])]
    """What is asked, with GET."""
    expect: Expectation = Expectation()
    """What a good answer looks like."""
    timeout: Timeout = timedelta(seconds=5)
    """For the whole answer, not for each read."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often it is asked before the check has failed."""
    every: Interval = timedelta(seconds=2)
    """The pause between attempts."""


class MonitorPolicy(Part):
    """The monitor window."""

    window: Window = timedelta(minutes=10)
    """How long the triggers watch after the rollout."""
    interval: Interval = timedelta(seconds=10)
    """The time from one measurement to the next."""
    on_inconclusive: Literal["hold", "promote", "rollback"] = "hold"
    """What happens when the window ends without enough data to judge."""


class Metric(Part):
    """A CloudWatch metric that the application publishes itself."""

    namespace: Annotated[Name, Field(examples=["MyApp/Production"])]
    """The metric's namespace."""
    name: Annotated[Name, Field(examples=["MyMetric"])]
    """The metric's name."""
    dimensions: Annotated[
        dict[Name, Name], Field(max_length=30, examples=[{"Service": "my-service"}])
    ] = {}
    """All of the metric's dimensions."""
    statistic: Statistic = "Average"
    """Average, Sum, Minimum, Maximum or a percentile such as p99."""
    unit: Annotated[
        Literal["ratio", "percent", "ms", "s"] | None, Field(examples=["ratio", "ms"])
    ] = None
    """What the numbers mean: ratio (default) or percent; ms (default) or s."""


class _MetricTrigger(Part):
    duration: Window = timedelta(seconds=60)
    """A breach must last this long."""
    metric: Metric | None = None
    """A metric of your own. Left out: the load balancer's raw counts."""
    load_balancer: Annotated[Name | None, Field(examples=["my-load-balancer"])] = None
    """Its name, ARN, or ARN's ending app/NAME/ID. Left out: the service's own."""
    target_group: Annotated[Name | None, Field(examples=["my-targets"])] = None
    """Its name, ARN, or ARN's ending targetgroup/NAME/ID. Left out: the service's own."""
    period: Annotated[Period | None, Field(examples=["60s"])] = None
    """Length of a datapoint. Left out: 60s, or a third of a shorter duration."""
    message: Annotated[Text | None, Field(examples=["Threshold exceeded"])] = None
    """Your own words for the notification."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.metric and (self.load_balancer or self.target_group):
            refuse(("metric", "name either metric, or load_balancer and target_group, not both"))
        if self.load_balancer and not self.target_group:
            refuse(("load_balancer", "goes with target_group: add target_group"))
        if self.target_group and not self.load_balancer:
            refuse(("target_group", "goes with load_balancer: add load_balancer"))
        return self

    @model_validator(mode="after")
    def _known_period(self) -> Self:
        if not self.period:
            return self
        seconds = self.period.total_seconds()
        if seconds not in (1, 5, 10, 20, 30) and seconds % 60:
            refuse(("period", "CloudWatch knows 1s, 5s, 10s, 20s, 30s and multiples of 60s"))
        if self.period > self.duration:
            limit = format_duration(self.duration)
            refuse(("period", f"must not be longer than duration ({limit})"))
        return self


class ErrorRateTrigger(_MetricTrigger):
    """Fires when the share of failed requests stays above a threshold."""

    type: Literal["error-rate"] = "error-rate"
    """Fires when the share of failed requests stays above the threshold."""
    threshold: Annotated[Ratio, Field(examples=["5%"])] = 0.05
    """The share of failed requests; 5% is the same as 0.05."""

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if self.metric and self.metric.unit not in (None, "ratio", "percent"):
            refuse(("metric.unit", "an error rate is measured in ratio or percent"))
        return self


class ResponseTimeTrigger(_MetricTrigger):
    """Fires when the response time stays above a threshold."""

    type: Literal["response-time"] = "response-time"
    """Fires when the response time stays above the threshold."""
    threshold: Annotated[ResponseTimeLimit, Field(examples=["1000ms"])] = timedelta(seconds=1)
    """The time of an answer."""

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if self.metric and self.metric.unit not in (None, "ms", "s"):
            refuse(("metric.unit", "a response time is measured in ms or s"))
        return self


class HealthCheckTrigger(Part):
    """Fires after consecutive failed HTTP checks, one every monitor.interval."""

    type: Literal["health-check"] = "health-check"
    """Fires after consecutive failed HTTP checks, one every monitor.interval."""
    url: Annotated[Url | None, Field(examples=["https://api.example.com/health"])] = None
    """Left out: the health check of the service's own load balancer, asked through it."""
    threshold: Annotated[int, Field(ge=1, le=100)] = 3
    """Consecutive failures."""
    expect: Expectation = Expectation()
    """What a good answer looks like."""
    timeout: Timeout = timedelta(seconds=5)
    """For the whole answer, not for each read."""
    message: Annotated[Text | None, Field(examples=["Health check failed"])] = None
    """Your own words for the notification."""


class AlarmTrigger(Part):
    """Fires when a CloudWatch alarm, metric or composite, is in ALARM."""

    type: Literal["alarm"] = "alarm"
    """Fires when a CloudWatch alarm, metric or composite, is in ALARM."""
    alarm: Annotated[Name, Field(examples=["my-alarm"])]
    """The alarm's name."""
    already_in_alarm: Literal["refuse", "ignore-until-ok", "arm"] = "ignore-until-ok"
    """What to do with an alarm that is red before the release."""
    message: Annotated[Text | None, Field(examples=["The alarm went off"])] = None
    """Your own words for the notification."""


Trigger = Annotated[
    ErrorRateTrigger | ResponseTimeTrigger | HealthCheckTrigger | AlarmTrigger,
    Field(discriminator="type"),
]


class RollbackPolicy(Part):
    """When the service is brought back, and how often."""

    enabled: bool = True
    """False: a trigger that fires holds the release for a person."""
    cooldown: Pause = timedelta(minutes=5)
    """For so long after a rollback no other one is begun."""
    cooldown_then: Literal["rollback", "hold"] = "rollback"
    """What happens when a trigger still fires as the cooldown ends."""
    max_rollbacks: Annotated[int, Field(ge=0, le=50)] = 3
    """As many in the period below; then releases are held for a person."""
    per: Long = timedelta(hours=24)
    """The rolling period in which max_rollbacks counts."""
    hold_for: Long = timedelta(hours=24)
    """How long a held release waits for a person."""
    timeout: Deadline = timedelta(minutes=10)
    """The service must be steady on the target by then."""
    verify_timeout: Deadline = timedelta(minutes=10)
    """What fired must be good again by then."""
    try_next_good: bool = False
    """When a rollback fails: go back once more, to the next older revision that was good."""
    remind_every: Deadline = timedelta(minutes=15)
    """People are told of a failed rollback again so often, until somebody acknowledges it."""


class SlackChannel(Part):
    """A Slack incoming webhook."""

    webhook_url: Annotated[SecretName, Field(examples=["env:SLACK_WEBHOOK_URL"])]
    """The environment variable that holds the URL."""


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


class EmailChannel(Part):
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


class SnsChannel(Part):
    """An SNS topic."""

    topic_arn: Annotated[TopicArn, Field(examples=["arn:aws:sns:us-east-1:123456789012:deploys"])]
    """The topic's ARN."""


class WebhookChannel(Part):
    """Any HTTP endpoint; receives the notice as JSON."""

    url: Annotated[SecretName, Field(examples=["env:DEPLOY_WEBHOOK_URL"])]
    """The environment variable that holds the URL."""


class NotifyPolicy(Part):
    """Who is told. Each channel is tried by itself; none can change an outcome."""

    healthy: bool = False
    """Tell about healthy releases too."""
    slack: SlackChannel | None = None
    """A Slack incoming webhook."""
    email: EmailChannel | None = None
    """Mail, through Amazon SES or through a mail server."""
    sns: SnsChannel | None = None
    """An SNS topic."""
    webhook: WebhookChannel | None = None
    """Any HTTP endpoint; receives the notice as JSON."""


class Policy(Part):
    """Everything that an operator decides about one service."""

    service: Annotated[ServiceName, Field(examples=["my-cluster/my-service"])]
    """CLUSTER/SERVICE."""
    region: Annotated[Region | None, Field(examples=["us-east-1"])] = None
    """The AWS region. Left out: what AWS's own configuration says."""
    container: Annotated[ContainerName | None, Field(examples=["app"])] = None
    """Whose image a release replaces. May be left out when there is one."""
    deploy: DeployPolicy = DeployPolicy()
    """How a new revision is rolled out."""
    smoke: Annotated[list[SmokeCheck], Field(max_length=20)] = []
    """HTTP checks made once, after the rollout and before the window."""
    monitor: MonitorPolicy = MonitorPolicy()
    """The monitor window."""
    triggers: Annotated[list[Trigger], Field(min_length=1, max_length=20)] = [
        ErrorRateTrigger(),
        ResponseTimeTrigger(),
        HealthCheckTrigger(),
    ]
    """What may end a release in a rollback. Left out: error-rate, response-time, health-check."""
    rollback: RollbackPolicy = RollbackPolicy()
    """When the service is brought back, and how often."""
    notify: NotifyPolicy = NotifyPolicy()
    """Who is told. Each channel is tried by itself; none can change an outcome."""

    @model_validator(mode="after")
    def _window_holds_the_triggers(self) -> Self:
        window = self.monitor.window
        problems = []
        if self.monitor.interval > window:
            problems.append(("monitor.interval", "must not be longer than monitor.window"))
        for number, trigger in enumerate(self.triggers):
            if not isinstance(trigger, _MetricTrigger) or trigger.duration <= window:
                continue
            key = f"triggers.{number}.duration"
            written = "triggers" in self.model_fields_set and "duration" in trigger.model_fields_set
            problems.append(
                (
                    key if written else "monitor.window",
                    f"{key} ({format_duration(trigger.duration)}) is longer than monitor.window "
                    f"({format_duration(window)}): the trigger {trigger.type} could never fire",
                )
            )
        if problems:
            refuse(*problems)
        return self

    def ref(self) -> ServiceRef:
        """The service, as a noun. ``region`` must be known by now."""
        cluster, name = self.service.split("/")
        return ServiceRef(region=self.region or "", cluster=cluster, name=name)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a key's type is made of, without those inside of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def tag_of(model: type[BaseModel]) -> str | None:
    """A trigger's ``type``; None for other models."""
    kind = model.model_fields.get("type")
    return kind.default if kind else None
