"""The command line against a guard that does as it is told, on Temporal's dev server."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from lastgood.cli import following
from lastgood.errors import UnreachableError
from lastgood.model import Outcome
from tests.durable.cli_fakes import NOW, POLICY, SERVICE, Rig, progress, result, rig

FIELDS = ["release", "workflow_id", "run_id", "service", "outcome", "reason"]
FIELDS += ["from_task_definition", "to_task_definition", "trigger", "rollback"]
FIELDS += ["evidence", "timings"]


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


DEPLOY = ("deploy", "--image", "web:2.0", "--release", "r1")


async def started(cli: Rig, *more: str) -> asyncio.subprocess.Process:
    """A deploy that follows, at the moment at which it shows measurements."""
    process = await cli.start(*DEPLOY, *more)
    assert process.stderr
    seen = b""
    # Two watches say these, each by its own heartbeat: which is seen first is not known.
    while not (b"error-rate 0.1 %" in seen and b"1 of 2 tasks running" in seen):
        line = await asyncio.wait_for(process.stderr.readline(), 30)
        assert line, seen.decode()
        seen += line
    assert b"Rollback target: web:1 runs." in seen
    return process


async def test_follows_to_the_end_with_live_values_and_gives_the_verdict(cli: Rig) -> None:
    process = await started(cli, "--output", "json")
    await cli.end(result("r1", Outcome.ROLLED_BACK, trigger="error-rate"))
    answer = await cli.end_of(process)
    data = json.loads(answer.out)
    assert answer.code == 10
    assert list(data)[: len(FIELDS)] == FIELDS
    assert (data["outcome"], data["trigger"]) == ("rolled_back", "error-rate")
    again = await cli.run(*DEPLOY)
    assert again.code == 10
    assert again.out.startswith("ROLLED BACK: release r1 of shop/web\n")
    assert "follows the release that has this id" in again.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_detaches_and_says_how_to_follow_again(
    cli: Rig, number: signal.Signals, code: int
) -> None:
    process = await started(cli)
    process.send_signal(number)
    answer = await cli.end_of(process)
    assert answer.code == code
    assert "lastgood follow shop/web --release r1" in answer.err
    assert answer.out == ""
    assert (await cli.release().describe()).status.name == "RUNNING"


async def test_a_held_release_ends_the_command_at_once(cli: Rig) -> None:
    process = await started(cli)
    held = result("r1", Outcome.HELD, reason="No data.")
    await cli.release().signal("be", progress("r1", held=True, result=held))
    answer = await cli.end_of(process)
    assert answer.code == 13
    assert "HELD for a person: release r1" in answer.out
    assert 'lastgood rollback shop/web --reason "…"' in answer.out


async def test_without_a_worker_it_goes_on_trying(tmp_path: Path) -> None:
    async with rig(tmp_path, worker=False) as cli:
        async with cli.worker():
            process = await started(cli)
        assert process.stderr
        while b"No worker answers" not in await asyncio.wait_for(process.stderr.readline(), 45):
            pass
        async with cli.worker():
            await cli.end(result("r1"))
            answer = await cli.end_of(process)
    assert (answer.code, answer.out.splitlines()[0]) == (0, "HEALTHY: release r1 of shop/web")


async def test_a_lost_temporal_is_given_up_after_minutes_and_the_release_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path, worker=False) as cli:
        follower = following.Follower(cli.client, SERVICE, "r1")
        monkeypatch.setattr(following, "FORGOTTEN", 0)
        with pytest.raises(UnreachableError, match="Nobody knows release r1"):
            [_ async for _ in follower.follow()]
    monkeypatch.setattr(following, "PATIENCE", 0.5)
    monkeypatch.setattr(following, "RPC_TIMEOUT", timedelta(seconds=0.2))
    with pytest.raises(UnreachableError, match="Release r1 goes on without this command"):
        [_ async for _ in follower.follow()]


async def test_refused_and_not_waited_for(cli: Rig) -> None:
    refused = await cli.here("deploy", "--image", "a:1", "--release", "refuse", "--output", "json")
    data = json.loads(refused.out)
    assert (refused.code, data["outcome"]) == (15, "refused")
    assert data["reason"] == "Release r0 is under way."
    accepted = await cli.here(*DEPLOY, "--no-wait", "--output", "json")
    assert accepted.code == 0
    assert json.loads(accepted.out) == {
        "release": "r1",
        "workflow_id": "release/eu-west-1/shop/web",
        "service": "shop/web",
        "position": 0,
    }


async def test_the_same_github_job_is_the_same_release_and_reads_the_end(cli: Rig) -> None:
    summary = cli.folder / "summary.md"
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "77",
        "GITHUB_ACTOR": "octocat",
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    first = await cli.here("deploy", "--image", "a/web:2.0", "--no-wait", env=env)
    name = first.out.split()[2]
    assert name.startswith("gh-77-1-2.0-")
    await cli.end(result(name, Outcome.HELD, reason="100 % wrong\n::error::x"))
    second = await cli.here("deploy", "--image", "a/web:2.0", env=env)
    assert second.code == 13
    assert f"::error title=HELD for a person%3A release {name}" in second.err
    assert "::100 %25 wrong%0A::error::x" in second.err
    assert "**100 % wrong ::error::x**" in summary.read_text()
    assert "reason    100 % wrong\n: :error::x" in second.out


async def test_a_rollback_that_came_too_late_for_a_release_is_asked_for_again(cli: Rig) -> None:
    answer = await cli.here("rollback", "shop/web", "--region", "eu-west-1", "--reason", "prices")
    assert answer.code == 10
    assert "Release r1 had already ended" not in answer.out
    assert "release r1 had already ended" in answer.err.lower()
    assert answer.out.startswith("ROLLED BACK: rollback-1 of shop/web")


async def test_a_rollback_is_refused(cli: Rig) -> None:
    where = ("shop/web", "--region", "eu-west-1")
    answer = await cli.here("rollback", *where, "--reason", "nothing there", "--output", "json")
    assert answer.code == 15, answer.err
    assert json.loads(answer.out)["outcome"] == "refused"


async def test_status_history_and_reset(cli: Rig) -> None:
    where = ("shop/web", "--region", "eu-west-1")
    empty = await cli.here("status", *where, "--output", "json")
    assert (empty.code, json.loads(empty.out)["known"]) == (0, False)
    process = await started(cli)
    status = await cli.here("status", *where)
    assert status.code == 0
    for text in (
        "r1: web:2.0",
        "monitor since",
        "web:1 → web:2; back would be web:1",
        "error-rate 0.1 % (threshold 5.0 %)",
        "queue           r3",
        "1 of 3 counted",
        "NOT TOLD        slack",
    ):
        assert text in status.out
    data = json.loads((await cli.here("status", *where, "--output", "json")).out)
    assert data["current"]["latest"][0]["trigger"] == "error-rate"
    assert data["notification_failures"][0]["error"] == "HTTP 500"
    history = await cli.here("history", *where)
    assert "reset by bob" in history.out
    assert "release r1: healthy, web:2.0, by ann" in history.out
    reset = await cli.here("reset", *where, "--reason", "fixed")
    assert (reset.code, reset.out.endswith(": fixed\n")) == (0, True)
    await cli.end(result("r1", finished_at=NOW + timedelta(minutes=1)))
    assert (await cli.end_of(process)).code == 0


async def test_check(cli: Rig) -> None:
    good = await cli.here("check")
    assert (good.code, good.out.splitlines()[0]) == (0, "shop/web: nothing would roll back")
    (cli.folder / "bad.yaml").write_text(POLICY + "container: bad\n")
    bad = await cli.here("check", "--policy", "bad.yaml", "--output", "json")
    assert (bad.code, json.loads(bad.out)["would_roll_back"]) == (10, True)
    (cli.folder / "none.yaml").write_text(POLICY + "container: nowhere\n")
    none = await cli.here("check", "--policy", "none.yaml")
    assert (none.code, none.err.splitlines()[-1]) == (2, "shop/web does not exist.")
