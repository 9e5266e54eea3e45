"""Metric math of an alarm, from a load balancer's raw counts, as our own triggers count them.

The rule is that of ``series``: a request has failed if its target answered 5xx, or if none was
reached: the larger of connection errors and, where all its target groups are the service's, the
load balancer's own 5xx. There were at least as many requests as failed ones. Of several target
groups, and of all together, the worst counts.

What CloudWatch does with gaps, and what is done about it:

- Arithmetic takes a missing point as 0, ``FILL`` says so. Whether it fills a series without any
  point is not documented: the result is the same, as arithmetic takes that as 0, too.
- ``IF(condition, series)`` is 0 where the condition holds and the series has no point: a response
  time of 0 ms, which is healthy. So each condition holds only where its series has a point.
- A count of 0 is no datapoint: with fewer requests than asked for there is none, so that no filler
  ever is one. A division by zero drops its point.
- ``MAX`` over an array is pointwise; it is over one series that it must not stand in alarms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lastgood.decisions.alarms.counting import CannotTranslateError, Counting

NAMESPACE = "AWS/ApplicationELB"
MOST_METRICS = 10
MOST_EXPRESSIONS = 10

Query = dict[str, Any]
"""A MetricDataQuery."""


def error_rate(
    balancer: str, groups: Sequence[str], counting: Counting, *, own: bool
) -> list[Query]:
    """The share of failed requests in percent.

    Args:
        balancer: the value of CloudWatch's LoadBalancer dimension.
        groups: those of TargetGroup.
        counting: the datapoint's length, and how many requests it needs.
        own: whether all target groups of the load balancer are the service's.
    """
    made = _Made(balancer, counting.period)
    names = _suffixes(groups)
    for group, name in zip(groups, names, strict=True):
        made.counts(group, name)
    if own:
        made.stat("balancer_5xx", "HTTPCode_ELB_5XX_Count", "Sum")
    several = [] if len(groups) == 1 else names
    for name in several:
        made.rate(name, [name], counting, own=False)
    if own or not several:
        made.rate("", names, counting, own=own)
    if several:
        rates = [f"error_rate{name}" for name in (*several, *([""] if own else []))]
        made.expression("worst", f"MAX([{', '.join(rates)}])", "failed requests, worst group, %")
    return made.finished()


def response_time(balancer: str, groups: Sequence[str], counting: Counting) -> list[Query]:
    """The mean response time in milliseconds."""
    made = _Made(balancer, counting.period)
    names = _suffixes(groups)
    for group, name in zip(groups, names, strict=True):
        made.stat(f"time{name}", "TargetResponseTime", "Average", group)
        text = f"1000 * time{name}"
        if counting.requests:
            made.stat(f"requests{name}", "RequestCount", "Sum", group)
            enough = f"requests{name} >= {counting.requests} AND time{name} >= 0"
            text = f"IF({enough}, {text})"
        made.expression(f"response_time{name}", text, "mean response time, ms")
    if len(groups) > 1:
        times = ", ".join(f"response_time{name}" for name in names)
        made.expression("worst", f"MAX([{times}])", "mean response time, slowest group, ms")
    return made.finished()


def healthy_hosts(balancer: str, groups: Sequence[str], period: int) -> list[Query]:
    """The healthy targets of all groups: one of them is empty while no release shifts traffic."""
    made = _Made(balancer, period)
    names = _suffixes(groups)
    for group, name in zip(groups, names, strict=True):
        made.stat(f"healthy{name}", "HealthyHostCount", "Minimum", group)
    text = " + ".join(f"healthy{name}" for name in names)
    made.expression("healthy_targets", text, "healthy targets")
    return made.finished()


def stat_dimensions(balancer: str, group: str | None) -> list[dict[str, str]]:
    """The dimensions of a load balancer, or of one of its target groups."""
    pairs = {"LoadBalancer": balancer, **({"TargetGroup": group} if group else {})}
    return dimensions(pairs)


def dimensions(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    """As the API has them, in the order of their names."""
    return [{"Name": name, "Value": value} for name, value in sorted(pairs.items())]


def _suffixes(groups: Sequence[str]) -> list[str]:
    return [""] if len(groups) == 1 else [f"_{number}" for number in range(1, len(groups) + 1)]


def _sum(name: str, suffixes: Sequence[str]) -> str:
    return " + ".join(f"FILL({name}{suffix}, 0)" for suffix in suffixes)


def _failed(suffixes: Sequence[str], *, own: bool) -> str:
    refused = _sum("connection_errors", suffixes)
    if own:
        balancer = "FILL(balancer_5xx, 0)"
        refused = f"IF({refused} > {balancer}, {refused}, {balancer})"
    return f"{_sum('target_5xx', suffixes)} + {refused}"


class _Made:
    """The queries of one alarm, the last of which is watched."""

    def __init__(self, balancer: str, period: int) -> None:
        self._balancer, self._period = balancer, period
        self._stats: list[Query] = []
        self._expressions: list[Query] = []

    def stat(self, name: str, metric: str, statistic: str, group: str | None = None) -> None:
        """Read one metric of the load balancer, or of a target group."""
        named = {
            "Namespace": NAMESPACE,
            "MetricName": metric,
            "Dimensions": stat_dimensions(self._balancer, group),
        }
        stat = {"Metric": named, "Period": self._period, "Stat": statistic}
        self._stats.append({"Id": name, "MetricStat": stat, "ReturnData": False})

    def counts(self, group: str, suffix: str) -> None:
        """Read the counts of a target group."""
        self.stat(f"requests{suffix}", "RequestCount", "Sum", group)
        self.stat(f"target_5xx{suffix}", "HTTPCode_Target_5XX_Count", "Sum", group)
        self.stat(f"connection_errors{suffix}", "TargetConnectionErrorCount", "Sum", group)

    def expression(self, name: str, text: str, label: str) -> None:
        """Compute something of what is there."""
        self._expressions.append(
            {"Id": name, "Expression": text, "Label": label, "ReturnData": False}
        )

    def rate(self, suffix: str, groups: Sequence[str], counting: Counting, *, own: bool) -> None:
        """The share of failed requests, of one group or of all."""
        counted = _sum("requests", groups)
        some, whole = f"failed{suffix}", f"total{suffix}"
        self.expression(some, _failed(groups, own=own), "failed requests")
        self.expression(whole, f"IF({counted} > {some}, {counted}, {some})", "requests")
        share = f"100 * {some} / {whole}"
        self.expression(f"error_rate{suffix}", _guarded(share, some, whole, counting), "failed, %")

    def finished(self) -> list[Query]:
        """All of it.

        Raises:
            CannotTranslateError: if it is more than an alarm can have.
        """
        if len(self._stats) > MOST_METRICS or len(self._expressions) > MOST_EXPRESSIONS:
            raise CannotTranslateError(
                f"an alarm reads {MOST_METRICS} metrics at most: name one load_balancer and "
                "target_group, or a metric of your own"
            )
        self._expressions[-1]["ReturnData"] = True
        return [*self._expressions[::-1], *self._stats]


def _guarded(share: str, some: str, whole: str, counting: Counting) -> str:
    """The share where there are enough requests; 0 where too few of them failed to be a breach."""
    if not counting.requests:
        return share
    enough = f"{whole} >= {counting.requests}"
    fine = f"IF({whole} > 0, 0)" if counting.quiet_is_fine else f"IF({enough}, 0)"
    if counting.failed:
        return f"IF({enough} AND {some} >= {counting.failed}, {share}, {fine})"
    return f"IF({enough}, {share}, {fine})" if counting.quiet_is_fine else f"IF({enough}, {share})"
