"""Drills that Temporal begins: made, listed, run and removed by the command line."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from lastgood import messages
from lastgood.model import Outcome
from tests.durable.cli_fakes import Rig
from tests.durable.desk import QUICK, Desk
from tests.durable.world import SERVICE

MONDAYS = ("--schedule", "0 9 * * 1", "--time-zone", "Europe/Berlin")
JSON = ("--output", "json")


@pytest.fixture
async def cli(dev_desk: Desk, tmp_path: Path) -> Rig:
    """The command line, on the desk's server."""
    write_policy(tmp_path)
    address = dev_desk.client.service_client.config.target_host
    return Rig(dev_desk.client, tmp_path, {"TEMPORAL_ADDRESS": address})


def write_policy(folder: Path, **drill: Any) -> None:
    quick = QUICK | {"drill": {"allowed": True, **drill}, "rollback": {"cooldown": "0s"}}
    (folder / "lastgood.yaml").write_text(yaml.safe_dump(quick))


async def listed(cli: Rig) -> list[dict[str, Any]]:
    answer = await cli.here("drill", "--schedule", "list", *JSON)
    assert answer.code == 0, answer.err
    found: list[dict[str, Any]] = json.loads(answer.out)["schedules"]
    return found


async def run_to_its_end(cli: Rig, ends: int) -> dict[str, Any]:
    """Run the schedule's drill now; what the list tells of it."""
    answer = await cli.here("drill", "shop/web", "--schedule", "run")
    assert answer.code == 0, answer.err
    for _ in range(120):
        await asyncio.sleep(0.25)
        [found] = await listed(cli)
        ended = [one for one in found["runs"] if one["passed"] is not None]
        if len(ended) == ends:
            return dict(ended[0])
    raise AssertionError(found)


async def refused(cli: Rig, *arguments: str) -> str:
    answer = await cli.here("drill", "shop/web", "--schedule", *arguments)
    assert (answer.code, answer.out) == (2, ""), answer
    return answer.err


async def test_schedule_is_made_listed_run_changed_and_removed(cli: Rig, dev_desk: Desk) -> None:
    assert "is no cron expression" in await refused(cli, "every monday")
    assert "are not scheduled" in await refused(cli, "run")
    made = await cli.here("drill", "shop/web", *MONDAYS)
    assert made.code == 0, made.err
    assert "0 9 * * 1 (Europe/Berlin)" in made.out

    [found] = await listed(cli)
    assert (found["service"], found["runs"]) == ("shop/web", [])
    coming = datetime.fromisoformat(found["next"][0])
    assert (coming.weekday(), coming.minute) == (0, 0)
    assert coming.hour in (7, 8), "nine o'clock in Berlin"

    run = await run_to_its_end(cli, 1)
    assert run["passed"], run
    assert run["workflow_id"].startswith(messages.drill_id(SERVICE))
    [ended] = (await dev_desk.overview()).results
    assert ended.drill
    assert (ended.drill.passed, ended.actor.startswith("schedule of ")) == (True, True)

    changed = await cli.here("drill", "shop/web", "--schedule", "@daily", *JSON)
    assert json.loads(changed.out)["schedules"][0]["time_zone"] == "UTC", changed.out

    removed = await cli.here("drill", "shop/web", "--schedule", "remove")
    assert removed.code == 0, removed.err
    assert await listed(cli) == []
    assert "are not scheduled" in await refused(cli, "remove")


async def test_scheduled_drill_that_is_refused_fails_and_is_told(cli: Rig, dev_desk: Desk) -> None:
    assert (await cli.here("drill", "shop/web", *MONDAYS)).code == 0
    await dev_desk.say("freeze")

    run = await run_to_its_end(cli, 1)

    assert not run["passed"]
    assert run["why"].startswith("refused: ann has frozen shop/web")
    [told] = [one for to, one in dev_desk.aws.told if to == "slack"]
    assert (told.severity, told.outcome) == ("warning", Outcome.REFUSED)
    assert told.title.startswith("DRILL")
    assert dev_desk.images == []
