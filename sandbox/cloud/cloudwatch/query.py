"""GetMetricData: queries for metrics and expressions over them, in pages.

`StartTime` is rounded down to the period and inclusive, `EndTime` exclusive; periods without
data have no point.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.cloud.cloudwatch.errors import validation_error
from sandbox.cloud.cloudwatch.expression import ids_in, parse
from sandbox.cloud.cloudwatch.metric_math import Scope, compute
from sandbox.cloud.cloudwatch.paging import offset_of, token_at
from sandbox.cloud.cloudwatch.reading import Points, check_period, check_statistic
from sandbox.cloud.cloudwatch.series import MetricKey
from sandbox.cloud.cloudwatch.times import date

MAX_DATAPOINTS = 100_800
MAX_QUERIES = 500

Query = Mapping[str, Any]
Read = Callable[[MetricKey, str | None, float, float, int, str], Points]


@dataclass(frozen=True)
class Span:
    """A stretch of time: from `start`, in whole periods, to before `end`."""

    start: float
    end: float

    def aligned(self, period: int) -> "Span":
        """The same span with its start rounded down to the period."""
        return Span(self.start // period * period, self.end)

    def grid(self, period: int) -> list[float]:
        """When each of its periods begins."""
        count = -int(-(self.end - self.start) // period)
        return [self.start + i * period for i in range(min(max(count, 0), MAX_DATAPOINTS))]


def run(
    queries: Sequence[Query], span: Span, read: Read, *, align: bool = True
) -> dict[str, Points]:
    """The points of every query by its id, expressions after what they mention."""
    by_id = _checked(queries)
    shortest = min((period_of(q) for q in queries if "MetricStat" in q), default=None)
    results: dict[str, Points] = {}

    def resolve(query_id: str, pending: tuple[str, ...]) -> Points:
        if query_id in results:
            return results[query_id]
        if query_id in pending:
            raise validation_error(f"The expression {query_id} refers to itself.")
        query = by_id[query_id]
        if "MetricStat" in query:
            results[query_id] = _read_metric(query, span, read, align=align)
            return results[query_id]
        expression = query["Expression"]
        for other in sorted(ids_in(parse(expression)) & by_id.keys()):
            resolve(other, (*pending, query_id))
        period = int(query.get("Period") or shortest or 60)
        within = span.aligned(period) if align else span
        metrics = {i: p for i, p in results.items() if "METRICS(" not in expression or _is_stat(i)}
        results[query_id] = compute(expression, Scope(metrics, within.grid(period)))
        return results[query_id]

    def _is_stat(query_id: str) -> bool:
        return "MetricStat" in by_id[query_id]

    for query_id in sorted(by_id, key=lambda i: not _is_stat(i)):
        resolve(query_id, ())
    return results


def period_of(query: Query) -> int:
    """The period of a metric query, in seconds."""
    return int(query["MetricStat"]["Period"])


def returns_data(query: Query) -> bool:
    """Whether its result is wanted; it is unless the query says no."""
    return query.get("ReturnData") is not False


def in_pages(
    queries: Sequence[Query],
    results: Mapping[str, Points],
    *,
    descending: bool,
    token: str | None,
    size: int,
) -> dict[str, Any]:
    """One page of the answer of GetMetricData: `size` points over all results."""
    offset, end, passed = offset_of(token), offset_of(token) + size, 0
    answer: list[dict[str, Any]] = []
    for query in filter(returns_data, queries):
        points = sorted(results[query["Id"]].items(), reverse=descending)
        here = points[max(0, offset - passed) : max(0, end - passed)]
        if here or (not points and not offset):
            complete = passed + len(points) <= end
            answer.append(_result(query, here, complete=complete))
        passed += len(points)
    more = {"NextToken": token_at(end)} if end < passed else {}
    return {"MetricDataResults": answer, "Messages": [], **more}


def _result(query: Query, points: list[tuple[float, float]], *, complete: bool) -> dict[str, Any]:
    stat = query.get("MetricStat")
    label = query.get("Label") or (stat["Metric"]["MetricName"] if stat else query["Id"])
    return {
        "Id": query["Id"],
        "Label": label,
        "Timestamps": [date(at) for at, _ in points],
        "Values": [float(value) for _, value in points],
        "StatusCode": "Complete" if complete else "PartialData",
    }


def key_of(metric: Mapping[str, Any]) -> MetricKey:
    """The key of a `Metric` (or an alarm) as it stands on the wire."""
    dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions") or ()}
    return MetricKey.of(metric["Namespace"], metric["MetricName"], dimensions)


def _read_metric(query: Query, span: Span, read: Read, *, align: bool) -> Points:
    stat, period = query["MetricStat"], period_of(query)
    within = span.aligned(period) if align else span
    key, unit = key_of(stat["Metric"]), stat.get("Unit")
    return read(key, unit, within.start, within.end, period, stat["Stat"])


def _checked(queries: Sequence[Query]) -> dict[str, Query]:
    if len(queries) > MAX_QUERIES:
        raise validation_error(f"There are more than {MAX_QUERIES} MetricDataQueries.")
    by_id: dict[str, Query] = {}
    for number, query in enumerate(queries, 1):
        where = f"MetricDataQueries.member.{number}"
        if ("MetricStat" in query) == ("Expression" in query):
            raise validation_error(f"The parameter {where}.MetricStat is required.\n")
        if query["Id"] in by_id:
            raise validation_error(f"The id {query['Id']} in {where} is used twice.")
        if not query["Id"][:1].islower():
            raise validation_error(f"The value {query['Id']} for {where}.Id is not matching.")
        if "MetricStat" in query:
            check_period(period_of(query))
            check_statistic(query["MetricStat"]["Stat"])
        by_id[query["Id"]] = query
    return by_id
