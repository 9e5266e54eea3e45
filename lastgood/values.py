"""What a value in a policy file may be: durations, ratios, names, addresses, named secrets.

Every refusal is a plain sentence that ends in what to write instead. Durations are written
``10s``, ``5m``, ``24h``; ratios ``5%`` or ``0.05``; secrets ``env:NAME``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATIONS = re.compile(rf"(?:{_DURATION.pattern})+")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_LONGEST_QUOTE = 40


def quote(value: object) -> str:
    """A value as a message may repeat it: on one line, and short."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"


def parse_duration(value: Any) -> timedelta:
    """Read ``1000ms``, ``60s``, ``5m``, ``1h30m`` or ``7d``.

    Raises:
        ValueError: for a number without a unit, an unknown unit, a negative duration, or one
            that is finer than a millisecond.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a duration: write 10s or 5m")
    if not isinstance(value, str):
        raise ValueError(f"{quote(value)} has no unit: write a duration such as 10s or 5m")
    text = value.strip()
    if _DURATIONS.fullmatch(text.removeprefix("-")) and text.startswith("-"):
        raise ValueError(f"{quote(value)} is negative: write a duration such as 10s or 5m")
    if not _DURATIONS.fullmatch(text):
        raise ValueError(f"{quote(value)} is no duration: write 1000ms, 10s, 5m, 24h or 7d")
    parts = _DURATION.findall(text)
    try:
        duration = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{quote(value)} is too long: write a duration such as 5m") from None
    if duration.microseconds % 1000:
        raise ValueError(f"{quote(value)} is finer than a millisecond: write 250ms or 10s")
    return duration


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
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a ratio: write 5% or 0.05")
    ratio: float = 0
    if not isinstance(value, str):
        ratio = value
    elif percent := _PERCENT.fullmatch(value.strip()):
        ratio = float(percent[1]) / 100
    else:
        raise ValueError(f"{quote(value)} is no ratio: write 5% or 0.05")
    if not 0 < ratio < 1:
        raise ValueError(f"{quote(value)} is not between 0 % and 100 %: write 5% or 0.05")
    return float(ratio)


def _between(at_least: timedelta, at_most: timedelta) -> AfterValidator:
    def check(duration: timedelta) -> timedelta:
        if not at_least <= duration <= at_most:
            raise ValueError(
                f"{format_duration(duration)} is out of range: write "
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
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"}),
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
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*%$"},
            ]
        }
    ),
]


@dataclass(frozen=True)
class Like:
    """Text of one shape, which is refused in plain words and never repeated."""

    shape: str
    """A regular expression for the whole text, the same to Python and to JSON Schema."""
    remedy: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the shape once it is known to be text."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Publish the shape for editors."""
        return {**handler(schema), "pattern": f"^{self.shape}$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.shape, text):
            raise ValueError(self.remedy)
        return text


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


def _m_of_n(text: str) -> str:
    most, of = (int(number) for number in text.split(" of "))
    if most > of:
        raise ValueError(f"{most} of {of} can never be: write {of} of {most}")
    return text


_PRINTABLE = r"[^\x00-\x1f\x7f]"

Url = Annotated[
    str,
    Field(max_length=2048),
    Like(
        r"https?://[^\s/?#@\x00-\x1f\x7f]+([/?#][^\s\x00-\x1f\x7f]*)?",
        "must be a whole URL without user name and password: "
        "write one such as https://api.example.com/health",
    ),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=255),
    Like(f"{_PRINTABLE}*", "must not contain line breaks or control characters"),
]
Text = Annotated[
    str,
    Field(min_length=1, max_length=500),
    Like(r"[^\x00-\x08\x0b-\x1f\x7f]*", "must not contain control characters"),
]
MessageTemplate = Annotated[
    str,
    Field(min_length=1, max_length=4000),
    Like(r"[^\x00-\x08\x0b-\x1f\x7f]*", "must not contain control characters"),
]
SlackChannelId = Annotated[
    str,
    Like(
        "[CGD][A-Z0-9]{5,20}",
        "must be a channel's id, not its name: write one such as C0123456789; Slack shows it "
        "at the end of the channel's details",
    ),
]
EmailAddress = Annotated[
    str,
    Field(max_length=254),
    Like(
        r"[^@\s<>,;\x00-\x1f\x7f]+@[^@\s<>,;\x00-\x1f\x7f]+",
        "must be an email address: write one such as oncall@example.com",
    ),
]
ServiceName = Annotated[
    str,
    Like(
        "[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}",
        "must name cluster and service: write CLUSTER/SERVICE",
    ),
]
Region = Annotated[
    str,
    Like("[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", "must be an AWS region: write one such as us-east-1"),
]
GroupName = Annotated[
    str,
    Like(
        "[A-Za-z0-9_-]{1,64}",
        "must be a name: up to 64 letters, digits, hyphens and underscores",
    ),
]
ContainerName = Annotated[
    str,
    Like(
        "[A-Za-z0-9_-]{1,255}",
        "must be a container's name: up to 255 letters, digits, hyphens and underscores",
    ),
]
Statistic = Annotated[
    str,
    Like(
        r"(Average|Sum|Minimum|Maximum|p[0-9]{1,2}(\.[0-9]+)?)",
        "must be Average, Sum, Minimum, Maximum or a percentile such as p99",
    ),
]
Datapoints = Annotated[
    str,
    Like("[1-9][0-9]? of [1-9][0-9]?", "must be M of N datapoints: write one such as 3 of 5"),
    AfterValidator(_m_of_n),
]
TopicArn = Annotated[
    str,
    Like(
        r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}",
        "must be the ARN of an SNS topic: write arn:aws:sns:REGION:ACCOUNT:NAME",
    ),
]

_CLOCK = "write hours and minutes, such as"
TimeOfDay = Annotated[
    str,
    Like("([01][0-9]|2[0-3]):[0-5][0-9]", f'{_CLOCK} "08:30"'),
]
EndTime = Annotated[
    str,
    Like("(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)", f'{_CLOCK} "17:30"; "24:00" is the day\'s end'),
]


def _known_zone(zone: str, info: ValidationInfo) -> str:
    """Refuse a zone that nobody knows, where whoever validates told which ones there are.

    The list comes from files, which change: a policy that was accepted stays readable.
    """
    known = (info.context or {}).get("zones")
    if known and zone not in known():
        raise PydanticCustomError("unknown_zone", "unknown zone", {"known": sorted(known())})
    return zone


Zone = Annotated[
    str,
    Field(min_length=1, max_length=64),
    Like(
        "[A-Za-z0-9_+/-]*",
        "must be a time zone's name: write one such as Europe/Berlin or UTC",
    ),
    AfterValidator(_known_zone),
]
