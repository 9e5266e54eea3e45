"""Our activities as a worker runs them, through real sockets to one sandbox for all tests here."""

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.activity import Info
from temporalio.testing import ActivityEnvironment

from activities.clients import AwsClients
from lastgood.contracts import Tally, WatchedTrigger, WatchOrder
from lastgood.model import ServiceRef
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack

REGION = "us-east-1"
_QUICK = (
    *("--start-seconds", "0.1", "--drain-seconds", "0.2"),
    *("--probe-seconds", "0.1", "--bake-seconds", "0.6"),
)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Sandbox]:
    with Sandbox(traffic=1, arguments=_QUICK) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def plain_client(cloud: Sandbox) -> Callable[[str], Any]:
    """boto3 clients for the tests' own calls, made once."""
    known: dict[str, Any] = {}

    def get(service: str) -> Any:
        if service not in known:
            known[service] = cloud.client(service)
        return known[service]

    return get


@pytest.fixture(scope="session")
def clients(cloud: Sandbox) -> AwsClients:
    """The worker's own clients: the environment alone leads them to the sandbox."""
    return clients_at(cloud.env)


def clients_at(environment: dict[str, str]) -> AwsClients:
    made = AwsClients()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for service in ("ecs", "cloudwatch", "elbv2"):
            made(service, REGION)
    return made


@pytest.fixture
def calm(cloud: Sandbox) -> Iterator[Sandbox]:
    """The sandbox without faults, before and after, and with nothing seen so far."""
    cloud.clear_faults()
    cloud.forget_requests()
    yield cloud
    cloud.clear_faults()


@pytest.fixture
def make(cloud: Sandbox, plain_client: Callable[[str], Any]) -> Iterator[Callable[..., Stack]]:
    """Makes services of one task without load balancer, unless said otherwise."""
    made: list[Stack] = []

    def build(**options: Any) -> Stack:
        defaults = {"desired": 1, "load_balancer": False}
        made.append(make_stack(plain_client, **{**defaults, **options}))
        return made[-1]

    yield build
    cloud.clear_faults()
    for stack in made:
        if stack.describe()["status"] == "ACTIVE":
            stack.delete()


def now() -> datetime:
    return datetime.now(UTC)


class Attempt(ActivityEnvironment):
    """One attempt of an activity; remembers what it heartbeats."""

    def __init__(self, *details: Any, limit: float = 60) -> None:
        super().__init__()
        self.heartbeats: list[Any] = []
        self.on_heartbeat = self._beat
        self.after: Callable[[], None] | None = None
        self.info: Info = dataclasses.replace(
            self.info,
            heartbeat_details=list(details),
            started_time=now(),
            start_to_close_timeout=timedelta(seconds=limit),
        )

    def _beat(self, *details: Any) -> None:
        # As the server keeps it: the newest details, as JSON.
        self.heartbeats.append(details[0].model_dump(mode="json") if details else None)
        if self.after:
            self.after()


def ref(stack: Stack) -> ServiceRef:
    return ServiceRef(region=REGION, cluster=stack.cluster, name=stack.service)


def watch_order(*triggers: WatchedTrigger, **keys: Any) -> WatchOrder:
    """A watch of the next second, unless said otherwise."""
    moment = now()
    return WatchOrder.model_validate(
        {
            "service": ServiceRef(region=REGION, cluster="c", name="s"),
            "triggers": triggers,
            "since": moment,
            "covers_from": moment,
            "until": moment + timedelta(seconds=1),
            "interval": timedelta(milliseconds=100),
            **keys,
        }
    )


def remembered(heartbeats: list[Any]) -> list[Tally]:
    """What the newest heartbeat remembers."""
    return [Tally.model_validate(one) for one in heartbeats[-1]["tallies"]]


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
