"""Regression and band triggers over real sockets: what they read, and what they make of it."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.clients import AwsClients
from activities.cloudwatch import CloudWatchActivities
from lastgood.contracts import MetricSource, WatchedTrigger, WatchReport
from lastgood.decisions.series import floor_to
from lastgood.model import Reading, Status
from lastgood.policy_triggers import BandTrigger, ErrorRateTrigger, RegressionTrigger
from tests.aws.conftest import Attempt, now, unique, watch_order

pytestmark = pytest.mark.usefixtures("calm")
Client = Callable[[str], Any]
MINUTE = timedelta(minutes=1)
OLD, NEW = {"TargetGroup": "old"}, {"TargetGroup": "new"}
SERVED = timedelta(minutes=8)
"""How long ago the release was deployed."""


@pytest.fixture(scope="module")
def cloudwatch(clients: AwsClients) -> CloudWatchActivities:
    return CloudWatchActivities(clients)


class Past:
    """A service's load balancer metrics, minute by minute."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.namespace = unique("Balancer")
        self.released_at = floor_to(now(), MINUTE) - SERVED

    def serve(self, minutes: Iterable[int], group: dict[str, str] = OLD, **counts: Any) -> None:
        """Minutes since the release; negative ones are before it.

        ``requests`` and ``failed`` are counts a minute; ``times`` are seconds, 100 of each.
        """
        data = []
        for minute in minutes:
            at = self.released_at + minute * MINUTE
            data += self._minute(at, group, **counts)
        self._client.put_metric_data(Namespace=self.namespace, MetricData=data)

    def _minute(
        self,
        at: datetime,
        group: dict[str, str],
        requests: int = 0,
        failed: int = 0,
        times: tuple[float, ...] = (),
    ) -> list[dict[str, Any]]:
        named = [{"Name": name, "Value": value} for name, value in group.items()]
        base = {"Dimensions": named, "Timestamp": at}
        data = [{**base, "MetricName": "RequestCount", "Value": float(requests)}]
        if failed:
            data.append({**base, "MetricName": "HTTPCode_Target_5XX_Count", "Value": float(failed)})
        if times:
            values = {"Values": list(times), "Counts": [100.0] * len(times)}
            data.append({**base, "MetricName": "TargetResponseTime", **values})
        return data

    def watched(self, trigger: Any, *further: dict[str, str]) -> WatchedTrigger:
        source = MetricSource(
            kind="load-balancer",
            namespace=self.namespace,
            dimensions=OLD,
            further=further,
            scale=1.0 if isinstance(trigger, ErrorRateTrigger) else 1000.0,
        )
        return WatchedTrigger(key=f"0 {trigger.type}", trigger=trigger, source=source)

    async def judge(
        self, cloudwatch: CloudWatchActivities, *triggers: WatchedTrigger, **keys: Any
    ) -> WatchReport:
        """What a watch of the whole window says, that ends now."""
        order = watch_order(
            *triggers,
            since=self.released_at,
            covers_from=self.released_at,
            until=now(),
            released_at=self.released_at,
            started=(self.released_at,),
            window=timedelta(minutes=10),
            patient=False,
            **keys,
        )
        report: WatchReport = await Attempt().run(cloudwatch.watch_metrics, order)
        return report


@pytest.fixture
def past(plain_client: Client) -> Past:
    return Past(plain_client("cloudwatch"))


async def test_more_errors_than_before_are_a_regression(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve(range(8), requests=800, failed=24)
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger()))
    assert report.fired
    for words in ("5xx 0.38 % before (48,000 requests)", "3.0 % since", "points worse"):
        assert words in report.fired.reason, report.fired.reason


async def test_no_more_errors_than_before_are_none(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=40)
    past.serve(range(8), requests=800, failed=40)
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger()))
    assert report.fired is None
    assert report.verdicts[0].status is Status.PASS, report.verdicts


async def test_slower_answers_than_before_are_a_regression(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    usual = (0.1, 0.12, 0.14, 0.16, 0.2, 0.24, 0.3, 0.5)
    past.serve(range(-60, 0), requests=800, times=usual)
    past.serve(range(8), requests=800, times=tuple(3 * one for one in usual))
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger()))
    assert report.fired
    assert "answers over " in report.fired.reason


async def test_slow_answers_right_after_the_start_are_not(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    usual = (0.1, 0.12, 0.14, 0.16, 0.2, 0.24, 0.3, 0.5)
    past.serve(range(-60, 0), requests=800, times=usual)
    past.serve(range(4), requests=800, times=tuple(4 * one for one in usual))
    past.serve(range(4, 8), requests=800, times=usual)
    trigger = RegressionTrigger(warm_up=timedelta(minutes=4))
    report = await past.judge(cloudwatch, past.watched(trigger))
    assert report.fired is None, report.fired


async def test_a_past_without_data_is_said_and_not_guessed(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(8), requests=800, failed=400)
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger()))
    assert report.fired is None
    assert report.verdicts[0].status is Status.INCONCLUSIVE
    assert "Nothing to compare with" in report.verdicts[0].reason


async def test_what_the_policy_says_is_normal_needs_no_past(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(8), requests=800, failed=40)
    fixed = {"type": "regression", "baseline": "fixed", "fixed": {"error_rate": "0.5%"}}
    trigger = RegressionTrigger.model_validate(fixed)
    report = await past.judge(cloudwatch, past.watched(trigger))
    assert report.fired
    assert "0.5 %" in report.fired.reason


async def test_the_same_time_on_the_days_before(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    """The hour before was quiet; at this time of the day there are always more errors."""
    past.serve(range(-60, 0), requests=800, failed=1)
    for day in range(1, 4):
        past.serve(range(-1440 * day, 60 - 1440 * day), requests=800, failed=40)
    past.serve(range(8), requests=800, failed=40)
    daily = past.watched(RegressionTrigger(baseline="same-time"))
    assert (await past.judge(cloudwatch, daily)).fired is None
    assert (await past.judge(cloudwatch, past.watched(RegressionTrigger()))).fired


async def test_the_same_age_of_the_last_good_release(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=1)
    past.serve(range(-600, -590), requests=800, failed=40)
    past.serve(range(8), requests=800, failed=40)
    trigger = past.watched(RegressionTrigger(baseline="previous"))
    previous = past.released_at - 600 * MINUTE
    assert (await past.judge(cloudwatch, trigger, previous=previous)).fired is None
    none = await past.judge(cloudwatch, trigger)
    assert none.verdicts[0].status is Status.INCONCLUSIVE


async def test_what_hits_old_and_new_alike_is_no_regression(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    """A canary, and a neighbour's outage that both meet."""
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve(range(8), requests=720, failed=180)
    past.serve(range(8), NEW, requests=80, failed=20)
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger(), NEW))
    assert report.fired is None, report.fired


async def test_a_canary_that_is_worse_than_the_old_tasks_beside_it(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve(range(8), requests=720, failed=3)
    past.serve(range(8), NEW, requests=80, failed=20)
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger(), NEW))
    assert report.fired
    assert "side by side since" in report.fired.reason


async def test_a_threshold_judges_nothing_that_was_so_before(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=48)
    past.serve(range(8), requests=800, failed=48)
    report = await past.judge(cloudwatch, past.watched(ErrorRateTrigger()))
    assert report.fired is None
    assert "6.0 % before the release already" in report.verdicts[0].reason


async def test_a_threshold_has_the_evidence_of_the_same_requests_beside_it(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=16)
    past.serve(range(8), requests=800, failed=80)
    plain = past.watched(ErrorRateTrigger())
    regression = past.watched(RegressionTrigger(dry_run=True))
    report = await past.judge(cloudwatch, plain, regression)
    assert report.fired
    assert report.fired.trigger == "error-rate"


async def test_a_gauge_that_leaves_its_band(
    cloudwatch: CloudWatchActivities, past: Past, plain_client: Client
) -> None:
    data = [
        {"MetricName": "Memory", "Timestamp": past.released_at + n * MINUTE, "Value": value}
        for n, value in [
            *((n, 40.0 + n % 5) for n in range(-60, 0)),
            *((n, 80.0) for n in range(8)),
        ]
    ]
    plain_client("cloudwatch").put_metric_data(Namespace=past.namespace, MetricData=data)
    metric = {"namespace": past.namespace, "name": "Memory"}
    trigger = BandTrigger.model_validate({"type": "band", "metric": metric})
    source = MetricSource(kind="metric", namespace=past.namespace, name="Memory", dimensions={})
    watched = WatchedTrigger(key="0 band", trigger=trigger, source=source)
    report = await past.judge(cloudwatch, watched)
    assert report.fired
    assert report.fired.reason.startswith("Memory was 80 for 3m, outside of its band")


async def verified(cloudwatch: CloudWatchActivities, past: Past, **keys: Any) -> WatchReport:
    """What a verification of the last eight minutes says, that ends now."""
    return await past.judge(cloudwatch, past.watched(RegressionTrigger()), goal="recovery", **keys)


async def test_a_service_that_is_as_before_has_recovered(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve(range(8), requests=800, failed=3)
    assert (await verified(cloudwatch, past)).tallies[0].recovered


async def test_what_was_bad_right_after_the_way_back_is_past_once_it_is_good_for_long_enough(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    """Evidence adds up: without a fresh look, three bad minutes would count for an hour."""
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve(range(3), requests=100, failed=20)
    past.serve(range(3, 8), requests=150, failed=1)
    assert (await verified(cloudwatch, past)).tallies[0].recovered


@pytest.mark.parametrize(
    ("bad", "fewer", "words"),
    [
        (range(3, 8), 200, "regression: 5xx 0.38 % before (48,000 requests), 20.0 %"),
        (range(3), 100, "after a breach it takes 600 requests without evidence"),
    ],
    ids=["bad again", "too few requests"],
)
async def test_a_short_calm_is_no_recovery(
    cloudwatch: CloudWatchActivities, past: Past, bad: range, fewer: int, words: str
) -> None:
    past.serve(range(-60, 0), requests=800, failed=3)
    for minute in range(8):
        is_bad = minute in bad
        count = 100 if is_bad else fewer
        past.serve((minute,), requests=count, failed=20 if is_bad else 1)
    report = await verified(cloudwatch, past)
    assert not report.tallies[0].recovered
    assert words in report.tallies[0].latest


async def test_without_a_past_nobody_knows_that_it_has(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    """Datapoints of the past expire: no evidence is then no proof that it is good again."""
    past.serve(range(8), requests=800, failed=400)
    assert not (await verified(cloudwatch, past)).tallies[0].recovered


async def test_late_datapoints_are_read_again(cloudwatch: CloudWatchActivities, past: Past) -> None:
    """The bad minutes come only when a later one was judged already."""
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve((0, 7), requests=800, failed=3)
    order = watch_order(
        past.watched(RegressionTrigger()),
        since=past.released_at,
        covers_from=past.released_at,
        until=now() + timedelta(seconds=20),
        released_at=past.released_at,
        window=timedelta(minutes=10),
    )
    attempt = Attempt()
    looks = 0

    def late() -> None:
        nonlocal looks
        looks += 1
        if looks == 6:
            past.serve(range(1, 7), requests=800, failed=240)

    attempt.after = late
    report = await attempt.run(cloudwatch.watch_metrics, order)
    assert report.fired, attempt.heartbeats[-1]


async def test_a_number_that_cannot_be_is_an_error_and_no_regression(
    cloudwatch: CloudWatchActivities, past: Past
) -> None:
    past.serve(range(-60, 0), requests=800, failed=3)
    past.serve(range(8), requests=800, failed=-240)
    report = await past.judge(cloudwatch, past.watched(RegressionTrigger()))
    assert report.fired is None
    assert report.tallies[0].reading is Reading.ERROR
    assert "negative" in report.tallies[0].latest
    assert report.verdicts[0].status is Status.INCONCLUSIVE
