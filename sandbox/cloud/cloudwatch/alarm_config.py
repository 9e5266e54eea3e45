"""What a put request may say: refusals of PutMetricAlarm and PutCompositeAlarm.

Beyond AWS, alarms may have periods of 1 and 5 seconds, so that the sandbox need not wait.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sandbox.cloud.cloudwatch import query
from sandbox.cloud.cloudwatch.composite_rule import alarms_in, parse_rule
from sandbox.cloud.cloudwatch.errors import invalid_combination, validation_error
from sandbox.cloud.cloudwatch.evaluation import COMPARISONS
from sandbox.cloud.cloudwatch.reading import STATISTICS, check_period, needs_values

MAX_WINDOW = 86_400
MAX_LONG_WINDOW = 7 * 86_400
MAX_METRICS = 10
MAX_EXPRESSIONS = 10
METRIC_ID = "metric"

Config = Mapping[str, Any]


def check_metric_alarm(config: Config) -> None:
    """Refuse what PutMetricAlarm refuses."""
    if config.get("ComparisonOperator") not in COMPARISONS:
        raise validation_error(
            f"Value '{config.get('ComparisonOperator')}' at 'comparisonOperator' failed to "
            f"satisfy constraint: Member must satisfy enum value set: {list(COMPARISONS)}"
        )
    treat_missing = config.get("TreatMissingData", "missing")
    if treat_missing not in ("missing", "ignore", "breaching", "notBreaching"):
        raise validation_error(f"Option {treat_missing} is not supported for TreatMissingData.")
    if "Threshold" not in config:
        raise validation_error("The parameter Threshold is required.")
    n = int(config.get("EvaluationPeriods") or 0)
    if n < 1 or not 1 <= int(config.get("DatapointsToAlarm") or n) <= n:
        raise validation_error(
            "EvaluationPeriods must be >= 1, DatapointsToAlarm between 1 and it."
        )
    if config.get("Metrics"):
        _check_math(config)
    else:
        _check_metric(config)
    longest = MAX_WINDOW if period_of(config) < 3600 else MAX_LONG_WINDOW
    if period_of(config) * n > longest:
        raise validation_error(
            "Metrics cannot be checked across more than a day, or seven with periods of an hour."
        )


def check_composite_alarm(config: Config, existing: Collection[str]) -> None:
    """Refuse what PutCompositeAlarm refuses: a wrong rule, or unknown alarms in it."""
    unknown = sorted(alarms_in(parse_rule(config["AlarmRule"])) - set(existing))
    if unknown:
        raise validation_error(
            f"Could not save the composite alarm as alarms {unknown} in the alarm rule "
            "do not exist."
        )
    if config["AlarmName"] in alarms_in(parse_rule(config["AlarmRule"])):
        raise validation_error("A composite alarm cannot depend on itself.")


def queries_of(config: Config) -> list[query.Query]:
    """The alarm as queries, exactly one of which returns data."""
    if config.get("Metrics"):
        return list(config["Metrics"])
    metric = {name: config.get(name) for name in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": metric, "Period": config["Period"], "Stat": statistic_of(config)}
    if config.get("Unit"):
        stat["Unit"] = config["Unit"]
    return [{"Id": METRIC_ID, "MetricStat": stat}]


def statistic_of(config: Config) -> str:
    """The statistic an alarm on one metric watches."""
    return str(config.get("Statistic") or config.get("ExtendedStatistic"))


def period_of(config: Config) -> int:
    """The length of the periods that are evaluated, in seconds."""
    if not config.get("Metrics"):
        return int(config["Period"])
    periods = [query.period_of(q) for q in config["Metrics"] if "MetricStat" in q]
    return max(periods or [int(q["Period"]) for q in config["Metrics"] if q.get("Period")] or [60])


def _check_metric(config: Config) -> None:
    _require(config, "Namespace", "MetricName", "Period")
    if ("Statistic" in config) == ("ExtendedStatistic" in config):
        raise invalid_combination("Exactly one of Statistic and ExtendedStatistic is required.")
    check_period(int(config["Period"]))
    if "Statistic" in config and config["Statistic"] not in STATISTICS:
        raise validation_error(f"Value '{config['Statistic']}' at 'statistic' is not supported.")
    if "ExtendedStatistic" in config and not needs_values(config["ExtendedStatistic"]):
        raise validation_error(f"ExtendedStatistic {config['ExtendedStatistic']} is not supported.")


def _check_math(config: Config) -> None:
    single = ("Namespace", "MetricName", "Dimensions", "Period", "Statistic", "ExtendedStatistic")
    both = [name for name in single if config.get(name)]
    if both:
        raise invalid_combination(f"Metrics and {both[0]} are mutually exclusive.")
    queries = queries_of(config)
    if sum(map(query.returns_data, queries)) != 1:
        raise validation_error("Exactly one element of the metrics list should return data.")
    if len(queries) > sum("MetricStat" in q for q in queries) + MAX_EXPRESSIONS:
        raise validation_error(f"An alarm has at most {MAX_EXPRESSIONS} expressions.")
    if sum("MetricStat" in q for q in queries) > MAX_METRICS:
        raise validation_error(f"An alarm has at most {MAX_METRICS} metrics.")
    if len({query.period_of(q) for q in queries if "MetricStat" in q}) > 1:
        raise validation_error("All metrics of an alarm must have the same period.")
    nothing: Callable[..., dict[float, float]] = lambda *_: {}  # noqa: E731 - a dry run's reader
    query.run(queries, query.Span(0.0, 60.0), nothing)


def _require(config: Config, *names: str) -> None:
    for name in names:
        if not config.get(name):
            raise validation_error(f"The parameter {name} is required.")
