"""What is asked of CloudWatch about a service's past, and what its series become."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from lastgood.decisions.past_metrics import (
    BOUNDS,
    MOST_POINTS,
    Balanced,
    Series,
    calls_of,
    period_for,
    recording_of,
    wanted_of,
)
from lastgood.policy import Policy

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
ALONE = Balanced("app/web/1", ("targetgroup/blue/1",), exclusive=True)
BOTH = Balanced("app/web/1", ("targetgroup/blue/1", "targetgroup/green/2"))


def policy(*triggers: dict[str, object]) -> Policy:
    return Policy.model_validate({"service": "shop/web", "triggers": list(triggers)})


ERRORS = {"type": "error-rate"}
RATIO = {"namespace": "Shop", "name": "ErrorRate", "unit": "percent"}
TIME = {"namespace": "Shop", "name": "Time", "unit": "s", "statistic": "p90"}


def series(name: str, statistic: str = "Sum", group: str | None = "blue/1") -> Series:
    pairs = (("LoadBalancer", "app/web/1"),)
    if group:
        pairs += (("TargetGroup", f"targetgroup/{group}"),)
    return Series("AWS/ApplicationELB", name, pairs, statistic)


def upto(count: float, group: str = "blue/1") -> dict[Series, dict[datetime, float]]:
    wanted = [f"TC(:{bound / 1000:g})" for bound in BOUNDS]
    return {series("TargetResponseTime", one, group): {AT: count} for one in wanted}


@pytest.mark.parametrize(
    ("since", "period"), [("3h", 60), ("15d", 60), ("16d", 300), ("63d", 300), ("64d", 3600)]
)
def test_the_finest_period_that_is_kept(since: str, period: int) -> None:
    unit = {"h": "hours", "d": "days"}[since[-1]]
    assert period_for(timedelta(**{unit: int(since[:-1])})) == period


def test_calls_are_as_large_as_cloudwatch_allows() -> None:
    fortnight = 14 * 86400
    calls = calls_of(20, 1000, 960 + fortnight, 60)
    assert len(calls) == 4
    assert calls[0].begin == 960
    for call, after in pairwise(calls):
        assert call.end == after.begin
        assert len(call.numbers) * (call.end - call.begin) / 60 <= MOST_POINTS
    assert calls[-1].end == 960 + fortnight
    many = calls_of(501, 0, 3600, 60)
    assert [len(call.numbers) for call in many] == [500, 1]


def test_counts_are_joined_and_missing_errors_are_zero_only_beside_requests() -> None:
    wanted = wanted_of(policy(ERRORS), ALONE)
    later, silent = AT + timedelta(minutes=1), AT + timedelta(minutes=2)
    read = {
        series("RequestCount"): {AT: 100.0, later: 50.0},
        series("HTTPCode_Target_5XX_Count"): {AT: 3.0},
        series("TargetConnectionErrorCount"): {AT: 2.0},
        series("HTTPCode_ELB_5XX_Count", group=None): {AT: 5.0, silent: 7.0},
    }
    assert set(read) <= set(wanted.series)
    rows = recording_of(wanted, read, 60).rows
    assert [(row.requests, row.errors) for row in rows] == [(100, 8), (50, 0), (7, 7)]


def test_target_groups_are_added_up() -> None:
    read = {
        series("RequestCount"): {AT: 100.0},
        series("RequestCount", group="green/2"): {AT: 300.0},
        series("TargetResponseTime", "Average"): {AT: 0.1},
        series("TargetResponseTime", "SampleCount"): {AT: 100.0},
        series("TargetResponseTime", "Average", "green/2"): {AT: 0.3},
        series("TargetResponseTime", "SampleCount", "green/2"): {AT: 300.0},
        **upto(90.0),
        **upto(250.0, "green/2"),
    }
    recording = recording_of(wanted_of(policy(ERRORS), BOTH), read, 60)
    [row] = recording.rows
    assert row.requests == 400
    assert row.average == pytest.approx(250)
    assert row.upto == (340.0,) * len(BOUNDS)
    assert recording.columns == {"time", "requests", "errors", "latency_avg", "le"}


def test_requests_that_were_never_answered_are_not_slow() -> None:
    read = {
        series("RequestCount"): {AT: 100.0},
        series("TargetResponseTime", "Average"): {AT: 0.1},
        series("TargetResponseTime", "SampleCount"): {AT: 60.0},
        **upto(60.0),
    }
    [row] = recording_of(wanted_of(policy(ERRORS), ALONE), read, 60).rows
    assert row.upto == (100.0,) * len(BOUNDS)


def test_without_counts_of_times_there_are_none() -> None:
    read = {
        series("RequestCount"): {AT: 100.0},
        series("TargetResponseTime", "Average"): {AT: 0.1},
    }
    recording = recording_of(wanted_of(policy(ERRORS), ALONE), read, 60)
    assert recording.rows[0].upto is None
    assert recording.bounds == ()


def test_a_ratio_without_requests_is_not_judged_and_that_is_said() -> None:
    wanted = wanted_of(policy({**ERRORS, "metric": RATIO}), None)
    assert "ErrorRate is a share of an unknown number of requests" in wanted.remarks[0]
    read = {Series("Shop", "ErrorRate", (), "Average"): {AT: 4.0}}
    assert recording_of(wanted, read, 60).rows == []


def test_a_ratio_beside_a_load_balancer_is_of_its_requests() -> None:
    wanted = wanted_of(policy({**ERRORS, "metric": RATIO}), ALONE)
    read = {
        Series("Shop", "ErrorRate", (), "Average"): {AT: 4.0},
        series("RequestCount"): {AT: 200.0},
    }
    [row] = recording_of(wanted, read, 60).rows
    assert (row.requests, row.errors) == (200, 8)


def test_a_time_of_the_policys_own_is_in_milliseconds_and_its_statistic_is_said() -> None:
    wanted = wanted_of(policy({"type": "response-time", "metric": TIME}), None)
    assert "latency_avg is the p90 of Time" in wanted.remarks[0]
    [row] = recording_of(wanted, {Series("Shop", "Time", (), "p90"): {AT: 0.25}}, 60).rows
    assert (row.average, row.requests) == (250, None)


def test_counts_of_the_policys_own() -> None:
    counts = {
        name: {"namespace": "Shop", "name": name, "statistic": "Sum"}
        for name in ("requests", "errors")
    }
    wanted = wanted_of(policy({"type": "regression", "metrics": counts}), None)
    read = {Series("Shop", "requests", (), "Sum"): {AT: 9.0}}
    [row] = recording_of(wanted, read, 60).rows
    assert (row.requests, row.errors) == (9, 0)


def test_numbers_that_cannot_be_are_marked() -> None:
    read = {series("RequestCount"): {AT: float("nan")}}
    [row] = recording_of(wanted_of(policy(ERRORS), ALONE), read, 60).rows
    assert row.problem == "requests is not a finite number"


def test_what_cloudwatch_does_not_have_is_said() -> None:
    triggers = [{"type": "health-check"}, {"type": "alarm", "alarm": "x"}]
    remarks = wanted_of(policy(*triggers), ALONE).remarks
    assert [one.split(":")[0] for one in remarks] == [
        "health checks of the past are not in CloudWatch",
        "past states of alarms are not read",
    ]
