"""ECS's own rollbacks: circuit breaker, deployment alarms, StopServiceDeployment."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.cloud.ecs.rollout import breaker_threshold
from sandbox.scenarios.stack import Stack, is_steady
from tests.aws.sandbox.conftest import get

Client = Callable[[str], Any]
Make = Callable[..., Stack]


@pytest.mark.parametrize(
    ("desired", "threshold"), [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (800, 200)]
)
def test_the_threshold_of_the_circuit_breaker(desired: int, threshold: int) -> None:
    assert breaker_threshold(desired, {"enable": True}) == threshold


def test_the_threshold_can_be_configured() -> None:
    def threshold(kind: str, value: int) -> int:
        return breaker_threshold(10, {"thresholdConfiguration": {"type": kind, "value": value}})

    assert threshold("COUNT", 2) == 2
    assert threshold("BOUNDED_PERCENT", 10) == 3
    assert threshold("UNBOUNDED_PERCENT", 10) == 1


@pytest.mark.parametrize(
    ("image", "balanced"),
    [("shop:2.0-crash", False), ("shop:2.0-unhealthy", True)],
)
def test_the_circuit_breaker_rolls_back(
    aws: Sandbox, make: Make, client: Client, image: str, balanced: bool
) -> None:
    stack = make(circuit_breaker=True, load_balancer=balanced)
    before = stack.describe()
    old = before["deployments"][0]["id"]
    new = stack.deploy(image)
    assert stack.describe()["deployments"][0]["id"] == new
    service = stack.wait_until(lambda s: is_steady(s) and s["deployments"][0]["id"] == old)
    assert service["taskDefinition"] == before["taskDefinition"]
    texts = [event["message"] for event in service["events"]]
    name = f"(service {stack.service})"
    assert f"{name} (deployment {new}) deployment failed: tasks failed to start." in texts
    assert f"{name} rolling back to deployment {old}." in texts
    record = _record(client, stack)
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert record["deploymentCircuitBreaker"]["failureCount"] >= 3
    assert record["rollback"]["serviceRevisionArn"] == before["currentServiceRevisions"][0]["arn"]
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["1.0"]


def _record(client: Client, stack: Stack) -> dict[str, Any]:
    ecs = client("ecs")
    listed = ecs.list_service_deployments(cluster=stack.cluster, service=stack.service)
    arn = listed["serviceDeployments"][0]["serviceDeploymentArn"]
    answer = ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    record: dict[str, Any] = answer["serviceDeployments"][0]
    return record


def test_while_it_rolls_back_the_old_deployment_says_so(make: Make) -> None:
    stack = make(circuit_breaker=True, load_balancer=False)
    old = stack.describe()["deployments"][0]["id"]
    stack.deploy("shop:2.0-crash")
    service = stack.wait_until(lambda s: s["deployments"][0]["id"] == old)
    reason = service["deployments"][0]["rolloutStateReason"]
    words = "ECS deployment circuit breaker: rolling back to deploymentId"
    assert reason in (f"{words} {old}.", f"ECS deployment {old} completed.")


def test_a_circuit_breaker_without_rollback_leaves_it_failed(make: Make, client: Client) -> None:
    stack = make(load_balancer=False)
    breaker = {"enable": True, "rollback": False}
    client("ecs").update_service(
        cluster=stack.cluster,
        service=stack.service,
        deploymentConfiguration={"deploymentCircuitBreaker": breaker},
    )
    new = stack.deploy("shop:2.0-crash")
    service = stack.wait_until(lambda s: s["deployments"][0]["rolloutState"] == "FAILED")
    assert service["deployments"][0]["id"] == new
    assert service["deployments"][1]["runningCount"] == 1
    assert _record(client, stack)["status"] == "STOPPED"
    fix = stack.deploy("shop:3.0")
    assert stack.wait_until_steady()["deployments"][0]["id"] == fix


def test_the_first_deployment_has_nothing_to_go_back_to(make: Make, client: Client) -> None:
    stack = make(image="shop:1.0-crash", circuit_breaker=True, load_balancer=False, wait=False)
    service = stack.wait_until(lambda s: s["deployments"][0]["rolloutState"] == "FAILED")
    assert (service["runningCount"], len(service["deployments"])) == (0, 1)
    assert _record(client, stack)["status"] == "STOPPED"


def test_a_rollback_begins_even_where_bad_tasks_fill_maximum_percent(
    aws: Sandbox, make: Make
) -> None:
    stack = make(
        desired=2, circuit_breaker=True, minimum_healthy=0, maximum=100, load_balancer=True
    )
    stack.deploy("shop:2.0-unhealthy")
    old = stack.describe()["deployments"][1]["id"]
    stack.wait_until(lambda s: is_steady(s) and s["deployments"][0]["id"] == old)
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["1.0"]


@pytest.fixture
def alarm(client: Client) -> str:
    name = f"errors-{uuid.uuid4().hex[:8]}"
    client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Test",
        MetricName=name,
        Statistic="Maximum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    return name


def _set(client: Client, alarm: str, state: str) -> None:
    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="a test")


def test_a_deployment_alarm_rolls_back(
    aws: Sandbox, make: Make, client: Client, alarm: str
) -> None:
    _set(client, alarm, "OK")
    stack = make(alarms=(alarm,), load_balancer=False)
    old = stack.describe()["deployments"][0]["id"]
    stack.deploy("shop:2.0-errors-1")
    _set(client, alarm, "ALARM")
    stack.wait_until(lambda s: is_steady(s) and s["deployments"][0]["id"] == old)
    record = _record(client, stack)
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["alarms"]["status"] == "TRIGGERED"
    assert record["alarms"]["triggeredAlarmNames"] == [alarm]
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["1.0"]


def test_an_alarm_that_was_on_before_is_ignored(make: Make, client: Client, alarm: str) -> None:
    _set(client, alarm, "OK")
    stack = make(alarms=(alarm,), load_balancer=False)
    _set(client, alarm, "ALARM")
    new = stack.deploy("shop:2.0")
    assert stack.wait_until_steady()["deployments"][0]["id"] == new
    assert _record(client, stack)["status"] == "SUCCESSFUL"


def test_stop_service_deployment_rolls_back(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make()
    old = stack.describe()["deployments"][0]["id"]
    stack.deploy("shop:2.0-unhealthy")
    arn = stack.describe()["currentServiceDeployment"]
    ecs = client("ecs")
    answer = ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert answer["serviceDeploymentArn"] == arn
    assert stack.describe()["deployments"][0]["id"] == old
    stack.wait_until_steady()
    assert _record(client, stack)["status"] == "ROLLBACK_SUCCESSFUL"
    assert get(stack.url or "")[1]["X-App-Version"] == "1.0"
    with pytest.raises(ClientError) as caught:
        ecs.stop_service_deployment(serviceDeploymentArn=arn)
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    with pytest.raises(ClientError) as caught:
        ecs.stop_service_deployment(serviceDeploymentArn=arn + "x")
    assert caught.value.response["Error"]["Code"] == "ServiceDeploymentNotFoundException"


def test_after_a_rollback_a_fix_can_be_deployed(aws: Sandbox, make: Make) -> None:
    stack = make(circuit_breaker=True, load_balancer=False)
    old = stack.describe()["deployments"][0]["id"]
    stack.deploy("shop:2.0-crash")
    stack.wait_until(lambda s: is_steady(s) and s["deployments"][0]["id"] == old)
    stack.deploy("shop:2.1")
    stack.wait_until_steady()
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["2.1"]
