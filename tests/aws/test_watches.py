"""The watches: they fire, end on time, go on after a crash, and survive outages of the outside."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError

from activities import watch as module
from activities.clients import AwsClients
from activities.cloudwatch import CloudWatchActivities
from activities.health import HealthActivities
from activities.http import Prober, check_transport
from lastgood.contracts import WatchedTrigger, WatchReport
from lastgood.decisions import records
from lastgood.decisions.series import floor_to
from lastgood.model import Reading, Status
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger, RegressionTrigger
from sandbox import Sandbox
from tests.aws.conftest import Attempt, now, remembered, unique, watch_order
from tests.aws.test_cloudwatch import SECOND, error_rate, put

pytestmark = pytest.mark.usefixtures("calm")
Client = Callable[[str], Any]
LONG = timedelta(seconds=30)
"""Longer than any of these watches needs."""


@pytest.fixture(scope="module")
def cloudwatch(clients: AwsClients) -> CloudWatchActivities:
    return CloudWatchActivities(clients)


@pytest.fixture
async def health() -> AsyncIterator[HealthActivities]:
    transport = check_transport()
    yield HealthActivities(Prober(transport))
    await transport.aclose()


class Door:
    """A server whose health a test sets; counts how often it was asked."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.always = 200
        self.asked = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status = self.answers.pop(0) if self.answers else self.always
        self.asked += 1
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        yield made


def check(url: str, threshold: int = 3, key: str = "0 health-check") -> WatchedTrigger:
    return WatchedTrigger(key=key, trigger=HealthCheckTrigger(threshold=threshold), url=url)


def red(name: str, *, muted: bool = False) -> WatchedTrigger:
    return WatchedTrigger(key="0 alarm", trigger=AlarmTrigger(alarm=name), muted_until_ok=muted)


@pytest.fixture
def alarm(plain_client: Client) -> tuple[str, Callable[[str], None]]:
    """An alarm and how to set its state."""
    name, client = unique("alarm"), plain_client("cloudwatch")
    client.put_metric_alarm(
        AlarmName=name,
        Namespace=unique("Quiet"),
        MetricName="Errors",
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )

    def state(value: str) -> None:
        client.set_alarm_state(AlarmName=name, StateValue=value, StateReason="a test")

    state("OK")
    return name, state


def statuses(report: WatchReport) -> list[Status]:
    return [verdict.status for verdict in report.verdicts]


# --- Health checks -----------------------------------------------------------------------------


async def test_health_fires_after_failures_in_a_row(health: HealthActivities, door: Door) -> None:
    door.answers, door.always = [200, 500, 500, 200], 503
    order = watch_order(check(door.url), until=now() + LONG)
    report = await Attempt().run(health.watch_health, order)
    assert report.fired
    assert report.fired.trigger == "health-check"
    assert "failed 3 times in a row" in report.fired.reason
    assert door.asked == 7
    trigger = order.triggers[0].trigger
    assert records.judge_again(trigger, report.fired) == report.fired
    assert report.tallies[0].failing == report.fired.bare


async def test_a_dry_run_ends_no_watch_and_is_told(health: HealthActivities, door: Door) -> None:
    door.answers = [500, 500, 500]
    trigger = HealthCheckTrigger(threshold=3, dry_run=True)
    watched = WatchedTrigger(key="0 health-check", trigger=trigger, url=door.url)
    order = watch_order(watched)
    watch = Attempt()
    report = await watch.run(health.watch_health, order)
    assert report.fired is None
    assert now() >= order.until
    [verdict] = report.verdicts
    assert (verdict.status, verdict.dry_run) == (Status.FAIL, True)
    assert verdict.reason.startswith("dry run: would have rolled back at ")
    assert remembered(watch.heartbeats)[0].would == verdict
    assert records.judge_again(trigger, verdict) == verdict


async def test_health_ends_at_its_end(health: HealthActivities, door: Door) -> None:
    order = watch_order(check(door.url))
    watch = Attempt()
    report = await watch.run(health.watch_health, order)
    assert (report.fired, statuses(report)) == (None, [Status.PASS])
    assert now() >= order.until
    assert report.verdicts[0].at == order.until
    assert records.judge_again(order.triggers[0].trigger, report.verdicts[0]) == report.verdicts[0]
    assert remembered(watch.heartbeats)[0].healthy == door.asked
    assert watch.heartbeats[-1]["watching"] == [report.tallies[0].latest]


async def test_a_windows_next_part_goes_on_from_what_was_counted(
    health: HealthActivities, door: Door
) -> None:
    first = watch_order(check(door.url), goes_on=True)
    seen = await Attempt().run(health.watch_health, first)
    assert statuses(seen) == [Status.PASS]
    carried = seen.tallies[0].model_copy(update={"conclusion": None})
    order = first.model_copy(update={"until": now() + timedelta(seconds=1), "carry": (carried,)})
    report = await Attempt().run(health.watch_health, order)
    assert report.tallies[0].healthy == door.asked > seen.tallies[0].healthy
    assert report.tallies[0].streak == door.asked
    assert statuses(report) == [Status.PASS]


async def test_nobody_listening_is_a_failed_check(health: HealthActivities) -> None:
    order = watch_order(check("http://127.0.0.1:9/"), until=now() + LONG)
    report = await Attempt().run(health.watch_health, order)
    assert report.fired
    assert "connection refused" in report.fired.reason


async def test_an_address_that_is_never_asked_is_an_error_of_ours(
    health: HealthActivities,
) -> None:
    order = watch_order(check("http://169.254.169.254/"))
    report = await Attempt().run(health.watch_health, order)
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])
    assert report.tallies[0].error > 0 == report.tallies[0].unhealthy


async def test_a_watch_goes_on_where_the_last_attempt_was(
    health: HealthActivities, door: Door
) -> None:
    door.always = 500
    order = watch_order(check(door.url, threshold=5), until=now() + LONG)
    first = Attempt()
    running = asyncio.create_task(first.run(health.watch_health, order))
    twice = asyncio.Event()
    first.after = lambda: twice.set() if remembered(first.heartbeats)[0].streak >= 2 else None
    await twice.wait()
    first.worker_shutdown()
    with pytest.raises(ApplicationError) as caught:
        await running
    assert (caught.value.type, caught.value.non_retryable) == ("WorkerShutdown", False)
    counted = remembered(first.heartbeats)[0].streak
    second = Attempt(first.heartbeats[-1])
    report = await second.run(health.watch_health, order)
    assert report.fired
    assert report.fired.value == 5
    assert remembered(second.heartbeats[:1])[0].streak == counted  # nothing lost by beating
    assert door.asked == 5


async def test_what_an_earlier_watch_remembers_is_carried_on(
    health: HealthActivities, door: Door
) -> None:
    door.always = 500
    failed = Attempt()
    order = watch_order(check(door.url, threshold=2), until=now() + LONG)
    carry = (await failed.run(health.watch_health, order)).tallies
    order = watch_order(check(door.url, threshold=3), until=now() + LONG, carry=carry)
    report = await Attempt().run(health.watch_health, order)
    assert report.fired
    assert door.asked == 3


async def test_a_cancelled_watch_answers_with_what_it_remembers(
    health: HealthActivities, door: Door
) -> None:
    watch = Attempt()
    order = watch_order(check(door.url), until=now() + LONG)
    running = asyncio.create_task(watch.run(health.watch_health, order))
    seen = asyncio.Event()
    watch.after = lambda: seen.set() if remembered(watch.heartbeats)[0].healthy >= 2 else None
    await seen.wait()
    watch.cancel()
    report = await running
    assert (report.fired, report.verdicts) == (None, ())
    assert report.tallies[0].healthy >= 2


async def test_a_watch_that_timed_out_does_not_answer(health: HealthActivities, door: Door) -> None:
    watch = Attempt()
    order = watch_order(check(door.url), until=now() + LONG)
    running = asyncio.create_task(watch.run(health.watch_health, order))
    seen = asyncio.Event()
    watch.after = seen.set
    await seen.wait()
    watch.cancel(ActivityCancellationDetails(timed_out=True))
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_during_a_cooldown_nothing_fires(health: HealthActivities, door: Door) -> None:
    door.always = 500
    ends = now() + SECOND
    order = watch_order(check(door.url), until=now() + LONG, not_before=ends)
    report = await Attempt().run(health.watch_health, order)
    assert report.fired
    assert report.fired.at >= ends
    door.answers, door.always = [500] * 5, 200
    order = watch_order(check(door.url), until=now() + SECOND, not_before=now() + SECOND)
    assert (await Attempt().run(health.watch_health, order)).fired is None


async def test_recovery_is_all_of_them_and_as_often_as_asked(
    health: HealthActivities, door: Door
) -> None:
    door.answers = [500, 500, 200, 200, 500, 500]  # both checks of a round are answered the same
    order = watch_order(
        check(door.url), check(door.url, 1, "1 health-check"), until=now() + LONG, goal="recovery"
    )
    report = await Attempt().run(health.watch_health, order)
    assert all(tally.recovered for tally in report.tallies)
    assert door.asked >= 12
    assert report.fired is None


async def test_recovery_that_does_not_come_ends_in_time(
    health: HealthActivities, door: Door
) -> None:
    door.always = 500
    order = watch_order(check(door.url), goal="recovery")
    report = await Attempt().run(health.watch_health, order)
    assert report.fired is None
    assert not report.tallies[0].recovered
    assert statuses(report) == [Status.FAIL]


async def test_looks_far_apart_heartbeat_in_between(
    health: HealthActivities, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_EVERY", 0.05)
    watch = Attempt()
    order = watch_order(check(door.url), interval=timedelta(seconds=10))
    await watch.run(health.watch_health, order)
    assert door.asked == 2
    assert len(watch.heartbeats) > 6
    assert None not in watch.heartbeats


# --- Alarms ------------------------------------------------------------------------------------


async def test_an_alarm_fires(
    cloudwatch: CloudWatchActivities, alarm: tuple[str, Callable[[str], None]]
) -> None:
    name, state = alarm
    watch = Attempt()
    running = asyncio.create_task(
        watch.run(cloudwatch.watch_alarms, watch_order(red(name), until=now() + LONG))
    )
    seen = asyncio.Event()
    watch.after = lambda: seen.set() if remembered(watch.heartbeats)[0].healthy else None
    await seen.wait()
    await asyncio.to_thread(state, "ALARM")
    report = await running
    assert report.fired
    assert report.fired.reason == f"alarm {name} is ALARM (set by hand, not by its metric): a test"


async def test_a_composite_alarm_fires(
    cloudwatch: CloudWatchActivities,
    plain_client: Client,
    alarm: tuple[str, Callable[[str], None]],
) -> None:
    name, state = alarm
    both = unique("both")
    plain_client("cloudwatch").put_composite_alarm(AlarmName=both, AlarmRule=f"ALARM({name})")
    state("ALARM")
    report = await Attempt().run(
        cloudwatch.watch_alarms, watch_order(red(both), until=now() + LONG)
    )
    assert report.fired
    assert both in report.fired.reason


async def test_an_alarm_that_is_missing_is_not_ok(
    cloudwatch: CloudWatchActivities, alarm: tuple[str, Callable[[str], None]]
) -> None:
    report = await Attempt().run(cloudwatch.watch_alarms, watch_order(red("no such alarm")))
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])
    assert report.tallies[0].latest == "alarm no such alarm does not exist"


async def test_an_alarm_red_before_is_ignored_until_it_was_ok(
    cloudwatch: CloudWatchActivities, alarm: tuple[str, Callable[[str], None]]
) -> None:
    name, state = alarm
    state("ALARM")
    report = await Attempt().run(cloudwatch.watch_alarms, watch_order(red(name, muted=True)))
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])
    state("OK")
    watch = Attempt()
    running = asyncio.create_task(
        watch.run(cloudwatch.watch_alarms, watch_order(red(name, muted=True), until=now() + LONG))
    )
    seen = asyncio.Event()
    watch.after = lambda: seen.set() if remembered(watch.heartbeats)[0].seen_ok else None
    await seen.wait()
    await asyncio.to_thread(state, "ALARM")
    assert (await running).fired


@pytest.mark.parametrize("fault", ["deny", "throttle"])
async def test_an_outage_of_cloudwatch_is_no_bad_release(
    cloudwatch: CloudWatchActivities,
    calm: Sandbox,
    alarm: tuple[str, Callable[[str], None]],
    fault: str,
) -> None:
    getattr(calm, fault)("DescribeAlarms", times=None)
    report = await Attempt().run(cloudwatch.watch_alarms, watch_order(red(alarm[0])))
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])
    assert report.tallies[0].error > 1
    assert "cloudwatch:DescribeAlarms" in report.verdicts[0].reason


async def test_a_history_that_cannot_be_read_now_is_asked_for_again(
    cloudwatch: CloudWatchActivities, calm: Sandbox, alarm: tuple[str, Callable[[str], None]]
) -> None:
    name, state = alarm
    began = now()
    for value in ("ALARM", "OK"):
        state(value)
    calm.throttle("DescribeAlarmHistory", times=2)
    order = watch_order(red(name), since=began, until=now() + LONG)
    report = await Attempt().run(cloudwatch.watch_alarms, order)
    assert report.fired
    assert f"alarm {name} was in ALARM at " in report.fired.reason
    assert (report.tallies[0].error, report.tallies[0].healthy) == (2, 0)


async def test_a_history_that_must_not_be_read_is_said(
    cloudwatch: CloudWatchActivities, calm: Sandbox, alarm: tuple[str, Callable[[str], None]]
) -> None:
    """The state itself still counts: a role made for an older version lacks that permission."""
    name, state = alarm
    began = now()
    for value in ("ALARM", "OK"):
        state(value)
    calm.deny("DescribeAlarmHistory", times=None)
    order = watch_order(red(name), since=began, until=now())
    report = await Attempt().run(cloudwatch.watch_alarms, order)
    assert (report.fired, statuses(report)) == (None, [Status.PASS])
    said = "what it did in between cannot be read: cloudwatch:DescribeAlarmHistory: "
    assert said in report.tallies[0].latest


# --- Metrics -----------------------------------------------------------------------------------


async def test_metrics_fire(cloudwatch: CloudWatchActivities, plain_client: Client) -> None:
    namespace = unique("Shop")
    begin = floor_to(now(), SECOND) - 10 * SECOND
    put(plain_client, namespace, [0.4] * 8, begin + 8 * SECOND, "Errors")
    order = watch_order(error_rate(namespace), since=begin, until=now() + LONG)
    report = await Attempt().run(cloudwatch.watch_metrics, order)
    assert report.fired
    assert (report.fired.value, report.fired.at) == (0.4, begin + 3 * SECOND)
    trigger = order.triggers[0].trigger
    assert records.judge_again(trigger, report.fired) == report.fired


async def test_what_was_before_the_release_does_not_fire(
    cloudwatch: CloudWatchActivities, plain_client: Client
) -> None:
    namespace = unique("Shop")
    end = floor_to(now(), SECOND)
    put(plain_client, namespace, [0.4] * 10, end, "Errors")
    order = watch_order(error_rate(namespace), since=end, covers_from=end)
    report = await Attempt().run(cloudwatch.watch_metrics, order)
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])


async def test_an_outage_of_metrics_is_overcome_by_the_datas_own_time(
    cloudwatch: CloudWatchActivities, plain_client: Client, calm: Sandbox
) -> None:
    """All looks fail but the last one: it reads the whole window."""
    namespace = unique("Shop")
    end = floor_to(now(), SECOND)
    put(plain_client, namespace, [0.01] * 10, end, "Errors")
    begin = end - 10 * SECOND
    calm.throttle("GetMetricData", times=4)
    order = watch_order(error_rate(namespace), since=begin, covers_from=begin, until=end)
    watch = Attempt()
    report = await watch.run(cloudwatch.watch_metrics, order)
    assert (report.fired, statuses(report)) == (None, [Status.PASS])
    assert report.tallies[0].error == 4
    trigger = order.triggers[0].trigger
    assert records.judge_again(trigger, report.verdicts[0]) == report.verdicts[0]


async def test_an_outage_that_does_not_end_is_inconclusive(
    cloudwatch: CloudWatchActivities, calm: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", timedelta(milliseconds=500))
    calm.throttle("GetMetricData", times=None)
    report = await Attempt().run(cloudwatch.watch_metrics, watch_order(error_rate("Shop")))
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])
    assert report.tallies[0].reading is Reading.ERROR
    assert "Rate exceeded" in report.verdicts[0].reason


async def test_a_part_of_a_window_waits_for_nothing(
    cloudwatch: CloudWatchActivities, calm: Sandbox
) -> None:
    """Neither for late datapoints nor for an outage's end: the others must go on watching."""
    calm.throttle("GetMetricData", times=None)
    order = watch_order(error_rate("Shop", delay=timedelta(minutes=3)), goes_on=True)
    report = await Attempt().run(cloudwatch.watch_metrics, order)
    assert now() < order.until + timedelta(seconds=5)
    assert (report.fired, statuses(report)) == (None, [Status.INCONCLUSIVE])


@pytest.mark.parametrize(("errors", "sure"), [(0.0, True), (40.0, False)])
async def test_proof_that_nothing_got_worse(
    cloudwatch: CloudWatchActivities, plain_client: Client, errors: float, sure: bool
) -> None:
    namespace = unique("Shop")
    end = floor_to(now(), SECOND)
    begin = end - 40 * SECOND
    put(plain_client, namespace, [200.0] * 40, end, "Requests")
    put(plain_client, namespace, [0.0] * 38 + [errors] * 2, end, "Errors")
    metrics = {
        "requests": {"namespace": namespace, "name": "Requests", "dimensions": {"S": "x"}},
        "errors": {"namespace": namespace, "name": "Errors", "dimensions": {"S": "x"}},
    }
    trigger = RegressionTrigger.model_validate(
        {"baseline": "fixed", "fixed": {"error_rate": "0.5%"}, "metrics": metrics, "period": "1s"}
    )
    counts = {name: {"kind": "metric", "statistic": "Sum", **one} for name, one in metrics.items()}
    source = {"kind": "counts", "namespace": "", "dimensions": {}, "counts": counts}
    watched = WatchedTrigger.model_validate(
        {"key": "0 regression", "trigger": trigger, "source": source}
    )
    order = watch_order(watched, since=begin, covers_from=begin, until=end, goes_on=True)
    report = await Attempt().run(cloudwatch.watch_metrics, order)
    [tally] = report.tallies
    assert bool(tally.sure) == sure, tally
    if tally.sure:
        assert tally.sure.startswith("no worse than what the policy says is normal: 5xx at most 0.")
    assert records.judge_again(trigger, report.verdicts[0]) == report.verdicts[0]
    without = await Attempt().run(
        cloudwatch.watch_metrics, order.model_copy(update={"goes_on": False})
    )
    assert without.tallies[0].sure is None


async def test_after_a_crash_the_gap_is_read_too(
    cloudwatch: CloudWatchActivities, plain_client: Client
) -> None:
    """The worker was away while it burned: the breach is found in the data."""
    namespace = unique("Shop")
    end = floor_to(now(), SECOND)
    put(plain_client, namespace, [0.4] * 5 + [0.01] * 600, end, "Errors")
    begin = end - 605 * SECOND
    watched = error_rate(namespace)
    order = watch_order(watched, since=begin, until=now() + 100 * LONG)
    memory = module.Memory(watching=(), until=order.until, tallies=()).model_dump(mode="json")
    tally = {"key": watched.key, "measured_at": begin.isoformat(), "latest": "fine"}
    second = Attempt({**memory, "tallies": [tally]})
    async with asyncio.timeout(LONG.total_seconds()):  # not first at the window's end
        report = await second.run(cloudwatch.watch_metrics, order)
    assert report.fired
    assert report.fired.at == begin + 3 * SECOND
