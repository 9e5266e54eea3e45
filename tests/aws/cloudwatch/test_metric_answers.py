"""How we read metrics: in one call, with what an answer says about itself taken at its word."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.cloudwatch import CloudWatchActivities
from lastgood.contracts import MetricProbe, MetricSource, Tally, WatchedTrigger
from lastgood.model import Reading, Status
from lastgood.policy_triggers import ErrorRateTrigger, ResponseTimeTrigger
from sandbox.cloud.cloudwatch import MetricEngine
from tests.aws.cloudwatch.conftest import Tampered
from tests.aws.conftest import REGION, Attempt, watch_order

SECOND = timedelta(seconds=1)
BALANCER = {"LoadBalancer": "app/web/1"}
GROUP = {**BALANCER, "TargetGroup": "targetgroup/web/1"}
ALB = "AWS/ApplicationELB"


def custom(name: str, key: str = "0", **trigger: Any) -> WatchedTrigger:
    return WatchedTrigger(
        key=key,
        trigger=ErrorRateTrigger.model_validate({"duration": "3s", **trigger}),
        source=MetricSource(
            kind="metric", namespace="Shop", name=name, dimensions={"Service": "web"}
        ),
    )


def balanced(kind: type[Any] = ErrorRateTrigger, key: str = "0", **source: Any) -> WatchedTrigger:
    given = {"kind": "load-balancer", "namespace": ALB, "dimensions": GROUP, **source}
    trigger = kind.model_validate({"duration": "3s"})
    return WatchedTrigger(key=key, trigger=trigger, source=MetricSource.model_validate(given))


@pytest.fixture
def end() -> datetime:
    """A whole second that is just over."""
    return datetime.fromtimestamp(int(time.time()), UTC)


def publish(
    engine: MetricEngine, name: str, value: float, end: datetime, seconds: int = 10
) -> None:
    for n in range(1, seconds + 1):
        dimensions = {"Service": "web"}
        engine.put("Shop", name, dimensions, "None", end.timestamp() - n, values=[value])


async def look(
    activities: CloudWatchActivities, end: datetime, *triggers: WatchedTrigger, **keys: Any
) -> tuple[Tally, ...]:
    """A watch of the ten seconds that have just ended: one look."""
    begin = end - 10 * SECOND
    order = watch_order(
        *triggers, **{"since": begin, "covers_from": begin, "until": end, "goal": "recovery"} | keys
    )
    return (await Attempt().run(activities.watch_metrics, order)).tallies


# --- One call ----------------------------------------------------------------------------------


async def test_all_metrics_of_a_watch_are_read_by_one_call(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered, end: datetime
) -> None:
    publish(engine, "Errors", 0.01, end, seconds=200)
    begin = end - 200 * SECOND
    tallies = await look(
        activities,
        end,
        custom("Errors", "0"),
        custom("Errors", "1", duration="2m"),
        balanced(ResponseTimeTrigger, "2", statistic="p99"),
        balanced(ErrorRateTrigger, "3", load_balancer=BALANCER),
        since=begin,
        covers_from=begin,
    )
    assert [one.reading for one in tallies] == [*[Reading.HEALTHY] * 2, *[Reading.NO_DATA] * 2]
    [asked] = tampered.calls("get_metric_data")
    names = [one["MetricStat"]["Metric"]["MetricName"] for one in asked["MetricDataQueries"]]
    assert names == [
        *("Errors", "Errors", "TargetResponseTime", "RequestCount"),
        *("HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount", "HTTPCode_ELB_5XX_Count"),
    ]
    # Whole for the longest period, and early enough for the longest stretch.
    start = asked["StartTime"].replace(tzinfo=UTC)
    assert begin - timedelta(minutes=1) < start <= begin
    assert start.timestamp() % 60 == 0


async def test_more_series_than_a_call_may_have_are_split(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered, end: datetime
) -> None:
    publish(engine, "Errors", 0.01, end)
    groups = [balanced(key=str(n)) for n in range(170)]
    tallies = await look(activities, end, *groups, custom("Errors", "last"))
    sizes = [len(asked["MetricDataQueries"]) for asked in tampered.calls("get_metric_data")]
    assert sizes == [500, 11]
    assert tallies[-1].reading is Reading.HEALTHY


# --- Pages and what they say -------------------------------------------------------------------


async def test_what_is_partial_on_one_page_is_complete_on_a_later_one(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered, end: datetime
) -> None:
    publish(engine, "Errors", 0.4, end)
    publish(engine, "Other", 0.01, end)
    tampered.question = {"MaxDatapoints": 7}
    bad, good = await look(activities, end, custom("Errors", "0"), custom("Other", "1"))
    assert len(tampered.calls("get_metric_data")) == 3
    assert bad.failing
    assert len(bad.failing.evidence) == 3
    assert (good.reading, good.conclusion and good.conclusion.status) == (
        Reading.HEALTHY,
        Status.PASS,
    )


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden", "Confused"])
async def test_an_incomplete_result_is_an_error_of_its_trigger_alone(
    activities: CloudWatchActivities,
    engine: MetricEngine,
    tampered: Tampered,
    end: datetime,
    status: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("activities.watch.GRACE", timedelta(0))
    publish(engine, "Errors", 0.9, end)
    publish(engine, "Other", 0.01, end)

    def spoil(answer: dict[str, Any]) -> None:
        answer["MetricDataResults"][0]["StatusCode"] = status
        answer["MetricDataResults"][0]["Messages"] = [{"Code": "Oops", "Value": "a shard is gone"}]
        answer["Messages"] = [{"Code": "Slow", "Value": "come back later"}]

    tampered.answers["get_metric_data"] = spoil
    bad, good = await look(activities, end, custom("Errors", "0"), custom("Other", "1"))
    assert (bad.reading, bad.failing) == (Reading.ERROR, None)
    assert bad.latest == (
        f"cloudwatch:GetMetricData answered {status} for Errors: the numbers are not complete "
        "(Oops: a shard is gone; Slow: come back later)."
    )
    assert bad.conclusion
    assert bad.conclusion.status == Status.INCONCLUSIVE
    assert (good.reading, good.conclusion and good.conclusion.status) == (
        Reading.HEALTHY,
        Status.PASS,
    )
    with pytest.raises(ApplicationError, match="a shard is gone") as caught:
        await Attempt().run(
            activities.get_metric_data, MetricProbe(region=REGION, trigger=custom("Errors"))
        )
    assert (caught.value.type, caught.value.non_retryable) == (status, status == "Forbidden")


async def test_an_internal_error_on_a_page_is_not_made_good_by_the_next(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered, end: datetime
) -> None:
    publish(engine, "Errors", 0.01, end)
    tampered.question = {"MaxDatapoints": 7}

    def spoil(answer: dict[str, Any]) -> None:
        if "NextToken" in answer:
            answer["MetricDataResults"][0]["StatusCode"] = "InternalError"

    tampered.answers["get_metric_data"] = spoil
    with pytest.raises(ApplicationError, match="answered InternalError for Errors"):
        await Attempt().run(
            activities.get_metric_data, MetricProbe(region=REGION, trigger=custom("Errors"))
        )


async def test_a_result_that_is_not_in_the_answer_is_an_error(
    activities: CloudWatchActivities, tampered: Tampered
) -> None:
    tampered.answers["get_metric_data"] = lambda answer: answer["MetricDataResults"].clear()
    with pytest.raises(ApplicationError, match="answered NoAnswer for Errors") as caught:
        await Attempt().run(
            activities.get_metric_data, MetricProbe(region=REGION, trigger=custom("Errors"))
        )
    assert not caught.value.non_retryable


# --- Numbers that cannot be --------------------------------------------------------------------


async def test_values_without_times_are_an_error(
    activities: CloudWatchActivities,
    engine: MetricEngine,
    tampered: Tampered,
    end: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("activities.watch.GRACE", timedelta(0))
    publish(engine, "Errors", 0.9, end)
    tampered.answers["get_metric_data"] = lambda answer: answer["MetricDataResults"][0][
        "Timestamps"
    ].pop()
    [tally] = await look(activities, end, custom("Errors"))
    assert (tally.reading, tally.failing) == (Reading.ERROR, None)
    assert "answered 9 times and 10 values for Errors: they cannot be used" in tally.latest


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "not a finite number"),
        (float("inf"), "not a finite number"),
        (float("-inf"), "not a finite number"),
        (-0.5, "-0.5 is negative"),
        (7.0, "7 is no ratio"),
    ],
)
async def test_a_number_that_cannot_be_is_an_error_and_says_so(
    activities: CloudWatchActivities,
    engine: MetricEngine,
    tampered: Tampered,
    end: datetime,
    value: float,
    said: str,
) -> None:
    publish(engine, "Errors", 0.01, end)

    def spoil(answer: dict[str, Any]) -> None:
        values = answer["MetricDataResults"][0]["Values"]
        values[:] = [value] * len(values)

    tampered.answers["get_metric_data"] = spoil
    [tally] = await look(activities, end, custom("Errors"))
    assert (tally.reading, tally.failing) == (Reading.ERROR, None)
    assert said in tally.latest
    assert tally.conclusion
    assert tally.conclusion.status == Status.INCONCLUSIVE


async def test_an_answer_that_makes_no_sense_at_all_does_not_end_a_watch(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered, end: datetime
) -> None:
    publish(engine, "Errors", 0.01, end)
    once = iter([True])

    def spoil(answer: dict[str, Any]) -> None:
        if next(once, False):
            del answer["MetricDataResults"][0]["Id"]

    tampered.answers["get_metric_data"] = spoil
    [tally] = await look(activities, end, custom("Errors"))
    assert (tally.error, tally.reading) == (1, Reading.HEALTHY)


# --- A load balancer's errors together ---------------------------------------------------------

TARGET, REFUSED, OWN = (
    "HTTPCode_Target_5XX_Count",
    "TargetConnectionErrorCount",
    "HTTPCode_ELB_5XX_Count",
)


def count(
    engine: MetricEngine, dimensions: dict[str, str], counts: dict[str, int], end: datetime
) -> None:
    for name, number in counts.items():
        for n in range(1, 11):
            values = [1.0] * number or [0.0]
            engine.put(ALB, name, dimensions, "Count", end.timestamp() - n, values=values)


@pytest.mark.parametrize(
    ("group", "own", "rate"),
    [
        # Dead targets: no target answers, so none answers 5xx.
        ({"RequestCount": 10, TARGET: 0, REFUSED: 10}, {OWN: 10}, 1.0),
        # No target is left to connect to: nothing at all is counted of the group.
        ({}, {OWN: 10}, 1.0),
        # A connection error is the load balancer's 502, too.
        ({"RequestCount": 10, TARGET: 1, REFUSED: 2}, {OWN: 2}, 0.3),
        # Time-outs are no connection errors.
        ({"RequestCount": 10, REFUSED: 1}, {OWN: 4}, 0.4),
        ({"RequestCount": 10}, {}, 0.0),
        ({"RequestCount": 0}, {}, None),
    ],
)
async def test_failed_requests_are_counted_once(
    activities: CloudWatchActivities,
    engine: MetricEngine,
    end: datetime,
    group: dict[str, int],
    own: dict[str, int],
    rate: float | None,
) -> None:
    count(engine, GROUP, group, end)
    count(engine, BALANCER, own, end)
    [tally] = await look(activities, end, balanced(load_balancer=BALANCER), goal="breach")
    assert tally.value == (None if rate is None else pytest.approx(rate))
    assert bool(tally.failing) == bool(rate)


async def test_a_shared_load_balancers_errors_are_not_the_services(
    activities: CloudWatchActivities, engine: MetricEngine, end: datetime
) -> None:
    count(engine, GROUP, {"RequestCount": 10}, end)
    count(engine, BALANCER, {OWN: 10}, end)
    [tally] = await look(activities, end, balanced())
    assert tally.value == 0.0


async def test_with_two_groups_the_load_balancers_errors_are_those_of_both(
    activities: CloudWatchActivities, engine: MetricEngine, end: datetime
) -> None:
    """The five requests of the new tasks did not fail ten times."""
    other = {**BALANCER, "TargetGroup": "targetgroup/green/2"}
    count(engine, GROUP, {"RequestCount": 95}, end)
    count(engine, other, {"RequestCount": 5}, end)
    count(engine, BALANCER, {OWN: 10}, end)
    watched = balanced(load_balancer=BALANCER, further=(other,))
    [tally] = await look(activities, end, watched)
    assert tally.value == pytest.approx(0.1)
    count(engine, other, {TARGET: 4}, end)
    [tally] = await look(activities, end, watched)
    assert tally.value == pytest.approx(0.8)
