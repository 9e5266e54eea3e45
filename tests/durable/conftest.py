"""One time-skipping server, one world and one desk for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.testing import WorkflowEnvironment

from tests.durable.desk import Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.world import World

QUIET = Runtime(
    telemetry=TelemetryConfig(
        logging=LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    )
)
TEST_SERVER = Path(__file__).parents[2] / ".venv/bin/temporal-test-server"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER),
        data_converter=pydantic_data_converter,
        runtime=QUIET,
    )
    async with environment as env, at_work(env, FakeAws(World())) as desk:
        yield desk
