"""``lastgood backtest --since`` against the sandbox, through real sockets."""

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lastgood.cli.backtest import backtest
from lastgood.decisions import past_metrics
from lastgood.decisions.recording import read
from lastgood.errors import LastgoodError
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack

MINUTES = 240
BAD = range(150, 170)
"""Of these minutes a fifth of the requests fails."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(traffic=0) as running:
        yield running


@pytest.fixture(scope="module")
def begin() -> int:
    hour = int(time.time()) // 3600 * 3600
    return hour - MINUTES * 60


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox, begin: int) -> Iterator[Stack]:
    made = make_stack(sandbox.client, image="shop:1.0", desired=1)
    put(sandbox.client("cloudwatch"), made, begin)
    yield made
    made.delete()


def put(cloudwatch: Any, stack: Stack, begin: int) -> None:
    """Four hours of a load balancer's minutes, as it would have published them."""
    chance = random.Random(7)
    balancer = {"Name": "LoadBalancer", "Value": stack.load_balancer}
    dimensions = [balancer, {"Name": "TargetGroup", "Value": stack.target_group}]
    data: list[dict[str, Any]] = []

    def one(name: str, minute: int, **value: Any) -> None:
        at = datetime.fromtimestamp(begin + minute * 60, UTC)
        data.append({"MetricName": name, "Dimensions": dimensions, "Timestamp": at, **value})

    for minute in range(MINUTES):
        if minute == 100:
            continue  # a minute that was lost
        requests = 600.0
        one("RequestCount", minute, Value=requests)
        if minute in BAD or minute % 3 == 0:
            one("HTTPCode_Target_5XX_Count", minute, Value=120.0 if minute in BAD else 1.0)
        times = [round(chance.lognormvariate(-2.5, 0.5), 3) for _ in range(12)]
        one("TargetResponseTime", minute, Values=times, Counts=[requests / 12] * 12)
    for first in range(0, len(data), 500):
        cloudwatch.put_metric_data(
            Namespace="AWS/ApplicationELB", MetricData=data[first : first + 500]
        )


@pytest.fixture(autouse=True)
def _at_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def policy(tmp_path: Path, stack: Stack) -> Path:
    return written(tmp_path, stack.name)


def written(tmp_path: Path, service: str, **source: str) -> Path:
    path = tmp_path / "lastgood.yaml"
    types = ("error-rate", "response-time", "health-check")
    triggers = [{"type": one, **(source if one != "health-check" else {})} for one in types]
    triggers.append({"type": "regression", "dry_run": True, **source})
    path.write_text(json.dumps({"service": service, "region": "us-east-1", "triggers": triggers}))
    return path


def run(*arguments: object) -> Result:
    given = ["--output", "json", *map(str, arguments)]
    return CliRunner().invoke(backtest, given, standalone_mode=False)


def judged(*arguments: object) -> Any:
    result = run(*arguments)
    assert result.exception is None, result.exception
    assert result.return_value == 0
    return json.loads(result.stdout)


def test_the_services_own_past_is_read_and_judged(policy: Path, begin: int) -> None:
    found = judged("--policy", policy, "--since", "5h", "--deployed-at", begin + 149 * 60)
    assert (found["outcome"], found["trigger"]) == ("rolled_back", "error-rate")
    at = datetime.fromtimestamp(begin + 153 * 60, UTC)
    assert found["at"] == f"{at:%Y-%m-%dT%H:%M:%S}Z"
    errors, times, checks, regression = found["triggers"]
    assert "360 of 1,800 requests failed in 3m" in errors["reason"]
    assert times["verdict"] == "pass"
    assert checks["measured"] is False
    assert (regression["verdict"], regression["dry_run"]) == ("fail", True)


def test_what_was_read_can_be_saved_and_judged_again(policy: Path, tmp_path: Path) -> None:
    saved = tmp_path / "web.csv"
    online = judged("--policy", policy, "--since", "5h", "--save", saved)
    assert online["windows"] >= 2
    header, *lines = saved.read_text().splitlines()
    assert header.startswith("time,requests,errors,latency_avg,le_10,le_25,")
    assert len(lines) == MINUTES - 1
    offline = judged("--policy", policy, "--metrics", saved)
    times = {"first", "last", "triggers"}
    assert {k: v for k, v in offline.items() if k not in times} == {
        k: v for k, v in online.items() if k not in times
    }
    assert [one["fired"] for one in offline["triggers"]] == [
        one["fired"] for one in online["triggers"]
    ]
    again = run("--policy", policy, "--since", "5h", "--save", saved)
    assert "exists: remove it, or name another file" in str(again.exception)


def test_progress_and_what_cannot_be_judged_go_to_stderr(policy: Path, stack: Stack) -> None:
    result = run("--policy", policy, "--since", "5h")
    assert "health checks of the past are not in CloudWatch" in result.stderr
    assert "series of 60 s" in result.stderr


def test_a_load_balancer_that_the_policy_names(tmp_path: Path, stack: Stack, begin: int) -> None:
    short = {
        "load_balancer": str(stack.load_balancer).split("/")[1],
        "target_group": str(stack.target_group).split("/")[1],
    }
    long = {
        "load_balancer": str(stack.load_balancer),
        "target_group": str(stack.target_group),
    }
    deployed = ("--since", "5h", "--deployed-at", begin + 149 * 60)
    policies = (written(tmp_path, stack.name, **source) for source in (short, long))
    answers = [judged("--policy", path, *deployed) for path in policies]
    assert answers[0] == answers[1]
    assert answers[0]["outcome"] == "rolled_back"


def test_a_service_that_is_not_there(tmp_path: Path) -> None:
    result = run("--policy", written(tmp_path, "nowhere/web"), "--since", "5h")
    assert isinstance(result.exception, LastgoodError)
    assert "there is no service nowhere/web in us-east-1" in str(result.exception)


def test_metrics_that_are_not_there(tmp_path: Path, stack: Stack) -> None:
    names = {"load_balancer": "app/none/1", "target_group": "targetgroup/none/1"}
    result = run("--policy", written(tmp_path, stack.name, **names), "--since", "5h")
    assert "CloudWatch has no datapoint of " in str(result.exception)


def test_aws_that_does_not_answer(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    result = run("--policy", policy, "--since", "5h")
    assert "AWS cannot be asked: " in str(result.exception)


def test_releases_without_temporal(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    result = run("--policy", policy, "--since", "5h", "--releases")
    assert str(result.exception).startswith("The real releases are not known: ")
    assert "Without --releases one is pretended" in str(result.exception)


def test_an_answer_in_pages_is_read_to_its_end(
    sandbox: Sandbox, tmp_path: Path, begin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18 series of four days are more than CloudWatch hands out at once."""
    minutes = 5700
    names = {"load_balancer": "app/long/1", "target_group": "targetgroup/long/1"}
    dimensions = [
        {"Name": "LoadBalancer", "Value": names["load_balancer"]},
        {"Name": "TargetGroup", "Value": names["target_group"]},
    ]
    cloudwatch = sandbox.client("cloudwatch")
    start = begin + (MINUTES - minutes) * 60
    for name, value in (("RequestCount", 60.0), ("TargetResponseTime", 0.005)):
        data = [
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Timestamp": datetime.fromtimestamp(start + n * 60, UTC),
                "Value": value,
            }
            for n in range(minutes)
        ]
        for first in range(0, minutes, 1000):
            part = data[first : first + 1000]
            cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=part)
    monkeypatch.setattr(past_metrics, "MOST_POINTS", 10**9)
    saved = tmp_path / "long.csv"
    judged("--policy", written(tmp_path, "any/service", **names), "--since", "4d", "--save", saved)
    rows = read(saved.read_text()).rows
    assert len(rows) > 5600
    assert {row.upto for row in rows} == {(60.0,) * len(past_metrics.BOUNDS)}
