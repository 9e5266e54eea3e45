"""A healthy service with all that a release needs, and `lastgood doctor` to examine it.

One sandbox, one dev server and one pair of workers, as worker.py makes them, for all tests; what
a test breaks it breaks for real, and what it broke is mended after it.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.http import Prober, check_transport
from lastgood.cli import main
from lastgood.cli.temporal_seen import pollers
from lastgood.messages import SEARCH_ATTRIBUTES
from lastgood.settings import load
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack
from tests.durable.conftest import BRISK, DEV_SERVER, QUIET
from tests.durable.workers import working
from worker import make_workers

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/shop-execution"
SLACK, WEBHOOK = "CLINIC_SLACK_URL", "CLINIC_WEBHOOK_URL"
SENDER = "deploys@clinic.example"
EMPTY, HALF = "empty", "half"
"""A namespace in which nobody works, and one where only releases are begun, never watched."""
_QUICK = ("--start-seconds", "0.1", "--drain-seconds", "0.1", "--probe-seconds", "0.1")


@dataclass
class Clinic:
    """The healthy service, and what there is to break."""

    cloud: Sandbox
    stack: Stack
    policy: dict[str, Any]
    folder: Path
    address: str
    """Of the receivers; below /refuse they take nothing."""
    received: list[tuple[str, str]]
    """Method and path of what the receivers were asked."""

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    async def examine(
        self, policy: dict[str, Any] | None = None, *arguments: str, **environment: str
    ) -> Examined:
        """Run the command as a person would."""
        path = self.folder / "lastgood.yaml"
        path.write_text(yaml.safe_dump(policy or self.policy))
        words = ["doctor", "--policy", str(path), "--output", "json", *arguments]
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with redirect_stdout(out):
                code = await asyncio.to_thread(main.run, words)
        return Examined(code, json.loads(out.getvalue()))


@dataclass(frozen=True)
class Examined:
    """The command's exit code, and what it found."""

    code: int
    said: dict[str, Any]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [line for one in self.said["examined"] for line in one["lines"]]

    def of(self, what: str) -> list[dict[str, Any]]:
        """The lines about one thing."""
        return [line for line in self.lines if line["what"] == what]

    def ailing(self) -> list[dict[str, Any]]:
        """All lines that are not fine."""
        return [line for line in self.lines if line["standing"] != "fine"]


@asynccontextmanager
async def open_clinic(folder: Path) -> AsyncIterator[Clinic]:
    """Start everything; make the service and wait until all it is measured by is there."""
    with Sandbox(traffic=10, arguments=_QUICK) as cloud, _receivers() as (address, received):
        secrets = {SLACK: f"{address}/slack/secret-part", WEBHOOK: f"{address}/hook/secret-part"}
        with pytest.MonkeyPatch.context() as patch:
            for name in [one for one in os.environ if one.startswith(("AWS_", "TEMPORAL_"))]:
                patch.delenv(name)
            for name, value in {**cloud.env, **secrets}.items():
                patch.setenv(name, value)
            stack, policy = await asyncio.to_thread(_make, cloud)
            async with _at_work(patch):
                yield Clinic(cloud, stack, policy, folder, address, received)


@asynccontextmanager
async def _at_work(patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    spare = [word for name in (EMPTY, HALF) for word in ("--namespace", name)]
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(DEV_SERVER),
        dev_server_extra_args=[*BRISK, *spare],
        data_converter=pydantic_data_converter,
        runtime=QUIET,
        dev_server_startup_timeout=timedelta(seconds=60),
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
    )
    async with AsyncExitStack() as open_until_the_end:
        env = await open_until_the_end.enter_async_context(environment)
        address = env.client.service_client.config.target_host
        patch.setenv("TEMPORAL_ADDRESS", address)
        http = await open_until_the_end.enter_async_context(httpx.AsyncClient())
        half = await Client.connect(
            address, namespace=HALF, data_converter=pydantic_data_converter, runtime=QUIET
        )
        await _spoil(half)
        workers = [*_workers(env.client, http), _workers(half, http)[0]]
        await open_until_the_end.enter_async_context(working(*workers))
        while not all((await pollers(env.client)).values()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)  # they have only just begun to poll
        yield


async def _spoil(client: Client) -> None:
    """In the spare namespaces search attributes are missing, or of another type."""
    operator = client.operator_service
    for namespace, names in ((HALF, SEARCH_ATTRIBUTES), (EMPTY, SEARCH_ATTRIBUTES[:1])):
        await operator.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace=namespace, search_attributes=names)
        )
    numbers = {SEARCH_ATTRIBUTES[0]: IndexedValueType.INDEXED_VALUE_TYPE_INT}
    await operator.add_search_attributes(
        AddSearchAttributesRequest(namespace=EMPTY, search_attributes=numbers)
    )


def _workers(client: Client, http: httpx.AsyncClient) -> list[Worker]:
    return make_workers(client, load({}), http, Prober(check_transport()))


def _make(cloud: Sandbox) -> tuple[Stack, dict[str, Any]]:
    """The service, its alarm, its topic and its sender, and a policy that names them all."""
    alarm = "clinic-errors"
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="Servio/Production",
        MetricName="ErrorRate",
        Dimensions=[{"Name": "Service", "Value": "clinic"}],
        Statistic="Average",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    stack = make_stack(
        cloud.client,
        image=f"{REGISTRY}/shop:1.0",
        service="clinic",
        desired=1,
        circuit_breaker=True,
        alarms=(alarm,),
        roles={"executionRoleArn": ROLE},
    )
    cloud.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    topic = cloud.client("sns").create_topic(Name="clinic")["TopicArn"]
    policy = _policy(stack, alarm, topic)
    _wait_for_datapoints(cloud, stack)
    return stack, policy


def own_metric(name: str, **more: Any) -> dict[str, Any]:
    """The app's own metric, as a policy names it."""
    space = {"namespace": "Servio/Production", "name": name, "dimensions": {"Service": "clinic"}}
    return space | more


def _policy(stack: Stack, alarm: str, topic: str) -> dict[str, Any]:
    return {
        "service": stack.name,
        "region": "us-east-1",
        "container": "app",
        "smoke": [{"url": f"{stack.url}/health", "timeout": "15s"}],
        "triggers": [
            {
                "type": "error-rate",
                "duration": "10s",
                "period": "1s",
                "metric": own_metric("ErrorRate"),
            },
            {
                "type": "response-time",
                "duration": "10s",
                "period": "1s",
                "metric": own_metric("ResponseTime", unit="ms"),
            },
            {"type": "error-rate", "duration": "10s", "period": "1s"},
            {"type": "health-check", "timeout": "15s"},
            {"type": "alarm", "alarm": alarm},
        ],
        "notify": {
            "slack": {"webhook_url": f"env:{SLACK}"},
            "webhook": {"url": f"env:{WEBHOOK}"},
            "email": {"from": SENDER, "to": ["oncall@clinic.example"]},
            "sns": {"topic_arn": topic},
        },
    }


def _wait_for_datapoints(cloud: Sandbox, stack: Stack) -> None:
    """Traffic makes them; a second is what one takes."""
    balancer = {"LoadBalancer": stack.load_balancer, "TargetGroup": stack.target_group}
    metrics = (
        ("Servio/Production", "ResponseTime", {"Service": stack.service}),
        ("AWS/ApplicationELB", "RequestCount", balancer),
    )
    deadline = time.monotonic() + 60
    while not all(_datapoints(cloud, *metric) >= 5 for metric in metrics):
        if time.monotonic() > deadline:
            raise TimeoutError("the service is not measured")
        time.sleep(0.2)


def _datapoints(cloud: Sandbox, namespace: str, name: str, dimensions: dict[str, Any]) -> int:
    end = datetime.now(UTC)
    answer = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=end - timedelta(minutes=5),
        EndTime=end,
        Period=1,
        Statistics=["Sum"],
    )
    return len(answer["Datapoints"])


@contextmanager
def _receivers() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that takes every message, and remembers what it was asked."""
    received: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            received.append((self.command, self.path))
            self.send_response(403 if self.path.startswith("/refuse") else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = _take  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join()
