"""``lastgood policy init --from`` against the sandbox, through real sockets."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from lastgood.cli.policy import policy
from lastgood.policy_file import parse
from lastgood.policy_triggers import AlarmTrigger, ErrorRateTrigger
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(traffic=1) as running:
        yield running


@pytest.fixture(scope="module")
def stack(sandbox: Sandbox) -> Iterator[Stack]:
    made = make_stack(sandbox.client, image="shop:1.0", desired=1)
    sandbox.client("cloudwatch").put_metric_alarm(
        AlarmName="too many errors",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": "TargetGroup", "Value": made.target_group}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    yield made
    made.delete()


@pytest.fixture(autouse=True)
def _at_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)


def test_a_running_service_fills_in_its_policy(stack: Stack) -> None:
    result = CliRunner().invoke(policy, ["init", "--from", stack.name], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    written = parse(result.stdout)
    assert (written.service, written.container) == (stack.name, stack.container)
    assert written.region
    errors, _, _, alarm = written.triggers
    assert isinstance(errors, ErrorRateTrigger)
    assert stack.target_group
    assert f"targetgroup/{errors.target_group}/" in stack.target_group
    assert f"/{errors.load_balancer}/" in str(stack.load_balancer)
    assert isinstance(alarm, AlarmTrigger)
    assert alarm.alarm == "too many errors"


@pytest.mark.parametrize("missing", ["no-such-cluster/service", "{cluster}/no-such-service"])
def test_a_service_that_is_not_there(stack: Stack, missing: str) -> None:
    name = missing.format(cluster=stack.cluster)
    result = CliRunner().invoke(policy, ["init", "--from", name], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no service {name} in " in result.stderr


def test_aws_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = CliRunner().invoke(policy, ["init", "--from", "a/b"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "a/b could not be read" in result.stderr
    assert parse(result.stdout).service == "a/b"
