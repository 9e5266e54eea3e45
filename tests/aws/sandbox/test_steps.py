"""Linear and canary deployments: the steps of the traffic, and the limits of what is configured."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from sandbox.scenarios.strategy import Strategy, blue_green, canary, linear, pause
from tests.aws.sandbox.conftest import eventually
from tests.aws.sandbox.shifting import (
    LONG,
    at_stage,
    code,
    ended,
    production,
    stop,
    version,
    weights,
)

Client = Callable[[str], Any]
Make = Callable[..., Stack]
# The scenes that release such services play in `make test`; each detail of theirs in the campaign.
pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.campaign]


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        (linear(percent=40, step_minutes=8, bake_minutes=0), [0.0, 40.0, 80.0, 100.0]),
        (canary(percent=12.5, canary_minutes=8, bake_minutes=0), [0.0, 12.5, 100.0]),
    ],
    ids=["linear", "canary"],
)
def test_traffic_goes_over_step_by_step(make: Make, strategy: Strategy, steps: list[float]) -> None:
    stack = make(strategy=strategy)
    stack.deploy("shop:2.0")
    seen: list[float] = []

    def done() -> bool:
        record = stack.service_deployment()
        source, target = weights(record)
        if target not in seen:
            seen.append(target)
        if record["status"] == "IN_PROGRESS":
            assert source + target == 100.0
            assert [d["status"] for d in stack.describe()["deployments"]][:1] == ["PRIMARY"]
        return bool(record["status"] == "SUCCESSFUL")

    eventually(done)
    assert seen == steps
    assert version(stack.url) == "2.0"


def test_a_canary_gets_its_share_of_the_requests(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(desired=2, strategy=canary(percent=20, canary_minutes=LONG))
    aws.traffic(0, stack.service)  # ours alone are counted
    stack.deploy("shop:2.0")
    eventually(lambda: production(aws, stack) == {"1.0": 80.0, "2.0": 20.0})
    record = at_stage(stack, "PRODUCTION_TRAFFIC_SHIFT")
    assert weights(record) == (80.0, 20.0)
    answers = [version(stack.url) for _ in range(50)]
    assert 8 <= answers.count("2.0") <= 12
    assert answers.count("1.0") == 50 - answers.count("2.0")
    stop(client, stack)
    assert {version(stack.url) for _ in range(20)} == {"1.0"}
    assert ended(stack)["status"] == "ROLLBACK_SUCCESSFUL"
    assert production(aws, stack) == {"1.0": 100.0}


def test_a_linear_deployment_is_stopped_half_way(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=linear(percent=50, step_minutes=LONG))
    stack.deploy("shop:2.0-errors-1")
    eventually(lambda: production(aws, stack).get("2.0-errors-1") == 50.0)
    stop(client, stack)
    record = ended(stack)
    assert (record["status"], weights(record)) == ("ROLLBACK_SUCCESSFUL", (100.0, 0.0))
    stack.wait_until_steady()
    assert {version(stack.url) for _ in range(10)} == {"1.0"}


def test_a_hook_before_each_step(make: Make, client: Client) -> None:
    hooks = (pause("PRE_PRODUCTION_TRAFFIC_SHIFT"),)
    stack = make(strategy=canary(percent=10, canary_minutes=0, bake_minutes=0, hooks=hooks))
    stack.deploy("shop:2.0")
    for number, share in ((1, 0.0), (2, 10.0)):
        record = eventually(lambda n=number: _waiting(stack, n))
        assert record["lifecycleStage"] == "PRE_PRODUCTION_TRAFFIC_SHIFT"
        assert record["targetServiceRevision"]["requestedProductionTrafficWeight"] == share
        client("ecs").continue_service_deployment(
            serviceDeploymentArn=record["serviceDeploymentArn"],
            hookId=record["lifecycleHookDetails"][-1]["hookId"],
            action="CONTINUE",
        )
    assert ended(stack)["status"] == "SUCCESSFUL"


def _waiting(stack: Stack, number: int) -> dict[str, Any] | None:
    record = stack.service_deployment()
    details = record.get("lifecycleHookDetails", [])
    waiting = len(details) == number and details[-1]["status"] == "AWAITING_ACTION"
    return record if waiting else None


def test_defaults_and_what_does_not_fit_together(make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(bake_minutes=3))
    ecs = client("ecs")

    def update(**configuration: Any) -> dict[str, Any]:
        answer = ecs.update_service(
            cluster=stack.cluster, service=stack.service, deploymentConfiguration=configuration
        )
        found: dict[str, Any] = answer["service"]["deploymentConfiguration"]
        return found

    def refused(**configuration: Any) -> bool:
        return code(update, **configuration) == "InvalidParameterException"

    assert update(strategy="LINEAR")["linearConfiguration"] == {
        "stepPercent": 10.0,
        "stepBakeTimeInMinutes": 6,
    }
    changed = update(strategy="CANARY")
    assert changed["canaryConfiguration"] == {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}
    assert changed["bakeTimeInMinutes"] == 3
    assert "linearConfiguration" not in changed
    assert refused(linearConfiguration={"stepPercent": 10})
    assert refused(canaryConfiguration={"canaryPercent": 0.05})
    assert refused(canaryConfiguration={"canaryPercent": 10, "canaryBakeTimeInMinutes": 1441})
    assert refused(strategy="LINEAR", linearConfiguration={"stepPercent": 2})
    assert refused(strategy="BLUE_GREEN", bakeTimeInMinutes=1441)
    assert stack.describe()["deploymentConfiguration"] == changed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alternateTargetGroupArn", None),
        ("alternateTargetGroupArn", "arn:aws:elasticloadbalancing:x:1:targetgroup/nobody/1"),
        ("productionListenerRule", "arn:aws:elasticloadbalancing:x:1:listener-rule/nobody/1"),
        ("roleArn", None),
    ],
)
def test_load_balancers_that_cannot_shift_traffic(
    make: Make, client: Client, name: str, value: str | None
) -> None:
    stack = make(strategy=blue_green())
    [balancer] = stack.describe()["loadBalancers"]
    advanced = {**balancer["advancedConfiguration"], name: value}
    wrong = {**balancer, "advancedConfiguration": {k: v for k, v in advanced.items() if v}}
    where = {"cluster": stack.cluster, "service": stack.service}
    assert code(client("ecs").update_service, **where, loadBalancers=[wrong]) == (
        "InvalidParameterException"
    )
    other = {
        "cluster": stack.cluster,
        "serviceName": "other",
        "taskDefinition": stack.task_definition,
        "desiredCount": 0,
        "deploymentConfiguration": {"strategy": "CANARY"},
    }
    create = client("ecs").create_service
    assert code(create, **other, loadBalancers=[wrong]) == "InvalidParameterException"
    assert code(create, **other) == "InvalidParameterException"
