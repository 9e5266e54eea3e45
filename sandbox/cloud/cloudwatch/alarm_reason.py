"""Why an alarm is in its state, in CloudWatch's words and numbers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.cloud.cloudwatch.alarm_config import period_of, statistic_of
from sandbox.cloud.cloudwatch.evaluation import Verdict
from sandbox.cloud.cloudwatch.reading import Points
from sandbox.cloud.cloudwatch.times import date, stamp

_WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


def reason_text(config: Mapping[str, Any], old: str, verdict: Verdict, newest: Points) -> str:
    """`StateReason`, for the datapoints that decided (newest first)."""
    n = int(config["EvaluationPeriods"])
    if verdict.state == "INSUFFICIENT_DATA":
        unknown = f"{verdict.filled} {_plural(verdict.filled, 'datapoint was', 'datapoints were')}"
        return f"Insufficient Data: {unknown} unknown."
    alarming = verdict.state == "ALARM"
    if not newest:
        treated = "Breaching" if alarming else "NonBreaching"
        periods = f"{n} {_plural(n, 'period', 'periods')}"
        points = f"{n} missing {_plural(n, 'datapoint was', 'datapoints were')}"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} and {points} "
            f"treated as [{treated}]."
        )
    count = verdict.breaching if alarming else verdict.real - verdict.breaching
    values = ", ".join(f"{v} ({date(at):%d/%m/%y %H:%M:%S})" for at, v in newest.items())
    m = int(config.get("DatapointsToAlarm") or n)
    minimum = m if alarming else n - m + 1
    was = _plural(count, "was", "were") + ("" if alarming else " not")
    return (
        f"Threshold Crossed: {count} out of the last {len(newest)} datapoints [{values}] {was} "
        f"{_WORDS[config['ComparisonOperator']]} the threshold ({float(config['Threshold'])}) "
        f"(minimum {minimum} {_plural(minimum, 'datapoint', 'datapoints')} for "
        f"{old} -> {verdict.state} transition)."
    )


def reason_data(
    config: Mapping[str, Any], points: Points, times: Sequence[float], at: float
) -> str:
    """`StateReasonData`: the datapoints of the evaluation range, and what was asked."""
    real = [when for when in times if when in points][-int(config["EvaluationPeriods"]) :]
    data: dict[str, Any] = {"version": "1.0", "queryDate": stamp(at)}
    if real:
        data["startDate"] = stamp(real[0])
    if not config.get("Metrics"):
        data["statistic"] = statistic_of(config)
    evaluated = [
        {"timestamp": stamp(t), **({"value": points[t]} if t in points else {})}
        for t in reversed(times)
    ]
    return json.dumps(
        data
        | {
            "period": period_of(config),
            "recentDatapoints": [points[when] for when in real],
            "threshold": float(config["Threshold"]),
            "evaluatedDatapoints": evaluated,
        }
    )


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
