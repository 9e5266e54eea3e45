"""Metric math of our alarms, computed by the sandbox: it is what our triggers count."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastgood.decisions.alarms import expressions
from lastgood.decisions.alarms.counting import CannotTranslateError, Counting
from lastgood.decisions.series import Point, from_counts, summed
from sandbox.cloud.cloudwatch import query
from sandbox.cloud.cloudwatch.series import MetricKey

MINUTES = 4
START = datetime(2026, 1, 1, tzinfo=UTC)
COUNTS = ("RequestCount", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount")
GROUPS = ("targetgroup/a/1", "targetgroup/b/2", "targetgroup/c/3")
BALANCER = "app/shop/9"
Column = list[int | None]
"""A count for each minute; None: CloudWatch has nothing."""

columns = st.lists(
    st.one_of(st.none(), st.integers(0, 3), st.integers(0, 60)),
    min_size=MINUTES,
    max_size=MINUTES,
)
groups_of_columns = st.lists(st.tuples(columns, columns, columns), min_size=1, max_size=2)


def computed(
    queries: Sequence[Mapping[str, Any]],
    known: Mapping[tuple[str, str], Column],
    *,
    fills_nothing: bool = False,
) -> dict[int, float]:
    """What CloudWatch computes for each minute, of metrics by name and target group.

    ``fills_nothing``: as if FILL left a series alone that has no point at all, which AWS does not
    document.
    """

    def read(key: MetricKey, *_: object) -> dict[float, float]:
        group = dict(key.dimensions).get("TargetGroup", "")
        column = known.get((key.name, group), [])
        return {60.0 * n: float(one) for n, one in enumerate(column) if one is not None}

    if fills_nothing:
        queries = [_unfilled(one, known, queries) for one in queries]
    results = query.run(queries, query.Span(0.0, 60.0 * MINUTES), read)
    [watched] = [one["Id"] for one in queries if query.returns_data(one)]
    return {round(at / 60): value for at, value in results[watched].items()}


def _unfilled(
    one: Mapping[str, Any], known: Mapping[tuple[str, str], Column], queries: Sequence[Any]
) -> Mapping[str, Any]:
    if "Expression" not in one:
        return one
    text = one["Expression"]
    for stat in (each for each in queries if "MetricStat" in each):
        metric = stat["MetricStat"]["Metric"]
        pairs = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
        column = known.get((metric["MetricName"], pairs.get("TargetGroup", "")), [])
        if all(value is None for value in column):
            text = text.replace(f"FILL({stat['Id']}, 0)", stat["Id"])
    return {**one, "Expression": text}


def series(column: Column) -> dict[datetime, float]:
    return {START + timedelta(minutes=n): float(v) for n, v in enumerate(column) if v is not None}


def expected(points: Sequence[Sequence[Point]], counting: Counting) -> dict[int, float]:
    """For each minute the worst of what has enough requests, in percent."""
    worst: dict[int, float] = {}
    for point in (one for some in points for one in some):
        minute = round((point.start - START) / timedelta(minutes=1))
        share = point.value or 0.0
        failed = round(share * point.weight)
        if point.weight < counting.requests and not counting.quiet_is_fine:
            continue
        fine = failed < counting.failed or point.weight < counting.requests
        worst[minute] = max(worst.get(minute, 0.0), 0.0 if fine else 100 * share)
    return worst


def same(one: Mapping[int, float], other: Mapping[int, float]) -> bool:
    return one.keys() == other.keys() and all(math.isclose(one[n], other[n]) for n in one)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("fills_nothing", [True, False])
@pytest.mark.parametrize(
    ("requests", "failed", "quiet_is_fine"),
    [(10, 2, False), (10, 2, True), (10, 0, False), (0, 0, False)],
)
@settings(max_examples=25, deadline=None)
@given(groups=groups_of_columns, balancer=columns)
def test_the_error_rate_is_what_our_triggers_count(
    own: bool,
    fills_nothing: bool,
    requests: int,
    failed: int,
    quiet_is_fine: bool,
    groups: list[tuple[Column, Column, Column]],
    balancer: Column,
) -> None:
    counting = Counting(60, 3, 4, "notBreaching", requests, failed, quiet_is_fine)
    known: dict[tuple[str, str], Column] = {("HTTPCode_ELB_5XX_Count", ""): balancer}
    for name, three in zip(GROUPS, groups, strict=False):
        known |= {(metric, name): column for metric, column in zip(COUNTS, three, strict=True)}
    queries = expressions.error_rate(BALANCER, GROUPS[: len(groups)], counting, own=own)
    three_of = [[series(column) for column in three] for three in groups]
    points = [from_counts(asked, (bad,), refused) for asked, bad, refused in three_of]
    if own:
        whole = [summed(some) for some in zip(*three_of, strict=True)]
        everything = from_counts(whole[0], (whole[1],), whole[2], series(balancer))
        points = [everything] if len(groups) == 1 else [*points, everything]
    found = computed(queries, known, fills_nothing=fills_nothing)
    assert same(found, expected(points, counting)), found


@pytest.mark.parametrize("requests", [0, 10])
@settings(max_examples=25, deadline=None)
@given(groups=st.lists(st.tuples(columns, columns), min_size=1, max_size=3))
def test_a_response_time_that_is_missing_is_never_0(
    requests: int, groups: list[tuple[Column, Column]]
) -> None:
    """IF(condition, series) would be 0 there, which looks healthy."""
    counting = Counting(60, 3, 3, "notBreaching", requests)
    known, wanted = {}, dict[int, float]()
    for name, (times, counts) in zip(GROUPS, groups, strict=False):
        known |= {("TargetResponseTime", name): times, ("RequestCount", name): counts}
        for minute, (time, count) in enumerate(zip(times, counts, strict=True)):
            if time is not None and (count or 0) >= requests:
                wanted[minute] = max(wanted.get(minute, 0.0), 1000.0 * time)
    queries = expressions.response_time(BALANCER, GROUPS[: len(groups)], counting)
    assert same(computed(queries, known), wanted)


def test_healthy_targets_of_both_groups_are_added_up() -> None:
    """While nothing is released, one of them has no target and no datapoint."""
    queries = expressions.healthy_hosts(BALANCER, GROUPS[:2], 60)
    known: dict[tuple[str, str], Column] = {
        ("HealthyHostCount", GROUPS[0]): [2, 1, 0, None],
        ("HealthyHostCount", GROUPS[1]): [None, 1, 0, None],
    }
    assert computed(queries, known) == {0: 2, 1: 2, 2: 0}


def test_as_many_metrics_as_an_alarm_can_have_and_no_more() -> None:
    counting = Counting(60, 3, 4, "notBreaching", 10, 2)
    for groups, own in ((1, True), (2, True), (3, False)):
        made = expressions.error_rate(BALANCER, GROUPS[:groups], counting, own=own)
        assert sum("MetricStat" in one for one in made) <= 10
        assert sum("Expression" in one for one in made) <= 10
        assert [one["ReturnData"] for one in made].count(True) == 1
        assert all(len(one.get("Expression", "")) <= 1024 for one in made)
    with pytest.raises(CannotTranslateError, match="10 metrics at most"):
        expressions.error_rate(BALANCER, GROUPS, counting, own=True)
