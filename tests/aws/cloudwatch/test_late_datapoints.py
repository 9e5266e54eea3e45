"""A window does not end before its last datapoint was readable, and a late one still counts."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.cloudwatch import CloudWatchActivities
from lastgood.contracts import MetricSource, WatchedTrigger, WatchOrder, WatchReport
from lastgood.model import Status
from lastgood.policy_triggers import ErrorRateTrigger
from sandbox.cloud.cloudwatch import MetricEngine
from sandbox.cloud.cloudwatch.errors import CloudWatchError
from tests.aws.cloudwatch.conftest import Tampered
from tests.aws.conftest import Attempt, now, remembered, watch_order

SECOND = timedelta(seconds=1)
LONG = 30 * SECOND


def whole_second() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)


def watched(delay: timedelta, **trigger: Any) -> WatchedTrigger:
    source = MetricSource(
        kind="metric",
        namespace="Shop",
        name="Errors",
        dimensions={"Service": "web"},
        delay=delay,
    )
    given = {"duration": "3s", **trigger}
    return WatchedTrigger(key="0", trigger=ErrorRateTrigger.model_validate(given), source=source)


def publish(
    engine: MetricEngine, first: datetime, count: int, value: float, name: str = "Errors"
) -> None:
    for n in range(count):
        at = first.timestamp() + n
        engine.put("Shop", name, {"Service": "web"}, "None", at, values=[value])


def window(delay: timedelta, **keys: Any) -> WatchOrder:
    """A watch of the ten seconds that have just ended, by the time of the data."""
    end = whole_second()
    begin = end - 10 * SECOND
    return watch_order(
        watched(delay), **{"since": begin, "covers_from": begin, "until": end} | keys
    )


async def run(activities: CloudWatchActivities, order: WatchOrder) -> WatchReport:
    async with asyncio.timeout(LONG.total_seconds() * 2):
        return await Attempt().run(activities.watch_metrics, order)


async def test_a_window_whose_data_is_complete_ends_at_once(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered
) -> None:
    order = window(LONG)
    publish(engine, order.since, 10, 0.01)
    report = await run(activities, order)
    assert [one.status for one in report.verdicts] == [Status.PASS]
    assert now() < order.until + LONG / 2
    assert len(tampered.calls("get_metric_data")) == 1


async def test_datapoints_that_are_late_are_waited_for(
    activities: CloudWatchActivities, engine: MetricEngine
) -> None:
    order = window(LONG)
    publish(engine, order.since, 10, 0.01)
    engine.publish_delay = 3.5
    report = await run(activities, order)
    assert [one.status for one in report.verdicts] == [Status.PASS]
    assert "data for 100% of the window" in report.verdicts[0].reason
    assert order.until + 2 * SECOND < now() < order.until + LONG


async def test_a_breach_that_is_published_after_the_window_fires(
    activities: CloudWatchActivities, engine: MetricEngine
) -> None:
    """Its last seconds were bad, and nobody could see it yet."""
    order = window(LONG)
    publish(engine, order.since, 6, 0.01)
    publish(engine, order.since + 6 * SECOND, 4, 0.4)
    engine.publish_delay = 5.0
    report = await run(activities, order)
    assert report.fired
    assert order.since + 9 * SECOND <= report.fired.at <= order.until


async def test_what_happened_after_the_window_does_not_count(
    activities: CloudWatchActivities, engine: MetricEngine
) -> None:
    order = window(2 * SECOND)
    publish(engine, order.since, 9, 0.01)  # the last second stays silent
    publish(engine, order.until, 5, 0.9)
    report = await run(activities, order)
    assert (report.fired, [one.status for one in report.verdicts]) == (None, [Status.PASS])
    assert "data for 90% of the window" in report.verdicts[0].reason
    assert order.until + 2 * SECOND <= now()


async def test_data_that_never_comes_is_waited_for_no_longer_than_its_delay(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered
) -> None:
    order = window(2 * SECOND, interval=timedelta(milliseconds=10))
    watch = Attempt()
    report = await watch.run(activities.watch_metrics, order)
    said = "error-rate: no recent datapoint; its last datapoint is waited for"
    assert watch.heartbeats[-1]["watching"] == [said]
    assert [one.status for one in report.verdicts] == [Status.INCONCLUSIVE]
    assert order.until + 2 * SECOND <= now() < order.until + LONG / 2
    assert 2 <= len(tampered.calls("get_metric_data")) <= 23  # not every ten milliseconds


async def test_no_requests_are_data(activities: CloudWatchActivities, engine: MetricEngine) -> None:
    """A count of zero says that CloudWatch has come that far."""
    order = window(LONG)
    group = {"TargetGroup": "targetgroup/web/1"}
    source = MetricSource(
        kind="load-balancer", namespace="AWS/ApplicationELB", dimensions=group, delay=LONG
    )
    for n in range(10):
        at = order.since.timestamp() + n
        engine.put("AWS/ApplicationELB", "RequestCount", group, "Count", at, values=[0.0])
    quiet = order.triggers[0].model_copy(update={"source": source})
    report = await run(activities, order.model_copy(update={"triggers": (quiet,)}))
    assert [one.status for one in report.verdicts] == [Status.INCONCLUSIVE]
    assert now() < order.until + LONG / 2


async def test_a_window_without_a_whole_datapoint_waits_for_none(
    activities: CloudWatchActivities,
) -> None:
    end = whole_second()
    order = watch_order(
        watched(LONG, duration="1h", period="1h"),
        since=end - SECOND,
        covers_from=end - SECOND,
        until=end,
    )
    await run(activities, order)
    assert now() < order.until + LONG / 2


@pytest.mark.parametrize("keys", [{"goal": "recovery"}, {"patient": False}])
async def test_a_verification_and_a_check_wait_for_nothing(
    activities: CloudWatchActivities, tampered: Tampered, keys: dict[str, Any]
) -> None:
    await run(activities, window(LONG, **keys))
    assert len(tampered.calls("get_metric_data")) == 1


@pytest.mark.parametrize("whole", [True, False])
async def test_an_outage_while_data_is_waited_for_decides_nothing(
    activities: CloudWatchActivities, engine: MetricEngine, tampered: Tampered, whole: bool
) -> None:
    """What the look before concluded was not the whole window."""
    order = window(2 * SECOND)
    publish(engine, order.since, 6, 0.01)
    looks = iter(range(100))

    def spoil(answer: dict[str, Any]) -> None:
        if next(looks) >= 1 and now() < order.until + 4 * SECOND:
            if whole:
                raise CloudWatchError("InternalServiceFault", "try again")
            answer["MetricDataResults"][0]["StatusCode"] = "InternalError"
        elif now() >= order.until + 4 * SECOND:
            publish(engine, order.since + 6 * SECOND, 4, 0.01)

    tampered.answers["get_metric_data"] = spoil
    report = await run(activities, order)
    assert [one.status for one in report.verdicts] == [Status.PASS]
    assert now() >= order.until + 4 * SECOND


async def test_a_datapoint_that_grows_later_is_judged_anew(
    activities: CloudWatchActivities, engine: MetricEngine
) -> None:
    """What was good twenty seconds ago turns out to have been bad; nothing happened since."""
    end = whole_second()
    begin = end - 600 * SECOND
    publish(engine, begin, 600, 0.0)
    order = watch_order(watched(LONG), since=begin, covers_from=begin, until=end + 10 * LONG)
    watch, seen = Attempt(), asyncio.Event()
    watch.after = lambda: seen.set() if remembered(watch.heartbeats)[0].healthy > 1 else None
    running = asyncio.create_task(watch.run(activities.watch_metrics, order))
    await seen.wait()
    bad = end - 20 * SECOND
    publish(engine, bad, 3, 0.4)  # now their mean is 0.2
    async with asyncio.timeout(LONG.total_seconds()):
        report = await running
    assert report.fired
    assert (report.fired.value, report.fired.at) == (pytest.approx(0.2), bad + 3 * SECOND)
