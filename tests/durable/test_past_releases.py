"""When a service was really released, asked of its guard as ``backtest --releases`` does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from lastgood.cli import past_releases
from lastgood.errors import UnreachableError
from lastgood.model import ServiceRef
from tests.durable.test_cli_on_a_guard import command_line, deployed

SERVICE = ServiceRef(region="eu-west-1", cluster="shop", name="web")


async def test_the_guard_tells_when_it_released(dev_desk, tmp_path, monkeypatch):
    cli = command_line(dev_desk, tmp_path)
    address = dev_desk.client.service_client.config.target_host
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    before = datetime.now(UTC).timestamp()

    assert await asyncio.to_thread(past_releases.read, SERVICE) == []
    assert (await deployed(cli, "2")).code == 0
    between = datetime.now(UTC).timestamp()
    assert (await deployed(cli, "3")).code == 0

    first, second = await asyncio.to_thread(past_releases.read, SERVICE)
    assert (first.release, first.outcome) == ("2", "healthy")
    assert before < first.deployed_at < between
    assert second.release == "3"
    assert between < second.deployed_at < datetime.now(UTC).timestamp()


def test_without_temporal_it_is_said(monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    with pytest.raises(UnreachableError, match="The real releases are not known: "):
        past_releases.read(SERVICE)
