"""The calls about metrics: PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics.

As on AWS, a datum without `StorageResolution=1` is kept by the minute.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.cloud.cloudwatch import query
from sandbox.cloud.cloudwatch.errors import invalid_combination, invalid_value, validation_error
from sandbox.cloud.cloudwatch.paging import page
from sandbox.cloud.cloudwatch.reading import (
    STATISTICS,
    Points,
    aggregate,
    check_period,
    check_statistic,
    needs_values,
    points,
    statistic_of,
)
from sandbox.cloud.cloudwatch.series import Bucket, MetricKey, MetricStore, StatisticSet
from sandbox.cloud.cloudwatch.times import date, seconds

Params = Mapping[str, Any]

MAX_DATA = 1000
MAX_STATISTICS_POINTS = 1440
METRICS_PER_PAGE = 500
_STATISTIC_SET = ("SampleCount", "Sum", "Minimum", "Maximum")


class MetricApi:
    """Metrics of one account and region; a point is readable `publish_delay` s after its time."""

    def __init__(self, store: MetricStore, clock: Callable[[], float]) -> None:
        self.store = store
        self.clock = clock
        self.publish_delay = 0.0

    def put_metric_data(self, params: Params) -> dict[str, Any]:
        """PutMetricData: all of its data or, where one is wrong, none."""
        data = params.get("MetricData") or []
        if len(data) > MAX_DATA:
            raise invalid_value(f"The collection MetricData must not exceed {MAX_DATA} items.")
        checked = [_Datum(datum, f"MetricData.member.{i}") for i, datum in enumerate(data, 1)]
        for datum in checked:
            datum.store(self.store, params["Namespace"], self.clock())
        return {}

    def get_metric_data(self, params: Params) -> dict[str, Any]:
        """GetMetricData."""
        span = _span(params)
        queries = params.get("MetricDataQueries") or []
        size = int(params.get("MaxDatapoints") or query.MAX_DATAPOINTS)
        if not 1 <= size <= query.MAX_DATAPOINTS:
            raise validation_error(f"MaxDatapoints must be 1 to {query.MAX_DATAPOINTS}.")
        return query.in_pages(
            queries,
            query.run(queries, span, self.read),
            descending=params.get("ScanBy", "TimestampDescending") == "TimestampDescending",
            token=params.get("NextToken"),
            size=size,
        )

    def get_metric_statistics(self, params: Params) -> dict[str, Any]:
        """GetMetricStatistics: each unit aggregated on its own."""
        period = int(params["Period"])
        check_period(period)
        span = _span(params).aligned(period)
        basic = list(params.get("Statistics") or ())
        extended = list(params.get("ExtendedStatistics") or ())
        if not basic and not extended:
            raise invalid_combination("Must specify either Statistics or ExtendedStatistics")
        for statistic in (*basic, *extended):
            check_statistic(statistic)
        if (span.end - span.start) / period > MAX_STATISTICS_POINTS:
            raise invalid_combination(
                f"You have requested more than {MAX_STATISTICS_POINTS} datapoints."
            )
        key = query.key_of(params)
        units = [params["Unit"]] if params.get("Unit") else self.store.units(key)
        end = self._visible_until(span.end)
        datapoints = [
            _datapoint(at, bucket, unit, basic, extended)
            for unit in units
            for at, bucket in aggregate(
                self.store.series(key, unit), span.start, end, period, with_values=bool(extended)
            ).items()
        ]
        return {"Label": params["MetricName"], "Datapoints": datapoints}

    def list_metrics(self, params: Params) -> dict[str, Any]:
        """ListMetrics: those that have every dimension asked for, in pages of 500."""
        wanted = [key for key in self.store.metrics() if _matches(key, params)]
        here, token = page(wanted, params.get("NextToken"), METRICS_PER_PAGE)
        metrics = [
            {
                "Namespace": key.namespace,
                "MetricName": key.name,
                "Dimensions": [{"Name": n, "Value": v} for n, v in key.dimensions],
            }
            for key in here
        ]
        return {"Metrics": metrics, **({"NextToken": token} if token else {})}

    def read(
        self, key: MetricKey, unit: str | None, start: float, end: float, period: int, stat: str
    ) -> Points:
        """The points of one statistic in periods that begin at `start`."""
        return points(self.store.series(key, unit), start, self._visible_until(end), period, stat)

    def _visible_until(self, end: float) -> float:
        if self.publish_delay <= 0:
            return end
        return min(end, self.clock() - self.publish_delay)


class _Datum:
    """One checked element of `MetricData`."""

    def __init__(self, datum: Params, where: str) -> None:
        self._datum = datum
        self._values: list[tuple[float, float]] = []
        self._statistic_set: StatisticSet | None = None
        if (
            sum(name in datum for name in ("Value", "StatisticValues")) + bool(datum.get("Values"))
            != 1
        ):
            raise invalid_combination(
                f"Exactly one of Value, Values and StatisticValues must be given for {where}."
            )
        if datum.get("StatisticValues"):
            self._statistic_set = _statistic_set(datum["StatisticValues"], where)
        else:
            self._values = _weighted_values(datum, where)
        if datum.get("StorageResolution", 60) not in (1, 60):
            raise invalid_value(f"The parameter {where}.StorageResolution must be 1 or 60.")

    def store(self, store: MetricStore, namespace: str, now: float) -> None:
        datum = self._datum
        timestamp = seconds(datum["Timestamp"]) if datum.get("Timestamp") else now
        if datum.get("StorageResolution", 60) != 1:
            timestamp = timestamp // 60 * 60
        store.put(
            query.key_of({**datum, "Namespace": namespace}),
            datum.get("Unit") or "None",
            timestamp,
            values=self._values,
            statistic_set=self._statistic_set,
        )


def _weighted_values(datum: Params, where: str) -> list[tuple[float, float]]:
    values = [float(v) for v in datum.get("Values") or [datum.get("Value")]]
    counts = [float(c) for c in datum.get("Counts") or [1.0] * len(values)]
    if len(values) != len(counts):
        raise invalid_value(
            f"The parameters {where}.Values and {where}.Counts must be of the same size."
        )
    _check_finite([*values, *counts], f"{where}.Value")
    return [(value, count) for value, count in zip(values, counts, strict=True) if count > 0]


def _statistic_set(given: Params, where: str) -> StatisticSet:
    missing = [name for name in _STATISTIC_SET if name not in given]
    if missing:
        raise invalid_value(f"Missing required parameter in {where}.StatisticValues: {missing[0]}")
    count, total, minimum, maximum = (float(given[name]) for name in _STATISTIC_SET)
    _check_finite([count, total, minimum, maximum], f"{where}.StatisticValues")
    return count, total, minimum, maximum


def _check_finite(values: Sequence[float], where: str) -> None:
    for value in values:
        if not math.isfinite(value):
            raise invalid_value(f"The value {value} for parameter {where} is invalid.")


def _span(params: Params) -> query.Span:
    span = query.Span(seconds(params["StartTime"]), seconds(params["EndTime"]))
    if span.start >= span.end:
        raise validation_error("The parameter StartTime must be less than the parameter EndTime.")
    return span


def _datapoint(
    at: float, bucket: Bucket, unit: str, basic: list[str], extended: list[str]
) -> dict[str, Any]:
    values = {s: statistic_of(bucket, s) for s in basic if s in STATISTICS}
    datapoint: dict[str, Any] = {"Timestamp": date(at), "Unit": unit, **values}
    asked = {s: statistic_of(bucket, s) for s in extended if needs_values(s)}
    known = {s: value for s, value in asked.items() if value is not None}
    return {**datapoint, "ExtendedStatistics": known} if known else datapoint


def _matches(key: MetricKey, params: Params) -> bool:
    dimensions = dict(key.dimensions)
    return (
        params.get("Namespace") in (None, key.namespace)
        and params.get("MetricName") in (None, key.name)
        and all(
            d["Name"] in dimensions and d.get("Value") in (None, dimensions[d["Name"]])
            for d in params.get("Dimensions") or ()
        )
    )
