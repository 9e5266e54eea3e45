"""Series and alarms as CloudWatch answers them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients import AwsClients
from activities.cloudwatch import CloudWatchActivities
from activities.metric_series import points_of, queries_of
from lastgood.contracts import AlarmQuery, MetricProbe, MetricSource, Tally, WatchedTrigger
from lastgood.decisions.series import floor_to
from lastgood.model import Reading
from lastgood.policy_triggers import AlarmTrigger, ErrorRateTrigger, ResponseTimeTrigger
from sandbox import Sandbox
from tests.aws.conftest import REGION, Attempt, now, unique, watch_order

pytestmark = pytest.mark.usefixtures("calm")
Client = Callable[[str], Any]
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def cloudwatch(clients: AwsClients) -> CloudWatchActivities:
    return CloudWatchActivities(clients)


def error_rate(namespace: str, **keys: Any) -> WatchedTrigger:
    source = {"kind": "metric", "namespace": namespace, "name": "Errors", "dimensions": {"S": "x"}}
    trigger = {"threshold": 0.05, "duration": "3s", **keys.pop("trigger", {})}
    return WatchedTrigger(
        key="0 error-rate",
        trigger=ErrorRateTrigger.model_validate(trigger),
        source=MetricSource.model_validate({**source, **keys}),
    )


def put(
    plain_client: Client, namespace: str, values: list[float | None], end: datetime, name: str
) -> None:
    """One datapoint a second, the last one just before ``end``."""
    first = end - len(values) * SECOND
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "S", "Value": "x"}],
            "Timestamp": first + n * SECOND,
            "Value": value,
            "StorageResolution": 1,
        }
        for n, value in enumerate(values)
        if value is not None
    ]
    plain_client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


async def look(
    cloudwatch: CloudWatchActivities, *triggers: WatchedTrigger, **keys: Any
) -> tuple[Tally, ...]:
    """A watch whose window has just ended: one look."""
    moment = floor_to(now(), SECOND)
    order = watch_order(
        *triggers,
        since=moment - 10 * SECOND,
        covers_from=moment - 10 * SECOND,
        until=moment,
        **keys,
    )
    return (await Attempt().run(cloudwatch.watch_metrics, order)).tallies


@pytest.mark.parametrize(
    ("values", "fires", "status"),
    [
        ([0.4] * 10, True, "fail"),
        ([0.01] * 10, False, "pass"),
        ([0.05] * 10, False, "pass"),
        ([0.4, 0.4, 0.01] * 3 + [0.01], False, "pass"),
        ([None] * 6 + [0.01] * 4, False, "inconclusive"),
        ([8.0] * 10, False, "inconclusive"),
    ],
)
async def test_a_metric_of_ones_own(
    cloudwatch: CloudWatchActivities,
    plain_client: Client,
    values: list[float | None],
    fires: bool,
    status: str,
) -> None:
    namespace = unique("Shop")
    put(plain_client, namespace, values, floor_to(now(), SECOND) + SECOND, "Errors")
    [tally] = await look(cloudwatch, error_rate(namespace))
    assert tally.conclusion
    assert (bool(tally.failing), tally.conclusion.status) == (fires, status)


async def test_units(cloudwatch: CloudWatchActivities, plain_client: Client) -> None:
    namespace, end = unique("Shop"), floor_to(now(), SECOND) + SECOND
    put(plain_client, namespace, [40.0] * 10, end, "Errors")
    [tally] = await look(cloudwatch, error_rate(namespace, scale=0.01))
    assert tally.failing
    assert tally.failing.value == pytest.approx(0.4)


async def test_no_metric_at_all_is_no_data(cloudwatch: CloudWatchActivities) -> None:
    [tally] = await look(cloudwatch, error_rate(unique("Nobody")))
    assert (tally.reading, tally.failing, tally.value) == (Reading.NO_DATA, None, None)
    assert tally.conclusion
    assert tally.conclusion.status == "inconclusive"


def balanced(trigger: ErrorRateTrigger | ResponseTimeTrigger, group: str) -> WatchedTrigger:
    source = MetricSource(
        kind="load-balancer",
        namespace="AWS/ApplicationELB",
        dimensions={"S": "x", "TargetGroup": group},
        scale=1000.0 if isinstance(trigger, ResponseTimeTrigger) else 1.0,
    )
    return WatchedTrigger(key=f"0 {trigger.type}", trigger=trigger, source=source)


def put_counts(
    plain_client: Client, group: str, counts: dict[str, float], end: datetime, seconds: int = 10
) -> None:
    dimensions = [{"Name": "S", "Value": "x"}, {"Name": "TargetGroup", "Value": group}]
    data = [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": end - n * SECOND,
            "Value": value,
            "StorageResolution": 1,
        }
        for name, value in counts.items()
        for n in range(1, seconds + 1)
    ]
    plain_client("cloudwatch").put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)


@pytest.mark.parametrize(
    ("counts", "rate"),
    [
        ({"RequestCount": 10, "HTTPCode_Target_5XX_Count": 4}, 0.4),
        ({"RequestCount": 10}, 0.0),  # errors are reported only where there are some
        ({"RequestCount": 10, "TargetConnectionErrorCount": 3}, 0.3),
        (
            {
                "RequestCount": 10,
                "TargetConnectionErrorCount": 1,
                "HTTPCode_Target_5XX_Count": 1,
            },
            0.2,
        ),
        ({"TargetConnectionErrorCount": 5}, 1.0),
        ({}, None),
    ],
)
async def test_the_error_rate_of_a_load_balancer_is_a_ratio_of_counts(
    cloudwatch: CloudWatchActivities,
    plain_client: Client,
    counts: dict[str, float],
    rate: float | None,
) -> None:
    group = unique("targetgroup/web")
    if counts:
        put_counts(plain_client, group, counts, floor_to(now(), SECOND) + SECOND)
    trigger = ErrorRateTrigger.model_validate({"duration": "3s"})
    [tally] = await look(cloudwatch, balanced(trigger, group))
    assert tally.value == (None if rate is None else pytest.approx(rate))
    assert bool(tally.failing) == bool(rate)


async def test_the_response_time_of_a_load_balancer_is_in_seconds(
    cloudwatch: CloudWatchActivities, plain_client: Client
) -> None:
    group, end = unique("targetgroup/web"), floor_to(now(), SECOND) + SECOND
    put_counts(plain_client, group, {"TargetResponseTime": 3.0}, end)
    trigger = ResponseTimeTrigger.model_validate({"duration": "3s", "threshold": "1s"})
    [tally] = await look(cloudwatch, balanced(trigger, group))
    assert tally.failing
    assert tally.failing.value == pytest.approx(3000)


async def test_a_metric_is_probed(cloudwatch: CloudWatchActivities, plain_client: Client) -> None:
    namespace = unique("Shop")
    put(plain_client, namespace, [0.01] * 4, floor_to(now(), SECOND), "Errors")
    for watched, count in ((error_rate(namespace), 4), (error_rate(unique("Nobody")), 0)):
        probe = MetricProbe(region=REGION, trigger=watched)
        facts = await Attempt().run(cloudwatch.get_metric_data, probe)
        assert facts.datapoints == count


async def test_a_metric_that_must_not_be_read(
    cloudwatch: CloudWatchActivities, calm: Sandbox
) -> None:
    calm.deny("GetMetricData", times=1)
    probe = MetricProbe(region=REGION, trigger=error_rate("Shop"))
    with pytest.raises(ApplicationError) as caught:
        await Attempt().run(cloudwatch.get_metric_data, probe)
    assert caught.value.message.startswith("cloudwatch:GetMetricData: ")
    assert caught.value.non_retryable


# --- Answers in pages, or incomplete -----------------------------------------------------------


class _Pages:
    """GetMetricData, answering with prepared pages; notes what it was asked."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._pages = list(pages)

    def __call__(self, service: str, region: str) -> Any:
        return self

    def get_metric_data(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        page = self._pages.pop(0) if self._pages else {}
        ids = [query["Id"] for query in arguments["MetricDataQueries"]]
        results = [
            {"Id": ident, "Timestamps": [], "Values": [], "StatusCode": "Complete"}
            | page.get(n, {})
            for n, ident in enumerate(ids)
        ]
        token = {"NextToken": page["next"]} if "next" in page else {}
        return {"MetricDataResults": results, **token}


def some_point(second: int) -> dict[str, Any]:
    moment = floor_to(now(), SECOND) - second * SECOND
    return {"Timestamps": [moment], "Values": [0.01]}


async def test_all_pages_are_read() -> None:
    pages = _Pages(
        {0: {**some_point(9), "StatusCode": "PartialData"}, "next": "2"},
        {0: some_point(8), "next": "3"},
        {0: some_point(7)},
    )
    probe = MetricProbe(region=REGION, trigger=error_rate("Shop"))
    facts = await Attempt().run(CloudWatchActivities(pages).get_metric_data, probe)
    assert facts.datapoints == 3
    assert [asked.get("NextToken") for asked in pages.asked] == [None, "2", "3"]


@pytest.mark.parametrize(
    ("status", "final"), [("PartialData", False), ("InternalError", False), ("Forbidden", True)]
)
async def test_an_incomplete_answer_is_an_error(status: str, final: bool) -> None:
    pages = _Pages({0: {**some_point(9), "StatusCode": status}})
    probe = MetricProbe(region=REGION, trigger=error_rate("Shop"))
    with pytest.raises(ApplicationError, match="not complete") as caught:
        await Attempt().run(CloudWatchActivities(pages).get_metric_data, probe)
    assert (caught.value.type, caught.value.non_retryable) == (status, final)


async def test_datapoints_of_seconds_are_asked_for_only_while_they_are_kept() -> None:
    """CloudWatch gives none at all if the start is more than three hours ago."""
    pages = _Pages()
    fine = error_rate("Fine")
    coarse = error_rate("Coarse", trigger={"duration": "5m"})
    moment = now()
    begin = moment - timedelta(hours=8)
    order = watch_order(
        fine, coarse.model_copy(update={"key": "1"}), since=begin, covers_from=begin, until=moment
    )
    await Attempt().run(CloudWatchActivities(pages).watch_metrics, order)
    starts = {
        query["MetricStat"]["Period"]: asked["StartTime"]
        for asked in pages.asked
        for query in asked["MetricDataQueries"]
    }
    assert starts[1] > moment - timedelta(hours=3)
    assert starts[60] == floor_to(begin, timedelta(minutes=1))


async def test_every_start_is_a_whole_period() -> None:
    """Otherwise CloudWatch's buckets are not ours."""
    pages = _Pages()
    triggers = [
        error_rate("N", trigger={"duration": "30m", "period": period})
        for period in ("2m", "3m", "7m")
    ]
    keyed = [one.model_copy(update={"key": str(n)}) for n, one in enumerate(triggers)]
    order = watch_order(*keyed, until=now())
    await Attempt().run(CloudWatchActivities(pages).watch_metrics, order)
    for asked in pages.asked:
        for query in asked["MetricDataQueries"]:
            assert asked["StartTime"].timestamp() % query["MetricStat"]["Period"] == 0


def test_both_target_groups_are_asked_and_the_worse_one_counts() -> None:
    """While traffic shifts, the few requests of the new tasks are in a group of their own."""
    one, other = ({"LoadBalancer": "app/a/1", "TargetGroup": group} for group in ("blue", "green"))
    watched = error_rate("N", kind="load-balancer", dimensions=one, further=(other,))
    asked = queries_of(watched, "t0")
    groups = [query["MetricStat"]["Metric"]["Dimensions"][1]["Value"] for query in asked]
    assert groups == ["blue"] * 3 + ["green"] * 3
    moment = now()
    counts = {"t0n0": 95.0, "t0n1": 0.0, "t0n3": 5.0, "t0n4": 2.0}
    series = {name: {moment: value} for name, value in counts.items()}
    [point] = points_of(watched, "t0", series)
    assert (point.value, point.weight) == (0.4, 5.0)


def test_only_metric_triggers_have_queries() -> None:
    with pytest.raises(TypeError, match="not measured by a metric"):
        queries_of(WatchedTrigger(key="0", trigger=AlarmTrigger(alarm="x")), "t0")
    with pytest.raises(TypeError, match="not resolved"):
        queries_of(WatchedTrigger(key="0", trigger=ErrorRateTrigger()), "t0")


# --- Alarms ------------------------------------------------------------------------------------


@pytest.fixture
def alarm(plain_client: Client) -> str:
    name = unique("alarm")
    plain_client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace=unique("Quiet"),
        MetricName="Errors",
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",  # so that it stays as a test sets it
    )
    return name


async def test_alarms_are_read_by_name(
    cloudwatch: CloudWatchActivities, plain_client: Client, alarm: str
) -> None:
    client = plain_client("cloudwatch")
    client.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="5 > 1")
    both = unique("both")
    client.put_composite_alarm(AlarmName=both, AlarmRule=f"ALARM({alarm})")
    query = AlarmQuery(region=REGION, names=(alarm, both, "no such alarm"))
    found = {one.name: one for one in await Attempt().run(cloudwatch.describe_alarms, query)}
    assert set(found) == {alarm, both}
    assert (found[alarm].state, found[alarm].reason) == ("ALARM", "5 > 1")
    assert found[alarm].since
    assert found[alarm].since.tzinfo


async def test_alarms_that_must_not_be_read(
    cloudwatch: CloudWatchActivities, calm: Sandbox
) -> None:
    calm.deny("DescribeAlarms", times=1)
    with pytest.raises(ApplicationError) as caught:
        await Attempt().run(cloudwatch.describe_alarms, AlarmQuery(region=REGION, names=("x",)))
    assert caught.value.non_retryable
