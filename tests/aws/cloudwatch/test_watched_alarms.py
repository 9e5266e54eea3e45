"""How we watch alarms: what they went through between two looks, and what they tell of it."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.cloudwatch import CloudWatchActivities
from lastgood.contracts import (
    AlarmMark,
    AlarmQuery,
    AlarmSeen,
    AlarmState,
    Tally,
    WatchedTrigger,
    WatchOrder,
    WatchReport,
)
from lastgood.model import Reading, Status
from lastgood.policy_triggers import AlarmTrigger
from sandbox.cloud.cloudwatch import MetricEngine
from tests.aws.cloudwatch.conftest import Tampered
from tests.aws.conftest import REGION, Attempt, now, watch_order

SECOND = timedelta(seconds=1)
LONG = 30 * SECOND
Put = Callable[..., None]


def watched(name: str, *, muted: bool = False, **trigger: Any) -> WatchedTrigger:
    given = AlarmTrigger.model_validate({"alarm": name, **trigger})
    return WatchedTrigger(key="0 alarm", trigger=given, muted_until_ok=muted)


def order(one: WatchedTrigger, **keys: Any) -> WatchOrder:
    """A short watch for the time since a minute ago."""
    given = {"since": now() - 2 * LONG, "until": now() + timedelta(milliseconds=300)}
    return watch_order(one, **given | keys)


async def run(activities: CloudWatchActivities, what: WatchOrder) -> WatchReport:
    return await Attempt().run(activities.watch_alarms, what)


@pytest.fixture
def by_hand(cloudwatch: Any) -> Callable[..., None]:
    """Puts an alarm into one state after the other."""

    def put(name: str, *states: str) -> None:
        for state in states:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a drill")

    return put


@pytest.fixture
def flipped(engine: MetricEngine, put_alarm: Put, publish: Any, now: float) -> str:
    """An alarm that its metric put into ALARM for ten seconds, half a minute ago."""
    put_alarm("flips")
    base = now - 60
    for second, value in ((0, 0.0), (10, 1.0), (20, 0.0)):
        publish(at=second - 60 + 5, values=(value,))
        engine.tick(base + second + 10.6)
    return "flips"


async def test_an_alarm_that_was_red_between_two_looks_fires(
    activities: CloudWatchActivities, tampered: Tampered, flipped: str, now: float
) -> None:
    began = datetime.fromtimestamp(now - 55, UTC)
    report = await run(activities, order(watched(flipped), since=began))
    assert report.fired
    went_red = datetime.fromtimestamp(now - 60 + 20.6, UTC)
    assert report.fired.reason.startswith(
        f"alarm flips was in ALARM at {went_red:%H:%M:%S} UTC: Threshold Crossed: 1 out of the last"
    )
    assert [one.at for one in report.fired.evidence] == [went_red]
    assert report.tallies[0].latest.endswith(" UTC, and is OK now")
    [asked] = tampered.calls("describe_alarm_history")
    assert (asked["AlarmName"], asked["HistoryItemType"]) == ("flips", "StateUpdate")


async def test_a_red_before_the_release_does_not_fire(
    activities: CloudWatchActivities, flipped: str, now: float
) -> None:
    began = datetime.fromtimestamp(now - 35, UTC)  # it was red then, and is OK since second -29
    report = await run(activities, order(watched(flipped), since=began))
    assert report.fired is None
    assert report.tallies[0].reading is Reading.HEALTHY


async def test_a_history_that_begins_earlier_than_asked_does_not_fire(
    activities: CloudWatchActivities, tampered: Tampered, put_alarm: Put, by_hand: Put
) -> None:
    """CloudWatch may round the start."""
    put_alarm("calm")
    by_hand("calm", "OK", "ALARM", "OK")
    began = now()
    by_hand("calm", "INSUFFICIENT_DATA", "OK")
    tampered.question = {"StartDate": began - LONG}
    assert (await run(activities, order(watched("calm"), since=began))).fired is None
    assert len(tampered.calls("describe_alarm_history")) == 1


async def test_the_history_is_read_only_where_a_state_changed(
    activities: CloudWatchActivities, tampered: Tampered, put_alarm: Put, by_hand: Put
) -> None:
    put_alarm("calm")
    by_hand("calm", "OK")
    what = order(watched("calm"), until=now() + SECOND, interval=timedelta(milliseconds=10))
    report = await run(activities, what)
    assert report.tallies[0].healthy > 1
    assert len(tampered.calls("describe_alarm_history")) == 1
    # The next watch goes on from there.
    await run(activities, order(watched("calm"), since=what.since, carry=report.tallies))
    assert len(tampered.calls("describe_alarm_history")) == 1


async def test_what_an_earlier_look_has_seen_is_not_seen_twice(
    activities: CloudWatchActivities, cloudwatch: Any, put_alarm: Put, by_hand: Put
) -> None:
    """During a cooldown an alarm was red, and a look saw it; now it is OK."""
    put_alarm("calm")
    by_hand("calm", "OK")
    await asyncio.sleep(0.02)  # further back than the moment that is allowed for below
    by_hand("calm", "ALARM")
    [found] = await Attempt().run(
        activities.describe_alarms, AlarmQuery(region=REGION, names=("calm",))
    )
    # Its own time stamp is a moment earlier than the history's, which may be.
    seen = AlarmSeen(state="ALARM", since=found.since - timedelta(milliseconds=5))
    carry = (Tally(key="0 alarm", alarm=seen),)
    by_hand("calm", "OK")
    assert (await run(activities, order(watched("calm"), carry=carry))).fired is None
    by_hand("calm", "ALARM", "OK")
    assert (await run(activities, order(watched("calm"), carry=carry))).fired


async def test_a_verification_looks_at_no_history(
    activities: CloudWatchActivities, tampered: Tampered, flipped: str, now: float
) -> None:
    began = datetime.fromtimestamp(now - 55, UTC)
    report = await run(activities, order(watched(flipped), since=began, goal="recovery"))
    assert report.tallies[0].recovered
    assert tampered.calls("describe_alarm_history") == []


async def test_a_composite_alarms_flip_is_seen_too(
    activities: CloudWatchActivities, cloudwatch: Any, put_alarm: Put, by_hand: Put
) -> None:
    put_alarm("part")
    cloudwatch.put_composite_alarm(AlarmName="whole", AlarmRule="ALARM(part)")
    by_hand("whole", "OK", "ALARM", "OK")
    report = await run(activities, order(watched("whole")))
    assert report.fired
    assert "(set by hand, not by its metric): a drill" in report.fired.reason


async def test_an_alarm_red_before_the_release_may_flip_once_it_has_been_ok(
    activities: CloudWatchActivities, put_alarm: Put, by_hand: Put
) -> None:
    put_alarm("hot")
    by_hand("hot", "OK", "ALARM")
    began = now()
    by_hand("hot", "INSUFFICIENT_DATA", "ALARM", "INSUFFICIENT_DATA")
    what = order(watched("hot", muted=True), since=began)
    assert (await run(activities, what)).fired is None
    by_hand("hot", "ALARM", "OK")
    assert (await run(activities, what)).fired is None
    by_hand("hot", "ALARM", "OK")
    assert (await run(activities, what)).fired


async def test_a_history_of_many_pages_is_read_to_its_end(
    activities: CloudWatchActivities, tampered: Tampered, put_alarm: Put, by_hand: Put
) -> None:
    put_alarm("busy")
    by_hand("busy", *["OK", "INSUFFICIENT_DATA"] * 3, "ALARM", "OK")
    tampered.question = {"MaxRecords": 2}
    assert (await run(activities, order(watched("busy")))).fired
    assert len(tampered.calls("describe_alarm_history")) == 4


# --- What an alarm says about itself -----------------------------------------------------------


async def read(activities: CloudWatchActivities, name: str) -> AlarmState:
    query = AlarmQuery(region=REGION, names=(name,))
    [found] = await Attempt().run(activities.describe_alarms, query)
    return found


async def test_who_set_a_state_is_known(
    activities: CloudWatchActivities,
    engine: MetricEngine,
    cloudwatch: Any,
    put_alarm: Put,
    by_hand: Put,
    publish: Any,
    now: float,
) -> None:
    put_alarm("a")
    cloudwatch.put_composite_alarm(AlarmName="b", AlarmRule="ALARM(a)")
    assert not (await read(activities, "a")).by_hand  # nobody has set anything yet
    publish(at=-5)
    engine.tick(now + 0.6)
    for name in ("a", "b"):
        found = await read(activities, name)
        assert (found.state, found.by_hand) == ("ALARM", False)
    for data in (None, json.dumps({"why": "a drill"})):
        more = {"StateReasonData": data} if data else {}
        cloudwatch.set_alarm_state(AlarmName="a", StateValue="OK", StateReason="me", **more)
        assert (await read(activities, "a")).by_hand
    by_hand("a", "ALARM")
    report = await run(activities, order(watched("a")))
    assert report.fired  # it counts all the same
    assert report.fired.reason == "alarm a is ALARM (set by hand, not by its metric): a drill"


async def test_a_drill_sets_an_alarm_which_its_metric_puts_back(
    activities: CloudWatchActivities,
    engine: MetricEngine,
    cloudwatch: Any,
    put_alarm: Put,
    publish: Any,
    now: float,
) -> None:
    put_alarm("a")
    cloudwatch.put_composite_alarm(AlarmName="b", AlarmRule="ALARM(a)")
    publish(at=-5, values=(0.0,))
    engine.tick(now + 0.6)
    mark = AlarmMark(region=REGION, name="a", reason="A drill of shop/web")
    at = await Attempt().run(activities.set_alarm_state, mark)
    red = await read(activities, "a")
    assert (red.state, red.reason, red.by_hand) == ("ALARM", "A drill of shop/web", True)
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert [(await read(activities, name)).composite for name in ("a", "b")] == [False, True]
    publish(at=5, values=(0.0,))
    engine.tick(now + 10.6)
    assert (await read(activities, "a")).state == "OK"


async def test_an_alarm_that_is_not_there_cannot_be_set(activities: CloudWatchActivities) -> None:
    mark = AlarmMark(region=REGION, name="nowhere", reason="A drill")
    with pytest.raises(ApplicationError) as refused:
        await Attempt().run(activities.set_alarm_state, mark)
    assert (refused.value.type, refused.value.non_retryable) == ("ResourceNotFound", True)


async def test_disabled_actions_are_said(
    activities: CloudWatchActivities, cloudwatch: Any, put_alarm: Put, by_hand: Put
) -> None:
    put_alarm("mute")
    by_hand("mute", "OK")
    assert (await read(activities, "mute")).actions_enabled
    cloudwatch.disable_alarm_actions(AlarmNames=["mute"])
    assert not (await read(activities, "mute")).actions_enabled
    report = await run(activities, order(watched("mute")))
    assert "its actions are disabled" in report.tallies[0].latest
    assert [one.status for one in report.verdicts] == [Status.PASS]


@pytest.mark.parametrize(
    ("evaluation", "reading"),
    [
        ("EVALUATION_ERROR", Reading.ERROR),
        ("EVALUATION_FAILURE", Reading.ERROR),
        ("PARTIAL_DATA", Reading.HEALTHY),
    ],
)
async def test_an_alarm_that_is_not_evaluated_says_nothing(
    activities: CloudWatchActivities,
    tampered: Tampered,
    put_alarm: Put,
    by_hand: Put,
    evaluation: str,
    reading: Reading,
) -> None:
    put_alarm("blind")
    by_hand("blind", "OK")

    def spoil(answer: dict[str, Any]) -> None:
        answer["MetricAlarms"][0]["EvaluationState"] = evaluation

    tampered.answers["describe_alarms"] = spoil
    report = await run(activities, order(watched("blind")))
    assert (report.fired, report.tallies[0].reading) == (None, reading)
    assert evaluation in report.tallies[0].latest


@pytest.mark.parametrize(
    ("missing", "reading", "fires"),
    [
        ("inconclusive", Reading.NO_DATA, False),
        ("ignore", Reading.NO_DATA, False),
        ("not_breaching", Reading.HEALTHY, False),
        ("breaching", Reading.UNHEALTHY, True),
    ],
)
async def test_what_insufficient_data_means_is_the_policys_to_say(
    activities: CloudWatchActivities, put_alarm: Put, missing: str, reading: Reading, fires: bool
) -> None:
    put_alarm("silent")
    report = await run(activities, order(watched("silent", missing_data=missing)))
    assert (report.tallies[0].reading, bool(report.fired)) == (reading, fires)
    if report.fired:
        assert "is INSUFFICIENT_DATA, which counts as breaching" in report.fired.reason


# --- How many there may be ---------------------------------------------------------------------


async def test_more_alarms_than_a_call_may_name_are_all_read(
    activities: CloudWatchActivities, tampered: Tampered, put_alarm: Put
) -> None:
    names = [f"alarm-{n:03}" for n in range(105)]
    for name in names:
        put_alarm(name)
    query = AlarmQuery(region=REGION, names=(*names, "missing", *names))
    found = await Attempt().run(activities.describe_alarms, query)
    assert [one.name for one in found] == names
    assert [len(asked["AlarmNames"]) for asked in tampered.calls("describe_alarms")] == [100, 6]
    tampered.question = {"MaxRecords": 30}
    found = await Attempt().run(activities.describe_alarms, query)
    assert [one.name for one in found] == names
