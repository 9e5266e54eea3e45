"""What one alarm watches, and when that is a breach: of each kind of trigger.

A health check by HTTP is none of CloudWatch's: its alarm is that no target is healthy. It watches
HealthyHostCount, as a target that is deregistered is missed there and is not unhealthy; no data is
a breach, as it is reported whenever there are targets. It lasts as long as the trigger's failures
in a row, and two minutes at least: within one, a moment without a target would do.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from lastgood.decisions.alarms import expressions
from lastgood.decisions.alarms.counting import (
    MINUTE,
    CannotTranslateError,
    Counting,
    counting_of,
)
from lastgood.decisions.metrics import above_in_words
from lastgood.decisions.past_metrics import Balanced
from lastgood.policy import Policy
from lastgood.policy_triggers import (
    ErrorRateTrigger,
    HealthCheckTrigger,
    Metric,
    MetricTrigger,
    ResponseTimeTrigger,
)

_LEAST_MINUTES = 2
_COMPARED = {">": "GreaterThanThreshold", ">=": "GreaterThanOrEqualToThreshold"}
_PER_UNIT = {"percent": 100.0, "ms": 1000.0}
"""What a ratio, or a second, is in a metric's own unit."""


class Watched(NamedTuple):
    """Of an alarm: its metrics and its rule, in the words of PutMetricAlarm."""

    config: dict[str, Any]
    text: str
    """The rule as people say it."""
    notes: tuple[str, ...]
    """Where it differs from the trigger's."""


def metric(
    trigger: ErrorRateTrigger | ResponseTimeTrigger, found: Balanced | str | None
) -> Watched:
    """Of an error-rate or response-time trigger.

    Raises:
        CannotTranslateError: if there is no such alarm.
    """
    counting = counting_of(trigger, balanced=trigger.metric is None)
    if trigger.metric:
        more = _few_samples(trigger, trigger.metric)
        watched = _single(trigger.metric, counting) | more.config
        notes, threshold = more.notes, _in_its_unit(trigger, trigger.metric)
    else:
        balanced = _there(found)
        watched, notes = _math(trigger, balanced, counting), _not_its_own(trigger, balanced)
        threshold = _limit(trigger) * (100 if isinstance(trigger, ErrorRateTrigger) else 1000)
    watched |= _evaluated(counting) | {
        "Threshold": round(threshold, 10),
        "ComparisonOperator": _COMPARED[trigger.compare],
    }
    text = f"{trigger.type} {above_in_words(trigger)} in {counting.in_words()}"
    return Watched(watched, text, (*counting.notes, *notes))


def _limit(trigger: ErrorRateTrigger | ResponseTimeTrigger) -> float:
    """A ratio, or seconds."""
    if isinstance(trigger, ErrorRateTrigger):
        return trigger.threshold
    return trigger.threshold.total_seconds()


def _in_its_unit(trigger: ErrorRateTrigger | ResponseTimeTrigger, metric: Metric) -> float:
    unit = metric.unit or ("ratio" if isinstance(trigger, ErrorRateTrigger) else "ms")
    return _limit(trigger) * _PER_UNIT.get(unit, 1.0)


def _evaluated(counting: Counting) -> dict[str, Any]:
    return {
        "EvaluationPeriods": counting.of,
        "DatapointsToAlarm": counting.most,
        "TreatMissingData": counting.missing,
    }


def _math(
    trigger: ErrorRateTrigger | ResponseTimeTrigger, found: Balanced, counting: Counting
) -> dict[str, Any]:
    balancer, groups = found.load_balancer, found.target_groups
    if isinstance(trigger, ResponseTimeTrigger):
        return {"Metrics": expressions.response_time(balancer, groups, counting)}
    own = found.exclusive
    return {"Metrics": expressions.error_rate(balancer, groups, counting, own=own)}


def _not_its_own(
    trigger: ErrorRateTrigger | ResponseTimeTrigger, found: Balanced
) -> tuple[str, ...]:
    if isinstance(trigger, ResponseTimeTrigger) or found.exclusive:
        return ()
    return (
        "the load balancer's own 5xx are not counted: other services may share it, or it was named "
        "in full and not looked at. Connection errors are",
    )


def _single(metric: Metric, counting: Counting) -> dict[str, Any]:
    percentile = metric.statistic.startswith("p")
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": expressions.dimensions(metric.dimensions),
        "ExtendedStatistic" if percentile else "Statistic": metric.statistic,
        "Period": counting.period,
    }


class _More(NamedTuple):
    config: dict[str, Any]
    notes: tuple[str, ...]


def _few_samples(trigger: MetricTrigger, metric: Metric) -> _More:
    """A percentile of few values is noise: the state stays, unless no minimum is asked for."""
    if not metric.statistic.startswith("p"):
        return _More({}, ())
    if trigger.raw or trigger.min_requests == 0:
        return _More({"EvaluateLowSampleCountPercentile": "evaluate"}, ())
    share = float(metric.statistic[1:]) / 100
    rare = min(share, 1 - share)
    needed = f"{math.ceil(round(10 / rare, 6)):,}" if rare else "more than any number of"
    return _More(
        {"EvaluateLowSampleCountPercentile": "ignore"},
        (
            f"{metric.statistic} needs {needed} values in the datapoints looked at, or the state "
            "stays as it is; min_requests: 0 asks for none",
        ),
    )


def health(policy: Policy, trigger: HealthCheckTrigger, found: Balanced | str | None) -> Watched:
    """Of a health-check trigger: no target is healthy.

    Raises:
        CannotTranslateError: if there is no load balancer.
    """
    balancer, groups = (behind := _there(found)).load_balancer, behind.target_groups
    lasts = trigger.threshold * policy.monitor.interval.total_seconds()
    minutes = max(_LEAST_MINUTES, math.ceil(lasts / MINUTE))
    counting = Counting(MINUTE, minutes, minutes, "breaching")
    watched = _evaluated(counting) | {"Threshold": 1.0, "ComparisonOperator": "LessThanThreshold"}
    if len(groups) > 1:
        watched["Metrics"] = expressions.healthy_hosts(balancer, groups, MINUTE)
    else:
        watched |= {
            "Namespace": expressions.NAMESPACE,
            "MetricName": "HealthyHostCount",
            "Dimensions": expressions.stat_dimensions(balancer, groups[0]),
            "Statistic": "Minimum",
            "Period": MINUTE,
        }
    text = f"no healthy target in {counting.in_words()}; no data counts as such"
    note = "CloudWatch makes no HTTP checks: the alarm is that no target is healthy"
    return Watched(watched, text, (note,))


def _there(found: Balanced | str | None) -> Balanced:
    if isinstance(found, Balanced):
        return found
    raise CannotTranslateError(found or "it has no load balancer")
