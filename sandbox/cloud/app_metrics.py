"""Takes the metrics that the apps write to stdout into CloudWatch."""

from typing import Any, Protocol


class Metrics(Protocol):
    """The part of the metric engine that takes data."""

    def put(
        self,
        namespace: str,
        name: str,
        dimensions: dict[str, str],
        unit: str,
        timestamp: float,
        *,
        values: list[float] | None = None,
        statistic_set: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Add data points."""


def put_embedded(metrics: Metrics, line: dict[str, Any]) -> None:
    """Put one line of CloudWatch Embedded Metric Format, as one set per metric and second.

    Times are put as single values, so that percentiles can be asked for; all else as a
    statistic set.
    """
    timestamp = float(int(line["_aws"]["Timestamp"] / 1000))
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = {name: str(line[name]) for name in names}
            for metric in directive["Metrics"]:
                found = line.get(metric["Name"], [])
                values = [float(v) for v in (found if isinstance(found, list) else [found])]
                if not values:
                    continue
                place = (directive["Namespace"], metric["Name"], dimensions)
                unit = metric.get("Unit", "None")
                if unit in ("Milliseconds", "Seconds"):
                    metrics.put(*place, unit, timestamp, values=values)
                else:
                    numbers = (float(len(values)), sum(values), min(values), max(values))
                    metrics.put(*place, unit, timestamp, statistic_set=numbers)
