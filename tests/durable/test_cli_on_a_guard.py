"""Operators' verbs on the command line, answered by the real guard of a scripted service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.durable.cli_fakes import Answer, Rig
from tests.durable.desk import QUICK, Desk

WHERE = ("shop/web", "--region", "eu-west-1")
WHY = ("--reason", "so it is")


def command_line(desk: Desk, folder: Path) -> Rig:
    (folder / "lastgood.yaml").write_text(json.dumps(QUICK))
    address = desk.client.service_client.config.target_host
    return Rig(desk.client, folder, {"TEMPORAL_ADDRESS": address})


async def deployed(cli: Rig, release: str, *more: str) -> Answer:
    given = ("--image", f"app:{release}", "--release", release, "--output", "json")
    return await cli.here("deploy", *given, *more)


async def until(desk: Desk, step: str) -> None:
    for _ in range(150):
        if await desk.is_at(step):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await desk.whereabouts())


async def test_adopted_frozen_forced_and_unfrozen(dev_desk, tmp_path):
    cli = command_line(dev_desk, tmp_path)

    adopted = await cli.here("adopt", *WHERE, *WHY)
    assert (adopted.code, adopted.out) == (
        0,
        "web:1 is the last known good revision of shop/web now.\n",
    )
    frozen = await cli.here("freeze", *WHERE, *WHY, "--for", "4h")
    assert (frozen.code, frozen.out[:25]) == (0, "shop/web is frozen until ")
    assert "FROZEN          until" in (await cli.here("status", *WHERE)).out

    refused = await deployed(cli, "2")
    assert refused.code == 15
    assert "so it is" in json.loads(refused.out)["reason"]
    assert (await deployed(cli, "3", "--force", *WHY)).code == 0
    assert (await cli.here("unfreeze", *WHERE, *WHY)).code == 0
    again = await cli.here("unfreeze", *WHERE, *WHY)
    assert (again.code, "is not frozen" in again.out) == (15, True)

    history = (await cli.here("history", *WHERE)).out
    for text in ("unfreeze by", "freeze by", "adopt by", "good       web:1", "Ledger"):
        assert text in history
    assert "forced: so it is" in (await cli.here("explain", "3", "--service", *WHERE)).out


async def test_a_release_is_held_denied_and_what_comes_too_late_is_refused(dev_desk, tmp_path):
    cli = command_line(dev_desk, tmp_path)
    await dev_desk.deploy("app:2", id="r2", of=QUICK, monitor={"window": "60s", "interval": "1s"})
    await until(dev_desk, "monitor")
    assert (await cli.here("hold", *WHERE, *WHY, "--release", "r2")).code == 0
    assert (await cli.here("follow", *WHERE, "--release", "r2")).code == 13
    denied = await cli.here("deny", *WHERE, *WHY, "--output", "json")
    assert (denied.code, json.loads(denied.out)["release"]) == (0, "r2")
    assert (await cli.here("follow", *WHERE, "--release", "r2")).code == 10
    late = await cli.here("approve", *WHERE, *WHY, "--release", "r2")
    assert late.code == 15
    assert "r2 has ended" in late.out


async def test_a_rollback_of_a_certain_release_is_refused_when_another_runs(dev_desk, tmp_path):
    cli = command_line(dev_desk, tmp_path)
    for release in ("2", "3"):
        assert (await deployed(cli, release)).code == 0

    late = await cli.here("rollback", *WHERE, *WHY, "--release", "2")
    right = await cli.here("rollback", *WHERE, *WHY, "--release", "3")

    assert late.code == 15
    assert "no longer runs what release 2 brought" in late.out
    assert (right.code, dev_desk.world.runs) == (10, "app:2")
