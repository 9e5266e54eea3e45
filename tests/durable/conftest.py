"""One time-skipping server, one world and one desk for each test."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.testing import WorkflowEnvironment

from tests.durable.desk import Desk, at_work
from tests.durable.fake_aws import FakeAws
from tests.durable.world import World

CORE = logging.getLogger("temporalio.core")
QUIET = Runtime(
    telemetry=TelemetryConfig(
        logging=LoggingConfig(
            filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
            forwarding=LogForwardingConfig(logger=CORE, append_target_to_name=False),
        )
    )
)
DEV_SERVER = Path(__file__).parents[2] / ".venv/bin/temporal"
TEST_SERVER = Path(__file__).parents[2] / ".venv/bin/temporal-test-server"


STARTS_WITHIN = timedelta(seconds=60)
"""Five seconds without it, which a busy machine needs to start a process."""
BRISK = tuple(
    word
    for queue in ("transfer", "timer", "visibility")
    for word in ("--dynamic-config-value", f"history.{queue}ProcessorMaxPollRPS=2000")
)
"""The dev server reads its own queues twenty times a second at most; a test waits for each."""


async def start_dev_server(*extra: str) -> WorkflowEnvironment:
    """Temporal's dev server, on which time passes as it does."""
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(DEV_SERVER),
        dev_server_extra_args=[*BRISK, *extra],
        dev_server_startup_timeout=STARTS_WITHIN,
        data_converter=pydantic_data_converter,
        identity="lastgood",
        runtime=QUIET,
    )


@pytest.fixture(autouse=True)
def no_refused_commands(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What Temporal refuses of a workflow's answer costs ten seconds, and nothing else tells."""
    yield
    for record in caplog.get_records("call"):
        assert "invalid command" not in record.getMessage(), record.getMessage()


@pytest.fixture
async def dev_desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """A desk on a dev server; a parameter is handed to the server as arguments."""
    extra = getattr(request, "param", ())
    world = World(rollout=timedelta(seconds=0.3))
    environment = await start_dev_server(*extra)
    async with environment as env, at_work(env, FakeAws(world, patient=True)) as desk:
        yield desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER),
        test_server_startup_timeout=STARTS_WITHIN,
        data_converter=pydantic_data_converter,
        runtime=QUIET,
    )
    async with environment as env, at_work(env, FakeAws(World())) as desk:
        yield desk
