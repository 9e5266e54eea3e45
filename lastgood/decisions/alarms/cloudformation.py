"""Alarms as a CloudFormation template: a plain mapping, which whoever writes it makes YAML."""

from __future__ import annotations

import re
from typing import Any

from lastgood.decisions.alarms.tags import EXPORTED, tags_of
from lastgood.decisions.alarms.wanted import Wanted, WantedAlarm


def template(wanted: Wanted) -> dict[str, Any]:
    """A template with all alarms of a service."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Alarms of {wanted.service}, by lastgood alarms export",
        "Resources": {
            logical_id(alarm.name): _resource(wanted.service, alarm) for alarm in wanted.alarms
        },
    }


def logical_id(name: str) -> str:
    """``ServioProductionErrorRate``, of an alarm's name."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words)[-255:]


def _resource(service: str, alarm: WantedAlarm) -> dict[str, Any]:
    # An empty list of actions is none.
    properties = {key: value for key, value in alarm.config.items() if value != []}
    tags = [{"Key": key, "Value": value} for key, value in tags_of(service, EXPORTED).items()]
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": {**properties, "Tags": tags}}
