"""Lifecycle hooks: who waits for whom, and what comes of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from sandbox.scenarios.strategy import blue_green, pause, rolling
from tests.aws.sandbox.shifting import (
    LONG,
    at_stage,
    code,
    ended,
    go_on,
    production,
    stop,
    version,
    waiting,
    weights,
)

Client = Callable[[str], Any]
Make = Callable[..., Stack]
# The scenes that release such services play in `make test`; each detail of theirs in the campaign.
pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.campaign]
AFTER = "POST_PRODUCTION_TRAFFIC_SHIFT"


@pytest.mark.parametrize("how", [{"action": "CONTINUE"}, {}], ids=["said", "default"])
def test_a_paused_deployment_is_continued(make: Make, client: Client, how: dict[str, str]) -> None:
    stack = make(strategy=blue_green(bake_minutes=0, hooks=(pause(AFTER, minutes=LONG),)))
    stack.deploy("shop:2.0")
    record = waiting(stack, AFTER)
    assert weights(record) == (0.0, 100.0)
    [hook] = record["lifecycleHookDetails"]
    assert hook["hookId"].startswith("ecs-pause-")
    assert (hook["targetType"], hook["timeoutAction"]) == ("PAUSE", "ROLLBACK")
    assert hook["expiresAt"] > datetime.now(UTC)
    assert "targetArn" not in hook
    assert waiting(stack, AFTER)["lifecycleHookDetails"] == [hook]
    go_on(client, record, **how)
    record = ended(stack)
    assert record["status"] == "SUCCESSFUL"
    assert record["lifecycleHookDetails"][0]["status"] == "SUCCEEDED"
    assert version(stack.url) == "2.0"


def test_a_paused_deployment_is_rolled_back(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(hooks=(pause(AFTER),)))
    stack.deploy("shop:2.0")
    record = waiting(stack, AFTER)
    go_on(client, record, action="ROLLBACK")
    assert version(stack.url) == "1.0"
    assert code(lambda: go_on(client, record, action="ROLLBACK")) == "InvalidParameterException"
    record = ended(stack)
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert "ContinueServiceDeployment" in record["rollback"]["reason"]
    assert record["lifecycleHookDetails"][0]["status"] == "FAILED"
    assert production(aws, stack) == {"1.0": 100.0}


@pytest.mark.parametrize(
    ("action", "status", "serves"),
    [("ROLLBACK", "ROLLBACK_SUCCESSFUL", "1.0"), ("CONTINUE", "SUCCESSFUL", "2.0")],
)
def test_a_hook_times_out(make: Make, action: str, status: str, serves: str) -> None:
    hooks = (pause("PRE_SCALE_UP", minutes=2, action=action),)
    stack = make(strategy=blue_green(bake_minutes=0, hooks=hooks))
    stack.deploy("shop:2.0")
    record = ended(stack)
    assert record["status"] == status
    assert record["lifecycleHookDetails"][0]["status"] == "TIMED_OUT"
    assert stack.wait_until_steady()["runningCount"] == 1
    assert version(stack.url) == serves


def test_before_the_scale_up_no_task_is_started(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(hooks=(pause("PRE_SCALE_UP"),)))
    stack.deploy("shop:2.0")
    record = waiting(stack, "PRE_SCALE_UP")
    assert record["targetServiceRevision"]["requestedTaskCount"] == 0
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["1.0"]
    stop(client, stack)  # the other way back
    assert ended(stack)["status"] == "ROLLBACK_SUCCESSFUL"
    stack.wait_until_steady()


def test_all_hooks_of_a_stage_have_to_be_continued(make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(bake_minutes=0, hooks=(pause(AFTER), pause(AFTER))))
    stack.deploy("shop:2.0")
    record = waiting(stack, AFTER)
    go_on(client, record)
    [first, second] = waiting(stack, AFTER)["lifecycleHookDetails"]
    assert (first["status"], second["status"]) == ("AWAITING_ACTION", "SUCCEEDED")
    client("ecs").continue_service_deployment(
        serviceDeploymentArn=record["serviceDeploymentArn"], hookId=first["hookId"]
    )
    assert ended(stack)["status"] == "SUCCESSFUL"


def test_a_lambda_function_has_succeeded_at_once(make: Make) -> None:
    function = "arn:aws:lambda:us-east-1:123456789012:function:check"
    hook = {"hookTargetArn": function, "lifecycleStages": ["POST_SCALE_UP", "TEST_TRAFFIC_SHIFT"]}
    stack = make(strategy=blue_green(bake_minutes=0, hooks=(hook,)))
    stack.deploy("shop:2.0")
    details = ended(stack)["lifecycleHookDetails"]
    assert [(d["targetType"], d["status"]) for d in details] == [("AWS_LAMBDA", "SUCCEEDED")] * 2
    assert details[0]["targetArn"] == function


def test_what_cannot_be_continued(make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(hooks=(pause(AFTER),)))
    stack.deploy("shop:2.0")
    record = waiting(stack, AFTER)
    arn = record["serviceDeploymentArn"]
    hook = record["lifecycleHookDetails"][0]["hookId"]
    call = client("ecs").continue_service_deployment
    assert code(call, serviceDeploymentArn=arn, hookId=f"{hook}x") == "InvalidParameterException"
    assert code(call, serviceDeploymentArn=f"{arn}x", hookId=hook) == (
        "ServiceDeploymentNotFoundException"
    )
    assert code(call, serviceDeploymentArn=arn, hookId=hook, action="ABORT") == (
        "InvalidParameterException"
    )
    assert waiting(stack, AFTER)["lifecycleHookDetails"][0]["hookId"] == hook


@pytest.mark.parametrize("stage", ["PRE_SCALE_UP", "POST_SCALE_UP"])
@pytest.mark.parametrize("action", ["CONTINUE", "ROLLBACK"])
def test_a_rolling_update_is_paused(
    aws: Sandbox, make: Make, client: Client, stage: str, action: str
) -> None:
    stack = make(load_balancer=False, strategy=rolling(hooks=(pause(stage),)))
    stack.deploy("shop:2.0")
    record = waiting(stack, stage)
    versions = ["1.0"] if stage == "PRE_SCALE_UP" else ["2.0"]
    assert aws.truth(stack.cluster, stack.service)["versions"] == versions
    assert stack.describe()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    go_on(client, record, action=action)
    stack.wait_until_steady()
    left = ended(stack)["status"]
    versions = aws.truth(stack.cluster, stack.service)["versions"]
    assert (left, versions) == (
        ("SUCCESSFUL", ["2.0"]) if action == "CONTINUE" else ("ROLLBACK_SUCCESSFUL", ["1.0"])
    )


def test_hooks_that_are_refused(make: Make, client: Client) -> None:
    stack = make(strategy=blue_green())

    def refused(strategy: str, *hooks: dict[str, Any]) -> bool:
        found = code(
            client("ecs").update_service,
            cluster=stack.cluster,
            service=stack.service,
            deploymentConfiguration={"strategy": strategy, "lifecycleHooks": list(hooks)},
        )
        return found == "InvalidParameterException"

    assert refused("ROLLING", pause(AFTER))
    assert refused("BLUE_GREEN", pause("PRODUCTION_TRAFFIC_SHIFT"))
    assert refused("BLUE_GREEN", pause("TEST_TRAFFIC_SHIFT"))
    assert refused("BLUE_GREEN", pause())
    assert refused("BLUE_GREEN", {"targetType": "AWS_LAMBDA", "lifecycleStages": [AFTER]})
    assert refused("BLUE_GREEN", *[pause(AFTER)] * 11)


def test_a_rolling_update_bakes_while_its_alarm_is_watched(make: Make, client: Client) -> None:
    client("cloudwatch").put_metric_alarm(
        AlarmName="bakes",
        Namespace="Test",
        MetricName="bakes",
        Statistic="Maximum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    client("cloudwatch").set_alarm_state(AlarmName="bakes", StateValue="OK", StateReason="a test")
    stack = make(load_balancer=False, alarms=("bakes",), strategy=rolling(bake_minutes=LONG))
    stack.deploy("shop:2.0")
    at_stage(stack, "BAKE_TIME")
    stop(client, stack)
    assert ended(stack)["status"] == "ROLLBACK_SUCCESSFUL"
    stack.wait_until_steady()
