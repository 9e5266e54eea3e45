"""Where a release can stand when a message comes: each step leaves it there.

A step may return what lets the release go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowUpdateFailedError

from lastgood.model import Outcome
from tests.durable.desk import Desk
from tests.durable.world import Fault, World

R = "app:3"
"""The release that is spoken of."""
SLOW = timedelta(minutes=4)
SMOKE = [{"url": "https://shop.example/health", "attempts": 20, "every": "30s"}]
Given = Callable[[Desk], Awaitable[Any]]


async def ask(desk: Desk, verb: str, release: str | None = None) -> str:
    """What a message is answered: ``done: …``, or why it is refused."""
    named = {"release": release} if release else {}
    try:
        if verb == "rollback":
            return f"done: {(await desk.rollback(**named)).text}"
        return f"done: {await desk.say(verb, **named)}"
    except WorkflowUpdateFailedError as refused:
        return refused.cause.message


# --- The steps: each leaves the release there, and may return what lets it go on ---------------


async def idle(_: Desk) -> None:
    """The guard has never heard of a release."""


async def queued(desk: Desk) -> None:
    await desk.deploy("app:2")
    await desk.deploy(R)


def during(call: str) -> Given:
    """While the first call of this name is under way."""

    async def given(desk: Desk) -> Callable[[], None]:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            reached.set()
            await go_on.wait()

        desk.aws.meanwhile[call] = wait
        await desk.deploy(R, notify={"healthy": True})
        there = asyncio.create_task(reached.wait())
        while not there.done():
            # Time does not skip while the call is under way: this skip ends after it.
            desk.skipping = asyncio.create_task(desk.skip(seconds=desk.step))
            await asyncio.wait({there, desk.skipping}, return_when=asyncio.FIRST_COMPLETED)
        return go_on.set

    return given


async def rollout(desk: Desk) -> None:
    desk.world.image(R, rollout=SLOW)
    await desk.deploy(R)
    await desk.skip(seconds=20)


async def smoke_test(desk: Desk) -> None:
    desk.aws.smoke[R] = [False] * 9 + [True]
    await desk.deploy(R, smoke=SMOKE)
    await desk.skip(minutes=2)


async def window(desk: Desk) -> None:
    await desk.deploy(R)
    await desk.skip(minutes=2)


async def cooldown(desk: Desk, *, after: float = 45, **behaviour: Any) -> None:
    """A trigger fired in the cooldown after ``app:2`` was rolled back."""
    desk.world.bad("app:2", after=5)
    await desk.release("app:2")
    desk.world.bad(R, after=after, lasts=timedelta(minutes=2), **behaviour)
    await desk.deploy(R)
    await desk.skip(seconds=60)
    assert desk.told("cooldown")


async def cooldown_in_rollout(desk: Desk) -> None:
    await cooldown(desk, after=20, rollout=SLOW)


async def held(desk: Desk) -> None:
    await window(desk)
    await desk.say("hold")
    await desk.skip(seconds=5)


async def rolling_back(desk: Desk) -> None:
    desk.world.bad(R, after=60)
    desk.world.rollout = SLOW
    await desk.deploy(R)
    await desk.skip(seconds=75)


async def going_away(desk: Desk) -> Callable[[], None]:
    """Somebody else deployed; people are being told that the release is superseded."""
    desk.world.image(R, then={timedelta(minutes=1): World.stranger_deploys})
    return await during("notify_slack")(desk)


async def good(desk: Desk) -> None:
    assert (await desk.release(R)).outcome is Outcome.HEALTHY


async def back(desk: Desk) -> None:
    desk.world.bad(R, after=60)
    assert (await desk.release(R)).outcome is Outcome.ROLLED_BACK


async def failed(desk: Desk) -> None:
    """What was gone back to is bad as well: people are told until somebody acknowledges it."""
    desk.world.image("app:1", faults={"error-rate": Fault(timedelta(0))})
    desk.world.bad(R, after=60)
    assert (await desk.release(R)).outcome is Outcome.ROLLBACK_FAILED


async def frozen(desk: Desk) -> None:
    await desk.say("freeze")
