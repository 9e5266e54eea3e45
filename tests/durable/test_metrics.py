"""What docs/operations.md tells people to alert on is there, from a worker as it runs."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from pathlib import Path

import httpx

from lastgood import messages
from tests.durable.conftest import start_dev_server
from tests.durable.desk import policy

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(temporal_[a-z_]+)`")
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_metrics_that_the_runbook_names_are_published(tmp_path: Path) -> None:
    wanted = set(NAMED.findall((ROOT / "docs/operations.md").read_text()))
    assert len(wanted) >= 3
    async with await start_dev_server() as server:
        address, nobody = f"127.0.0.1:{free_port()}", free_port()
        host = server.client.service_client.config.target_host
        environment = {
            **os.environ,
            "TEMPORAL_ADDRESS": host,
            "TEMPORAL_NAMESPACE": "default",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{nobody}",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "LASTGOOD_METRICS_ADDRESS": address,
        }
        with (tmp_path / "worker.log").open("wb") as log:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "worker.py"), cwd=ROOT, env=environment, stderr=log
            )
        try:
            # An activity that fails, as AWS is not there, and a workflow task, as it is no policy.
            for number, given in enumerate((policy(), "no policy")):
                await server.client.start_workflow(
                    messages.CHECK, given, id=f"check-{number}", task_queue=messages.TASK_QUEUE
                )
            missing = await asyncio.wait_for(published(f"http://{address}", wanted), PATIENCE)
            assert not missing
        finally:
            worker.terminate()
            await worker.wait()


async def published(endpoint: str, wanted: set[str]) -> set[str]:
    """Wait until all of these are there."""
    async with httpx.AsyncClient() as http:
        while True:
            try:
                text = (await http.get(f"{endpoint}/metrics")).text
            except httpx.HTTPError:
                text = ""  # it has not started yet
            missing = {name for name in wanted if not re.search(rf"^{name}\b", text, re.M)}
            if not missing:
                return missing
            await asyncio.sleep(0.5)
