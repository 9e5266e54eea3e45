"""``lastgood explain`` of releases that real workflows carried out, on a scripted service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from lastgood.model import Outcome
from tests.durable.cli_fakes import Answer, Rig
from tests.durable.desk import QUICK, Desk
from tests.durable.world import arn

LONG = {"of": QUICK, "monitor": {"window": "60s", "interval": "1s"}}
WHERE = ("--service", "shop/web", "--region", "eu-west-1")


async def explained(desk: Desk, folder: Path, *arguments: str) -> Answer:
    """The list of workflows may be a moment behind."""
    cli = Rig(
        desk.client, folder, {"TEMPORAL_ADDRESS": desk.client.service_client.config.target_host}
    )
    for _ in range(20):
        answer = await cli.here("explain", *arguments)
        if answer.code != 2:
            break
        await asyncio.sleep(0.2)
    return answer


async def until(desk: Desk, step: str, release: str) -> None:
    for _ in range(150):
        if await desk.is_at(step, release):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await desk.whereabouts())


async def test_a_rollback_is_explained_from_the_request_to_the_notification(dev_desk, tmp_path):
    dev_desk.world.bad("app:2", after=1)
    result = await dev_desk.release("app:2", id="r2", **LONG)
    assert result.outcome is Outcome.ROLLED_BACK

    answer = await explained(dev_desk, tmp_path, "r2")

    assert answer.code == 0, answer.err
    told = answer.out
    assert told.startswith("ROLLED BACK: release r2 of shop/web\n")
    for text in (
        "Asked for\n  app:2, by ci",
        "web:1 → web:2",
        "roll back ",
        "Target of a rollback\n  web:1 (app:1",
        "FAIL error-rate",
        "error-rate is bad",
        "rollbacks   0 of 3 in 1d",
        "trigger → roll back",
        "UTC  RegisterTaskDefinition: web:2",
        "UTC  UpdateService: shop/web → web:2",
        "web:1\n\nWho did what",  # the call back
        "nobody but Lastgood",
        "through slack, email",
    ):
        assert text in told, told
    assert "judged again" not in told
    again = await explained(dev_desk, tmp_path, "r2", "--again")
    assert "     cannot be judged again: it has no record\n" in again.out
    assert told.index("Triggers") < told.index("Decisions") < told.index("Who did what")


async def test_with_a_service_it_is_asked_of_its_guard_and_json_has_it_all(dev_desk, tmp_path):
    await dev_desk.release("app:2", id="r2", of=QUICK)

    found = await explained(dev_desk, tmp_path, "r2", "--output", "json")
    asked = await explained(dev_desk, tmp_path, "r2", *WHERE, "--output", "json")

    for answer in (found, asked):
        data = json.loads(answer.out)
        assert (data["service"], data["region"]) == ("shop/web", "eu-west-1")
        assert data["result"]["outcome"] == "healthy"
        assert data["explanation"]["release"]["image"] == "app:2"
        assert data["explanation"]["progress"]["to_task_definition"] == arn(2)


async def test_a_release_under_way_and_an_operators_rollback_are_explained_too(dev_desk, tmp_path):
    await dev_desk.release("app:2", id="r2", of=QUICK)
    await dev_desk.deploy("app:3", id="r3", **LONG)
    await until(dev_desk, "monitor", "r3")
    under_way = await explained(dev_desk, tmp_path, "r3")
    assert under_way.out.startswith("UNDER WAY, at its step monitor: release r3 of shop/web")

    await dev_desk.rollback()
    await dev_desk.result("r3")
    rolled_back = await explained(dev_desk, tmp_path, "r3")
    assert "rollback by ann: looks bad" in rolled_back.out

    accepted = await dev_desk.rollback(to="web:1")
    await dev_desk.result(accepted.release)
    alone = await explained(dev_desk, tmp_path, accepted.release)
    assert "outside of a release" in alone.out
    assert "UTC  UpdateService to web:1" in alone.out
    assert alone.out.startswith(f"ROLLED BACK: {accepted.release} of shop/web")


async def test_a_release_that_nobody_knows(dev_desk, tmp_path):
    cli = Rig(dev_desk.client, tmp_path, {})
    cli.env["TEMPORAL_ADDRESS"] = dev_desk.client.service_client.config.target_host
    for more in ((), WHERE):
        answer = await cli.here("explain", "r9", *more)
        assert answer.code == 2
        assert "No release r9" in answer.err


async def test_a_release_that_waits_and_one_that_never_began(dev_desk, tmp_path):
    await dev_desk.deploy("app:2", id="r2", **LONG)
    await dev_desk.deploy("app:3", id="r3", **LONG)
    waits = await explained(dev_desk, tmp_path, "r3", *WHERE)
    await dev_desk.say("cancel", release="r3")
    cancelled = await explained(dev_desk, tmp_path, "r3", *WHERE)

    assert waits.out == "Release r3 of shop/web\n  It waits in the queue, 1 before it.\n"
    assert cancelled.out.startswith("CANCELLED: release r3 of shop/web")
    assert "It never began" in cancelled.out
    assert "outside of a release" not in cancelled.out
