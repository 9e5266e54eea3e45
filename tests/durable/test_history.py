"""What a window costs, however long it is; and when it ends, whatever happens to its watches."""

from __future__ import annotations

import pytest

from lastgood.contracts import ServiceWatchOrder
from lastgood.model import Outcome
from tests.durable.desk import RELEASE, Desk

LIMIT = 4096
"""Events after which Temporal suggests to continue as new."""


async def costs_of(desk: Desk, image: str, window: str) -> tuple[list[str], list[str]]:
    """All events of a healthy release, and those that are not workflow tasks.

    How many activities' ends one workflow task sees is chance, by a few events.
    """
    result = await desk.release(image, monitor={"window": window})
    assert result.outcome is Outcome.HEALTHY
    events = await desk.events(RELEASE, result.run_id)
    return events, [one for one in events if not one.startswith("WORKFLOW_TASK")]


async def test_an_hours_window_costs_no_more_events_than_ten_minutes(desk, record_property):
    short, short_own = await costs_of(desk, "app:2", "10m")
    long, long_own = await costs_of(desk, "app:3", "60m")

    print(f"events: {len(short)} for 10 minutes, {len(long)} for 60 minutes")  # noqa: T201
    record_property("events of a 10-minute window", len(short))
    record_property("events of a 60-minute window", len(long))
    assert sorted(long_own) == sorted(short_own)
    assert len(long) <= len(short) + 9
    assert len(long) < LIMIT / 10


@pytest.mark.parametrize("crashes", [1, 5])
async def test_watch_that_is_started_again_ends_when_it_would_have_ended(desk, crashes):
    desk.aws.watch_crashes = crashes

    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY
    assert 600 <= result.timings["monitor"] < 605
    watches = [one for one in desk.aws.watched if not isinstance(one, ServiceWatchOrder)]
    metrics = [one for one in watches if one.triggers[0].trigger.type == "error-rate"]
    assert len(metrics) > crashes + 2
    assert len({one.until for one in metrics}) == 2  # the rollout's and the window's


async def test_trigger_that_fires_while_its_watch_is_down_is_seen_afterwards(desk):
    desk.world.bad("app:2", after=60)
    desk.aws.watch_crashes = 2  # at the start of the rollout, and of the window: for 40 seconds

    result = await desk.release("app:2")

    assert (result.outcome, result.trigger) == (Outcome.ROLLED_BACK, "error-rate")
    forward, back = desk.updates
    assert 70 <= (back.at - forward.at).total_seconds() < 72
