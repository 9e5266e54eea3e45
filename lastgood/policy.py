"""What an operator decides about a service: the policy file, as frozen models.

Read a file with ``lastgood.policy_file.load``; it adds lines to the errors. Every key has a
default but ``service``. Durations are written ``10s``, ``5m``, ``24h``; ratios ``5%`` or ``0.05``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from lastgood.model import ServiceRef

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(value: Any) -> timedelta:
    """Read ``1000ms``, ``60s``, ``5m``, ``1h30m`` or ``7d``.

    Raises:
        ValueError: for a number without a unit, an unknown unit, or a negative duration.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, str):
        raise ValueError(f"write a duration with its unit, such as 10s or 5m, not {value!r}")
    text = value.strip()
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        raise ValueError(f"{value!r} is no duration: write 1000ms, 10s, 5m, 24h or 7d")
    parts = _DURATION.findall(text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def format_duration(value: timedelta) -> str:
    """Write a duration as a policy file would: ``10s``, ``1m30s``, ``250ms``."""
    milliseconds = round(value.total_seconds() * 1000)
    if milliseconds <= 0 or milliseconds % 1000:
        return f"{milliseconds}ms"
    seconds, words = milliseconds // 1000, ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        words += f"{count}{unit}" if count else ""
    return words


def parse_ratio(value: Any) -> float:
    """Read ``5%`` or ``0.05``.

    Raises:
        ValueError: for text that is neither, or a ratio outside of 0 to 1 (exclusive).
    """
    ratio: float
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?\s*%", value.strip()):
        ratio = float(value.strip().rstrip("% ")) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        ratio = float(value)
    else:
        raise ValueError(f"{value!r} is no ratio: write 5% or 0.05")
    if not 0 < ratio < 1:
        raise ValueError(f"{value!r} is outside of 0 to 100 %: write 5% or 0.05")
    return ratio


def _between(at_least: timedelta, at_most: timedelta) -> AfterValidator:
    def check(duration: timedelta) -> timedelta:
        if not at_least <= duration <= at_most:
            raise ValueError(
                f"{format_duration(duration)} is outside of "
                f"{format_duration(at_least)} to {format_duration(at_most)}"
            )
        return duration

    return AfterValidator(check)


_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"}),
]
Interval = Annotated[Duration, _between(_SECOND, timedelta(minutes=10))]
Window = Annotated[Duration, _between(_SECOND, _DAY)]
ResponseTimeLimit = Annotated[Duration, _between(timedelta(milliseconds=1), timedelta(minutes=10))]
Timeout = Annotated[Duration, _between(timedelta(milliseconds=100), timedelta(seconds=60))]
Deadline = Annotated[Duration, _between(_SECOND, _DAY)]
Pause = Annotated[Duration, _between(timedelta(0), 7 * _DAY)]
Period = Annotated[Duration, _between(_SECOND, _DAY)]
Long = Annotated[Duration, _between(_SECOND, 90 * _DAY)]

Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
            ]
        }
    ),
]


def _secret(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", value):
        # Never repeat the value: it may be the secret itself.
        raise ValueError(
            "a secret is named here, never written here: put it into an environment variable "
            "of the worker and write env:NAME_OF_THE_VARIABLE"
        )
    return value


SecretName = Annotated[
    str,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "pattern": "^env:[A-Za-z_][A-Za-z0-9_]*$"}),
]

Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2048)]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
EmailAddress = Annotated[str, Field(pattern=r"^[^@\s\r\n<>,;]+@[^@\s\r\n<>,;]+$", max_length=254)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )


class DeployPolicy(_Part):
    """How a new revision is rolled out."""

    timeout: Deadline = timedelta(minutes=5)
    """The rollout must be complete by then."""
    on_busy: Literal["queue", "supersede", "reject"] = "queue"
    """What becomes of a release that arrives while another is under way."""


class Expectation(_Part):
    """What a good answer looks like."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: Text | None = None
    """Text that must stand in the first 64 KiB of the body."""


class SmokeCheck(_Part):
    """One HTTP check made once, after the rollout and before the window."""

    url: Url
    expect: Expectation = Expectation()
    timeout: Timeout = timedelta(seconds=5)
    """For the whole answer, not for each read."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    every: Interval = timedelta(seconds=2)
    """The pause between attempts."""


class MonitorPolicy(_Part):
    """The monitor window."""

    window: Window = timedelta(minutes=10)
    interval: Interval = timedelta(seconds=10)
    on_inconclusive: Literal["hold", "promote", "rollback"] = "hold"


class Metric(_Part):
    """A CloudWatch metric that the application publishes itself."""

    namespace: Name
    name: Name
    dimensions: dict[Name, Name] = {}
    statistic: Annotated[
        str, Field(pattern=r"^(Average|Sum|Minimum|Maximum|p\d{1,2}(\.\d+)?)$")
    ] = "Average"
    unit: Literal["ratio", "percent", "ms", "s"] | None = None
    """What the numbers mean: ratio (default) or percent; ms (default) or s."""


class _MetricTrigger(_Part):
    duration: Window = timedelta(seconds=60)
    """A breach must last this long."""
    metric: Metric | None = None
    load_balancer: Name | None = None
    """Its name, ARN, or ARN's ending app/NAME/ID. Left out: the service's own."""
    target_group: Name | None = None
    period: Period | None = None
    """Length of a datapoint. Left out: 60s, or a third of a shorter duration."""
    message: Text | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.metric and (self.load_balancer or self.target_group):
            raise ValueError("name either metric, or load_balancer and target_group, not both")
        if bool(self.load_balancer) != bool(self.target_group):
            raise ValueError("load_balancer and target_group go together")
        if self.period and self.period > self.duration:
            raise ValueError("period must not be longer than duration")
        seconds = self.period.total_seconds() if self.period else 60
        if seconds not in (1, 5, 10, 20, 30) and seconds % 60:
            raise ValueError("period must be 1s, 5s, 10s, 20s, 30s or a multiple of 60s")
        return self


class ErrorRateTrigger(_MetricTrigger):
    """Fires when the share of failed requests stays above a threshold."""

    type: Literal["error-rate"] = "error-rate"
    threshold: Ratio = 0.05

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if self.metric and self.metric.unit not in (None, "ratio", "percent"):
            raise ValueError("the unit of an error-rate metric is ratio or percent")
        return self


class ResponseTimeTrigger(_MetricTrigger):
    """Fires when the response time stays above a threshold."""

    type: Literal["response-time"] = "response-time"
    threshold: ResponseTimeLimit = timedelta(seconds=1)

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if self.metric and self.metric.unit not in (None, "ms", "s"):
            raise ValueError("the unit of a response-time metric is ms or s")
        return self


class HealthCheckTrigger(_Part):
    """Fires after consecutive failed HTTP checks, one every ``monitor.interval``."""

    type: Literal["health-check"] = "health-check"
    url: Url | None = None
    """Left out: the health check of the service's own load balancer, asked through it."""
    threshold: Annotated[int, Field(ge=1, le=100)] = 3
    expect: Expectation = Expectation()
    timeout: Timeout = timedelta(seconds=5)
    message: Text | None = None


class AlarmTrigger(_Part):
    """Fires when a CloudWatch alarm, metric or composite, is in ALARM."""

    type: Literal["alarm"] = "alarm"
    alarm: Name
    already_in_alarm: Literal["refuse", "ignore-until-ok", "arm"] = "ignore-until-ok"
    """What to do with an alarm that is red before the release."""
    message: Text | None = None


Trigger = Annotated[
    ErrorRateTrigger | ResponseTimeTrigger | HealthCheckTrigger | AlarmTrigger,
    Field(discriminator="type"),
]


class RollbackPolicy(_Part):
    """When the service is brought back, and how often."""

    enabled: bool = True
    """False: a trigger that fires holds the release for a person."""
    cooldown: Pause = timedelta(minutes=5)
    cooldown_then: Literal["rollback", "hold"] = "rollback"
    max_rollbacks: Annotated[int, Field(ge=0, le=1000)] = 3
    per: Long = timedelta(hours=24)
    hold_for: Long = timedelta(hours=24)
    timeout: Deadline = timedelta(minutes=10)
    """The service must be steady on the target by then."""
    verify_timeout: Deadline = timedelta(minutes=10)
    """What fired must be good again by then."""


class SlackChannel(_Part):
    """A Slack incoming webhook."""

    webhook_url: SecretName


class SmtpServer(_Part):
    """A mail server of your own."""

    host: Name
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: SecretName | None = None
    password: SecretName | None = None

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password go together")
        if self.password and self.tls == "none":
            raise ValueError("a password is not sent without TLS: set tls: starttls or implicit")
        return self


class EmailChannel(_Part):
    """Mail, through Amazon SES or through a mail server."""

    from_: Annotated[EmailAddress, Field(alias="from")]
    to: Annotated[list[EmailAddress], Field(min_length=1, max_length=50)]
    via: Literal["ses", "smtp"] = "ses"
    smtp: SmtpServer | None = None

    @model_validator(mode="after")
    def _server(self) -> Self:
        if self.via == "smtp" and not self.smtp:
            raise ValueError("via: smtp needs smtp: {host: ...}")
        if self.via == "ses" and self.smtp:
            raise ValueError("smtp is given, but via is ses: set via: smtp")
        return self


class SnsChannel(_Part):
    """An SNS topic."""

    topic_arn: Annotated[
        str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}$")
    ]


class WebhookChannel(_Part):
    """Any HTTP endpoint; receives the notice as JSON."""

    url: SecretName


class NotifyPolicy(_Part):
    """Who is told. Each channel is tried by itself; none can change an outcome."""

    healthy: bool = False
    """Tell about healthy releases too."""
    slack: SlackChannel | None = None
    email: EmailChannel | None = None
    sns: SnsChannel | None = None
    webhook: WebhookChannel | None = None


_SERVICE = r"^[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$"


class Policy(_Part):
    """Everything that an operator decides about one service."""

    service: Annotated[str, Field(pattern=_SERVICE)]
    """CLUSTER/SERVICE."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """Left out: what AWS's own configuration says."""
    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")] | None = None
    """Whose image a release replaces. May be left out when there is one."""
    deploy: DeployPolicy = DeployPolicy()
    smoke: Annotated[list[SmokeCheck], Field(max_length=20)] = []
    monitor: MonitorPolicy = MonitorPolicy()
    triggers: Annotated[list[Trigger], Field(min_length=1, max_length=20)] = [
        ErrorRateTrigger(),
        ResponseTimeTrigger(),
        HealthCheckTrigger(),
    ]
    rollback: RollbackPolicy = RollbackPolicy()
    notify: NotifyPolicy = NotifyPolicy()

    @model_validator(mode="after")
    def _window_holds_the_triggers(self) -> Self:
        window = self.monitor.window
        if self.monitor.interval > window:
            raise ValueError("monitor.interval is longer than monitor.window")
        for number, trigger in enumerate(self.triggers):
            duration = getattr(trigger, "duration", timedelta(0))
            if duration > window:
                raise ValueError(
                    f"triggers.{number}.duration ({format_duration(duration)}) is longer than "
                    f"monitor.window ({format_duration(window)}): it could never fire"
                )
        return self

    def ref(self) -> ServiceRef:
        """The service, as a noun. ``region`` must be known by now."""
        cluster, name = self.service.split("/")
        return ServiceRef(region=self.region or "", cluster=cluster, name=name)
