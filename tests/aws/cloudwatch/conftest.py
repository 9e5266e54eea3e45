"""A moto server in this process, with a fresh engine for every test."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from activities.cloudwatch import CloudWatchActivities
from sandbox.cloud.cloudwatch import MetricEngine, moto_patches

ACCOUNT = "123456789012"
REGION = "eu-west-1"
DIMENSIONS = [{"Name": "Service", "Value": "web"}]


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


class Tampered:
    """An engine whose calls are noted, and whose questions and answers a test may change."""

    def __init__(self, engine: MetricEngine) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.question: dict[str, Any] = {}
        self.answers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._engine = engine

    def answer(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((action, dict(params)))
        answer = self._engine.answer(action, {**params, **self.question})
        self.answers.get(action, lambda _: None)(answer)
        return answer

    def calls(self, action: str) -> list[dict[str, Any]]:
        """The parameters of all calls of an action."""
        return [params for name, params in self.asked if name == action]


@pytest.fixture
def tampered(engine: MetricEngine) -> Tampered:
    made = Tampered(engine)
    moto_patches.register(ACCOUNT, REGION, made)
    return made


@pytest.fixture
def activities(tampered: Tampered, cloudwatch: Any) -> CloudWatchActivities:
    """Our own reading of this CloudWatch."""
    return CloudWatchActivities(lambda service, region: cloudwatch)


@pytest.fixture
def namespace() -> str:
    return f"Test/{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def now() -> float:
    """The whole minute that has just begun, around which tests of alarms arrange their time."""
    return time.time() // 60 * 60


@pytest.fixture
def publish(engine, namespace, now):
    """Publishes values of `Errors` at seconds relative to `now`."""

    def publish(*, at, values=(1.0,), name="Errors"):
        engine.put(namespace, name, {"Service": "web"}, "Count", now + at, values=list(values))

    return publish


@pytest.fixture
def put_alarm(cloudwatch, namespace):
    """Puts an alarm for any error within 10 s, which may be changed in any way."""

    def put(name, **changes):
        config = {
            "AlarmName": name,
            "Namespace": namespace,
            "MetricName": "Errors",
            "Dimensions": DIMENSIONS,
            "Statistic": "Sum",
            "Period": 10,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
        } | changes
        cloudwatch.put_metric_alarm(**{k: v for k, v in config.items() if v is not None})

    return put


@pytest.fixture
def describe(cloudwatch):
    """Describes the one alarm with this name."""

    def describe(name, kind="MetricAlarm"):
        answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=[kind])
        (alarm,) = answer[f"{kind}s"]
        return alarm

    return describe


@pytest.fixture
def history(cloudwatch):
    """The summaries of what happened to an alarm, newest first."""

    def history(name, kind="MetricAlarm", **more):
        answer = cloudwatch.describe_alarm_history(AlarmName=name, AlarmTypes=[kind], **more)
        return [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]

    return history
