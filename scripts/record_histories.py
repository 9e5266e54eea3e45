"""Record the histories that tests/replay replays: ``make histories``, after workflows changed.

Runs scenarios on Temporal's dev server with the scripted world of tests/durable, and writes the
history of every workflow that took part. What names a machine is left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowExecution

from lastgood import messages
from lastgood.model import Outcome
from tests.durable.conftest import start_dev_server
from tests.durable.desk import QUICK, Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.group_fakes import GroupDesk, group_desk
from tests.durable.world import World

FOLDER = Path(__file__).parents[1] / "tests/replay/histories"
LONG = {"of": QUICK, "monitor": {"window": "60s", "interval": "1s"}}
CONTINUE_EARLY = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40")
SMOKE = {"smoke": [{"url": "https://shop.example/health", "every": "1s"}]}


async def healthy(desk: Desk) -> None:
    """A good release with a smoke test."""
    desk.aws.smoke = {"app:2": [False, True]}
    await desk.release("app:2", of=QUICK, notify={"healthy": True}, **SMOKE)


async def rolled_back(desk: Desk) -> None:
    """A trigger in the window."""
    desk.world.bad("app:2", after=2)
    await desk.release("app:2", **LONG)


async def rolled_back_by_ecs(desk: Desk) -> None:
    """ECS's circuit breaker is faster."""
    desk.world.image("app:2", ends="rolled_back_by_ecs")
    await desk.release("app:2", of=QUICK)


async def held(desk: Desk) -> None:
    """Held for a person, superseded by a fix; held, and rolled back by an operator."""
    held = {"of": QUICK, "rollback": {"enabled": False, "hold_for": "1m"}}
    desk.world.bad("app:2", after=1)
    desk.world.bad("app:4", after=1)
    await desk.deploy("app:2", **held)
    await until_step(desk, "hold")
    await desk.release("app:3", of=QUICK)
    await desk.deploy("app:4", **held)
    await until_step(desk, "hold")
    await desk.rollback()
    await desk.result("app:4")


async def held_to_the_end(desk: Desk) -> None:
    """Nobody decides."""
    desk.world.image("app:2", silent=frozenset({"error-rate"}))
    await desk.release("app:2", of=QUICK, rollback={"hold_for": "4s"})


async def cooldown(desk: Desk) -> None:
    """Two bad releases in a row; the second one waits for the cooldown's end."""
    policy = LONG | {"rollback": {"cooldown": "8s"}}
    desk.world.bad("app:2", after=1)
    desk.world.bad("app:3", after=1)
    await desk.release("app:2", **policy)
    await desk.release("app:3", **policy)


async def cooldown_lifted(desk: Desk) -> None:
    """An operator resets while a cooldown is sat out during the rollout."""
    policy = LONG | {"rollback": {"cooldown": "1h"}}
    desk.world.bad("app:2", after=1)
    desk.world.bad("app:3", after=1, rollout=timedelta(seconds=30))
    await desk.release("app:2", **policy)
    await desk.deploy("app:3", **policy)
    await until_step(desk, "cooldown")
    await desk.reset()
    await desk.result("app:3")


async def operators(desk: Desk) -> None:
    """A rollback during a release, and one long after."""
    await desk.release("app:2", of=QUICK)
    await desk.deploy("app:3", **LONG)
    await until_step(desk, "monitor")
    await desk.rollback()
    await desk.result("app:3")
    await desk.release("app:4", of=QUICK)
    await desk.result((await desk.rollback()).release)


async def strangers(desk: Desk) -> None:
    """Somebody else deploys; a release is refused; a release is cancelled."""
    desk.world.image("app:2", then={timedelta(seconds=2): World.stranger_deploys})
    await desk.release("app:2", **LONG)
    await desk.release("app:3", of=QUICK, triggers=[{"type": "alarm", "alarm": "unknown"}])
    await desk.deploy("app:4", **LONG)
    await until_step(desk, "monitor")
    await desk.cancel_release()
    await desk.result("app:4")


async def broken_off(desk: Desk) -> None:
    """A release is terminated; the next one runs."""
    await desk.deploy("app:2", **LONG)
    await until_step(desk, "monitor")
    await desk.terminate_release()
    await desk.release("app:3", of=QUICK)


async def unreachable(desk: Desk) -> None:
    """ECS gives the rollout up, and nobody takes the messages."""
    desk.aws.unreachable = {"slack", "email"}
    desk.world.image("app:2", ends="failed")
    await desk.release("app:2", of=QUICK)


async def queue(desk: Desk) -> None:
    """Several releases at once, one of them impatient; the guard continues as new."""
    for image in ("app:2", "app:3"):
        await desk.deploy(image, of=QUICK)
    await desk.deploy("app:3", of=QUICK)
    await desk.result("app:3")
    await desk.deploy("app:4", **LONG)
    await until_step(desk, "monitor")
    await desk.release("app:5", of=QUICK, deploy={"on_busy": "supersede"})
    await desk.release("app:6", of=QUICK)


async def checked(desk: Desk) -> None:
    """All triggers measured once."""
    await desk.check(of=QUICK)


SCENARIOS: list[Callable[[Desk], Awaitable[None]]] = [
    healthy,
    rolled_back,
    rolled_back_by_ecs,
    held,
    held_to_the_end,
    cooldown,
    cooldown_lifted,
    operators,
    strangers,
    broken_off,
    unreachable,
    queue,
    checked,
]


async def group_in_order(desk: GroupDesk) -> None:
    """One is held and judged again, one is bad; the first one goes back."""
    await desk.start("good", "held", "bad", "good")
    await desk.until(lambda progress: progress.result is not None)
    await desk.guard("b").signal("resume")
    await desk.guard("b").signal("say", Outcome.HEALTHY)
    await desk.end()


async def group_at_once(desk: GroupDesk) -> None:
    """One is bad; others are healthy, under way, queued, refused."""
    await desk.start("good", "slow", "late", "queued", "refused", how="at-once")
    await desk.end()


async def group_undone(desk: GroupDesk) -> None:
    """One ends without a word, and is rolled back by an operator; and all are healthy."""
    await desk.start("silent", "slow")
    await desk.until_noted("shop/a is healthy")
    await desk.undo("a")
    await desk.end()
    await desk.release("good", "good", ident="r2")


GROUPS: list[Callable[[GroupDesk], Awaitable[None]]] = [group_in_order, group_at_once, group_undone]


async def until_step(desk: Desk, step: str) -> None:
    """Wait until the release has come to a step."""
    for _ in range(300):
        await asyncio.sleep(0.1)
        if await desk.is_at(step):
            return
    raise AssertionError(f"never came to {step}: {await desk.whereabouts()}")


def without_machine(value: Any) -> Any:
    """The same JSON without stack traces, which name paths."""
    if isinstance(value, dict):
        return {k: without_machine(v) for k, v in value.items() if k != "stackTrace"}
    return [without_machine(one) for one in value] if isinstance(value, list) else value


async def save(desk: Desk | GroupDesk, scenario: str, run: WorkflowExecution) -> None:
    """Write one run's history."""
    handle = desk.client.get_workflow_handle(run.id, run_id=run.run_id)
    history = without_machine(json.loads((await handle.fetch_history()).to_json()))
    name = f"{scenario}.{run.workflow_type}.{run.start_time:%H%M%S%f}.json"
    (FOLDER / name).write_text(json.dumps(history, separators=(",", ":"), sort_keys=True) + "\n")


def number() -> None:
    """Name runs by their order instead of their time."""
    counts: dict[str, int] = {}
    for path in sorted(FOLDER.glob("*.json")):
        stem = path.name.rsplit(".", 2)[0]
        counts[stem] = counts.get(stem, 0) + 1
        path.rename(path.with_name(f"{stem}.{counts[stem]}.json"))


async def record(scenario: Callable[[Desk], Awaitable[None]]) -> None:
    """Run one scenario on a server of its own."""
    name = scenario.__name__
    world = World(rollout=timedelta(seconds=1))
    env = await start_dev_server(*(CONTINUE_EARLY if name == "queue" else ()))
    async with env, at_work(env, FakeAws(world, patient=True)) as desk:
        desk.patience = 90
        await scenario(desk)
        await asyncio.sleep(1)  # until the last ends are visible
        async for run in env.client.list_workflows():
            await save(desk, name, run)
    print(f"{name}: recorded")


async def record_group(scenario: Callable[[GroupDesk], Awaitable[None]]) -> None:
    """Run one scenario of a group; its guards are the tests' own, and are not recorded."""
    async with group_desk() as desk:
        await scenario(desk)
        await asyncio.sleep(1)
        async for run in desk.client.list_workflows(f"WorkflowType = '{messages.GROUP}'"):
            await save(desk, scenario.__name__, run)
    print(f"{scenario.__name__}: recorded")


async def main(wanted: list[str]) -> None:
    """Record all scenarios, or those that are named."""
    if not wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for scenario in SCENARIOS:
        if not wanted or scenario.__name__ in wanted:
            await record(scenario)
    for of_group in GROUPS:
        if not wanted or of_group.__name__ in wanted:
            await record_group(of_group)
    number()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)  # the interpreter can abort at its end after a Temporal client (sdk-python#300)
