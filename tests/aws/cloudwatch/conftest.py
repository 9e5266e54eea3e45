"""A moto server in this process, with a fresh engine for every test."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from sandbox.cloud.cloudwatch import MetricEngine

ACCOUNT = "123456789012"
REGION = "eu-west-1"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The URL of a moto server on a free port of the loopback address."""
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def engine() -> MetricEngine:
    return MetricEngine.install(ACCOUNT, REGION)


@pytest.fixture
def client(endpoint: str) -> Iterator[Callable[..., Any]]:
    """Makes plain boto3 clients for the server, and closes them."""
    made = []

    def make(service: str, region: str = REGION) -> Any:
        one = boto3.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def cloudwatch(engine: MetricEngine, client: Callable[..., Any]) -> Any:
    return client("cloudwatch")


@pytest.fixture
def namespace() -> str:
    return f"Test/{uuid.uuid4().hex[:8]}"
