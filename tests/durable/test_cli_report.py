"""``lastgood report`` and ``deploy --report`` of releases that real workflows carried out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from lastgood.contracts import Tally, WatchedTrigger, WatchOrder
from lastgood.decisions import recorded, records
from lastgood.decisions.series import Point
from lastgood.model import Outcome
from lastgood.plots import canvas
from tests.durable.cli_fakes import Answer, Rig
from tests.durable.conftest import start_dev_server
from tests.durable.desk import QUICK, Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.group_fakes import group_desk
from tests.durable.world import World

LONG = {"of": QUICK, "monitor": {"window": "60s", "interval": "1s"}}
WHERE = ("--service", "shop/web", "--region", "eu-west-1")
needs_matplotlib = pytest.mark.skipif(
    find_spec("matplotlib") is None,
    reason="matplotlib is an extra, for pictures only: pip install 'lastgood[plots]' removes this",
)


class RecordingAws(FakeAws):
    """Whose error rate leaves a record of what it was judged from, as ours does."""

    def _tally(self, watched: WatchedTrigger, order: WatchOrder, now: datetime) -> Tally:
        tally = super()._tally(watched, order, now)
        if watched.trigger.type != "error-rate" or tally.failing is None:
            return tally
        begin = now.replace(microsecond=0) - timedelta(seconds=5)
        points = tuple(
            Point(start=begin + timedelta(seconds=n), value=0.4 if n else 0.0) for n in range(5)
        )
        given = recorded.OfThreshold(points=points, since=begin, now=now, before=0.001)
        return records.with_record(tally, records.record_of(given))


@pytest.fixture
async def told_desk() -> AsyncIterator[Desk]:
    world = World(rollout=timedelta(seconds=0.3))
    environment = await start_dev_server()
    async with environment as env, at_work(env, RecordingAws(world, patient=True)) as desk:
        yield desk


def rig(desk: Desk, folder: Path) -> Rig:
    address = desk.client.service_client.config.target_host
    return Rig(desk.client, folder, {"TEMPORAL_ADDRESS": address})


async def reported(cli: Rig, *arguments: str) -> Answer:
    """The list of workflows may be a moment behind."""
    for _ in range(20):
        answer = await cli.here("report", *arguments)
        if "is remembered" not in answer.err:
            break
        await asyncio.sleep(0.2)
    return answer


def policy_file(folder: Path, **changes: object) -> None:
    (folder / "lastgood.yaml").write_text(yaml.safe_dump({**QUICK, **changes}))


@needs_matplotlib
async def test_a_rollback_becomes_a_page_and_its_reason_a_picture(told_desk, tmp_path):
    told_desk.world.bad("app:2", after=1)
    result = await told_desk.release("app:2", id="r/2", **LONG)
    assert result.outcome is Outcome.ROLLED_BACK
    cli = rig(told_desk, tmp_path)

    page = await reported(cli, "r/2")
    assert (page.code, page.out) == (0, "lastgood-r-2.html\n"), page.err
    text = (tmp_path / "lastgood-r-2.html").read_text()
    assert "shop/web: release r/2 was rolled back" in text
    assert ">threshold 5 %</text>" in text
    assert ">verified</text>" in text
    assert "lastgood report r/2 --service shop/web --region eu-west-1" in text

    both = await reported(
        *(cli, "r/2", *WHERE, "--output", "json"),
        *("--out", "out/page.html", "--plot", "why.png"),
    )
    assert json.loads(both.out) == {
        "release": "r/2",
        "service": "shop/web",
        "outcome": "rolled_back",
        "so_far": False,
        "report": "out/page.html",
        "plot": "why.png",
    }
    assert (tmp_path / "out/page.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        *("lastgood-r-2.html", "out", "why.png"),
    ]


async def test_under_way_by_an_operator_and_where_there_is_nothing_to_draw(dev_desk, tmp_path):
    await dev_desk.deploy("app:2", id="r2", **LONG)
    await dev_desk.deploy("app:3", id="r3", **LONG)
    for _ in range(150):
        if await dev_desk.is_at("monitor", "r2"):
            break
        await asyncio.sleep(0.1)
    cli = rig(dev_desk, tmp_path)
    page = tmp_path / "page.html"

    under_way = await reported(cli, "r2", *WHERE, "--no-plots", "--out", "page.html")
    assert under_way.out == "page.html\n"
    assert "so far" in under_way.err
    assert "is under way" in page.read_text()

    waits = await reported(cli, "r3", *WHERE, "--no-plots")
    assert waits.code == 2
    assert "nothing to report yet. It waits in the queue" in waits.err

    await dev_desk.say("cancel", release="r3")
    await dev_desk.rollback()
    await dev_desk.result("r2")
    by_ann = await reported(cli, "r2", *WHERE, "--no-plots", "--out", "page.html")
    assert by_ann.code == 0
    assert "Rollback <" in page.read_text().replace("</span>", " <")
    assert "by ann" in page.read_text()

    alone = (await dev_desk.rollback(to="web:2")).release
    await dev_desk.result(alone)
    outside = await reported(cli, alone, "--no-plots", "--out", "page.html")
    assert outside.code == 0, outside.err
    assert "was carried out" in page.read_text()
    assert "UpdateService to web:2" in page.read_text()

    if find_spec("matplotlib"):
        nothing = await reported(cli, "r2", *WHERE, "--plot", "why.png")
        assert nothing.code == 2
        assert "there is no picture of release r2" in nothing.err


async def test_deploy_writes_it_at_the_end_whatever_becomes_of_it(told_desk, tmp_path, monkeypatch):
    cli = rig(told_desk, tmp_path)
    policy_file(tmp_path)
    deploy = ("deploy", "--image", "app:2", "--release", "r2", "--output", "json")

    good = await cli.here(*deploy, "--report", "out/r2.html")
    assert good.code == 0, good.err
    assert json.loads(good.out)["outcome"] == "healthy"
    assert "Report: out/r2.html" in good.err
    assert "shop/web: release r2 is healthy" in (tmp_path / "out/r2.html").read_text()

    told_desk.world.bad("app:3", after=1)
    policy_file(tmp_path, monitor=LONG["monitor"])
    (tmp_path / "taken").write_text("a file, and no folder")
    bad = ("deploy", "--image", "app:3", "--release", "r3")
    no_folder = await cli.here(*bad, "--report", "taken/r3.html")
    assert no_folder.code == 10
    assert "ROLLED BACK" in no_folder.out
    assert "The report was not written: taken/r3.html" in no_folder.err

    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    without = await cli.here(*bad, "--report", "r3.html")
    assert without.code == 10
    assert "It has no pictures, as matplotlib is missing" in without.err
    text = (tmp_path / "r3.html").read_text()
    assert "<svg" not in text
    assert "python -m pip install &#39;lastgood[plots]&#39;" in text


async def test_a_refused_release_has_a_page_too(dev_desk, tmp_path):
    dev_desk.world.bad("app:2", after=1)
    await dev_desk.release("app:2", id="r2", **LONG)
    policy_file(tmp_path)
    cli = rig(dev_desk, tmp_path)
    again = await cli.here(
        *("deploy", "--image", "app:2", "--release", "r3", "--report", "r3.html")
    )
    assert again.code == 15, again.err
    assert "shop/web: release r3 was refused" in (tmp_path / "r3.html").read_text()


GROUP_POLICY = """\
group: shop
region: eu-west-1
services: [{service: shop/a}, {service: shop/b}]
"""


async def test_a_groups_release_is_one_page(tmp_path):
    (tmp_path / "lastgood.yaml").write_text(GROUP_POLICY)
    async with group_desk() as desk:
        cli = Rig(desk.client, tmp_path, {})
        cli.env["TEMPORAL_ADDRESS"] = desk.client.service_client.config.target_host
        each = ("--image", "shop/a=app:good", "--image", "shop/b=app:bad")
        ended = await cli.here("deploy", *each, "--release", "r1", "--report", "end.html")
        answer = await reported(cli, "r1", "--no-plots", "--out", "again.html")
    assert ended.code == 10, ended.err
    assert "Report: end.html" in ended.err
    assert (answer.code, answer.out) == (0, "again.html\n"), answer.err
    for name in ("end.html", "again.html"):
        text = (tmp_path / name).read_text()
        assert "group shop: release r1 was rolled back" in text
        assert 'href="#service-1">shop/a</a>' in text
        assert 'id="service-2"' in text
        assert "shop/b: release r1.b was rolled back" in text


async def test_what_cannot_be_asked_for(tmp_path, monkeypatch):
    cli = Rig(None, tmp_path, {})
    for arguments, said in (
        (("report", "r1", "--out", "lastgood.yaml"), "it becomes an HTML page"),
        (("report", "r1", "--plot", "why.svg"), "it becomes a PNG"),
        (("report", "r1", "--plot", "why.png", "--no-plots"), "--no-plots: leave it out"),
        (("deploy", "--image", "a:1", "--report", "r.txt"), "--report r.txt: it becomes"),
        (
            ("deploy", "--image", "a:1", "--report", "r.html", "--no-wait"),
            "leave out --no-wait",
        ),
    ):
        answer = await cli.here(*arguments)
        assert (answer.code, answer.out) == (2, ""), answer
        assert said in answer.err
    monkeypatch.setattr(canvas, "find_spec", lambda name: None)
    answer = await cli.here("report", "r1")
    assert answer.code == 2
    assert "python -m pip install 'lastgood[plots]'" in answer.err
