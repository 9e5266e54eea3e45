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
from sandbox.scenarios.demo.parts import search_attributes
from scripts.histories import GROUPS, SCENARIOS
from tests.durable.conftest import start_dev_server
from tests.durable.desk import Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.group_fakes import GroupDesk, group_desk
from tests.durable.world import World

FOLDER = Path(__file__).parents[1] / "tests/replay/histories"
SETTINGS = {
    "queue": ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40"),
    "listed": tuple(search_attributes()),
}
"""What the server is told, for some scenarios."""


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
    env = await start_dev_server(*SETTINGS.get(name, ()))
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
    for name in wanted:
        for path in FOLDER.glob(f"{name}.*"):
            path.unlink()
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
