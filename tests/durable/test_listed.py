"""Releases are found in Temporal's lists by search attributes, and go on where there are none."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from lastgood import messages
from lastgood.decisions import attributes
from lastgood.listing import registered, told_by_the_namespace
from lastgood.model import Outcome
from scripts.histories import until_step
from tests.durable.desk import GUARD, QUICK, RELEASE, ROLLBACK, Desk
from worker import say_what_is_missing

BAD = {"of": QUICK, "monitor": {"window": "60s", "interval": "1s"}}
REGISTERED = tuple(
    word
    for name in messages.SEARCH_ATTRIBUTES
    for word in ("--search-attribute", f"{name}=Keyword")
)


async def found(client: Client, ident: str) -> dict[str, str]:
    """What a workflow is found by."""
    description = await client.get_workflow_handle(ident).describe()
    values = {
        name: description.typed_search_attributes.get(SearchAttributeKey.for_keyword(name))
        for name in messages.SEARCH_ATTRIBUTES
    }
    return {name: value for name, value in values.items() if value is not None}


async def details(client: Client, ident: str) -> str:
    """What Temporal's UI shows of a workflow."""
    metadata = await client.get_workflow_handle(ident).query("__temporal_workflow_metadata")
    return str(metadata["currentDetails"])


@pytest.mark.parametrize("dev_desk", [REGISTERED], indirect=True)
async def test_release_and_its_rollback_are_found_by_what_they_are_and_how_they_ended(
    dev_desk: Desk,
) -> None:
    dev_desk.world.bad("app:2", after=1)

    result = await dev_desk.release("app:2", **BAD)

    assert result.outcome is Outcome.ROLLED_BACK
    assert await registered(dev_desk.client) == messages.SEARCH_ATTRIBUTES
    told = await told_by_the_namespace(dev_desk.client, timedelta(seconds=5))
    assert told == messages.SEARCH_ATTRIBUTES
    assert await found(dev_desk.client, RELEASE) == {
        "LastgoodService": "shop/web",
        "LastgoodOutcome": "rolled_back",
        "LastgoodImage": "app:2",
        "LastgoodActor": "ci",
    }
    assert await found(dev_desk.client, ROLLBACK) == {
        "LastgoodService": "shop/web",
        "LastgoodOutcome": "rolled_back",
        "LastgoodImage": "app:1",
        "LastgoodActor": "lastgood",
    }
    assert await found(dev_desk.client, GUARD) == {"LastgoodService": "shop/web"}
    events = await dev_desk.events(RELEASE)
    upserts = events.count("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    assert (upserts, events.count("MARKER_RECORDED")) == (2, 2)


@pytest.mark.parametrize("dev_desk", [REGISTERED], indirect=True)
async def test_held_release_is_found_as_held_until_it_is_not(dev_desk: Desk) -> None:
    hold = {"rollback": {"max_rollbacks": 1, "cooldown": "0s", "enabled": False}}
    dev_desk.world.bad("app:2", after=0.5)
    await dev_desk.deploy("app:2", **{**BAD, **hold})
    await until_step(dev_desk, "hold")
    held = await found(dev_desk.client, RELEASE)

    await dev_desk.say("approve")
    result = await dev_desk.result("app:2")

    assert held["LastgoodOutcome"] == "held"
    assert result.outcome is Outcome.HEALTHY
    assert (await found(dev_desk.client, RELEASE))["LastgoodOutcome"] == "healthy"


async def test_namespace_without_them_releases_and_rolls_back_and_the_worker_says_so(
    dev_desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    dev_desk.world.bad("app:2", after=1)

    result = await dev_desk.release("app:2", **BAD)

    assert result.outcome is Outcome.ROLLED_BACK
    assert await found(dev_desk.client, RELEASE) == {}
    assert await registered(dev_desk.client) == ()
    assert "WORKFLOW_TASK_FAILED" not in await dev_desk.events(RELEASE)
    await say_what_is_missing(dev_desk.client)
    for name in messages.SEARCH_ATTRIBUTES:
        assert f"--name {name} --type Keyword" in caplog.text
    assert "temporal operator search-attribute create --namespace default" in caplog.text


async def test_one_that_has_another_type_is_left_alone(dev_desk: Desk) -> None:
    names = {
        messages.SERVICE_ATTRIBUTE: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        messages.ACTOR_ATTRIBUTE: IndexedValueType.INDEXED_VALUE_TYPE_INT,
    }
    client = dev_desk.client
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=client.namespace, search_attributes=names)
    )

    result = await dev_desk.release("app:2", of=QUICK)

    assert result.outcome is Outcome.HEALTHY
    assert await found(client, RELEASE) == {"LastgoodService": "shop/web"}
    missing = attributes.missing(await registered(client))
    assert missing == ("LastgoodOutcome", "LastgoodImage", "LastgoodActor")


async def test_server_that_does_not_tell_them_hinders_nothing(desk: Desk) -> None:
    """The time-skipping server knows no such question."""
    result = await desk.release("app:2")

    assert result.outcome is Outcome.HEALTHY


@pytest.mark.parametrize("dev_desk", [REGISTERED], indirect=True)
async def test_filters_of_the_docs_are_understood_and_find_a_release(dev_desk: Desk) -> None:
    page = (Path(__file__).parents[2] / "docs/temporal-ui.md").read_text()
    views = page.split("| view | filter |")[1].split("saved view")[0]
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", views, re.M)
    (address,) = re.findall(r"^http://\S+\?query=(\S+)$", page, re.M)
    await dev_desk.release("app:2", of=QUICK)

    async def found(query: str) -> list[str]:
        return [one.id async for one in dev_desk.client.list_workflows(query)]

    assert len(rows) == 8
    assert unquote(address) in dict(rows).values()
    for _, query in rows:
        await found(query)  # one that is wrong raises
    mine = rows[2][1].replace("shop/checkout", "shop/web")
    for _ in range(300):  # a list shows what is so a moment later
        if await found(mine):
            break
        await asyncio.sleep(0.1)
    assert await found(mine) == [RELEASE]
