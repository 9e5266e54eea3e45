"""Rollbacks that fail, and calls that a region does not have."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from sandbox.scenarios.strategy import Strategy, blue_green, pause, rolling
from tests.aws.sandbox.shifting import at_stage, code, ended, production, stop, version

Client = Callable[[str], Any]
Make = Callable[..., Stack]
pytestmark = pytest.mark.usefixtures("quiet", "clean")


@pytest.mark.parametrize(
    "strategy",
    [
        blue_green(hooks=(pause("POST_PRODUCTION_TRAFFIC_SHIFT"),)),
        rolling(hooks=(pause("POST_SCALE_UP"),)),
    ],
    ids=["blue-green", "rolling"],
)
def test_a_rollback_fails(aws: Sandbox, make: Make, client: Client, strategy: Strategy) -> None:
    stack = make(strategy=strategy)
    aws.fail_rollbacks(stack.cluster, stack.service)
    new = stack.deploy("shop:2.0")
    at_stage(stack, "POST_PRODUCTION_TRAFFIC_SHIFT" if strategy.shifts else "POST_SCALE_UP")
    stop(client, stack)
    assert stack.service_deployment()["status"].startswith("ROLLBACK_")
    record = ended(stack)
    assert record["status"] == "ROLLBACK_FAILED"
    assert record["rollback"]["serviceRevisionArn"]
    service = stack.describe()
    assert service["deployments"][0]["id"] == new
    assert service["deployments"][0]["rolloutState"] == "FAILED"
    assert service["taskDefinition"] == service["deployments"][0]["taskDefinition"]
    assert (production(aws, stack), version(stack.url)) == ({"2.0": 100.0}, "2.0")
    without_hooks = {"lifecycleHooks": [], "bakeTimeInMinutes": 0}
    client("ecs").update_service(
        cluster=stack.cluster,
        service=stack.service,
        taskDefinition=stack.task_definition,
        deploymentConfiguration=without_hooks,
    )
    assert stack.wait_until_steady()["taskDefinition"] == stack.task_definition
    assert production(aws, stack) == {"1.0": 100.0}


def test_rollbacks_can_work_again(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=blue_green())
    aws.fail_rollbacks(stack.cluster, stack.service)
    aws.fail_rollbacks(stack.cluster, stack.service, fail=False)
    stack.deploy("shop:2.0-unhealthy")
    at_stage(stack, "SCALE_UP")
    stop(client, stack)
    assert ended(stack)["status"] == "ROLLBACK_SUCCESSFUL"


def test_calls_that_are_not_supported(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=blue_green())
    ecs = client("ecs")
    arn = stack.describe()["currentServiceDeployment"]
    calls: dict[str, Callable[[], Any]] = {
        "StopServiceDeployment": lambda: ecs.stop_service_deployment(serviceDeploymentArn=arn),
        "ContinueServiceDeployment": lambda: ecs.continue_service_deployment(
            serviceDeploymentArn=arn, hookId="h"
        ),
        "ListServiceDeployments": lambda: ecs.list_service_deployments(
            cluster=stack.cluster, service=stack.service
        ),
        "DescribeServiceDeployments": lambda: ecs.describe_service_deployments(
            serviceDeploymentArns=[arn]
        ),
    }
    for action, call in calls.items():
        aws.unsupported(action)
        assert code(call) == "UnsupportedFeatureException"
    aws.clear_faults()
    assert calls["ListServiceDeployments"]()["serviceDeployments"]
