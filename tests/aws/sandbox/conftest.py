"""One sandbox for all tests here; each test makes services of its own in it."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack

PATIENCE = 30.0
_QUICK = (
    *("--start-seconds", "0.1", "--drain-seconds", "0.2"),
    *("--probe-seconds", "0.1", "--bake-seconds", "0.6", "--minute", "0.5"),
)


@pytest.fixture(scope="session")
def aws() -> Iterator[Sandbox]:
    with Sandbox(traffic=10, arguments=_QUICK) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def client(aws: Sandbox) -> Callable[[str], Any]:
    """boto3 clients, made once: making one takes longer than most calls."""
    known: dict[str, Any] = {}

    def get(service: str) -> Any:
        if service not in known:
            known[service] = aws.client(service)
        return known[service]

    return get


@pytest.fixture
def make(client: Callable[[str], Any]) -> Iterator[Callable[..., Stack]]:
    """Makes services, one task each unless said otherwise, and deletes them after the test."""
    made: list[Stack] = []

    def build(**options: Any) -> Stack:
        made.append(make_stack(client, **{"desired": 1, **options}))
        return made[-1]

    yield build
    for stack in made:
        if stack.describe()["status"] == "ACTIVE":
            stack.delete()


@pytest.fixture(scope="module")
def stack(client: Callable[[str], Any]) -> Iterator[Stack]:
    """A good service behind a load balancer, for tests that do not change it."""
    made = make_stack(client, image="shop:1.0", desired=2)
    yield made
    made.delete()


@pytest.fixture
def clean(aws: Sandbox) -> Iterator[None]:
    """No faults before and after."""
    aws.clear_faults()
    yield
    aws.clear_faults()


@pytest.fixture
def quiet(aws: Sandbox) -> Iterator[None]:
    """The scheduler's errors are in the sandbox's log; there must be none."""
    yield
    assert aws.troubles() == []


def eventually(look: Callable[[], Any], timeout: float = PATIENCE) -> Any:
    """Look until something true is seen; return it."""
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {timeout} s; last seen: {seen!r}"
        time.sleep(0.1)
    return seen


def get(url: str) -> tuple[int, http.client.HTTPMessage, str]:
    """GET a URL whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()
