"""Somebody else changes a service while it deploys."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from sandbox.scenarios.strategy import Strategy, blue_green, canary, linear, pause, rolling
from tests.aws.sandbox.conftest import eventually
from tests.aws.sandbox.shifting import LONG, at_stage, code, ended, production, stop

Client = Callable[[str], Any]
Make = Callable[..., Stack]
# The scenes that release such services play in `make test`; each detail of theirs in the campaign.
pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.campaign]
HOLD = (pause("POST_SCALE_UP"),)
STRATEGIES = [
    pytest.param(rolling(hooks=HOLD), id="rolling"),
    pytest.param(blue_green(bake_minutes=LONG), id="blue-green"),
    pytest.param(linear(percent=50, step_minutes=LONG), id="linear"),
    pytest.param(canary(percent=10, canary_minutes=LONG), id="canary"),
]
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def _half_way(stack: Stack, strategy: Strategy) -> None:
    """Deploy, and wait until the deployment is where it stays."""
    stack.deploy("shop:2.0")
    where = {"ROLLING": "POST_SCALE_UP", "BLUE_GREEN": "BAKE_TIME"}
    at_stage(stack, where.get(strategy.name, "PRODUCTION_TRAFFIC_SHIFT"))


def _scale(client: Client, stack: Stack, desired: int) -> None:
    client("ecs").update_service(cluster=stack.cluster, service=stack.service, desiredCount=desired)


@every_strategy
def test_the_count_changes_half_way(
    aws: Sandbox, make: Make, client: Client, strategy: Strategy
) -> None:
    stack = make(strategy=strategy)
    _half_way(stack, strategy)
    deployments = [d["id"] for d in stack.describe()["deployments"]]
    for count in (3, 1):
        _scale(client, stack, count)
        service = stack.describe()
        assert {d["desiredCount"] for d in service["deployments"]} == {count}
        stack.wait_until(lambda s, n=count: {d["runningCount"] for d in s["deployments"]} == {n})
    assert [d["id"] for d in stack.describe()["deployments"]] == deployments
    assert stack.service_deployment()["status"] == "IN_PROGRESS"
    stop(client, stack)
    service = stack.wait_until_steady()
    assert (service["desiredCount"], service["runningCount"]) == (1, 1)
    assert ended(stack)["status"] == "ROLLBACK_SUCCESSFUL"
    assert production(aws, stack) == {"1.0": 100.0}


@every_strategy
def test_scaled_to_zero_half_way(
    aws: Sandbox, make: Make, client: Client, strategy: Strategy
) -> None:
    stack = make(strategy=strategy)
    _half_way(stack, strategy)
    _scale(client, stack, 0)
    eventually(lambda: not aws.truth(stack.cluster, stack.service)["tasks"])
    assert stack.service_deployment()["status"] == "IN_PROGRESS"
    stop(client, stack)
    service = stack.wait_until_steady()
    assert service["runningCount"] == 0
    assert service["taskDefinition"] == stack.task_definition
    assert ended(stack)["status"] == "ROLLBACK_SUCCESSFUL"
    _scale(client, stack, 1)
    stack.wait_until_steady()
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["1.0"]


def test_green_that_is_scaled_to_zero_goes_on(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(bake_minutes=0))
    stack.deploy("shop:2.0-unhealthy")
    at_stage(stack, "SCALE_UP")
    _scale(client, stack, 0)
    assert ended(stack)["status"] == "SUCCESSFUL"  # as AWS: no tasks is what was wanted
    assert aws.truth(stack.cluster, stack.service)["tasks"] == []


@every_strategy
def test_deleted_half_way(aws: Sandbox, make: Make, client: Client, strategy: Strategy) -> None:
    stack = make(strategy=strategy)
    _half_way(stack, strategy)
    record = stack.service_deployment()
    ecs = client("ecs")
    ecs.delete_service(cluster=stack.cluster, service=stack.service, force=True)
    eventually(lambda: stack.describe()["status"] == "INACTIVE")
    assert aws.truth(stack.cluster, stack.service)["tasks"] == []
    arn = record["serviceDeploymentArn"]
    assert code(ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"


def test_a_task_that_is_killed_while_it_bakes_is_replaced(aws: Sandbox, make: Make) -> None:
    stack = make(strategy=blue_green(bake_minutes=LONG))
    _half_way(stack, blue_green())
    killed = [task["arn"] for task in aws.truth(stack.cluster, stack.service)["tasks"]]
    for task in killed:
        aws.kill_task(task)

    def replaced() -> bool:
        tasks = aws.truth(stack.cluster, stack.service)["tasks"]
        return sorted(t["version"] for t in tasks if t["healthy"] and t["arn"] not in killed) == [
            "1.0",
            "2.0",
        ]

    eventually(replaced)
    assert stack.service_deployment()["lifecycleStage"] == "BAKE_TIME"
