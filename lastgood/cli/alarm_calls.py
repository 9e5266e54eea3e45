"""Alarms in CloudWatch: read with their tags, put and read back, removed.

CloudWatch is consistent in the end: what was put is looked for until it shows. Tags are set with
PutMetricAlarm only where it creates; those of an alarm that was there are set by TagResource.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lastgood.cli.survey import AWS_ERRORS, Client
from lastgood.decisions.alarms.differences import (
    Difference,
    FoundAlarm,
    Step,
    differences,
    fingerprint,
)
from lastgood.decisions.alarms.tags import APPLIED, tags_of
from lastgood.decisions.alarms.wanted import WantedAlarm, may_be_ours, prefix_of
from lastgood.errors import LastgoodError

_PATIENT = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 6}
)
_PAUSE = 0.5
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


class CloudWatchError(LastgoodError):
    """Raised when CloudWatch refuses, or shows something else than what was put."""


def clients(region: str | None) -> Client:
    """Clients from boto3's own chain; throttling is waited out: three alarms a second is much."""
    session = boto3.Session(region_name=region)
    return cache(lambda service: session.client(service, config=_PATIENT))


def refused(error: Exception) -> CloudWatchError:
    """What AWS said, which call it was, and what to do."""
    if not isinstance(error, ClientError):
        return CloudWatchError(
            f"AWS cannot be asked: {error}\nWho you are to AWS: aws sts get-caller-identity"
        )
    said = error.response.get("Error", {})
    code, text = said.get("Code", "unknown"), " ".join(str(said.get("Message", "")).split())
    message = f"{error.operation_name}: {code}: {text}".rstrip(": ")
    if code in _DENIED:
        message += "\nThe set-up role may do this; its policy: lastgood iam --role setup"
    return CloudWatchError(message)


class Alarms(NamedTuple):
    """The alarms of one service."""

    cloudwatch: Any
    service: str
    patience: float = 15.0
    """Seconds until what was put must show."""

    def read(self) -> list[FoundAlarm]:
        """Every alarm with a name that we would give, ours or not."""
        pages = self.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=f"{prefix_of(self.service)}-",
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
        return [
            self._with_tags(config, composite=kind == "CompositeAlarms")
            for page in pages
            for kind in ("MetricAlarms", "CompositeAlarms")
            for config in page.get(kind, [])
            if may_be_ours(self.service, config["AlarmName"])
        ]

    def _with_tags(self, config: dict[str, Any], *, composite: bool) -> FoundAlarm:
        arn = config["AlarmArn"]
        return FoundAlarm(arn=arn, config=config, tags=self._tags(arn), composite=composite)

    def _tags(self, arn: str) -> dict[str, str]:
        answer = self.cloudwatch.list_tags_for_resource(ResourceARN=arn)
        return {one["Key"]: one["Value"] for one in answer.get("Tags", [])}

    def put(self, wanted: WantedAlarm) -> None:
        """Create or change an alarm, and see that it is there with its tags. Idempotent.

        Raises:
            CloudWatchError: if CloudWatch goes on showing something else.
        """
        tags = tags_of(self.service, APPLIED, fingerprint(wanted.config))
        self.cloudwatch.put_metric_alarm(**wanted.config, Tags=_as_list(tags))
        self.tag(self._read_back(wanted))

    def tag(self, found: FoundAlarm) -> None:
        """Say in the tags of an alarm that it is ours, and as it is."""
        tags = tags_of(self.service, APPLIED, fingerprint(found.config))
        if tags.items() <= found.tags.items():
            return
        self.cloudwatch.tag_resource(ResourceARN=found.arn, Tags=_as_list(tags))
        end = time.monotonic() + self.patience
        while not tags.items() <= self._tags(found.arn).items():
            if time.monotonic() > end:
                raise CloudWatchError(
                    f"{found.name} was tagged, and CloudWatch does not show it: apply once more"
                )
            time.sleep(_PAUSE)

    def delete(self, found: FoundAlarm) -> None:
        """Remove an alarm."""
        self.cloudwatch.delete_alarms(AlarmNames=[found.name])

    def _read_back(self, wanted: WantedAlarm) -> FoundAlarm:
        end = time.monotonic() + self.patience
        while True:
            answer = self.cloudwatch.describe_alarms(AlarmNames=[wanted.name])
            wrong: tuple[Difference, ...] = ()
            for config in answer["MetricAlarms"]:
                wrong = differences(config, wanted.config, surplus=False)
                if not wrong:
                    return self._with_tags(config, composite=False)
            if time.monotonic() > end:
                raise CloudWatchError(_something_else(wanted, wrong))
            time.sleep(_PAUSE)


def carry_out(alarms: Alarms, step: Step, deed: str) -> None:
    """Do what was decided about one alarm.

    Raises:
        CloudWatchError: if CloudWatch refuses.
    """
    try:
        if deed == "put" and step.wanted:
            alarms.put(step.wanted)
        elif deed == "tag" and step.found:
            alarms.tag(step.found)
        elif deed == "delete" and step.found:
            alarms.delete(step.found)
    except AWS_ERRORS as error:
        raise refused(error) from None


def _something_else(wanted: WantedAlarm, wrong: Sequence[Difference]) -> str:
    shows = "; ".join(f"{one.field} {one.old!r} in place of {one.new!r}" for one in wrong)
    return (
        f"{wanted.name} was put, and CloudWatch shows {shows or 'no such alarm'}. "
        "See what is there: lastgood alarms plan"
    )


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
