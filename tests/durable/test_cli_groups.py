"""``lastgood deploy`` of a group, against guards that do as they are told."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lastgood.contracts import GroupOrder
from lastgood.model import Outcome
from tests.durable.cli_fakes import Rig
from tests.durable.group_fakes import GROUP, GroupDesk, group_desk
from tests.e2e.runner import outputs

POLICY = """\
group: shop
region: eu-west-1
services:
  - service: shop/a
  - service: shop/b
"""


class Both(Rig):
    """The command line, and the desk that knows what becomes of the group."""

    desk: GroupDesk

    async def deploy(self, *images: str, release: str = "r1", output: str = "json"):
        given = [part for one in images for part in ("--image", one)]
        more = ("--policy", "group.yaml", "--release", release, "--output", output)
        return await self.here("deploy", *given, *more)

    async def runs(self) -> list[str]:
        """The runs of the group's release."""
        found = self.client.list_workflows(f'WorkflowId = "{GROUP}"')
        return [run.run_id async for run in found]


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[Both]:
    (tmp_path / "group.yaml").write_text(POLICY)
    async with group_desk() as desk:
        address = desk.client.service_client.config.target_host
        both = Both(desk.client, tmp_path, {"TEMPORAL_ADDRESS": address})
        both.desk = desk
        yield both


EACH = ("shop/a=app:good", "shop/b=app:bad")


async def test_ends_with_one_verdict_and_each_members_result(cli: Both) -> None:
    answer = await cli.deploy(*EACH)
    data = json.loads(answer.out)
    assert answer.code == 10
    assert (data["release"], data["service"], data["outcome"]) == ("r1", "shop", "rolled_back")
    assert data["workflow_id"] == "group/eu-west-1/shop"
    members = [(one["service"], one["release"], one["outcome"]) for one in data["members"]]
    assert members == [("shop/a", "r1.a", "rolled_back"), ("shop/b", "r1.b", "rolled_back")]
    for line in (
        "→ group shop (shop/a, shop/b, in-order); accepted",
        "shop/a: release r1.a of app:good accepted",
        "shop/a is healthy: It says so.",
        "shop/b was rolled back: It says so.",
        "shop/a goes back. shop/b was rolled back: It says so.",
        "Ended: rolled_back.",
    ):
        assert line in answer.err
    text = await cli.deploy(*EACH, output="text")
    assert text.code == 10
    assert text.out.startswith("ROLLED BACK: release r1 of the group shop\n  reason    shop/b was")
    assert "  member    shop/b ROLLED BACK: It says so.\n" in text.out


@pytest.mark.campaign
async def test_the_same_id_is_the_same_release_also_long_after(cli: Both) -> None:
    first = await cli.deploy(*EACH)
    await cli.deploy("app:good", release="r2")
    again = await cli.deploy(*EACH)
    assert (again.code, again.out) == (10, first.out)
    assert "follows the release that has this id" in again.err
    assert len(await cli.runs()) == 2


async def test_a_second_release_while_one_is_under_way_is_refused(cli: Both) -> None:
    accepted = await cli.here(
        *("deploy", "--image", "app:slow", "--policy", "group.yaml"),
        *("--release", "r1", "--no-wait", "--output", "json"),
    )
    assert json.loads(accepted.out) == {
        "release": "r1",
        "workflow_id": "group/eu-west-1/shop",
        "service": "shop",
        "members": [
            {"release": "r1.a", "service": "shop/a"},
            {"release": "r1.b", "service": "shop/b"},
        ],
    }
    refused = await cli.deploy("app:good", release="r2")
    assert (refused.code, json.loads(refused.out)["outcome"]) == (15, "refused")
    assert "Release r1 of the group shop is under way." in refused.out


async def test_a_held_member_ends_the_command_and_says_how_to_decide(cli: Both) -> None:
    answer = await cli.deploy("shop/a=app:good", "shop/b=app:held", output="text")
    assert answer.code == 13
    assert "HELD for a person: release r1 of the group shop" in answer.out
    assert 'lastgood rollback shop/b --reason "…"' in answer.out
    await cli.desk.guard("b").signal("say", Outcome.HEALTHY)
    assert (await cli.desk.end()).outcome is Outcome.HEALTHY
    assert (await cli.deploy("shop/a=app:good", "shop/b=app:held")).code == 0


@pytest.mark.campaign
async def test_a_held_release_does_not_stand_in_the_way_of_the_next(cli: Both) -> None:
    await cli.deploy("shop/a=app:good", "shop/b=app:held")
    fix = await cli.deploy("app:good", release="r2")
    assert (fix.code, json.loads(fix.out)["release"]) == (0, "r2")
    assert "Release r1 of the group shop, which waited for a person, has ended." in fix.err
    first = json.loads((await cli.deploy("shop/a=app:good", "shop/b=app:held")).out)
    assert (first["release"], first["outcome"]) == ("r1", "superseded")
    assert first["reason"] == (
        "Release r2 superseded it while it waited for a person. No further member begins, and "
        "nothing goes back. shop/b goes on by itself."
    )
    assert [one.outcome for one in await cli.desk.results("a")] == [Outcome.HEALTHY] * 2


async def test_a_signal_detaches_and_the_release_goes_on(cli: Both) -> None:
    more = ("--policy", "group.yaml", "--release", "r1")
    process = await cli.start("deploy", "--image", "app:slow", *more)
    assert process.stderr
    while b"accepted" not in await asyncio.wait_for(process.stderr.readline(), 60):
        pass
    process.send_signal(signal.SIGINT)
    answer = await cli.end_of(process)
    assert (answer.code, answer.out) == (130, "")
    assert "the same command with --release r1" in answer.err
    assert (await cli.desk.group.describe()).status.name == "RUNNING"


def github(cli: Both, attempt: str) -> dict[str, str]:
    files = {"GITHUB_OUTPUT": f"out-{attempt}", "GITHUB_STEP_SUMMARY": f"summary-{attempt}"}
    job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": attempt}
    return job | {name: str(cli.folder / file) for name, file in files.items()}


async def test_a_second_attempt_of_a_github_run_follows_the_same_release(cli: Both) -> None:
    order = ("deploy", "--image", "app:slow", "--policy", "group.yaml", "--no-wait")
    first = await cli.here(*order, "--output", "json", env=github(cli, "1"))
    release = json.loads(first.out)["release"]
    assert release.startswith("gh-77-1-slow-")
    assert outputs((cli.folder / "out-1").read_text())["release"] == release
    follow = f"lastgood group follow shop --release {release} --region eu-west-1"
    assert follow in (cli.folder / "summary-1").read_text()
    second = await cli.here(*order, "--output", "json", env=github(cli, "2"))
    assert json.loads(second.out)["release"] == release
    assert "of an earlier attempt of this run is under way" in second.err


async def test_the_summary_of_a_github_job_names_each_member(cli: Both) -> None:
    images = [part for one in EACH for part in ("--image", one)]
    answer = await cli.here("deploy", *images, "--policy", "group.yaml", env=github(cli, "1"))
    assert answer.code == 10
    told = outputs((cli.folder / "out-1").read_text())
    assert told["outcome"] == "rolled_back"
    summary = (cli.folder / "summary-1").read_text()
    for member in ("| member | shop/a ", "| member | shop/b ROLLED BACK: "):
        assert member in summary
    assert "::error title=ROLLED BACK%3A release gh-77-1-" in answer.err
    assert f"lastgood explain {told['release']}" in summary


async def test_anybody_follows_cancels_and_explains_it(cli: Both) -> None:
    where = ("--region", "eu-west-1")
    unknown = await cli.here("group", "follow", "shop", *where)
    assert (unknown.code, "no release of group/eu-west-1/shop" in unknown.err) == (2, True)
    started = ("deploy", "--image", "app:slow", "--policy", "group.yaml", "--release", "r1")
    await cli.here(*started, "--no-wait")
    await cli.desk.until_noted("shop/a: release")
    reason = ("--reason", "wrong ticket")
    other = await cli.here("group", "cancel", "shop", *reason, *where, "--release", "r0")
    assert (other.code, "no release r0" in other.err) == (2, True)

    done = await cli.here("group", "cancel", "shop", *reason, *where)
    again = await cli.here("group", "cancel", "shop", *reason, *where)
    followed = await cli.here("group", "follow", "shop", *where, "--output", "json")
    explained = await cli.here("explain", "r1")

    assert (done.code, done.out) == (0, "Release r1 begins no more.\n")
    assert (again.code, again.out) == (15, "REFUSED: Release r1 has ended already.\n")
    assert (followed.code, json.loads(followed.out)["outcome"]) == (16, "cancelled")
    assert "cancelled it: wrong ticket. No further member begins" in followed.out
    assert explained.code == 0
    for line in (
        "CANCELLED: release r1 of the group shop",
        "  lastgood explain r1.a --service shop/a\n",
        "  shop/a: release r1.a of app:slow accepted\n",
        "cancelled it: wrong ticket.",
    ):
        assert line in explained.out


async def test_a_group_that_broke_off_ends_the_command_with_a_word(cli: Both) -> None:
    await cli.here(
        "deploy", "--image", "app:slow", "--policy", "group.yaml", "--release", "r1", "--no-wait"
    )
    await cli.desk.until_noted("shop/a: release")
    await cli.desk.group.terminate("by a test")
    answer = await cli.deploy("app:slow")
    assert answer.code == 1
    assert "broke off without a verdict" in answer.err
    assert "shop/a, shop/b" in answer.err


async def test_each_member_gets_its_image_and_its_policy(cli: Both) -> None:
    await cli.deploy("shop/b=app:good", "shop/a=app:good")
    history = await cli.desk.group.fetch_history()
    payload = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    order = GroupOrder.model_validate_json(payload.data)
    assert [(one.policy.service, one.image) for one in order.members] == [
        ("shop/a", "app:good"),
        ("shop/b", "app:good"),
    ]
    assert {one.policy.region for one in order.members} == {"eu-west-1"}
    assert {one.group for one in order.members} == {GROUP}


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ((), "Say what to release: --image IMAGE for all, or --image CLUSTER/SERVICE=IMAGE"),
        (("shop/a=x:1",), "--image: no image for shop/b: add --image shop/b=IMAGE"),
        (("x:1", "shop/a=x:1"), "one for all services, or --image CLUSTER/SERVICE=IMAGE for each"),
        (("shop/a=x:1", "shop/c=x:1"), "'shop/c' is not in the group; write one of shop/a, shop/b"),
        (("shop/a=x:1", "shop/a=x:2"), "shop/a has two images: leave one out"),
        (("shop/a=x:1", "shop/b="), "not an image"),
    ],
)
async def test_wrong_images(tmp_path: Path, images: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "group.yaml").write_text(POLICY)
    given = [part for one in images for part in ("--image", one)]
    cli = Rig(None, tmp_path)  # type: ignore[arg-type] # nothing is asked
    answer = await cli.here("deploy", *given, "--policy", "group.yaml")
    assert answer.code == 2
    assert sentence in answer.err


async def test_a_task_definition_is_not_for_groups_nor_many_images_for_one(tmp_path: Path) -> None:
    (tmp_path / "group.yaml").write_text(POLICY)
    (tmp_path / "lastgood.yaml").write_text("service: shop/a\nregion: eu-west-1\n")
    cli = Rig(None, tmp_path)  # type: ignore[arg-type] # nothing is asked
    group = await cli.here("deploy", "--task-definition", "web:1", "--policy", "group.yaml")
    assert (group.code, "a group is released by --image" in group.err) == (2, True)
    one = await cli.here("deploy", "--image", "x:1", "--image", "x:2")
    assert (one.code, "this policy is about one service" in one.err) == (2, True)
    other = await cli.here("check", "--policy", "group.yaml")
    assert (other.code, "this is about the group shop" in other.err) == (2, True)
