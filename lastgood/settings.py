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
TEMPORALS_NAMES = {
    "build_id": "TEMPORAL_WORKER_BUILD_ID",
    "deployment_name": "TEMPORAL_DEPLOYMENT_NAME",
}
"""Not ours to name: Temporal's worker controller for Kubernetes sets these in each worker."""


class Settings(BaseModel):
    """Variables with the prefix ``LASTGOOD_``, or in ``TEMPORALS_NAMES``; each has a default."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """DEBUG, INFO, WARNING or ERROR. The command line shows tracebacks with DEBUG."""
    log_format: Literal["json", "text"] = "json"
    """json: an object a line; text: for people."""
    metrics_address: str | None = None
    """HOST:PORT of a Prometheus endpoint; none without it."""
    ui_url: str = ""
    """Where people find the Temporal UI, such as http://localhost:8233; used in links."""
    slack_api: str = ""
    """Another address of Slack's Web API, such as https://slack-gov.com/api; for bots."""
    pagerduty_api: str = ""
    """Another address of PagerDuty's Events API, such as that of a proxy."""
    max_watches: int = Field(default=1000, ge=1, le=100_000)
    """Watches that one worker runs at the same time."""
    shutdown_timeout: float = Field(default=10.0, ge=0, le=600)
    """Seconds that running activities get to end when the worker is told to stop."""
    build_id: str | None = None
    """Which build of Lastgood this is; turns Worker Versioning on, see docs/upgrading.md."""
    deployment_name: str = "lastgood"
    """The name, within the namespace, of the fleet whose builds these are."""

    @field_validator("metrics_address")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^\s:]+:\d{1,5}", value):
            raise ValueError("write HOST:PORT, such as 127.0.0.1:9464")
        return value

    @field_validator("ui_url", "slack_api", "pagerduty_api")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://\S+", value):
            raise ValueError("write an address such as http://localhost:8233")
        return value.rstrip("/")

    @field_validator("build_id")
    @classmethod
    def _a_tag(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,127}", value, re.ASCII):
            raise ValueError(
                "write 1 to 128 letters, digits and . _ + -, such as 1.4.0 or a commit"
            )
        return value

    @field_validator("deployment_name")
    @classmethod
    def _without_dots(cls, value: str) -> str:
        # Temporal joins name and build id with a dot or a colon.
        if not re.fullmatch(r"[A-Za-z0-9][\w/-]{0,127}", value, re.ASCII):
            raise ValueError("write 1 to 128 letters, digits and _ - /, such as lastgood")
        return value


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming each variable that cannot be used.
    """
    given = {
        field: environment[variable(field)]
        for field in Settings.model_fields
        if environment.get(variable(field))
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        lines = [
            f"{variable(str(one['loc'][0]))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return TEMPORALS_NAMES.get(field, f"{PREFIX}{field.upper()}")
