"""What a process of ours needs from its environment.

How to reach Temporal is ``temporalio.envconfig``'s (``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``,
``TEMPORAL_API_KEY``, ``TEMPORAL_TLS_*``, ``temporal.toml``); how to reach AWS is boto3's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lastgood.errors import SettingsError

PREFIX = "LASTGOOD_"


class Settings(BaseModel):
    """Variables with the prefix ``LASTGOOD_``; each has a default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "text"] = "json"
    metrics_address: str | None = None
    """HOST:PORT of a Prometheus endpoint; none without it."""
    ui_url: str = ""
    """Where people find the Temporal UI, such as http://localhost:8233; used in links."""
    max_watches: int = Field(default=1000, ge=1, le=100_000)
    """Watches that one worker runs at the same time."""
    shutdown_timeout: float = Field(default=10.0, ge=0, le=600)
    """Seconds that running activities get to end when the worker is told to stop."""

    @field_validator("metrics_address")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^\s:]+:\d{1,5}", value):
            raise ValueError("write HOST:PORT, such as 127.0.0.1:9464")
        return value

    @field_validator("ui_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://\S+", value):
            raise ValueError("write an address such as http://localhost:8233")
        return value.rstrip("/")


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming each variable that cannot be used.
    """
    given = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and value != ""
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        lines = [
            f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None
