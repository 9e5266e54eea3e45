"""A guard tells of what nobody has acknowledged: never of what is over, and to its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lastgood import messages
from lastgood.contracts import Alert, GuardState, Notice
from lastgood.model import Outcome
from tests.durable.desk import GUARD, Desk, policy
from tests.durable.test_on_a_dev_server import SHORT_HISTORIES
from tests.durable.world import SERVICE


async def given_alerts(desk: Desk, *releases: str, every: timedelta) -> None:
    """A guard that must remind of these releases' failed rollbacks at once."""
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    state = GuardState(
        service=SERVICE,
        restored=True,
        alerts=tuple(
            Alert(
                release=release,
                notice=failure(release, long_ago),
                notify=policy().notify,
                every=every,
                next_at=long_ago,
            )
            for release in releases
        ),
    )
    await desk.client.start_workflow(
        messages.GUARD, state, id=GUARD, task_queue=messages.TASK_QUEUE
    )


def failure(release: str, at: datetime) -> Notice:
    return Notice(
        dedup=f"{release}/ended",
        kind="ended",
        severity="critical",
        title=f"shop/web: release {release} failed",
        summary="It could not be rolled back.",
        facts=(),
        outcome=Outcome.ROLLBACK_FAILED,
        service="shop/web",
        release=release,
        at=at,
    )


def reminded(desk: Desk) -> list[str]:
    """Which releases Slack was reminded of."""
    told = [notice for to, notice in desk.aws.told if to == "slack"]
    return [notice.release for notice in told if notice.kind == "reminder"]


async def test_what_is_acknowledged_while_another_is_told_of_is_not_told_of(desk):
    """Or an incident would be open again that nobody closes."""

    async def acknowledged() -> None:
        await desk.say("acknowledge")

    desk.aws.meanwhile["notify_slack"] = acknowledged
    await given_alerts(desk, "app:2", "app:3", every=timedelta(minutes=15))
    await desk.skip(hours=1)

    assert reminded(desk) == ["app:2"]
    assert (await desk.overview()).alerts == ()


@pytest.mark.parametrize("dev_desk", [SHORT_HISTORIES], indirect=True)
async def test_a_guard_does_not_continue_as_new_while_it_reminds(dev_desk):
    """What is under way would be broken off, and counts as told."""
    desk = dev_desk
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        under_way.set()
        await go_on.wait()

    desk.aws.meanwhile["notify_slack"] = wait
    await given_alerts(desk, "app:2", every=timedelta(hours=1))
    await asyncio.wait_for(under_way.wait(), 15)
    run = await desk.run_of(GUARD)
    for number in range(10):
        await desk.say("freeze", id=f"freeze {number}")
        await desk.say("unfreeze", id=f"unfreeze {number}")
    while_told = await desk.run_of(GUARD)
    go_on.set()
    for _ in range(100):
        if await desk.run_of(GUARD) != run:
            break
        await asyncio.sleep(0.1)

    assert while_told == run
    assert await desk.run_of(GUARD) != run
    assert reminded(desk) == ["app:2"]
