"""Alarms as Terraform's resources, laid out as ``terraform fmt`` would."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lastgood.decisions.alarms.tags import EXPORTED, tags_of
from lastgood.decisions.alarms.wanted import Wanted, WantedAlarm

_NAMES = {
    "AlarmName": "alarm_name",
    "AlarmDescription": "alarm_description",
    "ActionsEnabled": "actions_enabled",
    "AlarmActions": "alarm_actions",
    "OKActions": "ok_actions",
    "InsufficientDataActions": "insufficient_data_actions",
    "Namespace": "namespace",
    "MetricName": "metric_name",
    "Statistic": "statistic",
    "ExtendedStatistic": "extended_statistic",
    "Period": "period",
    "EvaluationPeriods": "evaluation_periods",
    "DatapointsToAlarm": "datapoints_to_alarm",
    "TreatMissingData": "treat_missing_data",
    "EvaluateLowSampleCountPercentile": "evaluate_low_sample_count_percentiles",
    "Threshold": "threshold",
    "ComparisonOperator": "comparison_operator",
}
"""CloudWatch's fields, and Terraform's arguments."""


def module(wanted: Wanted) -> str:
    """A file with one ``aws_cloudwatch_metric_alarm`` for each alarm of a service."""
    return "\n".join(_resource(wanted.service, alarm) for alarm in wanted.alarms)


def resource_name(name: str) -> str:
    """``servio_production_error_rate``, of an alarm's name."""
    found = re.sub(r"[^a-z0-9]+", "_", name.lower())
    return found if found[:1].isalpha() else f"alarm_{found}"


def _resource(service: str, alarm: WantedAlarm) -> str:
    config = alarm.config
    plain = {_NAMES[key]: value for key, value in config.items() if key in _NAMES and value != []}
    parts = [_arguments(plain, 1)]
    if config.get("Dimensions"):
        parts.append(_map("dimensions", _pairs(config["Dimensions"]), 1))
    parts += [_query(one) for one in config.get("Metrics", ())]
    parts.append(_map("tags", tags_of(service, EXPORTED), 1))
    head = f'resource "aws_cloudwatch_metric_alarm" "{resource_name(alarm.name)}" {{'
    return "\n".join((head, "\n\n".join(parts), "}", ""))


def _query(query: Mapping[str, Any]) -> str:
    plain = {
        "id": query["Id"],
        **({"expression": query["Expression"]} if "Expression" in query else {}),
        **({"label": query["Label"]} if "Label" in query else {}),
        "return_data": query["ReturnData"],
    }
    parts = [_arguments(plain, 2)]
    if "MetricStat" in query:
        stat = query["MetricStat"]
        metric = {
            "namespace": stat["Metric"]["Namespace"],
            "metric_name": stat["Metric"]["MetricName"],
            "stat": stat["Stat"],
            "period": stat["Period"],
        }
        named = _map("dimensions", _pairs(stat["Metric"]["Dimensions"]), 3)
        parts.append(f"    metric {{\n{_arguments(metric, 3)}\n\n{named}\n    }}")
    return "\n".join(("  metric_query {", "\n\n".join(parts), "  }"))


def _pairs(dimensions: list[dict[str, str]]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in dimensions}


def _map(name: str, values: Mapping[str, str], depth: int) -> str:
    quoted = {_text(key): value for key, value in values.items()}
    space = "  " * depth
    return f"{space}{name} = {{\n{_arguments(quoted, depth + 1)}\n{space}}}"


def _arguments(values: Mapping[str, Any], depth: int) -> str:
    """Lines of ``name = value``, their equal signs below each other."""
    width = max(map(len, values))
    return "\n".join(
        f"{'  ' * depth}{name:<{width}} = {_literal(value)}" for name, value in values.items()
    )


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return _text(str(value))


def _text(value: str) -> str:
    """A quoted string in which nothing is a template."""
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted.replace("${", "$${").replace("%{", "%%{")
