"""What the triggers of a policy are resolved to, once, before anything is watched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lastgood.contracts import MetricSource, WatchOrder

BLUE, GREEN = (f"arn:aws:elb:eu-west-1:1:targetgroup/{name}/1" for name in ("web", "green"))
BALANCER = {"LoadBalancer": "app/web/1"}
METRIC = {"namespace": "Shop", "name": "Errors"}


async def watched(desk, *triggers: dict[str, object]) -> WatchOrder:
    """The order of the watch over metrics that a check makes of some triggers."""
    await desk.check(triggers=list(triggers))
    [order] = [one for one in desk.aws.watched if isinstance(one, WatchOrder) and one.triggers]
    return order


async def sources(desk, *triggers: dict[str, object]) -> list[MetricSource]:
    order = await watched(desk, *triggers)
    return [one.source for one in order.triggers if one.source]


@pytest.mark.parametrize("exclusive", [True, False])
async def test_the_load_balancers_own_errors_count_only_if_it_is_the_services_alone(
    desk, exclusive
):
    desk.world.shape = {"target_groups": (BLUE,), "alternate_target_groups": (GREEN,)}
    desk.aws.exclusive = exclusive

    [source] = await sources(desk, {"type": "error-rate"})

    assert source.load_balancer == (BALANCER if exclusive else {})
    assert source.dimensions == {**BALANCER, "TargetGroup": "targetgroup/web/1"}
    assert source.further == ({**BALANCER, "TargetGroup": "targetgroup/green/1"},)
    assert [one.own for one in desk.aws.resolved] == [(BLUE, GREEN)]


async def test_a_load_balancer_by_name_is_compared_with_the_services_groups_too(desk):
    desk.world.shape = {"target_groups": (BLUE,)}

    await sources(desk, {"type": "error-rate", "load_balancer": "x", "target_group": "y"})

    [asked] = desk.aws.resolved
    assert (asked.load_balancer, asked.target_group, asked.own) == ("x", "y", (BLUE,))


async def test_how_late_datapoints_may_be_goes_by_their_length(desk):
    desk.world.shape = {"target_groups": (BLUE,)}

    found = await sources(
        desk,
        {"type": "error-rate"},
        {"type": "error-rate", "metric": METRIC},
        {"type": "response-time", "duration": "30s"},
        {"type": "error-rate", "metric": METRIC, "period": "10s"},
    )

    assert [one.delay for one in found] == [
        *[timedelta(minutes=3)] * 2,
        *[timedelta(seconds=10)] * 2,
    ]


async def test_a_release_waits_for_its_last_datapoints_and_a_check_does_not(desk):
    order = await watched(desk, {"type": "error-rate", "metric": METRIC})
    assert order.patience == timedelta(0)

    desk.aws.watched.clear()
    await desk.release("app:2", triggers=[{"type": "error-rate", "metric": METRIC}])

    orders = [one for one in desk.aws.watched if isinstance(one, WatchOrder)]
    assert {one.patience for one in orders} == {timedelta(minutes=3)}


@pytest.mark.parametrize(
    ("state", "missing_data", "muted"),
    [
        ("OK", "inconclusive", False),
        ("ALARM", "inconclusive", True),
        ("INSUFFICIENT_DATA", "inconclusive", False),
        ("INSUFFICIENT_DATA", "breaching", True),
        ("INSUFFICIENT_DATA", "not_breaching", False),
    ],
)
async def test_an_alarm_that_is_bad_before_the_release_is_muted(desk, state, missing_data, muted):
    desk.world.alarms["hot"] = state

    await desk.release(
        "app:2", triggers=[{"type": "alarm", "alarm": "hot", "missing_data": missing_data}]
    )

    orders = [one for one in desk.aws.watched if isinstance(one, WatchOrder)]
    assert {one.triggers[0].muted_until_ok for one in orders} == {muted}
