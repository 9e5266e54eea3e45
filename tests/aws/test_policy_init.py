"""``lastgood policy init --from`` against the sandbox, through real sockets."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from lastgood.cli.policy import policy
from lastgood.decisions.permissions import actions_of
from lastgood.policy import Policy
from lastgood.policy_file import parse
from lastgood.policy_triggers import AlarmTrigger, ErrorRateTrigger, RegressionTrigger
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack
from sandbox.scenarios.strategy import canary

HOURS = 26


class First(NamedTuple):
    """What a command said, and what it wrote."""

    result: Result
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(traffic=0) as running:
        yield running


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox) -> Iterator[Stack]:
    """Behind a load balancer, with an alarm, and more than a day of metrics."""
    made = make_stack(sandbox.client, image="shop:1.0", desired=1)
    cloudwatch = sandbox.client("cloudwatch")
    alarm(cloudwatch, "too many errors", TargetGroup=str(made.target_group))
    put_past(cloudwatch, made, HOURS * 60)
    yield made
    made.delete()


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> First:
    """What was written for it, once for all tests: two weeks are tried for that."""
    path = tmp_path_factory.mktemp("first") / "lastgood.yaml"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.env.items():
            patch.setenv(name, value)
        return First(run("--from", stack.name, str(path)), path)


@pytest.fixture
def make(sandbox: Sandbox) -> Iterator[Callable[..., Stack]]:
    """Makes services without a past; one task, no load balancer unless asked for."""
    made: list[Stack] = []

    def build(**keys: Any) -> Stack:
        made.append(make_stack(sandbox.client, **{"desired": 1, "load_balancer": False, **keys}))
        return made[-1]

    yield build
    for one in made:
        one.delete()


@pytest.fixture(autouse=True)
def _at_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    yield
    sandbox.clear_faults()


def alarm(cloudwatch: Any, name: str, *actions: str, **dimensions: str) -> None:
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=list(actions),
    )


def put_past(cloudwatch: Any, stack: Stack, minutes: int) -> None:
    """600 requests a minute, of which one fails now and then; answers in 80 ms."""
    named = {"LoadBalancer": stack.load_balancer, "TargetGroup": stack.target_group}
    dimensions = [{"Name": key, "Value": value} for key, value in named.items()]
    begin = int(time.time()) // 60 * 60 - (minutes + 5) * 60
    data = [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Timestamp": datetime.fromtimestamp(begin + minute * 60, UTC),
            "Value": value,
        }
        for minute in range(minutes)
        for name, value in (
            ("RequestCount", 600.0),
            ("HTTPCode_Target_5XX_Count", 2.0 * (minute % 3 == 0)),
            ("TargetResponseTime", 0.08),
        )
    ]
    for first in range(0, len(data), 1000):
        part = data[first : first + 1000]
        cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=part)


def put_own(cloudwatch: Any, service: str, *metrics: tuple[str, float, str], **more: str) -> None:
    """Two days of an application's metrics, one datapoint a minute at their end."""
    dimensions = [{"Name": k, "Value": v} for k, v in {"Service": service, **more}.items()]
    at = datetime.now(UTC) - timedelta(hours=1)
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit}
        | {"Timestamp": at + timedelta(minutes=minute)}
        for minute in range(3)
        for name, value, unit in metrics
    ]
    cloudwatch.put_metric_data(Namespace="Shop/Production", MetricData=data)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(policy, ["init", *arguments], catch_exceptions=False)


def written(result: Result) -> Policy:
    """The policy of a file that passes `policy check`, whatever else there was to say."""
    assert result.exit_code == 0, result.stderr
    return parse(result.stdout)


def kinds(found: Policy) -> list[str]:
    return [one.type + (" (dry)" if one.dry_run else "") for one in found.triggers]


# --- A service with a past ---------------------------------------------------------------------


def test_a_running_service_fills_in_its_policy(stack: Stack, first: First) -> None:
    result, text = first.result, first.text
    found = parse(text)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Reading 21 series of 60 s" in result.stderr
    assert (found.service, found.container) == (stack.name, stack.container)
    assert found.region
    errors, times, _, regression, own = found.triggers
    assert kinds(found) == [
        *("error-rate", "response-time", "health-check", "regression (dry)", "alarm")
    ]
    # Named is none, so that both groups of a service that shifts traffic are watched.
    assert isinstance(errors, ErrorRateTrigger)
    assert (errors.load_balancer, errors.target_group) == (None, None)
    assert isinstance(own, AlarmTrigger)
    assert own.alarm == "too many errors"
    # Its own numbers, and how they came about.
    assert errors.threshold in (0.005, 0.01), "which of them hangs on where the hours begin"
    assert errors.duration == timedelta(minutes=3)
    assert times.threshold == timedelta(milliseconds=150)  # type: ignore[union-attr]
    assert f"{HOURS * 600 * 60:,} requests" in " ".join(text.split())
    for words in ("hours with data", "false alarms: none in", "sees a rise", "usual 0.1 %"):
        assert words in text
    assert "a dry run, as 2" in text, "a day says too little for regression to act"
    assert regression.dry_run


def test_the_file_is_short_and_shows_no_default(stack: Stack, first: First) -> None:
    lines = first.text.splitlines()
    assert len(lines) < 70
    assert max(map(len, lines)) <= 100
    assert not {"on_busy", "compare:", "severity", "baseline:", "rollback:"} & set(
        first.text.split()
    )


def test_policy_check_says_it_is_good(first: First) -> None:
    checked = CliRunner().invoke(policy, ["check", "--policy", str(first.path)])
    assert (checked.exit_code, checked.stderr) == (0, "")


def test_an_existing_file_is_overwritten_only_by_force(
    make: Callable[..., Stack], tmp_path: Path
) -> None:
    path, name = tmp_path / "lastgood.yaml", make().name
    path.write_text("mine")
    refused = run("--from", name, str(path))
    assert refused.exit_code == 2
    assert f"{path} exists: add --force to overwrite it" in refused.stderr
    assert path.read_text() == "mine"
    assert run("--from", name, "--force", str(path)).exit_code == 0
    assert parse(path.read_text()).service == name


def test_every_key_can_be_had_too(make: Callable[..., Stack]) -> None:
    stack = make(load_balancer=True)
    everything, short = run("--from", stack.name, "--all").stdout, run("--from", stack.name).stdout
    assert len(everything.splitlines()) > 150
    assert parse(everything).triggers == parse(short).triggers


READS = {
    "DescribeServices": "could not be read (AccessDenied",
    "DescribeTaskDefinition": "the task definition could not be read",
    "ListServiceDeployments": "its past deployments could not be read",
    "DescribeTargetGroups": "the load balancer could not be read",
    "DescribeListeners": "the load balancer's listeners could not be read",
    "DescribeAlarms": "the alarms could not be read",
    "ListMetrics": "the metrics that there are could not be read",
    "GetMetricData": "AWS cannot be asked: AccessDenied",
}


@pytest.fixture(scope="module")
def new(sandbox: Sandbox) -> Iterator[Stack]:
    """Behind a load balancer, with an alarm, and without a past."""
    made = make_stack(sandbox.client, image="shop:1.0", desired=1)
    alarm(
        sandbox.client("cloudwatch"), f"{made.service}-errors", TargetGroup=str(made.target_group)
    )
    yield made
    made.delete()


@pytest.mark.parametrize("action", READS)
def test_what_may_not_be_read_is_said_and_left_out(
    sandbox: Sandbox, new: Stack, action: str
) -> None:
    sandbox.deny(action)
    result = run("--from", new.name)
    found = written(result)
    assert found.service == new.name
    assert READS[action] in " ".join(result.stdout.replace("#", "").split())
    assert ("alarm" in kinds(found)) == (action not in ("DescribeServices", "DescribeAlarms"))


# --- Services of other kinds -------------------------------------------------------------------


def test_without_metrics_the_numbers_are_defaults_and_that_is_said(
    make: Callable[..., Stack],
) -> None:
    found = make(load_balancer=True)
    result = run("--from", found.name)
    errors, *_ = written(result).triggers
    assert errors == ErrorRateTrigger()
    text = " ".join(result.stdout.replace("#", "").split())
    assert "The numbers below are defaults: CloudWatch has no datapoint of" in text


def test_without_load_balancer_there_are_gauges_and_an_offer(make: Callable[..., Stack]) -> None:
    result = run("--from", make().name)
    found = written(result)
    assert kinds(found) == ["band (dry)", "band (dry)"]
    assert "it has neither a load balancer nor metrics that say how it does" in " ".join(
        result.stdout.replace("#", "").split()
    )
    assert "# - type: health-check" in result.stdout


def test_metrics_of_its_own_are_used_where_they_are_plain(
    sandbox: Sandbox, make: Callable[..., Stack]
) -> None:
    stack = make()
    put_own(
        sandbox.client("cloudwatch"),
        stack.service,
        ("ErrorRate", 0.4, "Percent"),
        ("Latency", 30.0, "Milliseconds"),
        ("Requests", 100.0, "Count"),
        ("QueueDepth", 3.0, "Count"),
    )
    result = run("--from", stack.name)
    found = written(result)
    assert kinds(found)[:3] == ["error-rate", "response-time", "regression (dry)"]
    errors, times, regression = found.triggers[:3]
    assert isinstance(errors, ErrorRateTrigger)
    assert errors.metric
    assert (errors.metric.unit, errors.metric.namespace) == ("percent", "Shop/Production")
    assert times.metric.unit == "ms"  # type: ignore[union-attr]
    assert isinstance(regression, RegressionTrigger)
    assert regression.metrics
    assert regression.metrics.requests.statistic == "Sum"
    assert "QueueDepth {Service: " in result.stdout


def test_a_metric_that_may_be_a_namesakes_is_only_mentioned(
    sandbox: Sandbox, make: Callable[..., Stack]
) -> None:
    one = make(service="twin", cluster="here")
    make(service="twin", cluster="there")
    cloudwatch = sandbox.client("cloudwatch")
    put_own(cloudwatch, "twin", ("ErrorRate", 0.4, "Percent"))
    put_own(cloudwatch, "twin", ("Latency", 9.0, "Milliseconds"), ClusterName="here")
    put_own(cloudwatch, "twin", ("RequestDuration", 9.0, "Milliseconds"), ClusterName="there")
    result = run("--from", one.name)
    assert kinds(written(result))[0] == "response-time"
    text = " ".join(result.stdout.replace("#", "").split())
    assert "ErrorRate {Service: twin}: it may be that of there" in text
    assert "RequestDuration" not in text


def test_a_service_that_shifts_its_traffic(make: Callable[..., Stack]) -> None:
    stack = make(load_balancer=True, strategy=canary(canary_minutes=7), wait=False)
    result = run("--from", stack.name)
    found = written(result)
    assert found.deploy.timeout == timedelta(minutes=20)
    assert "more than its traffic takes to shift (7m)" in result.stdout
    assert kinds(found)[:3] == ["error-rate", "response-time", "health-check"]


def test_alarms_that_scale_are_left_out_and_those_of_deployments_are_taken(
    sandbox: Sandbox, make: Callable[..., Stack]
) -> None:
    cloudwatch = sandbox.client("cloudwatch")
    alarm(cloudwatch, "checkout is slow", QueueName="x")
    stack = make(alarms=("checkout is slow",))
    of_it = {"ClusterName": stack.cluster, "ServiceName": stack.service}
    policy_arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:resource/ecs/x:y"
    topic = "arn:aws:sns:us-east-1:123456789012:oncall"
    alarm(cloudwatch, f"{stack.service}-scales", policy_arn, **of_it)
    alarm(cloudwatch, f"{stack.service}-red", topic, **of_it)
    cloudwatch.set_alarm_state(
        AlarmName=f"{stack.service}-red", StateValue="ALARM", StateReason="tried"
    )
    result = run("--from", stack.name)
    found = [one.alarm for one in written(result).triggers if isinstance(one, AlarmTrigger)]
    assert found == ["checkout is slow", f"{stack.service}-red"]
    assert f"sns: {{topic_arn: {topic}}}" in result.stdout
    assert "and counts once it is OK" in result.stdout


def test_the_set_up_role_may_do_all_of_it(sandbox: Sandbox, make: Callable[..., Stack]) -> None:
    stack = make(load_balancer=True)
    put_own(sandbox.client("cloudwatch"), stack.service, ("ErrorRate", 0.4, "Percent"))
    sandbox.forget_requests()
    written(run("--from", stack.name))
    names = {"monitoring": "cloudwatch"}
    made = {
        f"{names.get(one['service'], one['service'])}:{one['action']}" for one in sandbox.requests()
    }
    assert len(made) > 8
    assert made <= actions_of("setup")


@pytest.mark.parametrize("missing", ["no-such-cluster/service", "{cluster}/no-such-service"])
def test_a_service_that_is_not_there(stack: Stack, missing: str) -> None:
    name = missing.format(cluster=stack.cluster)
    result = run("--from", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no service {name} in " in result.stderr


def test_aws_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run("--from", "a/b")
    assert result.exit_code == 0
    assert "a/b: could not be read" in result.stderr
    assert parse(result.stdout).service == "a/b"
