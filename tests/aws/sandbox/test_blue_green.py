"""Blue/green deployments: stages, traffic, and the ways back."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.cloud.ecs.shifts import STAGES
from sandbox.scenarios.stack import Stack, is_steady, make_stack
from sandbox.scenarios.strategy import blue_green, pause
from tests.aws.sandbox.conftest import eventually
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


def test_all_stages_in_their_order(aws: Sandbox, make: Make) -> None:
    stack = make(desired=2, strategy=blue_green(bake_minutes=10))
    old = stack.describe()
    new = stack.deploy("shop:2.0")
    seen: list[str] = []

    def done() -> bool:
        record = stack.service_deployment()
        stage = record.get("lifecycleStage")
        if stage and stage not in seen:
            seen.append(stage)
        return bool(record["status"] == "SUCCESSFUL")

    during = stack.describe()
    assert [d["id"] for d in during["deployments"]] == [new, old["deployments"][0]["id"]]
    assert [d["status"] for d in during["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert [d["rolloutState"] for d in during["deployments"]] == ["IN_PROGRESS", "COMPLETED"]
    eventually(done)
    assert seen == [stage for stage in STAGES if stage in seen]
    assert {"SCALE_UP", "BAKE_TIME"} <= set(seen)
    assert "RECONCILE_SERVICE" not in seen
    after = stack.wait_until_steady()
    assert after["deployments"][0]["id"] == new
    assert production(aws, stack) == {"2.0": 100.0}
    timeline = aws.truth(stack.cluster, stack.service)["timeline"]
    assert sum(v["errors"] for second in timeline for v in second["versions"].values()) == 0


def test_both_versions_run_while_it_bakes(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(desired=2, strategy=blue_green(bake_minutes=LONG))
    first = stack.describe()
    stack.deploy("shop:2.0")
    record = at_stage(stack, "BAKE_TIME")
    assert weights(record) == (0.0, 100.0)
    assert record["targetServiceRevision"]["runningTaskCount"] == 2
    assert record["sourceServiceRevisions"][0]["runningTaskCount"] == 2
    assert record["sourceServiceRevisions"][0]["arn"] == first["currentServiceRevisions"][0]["arn"]
    service = stack.describe()
    assert [d["runningCount"] for d in service["deployments"]] == [2, 2]
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert service["runningCount"] == 4
    assert service["loadBalancers"][0]["advancedConfiguration"]["alternateTargetGroupArn"] == (
        stack.alternate_target_group_arn
    )
    assert production(aws, stack) == {"2.0": 100.0}
    assert version(stack.url) == "2.0"
    rule = client("elbv2").describe_rules(RuleArns=[stack.production_rule_arn])["Rules"][0]
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert {g["TargetGroupArn"]: g["Weight"] for g in groups} == {
        stack.target_group_arn: 0,
        stack.alternate_target_group_arn: 100,
    }
    health = client("elbv2").describe_target_health(TargetGroupArn=stack.alternate_target_group_arn)
    states = [t["TargetHealth"]["State"] for t in health["TargetHealthDescriptions"]]
    assert states == ["healthy", "healthy"]


def test_each_deployment_takes_the_other_target_group(
    aws: Sandbox, make: Make, client: Client
) -> None:
    stack = make(strategy=blue_green(bake_minutes=0))
    groups = (stack.alternate_target_group_arn, stack.target_group_arn)
    for number, group in zip(("2.0", "3.0"), groups, strict=True):
        stack.deploy(f"shop:{number}")
        [counts] = stack.wait_until_steady()["currentServiceRevisions"]
        assert version(stack.url) == number
        [share] = aws.truth(stack.cluster, stack.service)["production"]
        assert (share["targetGroups"], share["revision"]) == ([group], counts["arn"])
        answer = client("ecs").describe_service_revisions(serviceRevisionArns=[counts["arn"]])
        resolved = answer["serviceRevisions"][0]["resolvedConfiguration"]["loadBalancers"]
        assert resolved == [
            {"targetGroupArn": group, "productionListenerRule": stack.production_rule_arn}
        ]


@pytest.mark.parametrize(
    ("stage", "image"),
    [("SCALE_UP", "shop:2.0-unhealthy"), ("BAKE_TIME", "shop:2.0"), ("POST_SCALE_UP", "shop:2.0")],
)
def test_stopped_at_a_stage(
    aws: Sandbox, make: Make, client: Client, stage: str, image: str
) -> None:
    hooks = (pause("POST_SCALE_UP"),) if stage == "POST_SCALE_UP" else ()
    stack = make(desired=2, strategy=blue_green(bake_minutes=LONG, hooks=hooks))
    old = stack.describe()
    revisions = len(_revisions(client, stack))
    arn = _arn_of(stack, stack.deploy(image))
    at_stage(stack, stage)
    stop(client, stack)
    assert code(client("ecs").stop_service_deployment, serviceDeploymentArn=arn) == (
        "ConflictException"
    )
    assert version(stack.url) == "1.0"
    service = stack.wait_until_steady()
    deployment = service["deployments"][0]
    assert deployment["id"] == old["deployments"][0]["id"]
    assert service["taskDefinition"] == deployment["taskDefinition"] == old["taskDefinition"]
    record = ended(stack)
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["rollback"]["serviceRevisionArn"] == old["currentServiceRevisions"][0]["arn"]
    assert record["rollback"]["startedAt"] <= record["finishedAt"]
    assert "StopServiceDeployment" in record["rollback"]["reason"]
    assert weights(record) == (100.0, 0.0)
    assert len(_revisions(client, stack)) == revisions + 1
    assert production(aws, stack) == {"1.0": 100.0}
    assert code(client("ecs").stop_service_deployment, serviceDeploymentArn=arn) == (
        "ConflictException"
    )


def _arn_of(stack: Stack, _deployment: str) -> str:
    return str(stack.describe()["currentServiceDeployment"])


def _revisions(client: Client, stack: Stack) -> list[str]:
    records = client("ecs").list_service_deployments(cluster=stack.cluster, service=stack.service)
    return [r["targetServiceRevisionArn"] for r in records["serviceDeployments"]]


def test_the_way_back_is_quick_and_loses_no_request(
    aws: Sandbox, make: Make, client: Client
) -> None:
    stack = make(desired=2, strategy=blue_green(bake_minutes=LONG))
    stack.deploy("shop:2.0")
    at_stage(stack, "BAKE_TIME")
    before = {task["arn"] for task in aws.truth(stack.cluster, stack.service)["tasks"]}
    stop(client, stack)
    assert production(aws, stack) == {"1.0": 100.0}  # at once: the old tasks are still there
    stack.wait_until_steady()
    assert {t["arn"] for t in aws.truth(stack.cluster, stack.service)["tasks"]} < before
    timeline = aws.truth(stack.cluster, stack.service)["timeline"]
    assert sum(v["errors"] for second in timeline for v in second["versions"].values()) == 0


def test_green_that_never_is_healthy_stays_at_scale_up(aws: Sandbox, make: Make) -> None:
    stack = make(strategy=blue_green(bake_minutes=0), circuit_breaker=True)
    stack.deploy("shop:2.0-crash")
    service = stack.wait_until(lambda s: s["deployments"][0]["failedTasks"] >= 5)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    record = at_stage(stack, "SCALE_UP")
    assert weights(record) == (100.0, 0.0)
    assert record["deploymentCircuitBreaker"]["status"] == "DISABLED"
    assert production(aws, stack) == {"1.0": 100.0}
    assert version(stack.url) == "1.0"


def test_test_traffic_comes_before_production_traffic(aws: Sandbox, make: Make) -> None:
    hooks = (pause("POST_TEST_TRAFFIC_SHIFT"),)
    stack = make(strategy=blue_green(bake_minutes=0, hooks=hooks, test_listener=True))
    assert version(stack.test_url) == "1.0"
    stack.deploy("shop:2.0")
    record = at_stage(stack, "POST_TEST_TRAFFIC_SHIFT")
    assert record["targetServiceRevision"]["requestedTestTrafficWeight"] == 100.0
    assert weights(record) == (100.0, 0.0)
    assert (version(stack.url), version(stack.test_url)) == ("1.0", "2.0")
    assert production(aws, stack) == {"1.0": 100.0}


def test_an_alarm_while_it_bakes_rolls_back(aws: Sandbox, make: Make, client: Client) -> None:
    alarm = f"errors-{uuid.uuid4().hex[:8]}"
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="Test",
        MetricName=alarm,
        Statistic="Maximum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="a test")
    stack = make(alarms=(alarm,), strategy=blue_green(bake_minutes=LONG))
    stack.deploy("shop:2.0-errors-1")
    assert at_stage(stack, "BAKE_TIME")["alarms"]["status"] == "MONITORING"
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")
    record = ended(stack)
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["alarms"]["triggeredAlarmNames"] == [alarm]
    assert stack.wait_until_steady()["taskDefinition"] == stack.task_definition
    assert production(aws, stack) == {"1.0": 100.0}


@pytest.mark.parametrize(
    ("image", "stage"),
    [
        ("2.0", "BAKE_TIME"),
        ("2.0-crash", "SCALE_UP"),
    ],
)
def test_a_newer_deployment_supersedes(
    aws: Sandbox, make: Make, client: Client, image: str, stage: str
) -> None:
    hooks = (pause("RECONCILE_SERVICE"),)
    stack = make(strategy=blue_green(bake_minutes=20, hooks=hooks))
    stack.deploy(f"shop:{image}")
    first = at_stage(stack, stage)["serviceDeploymentArn"]
    new = stack.deploy("shop:3.0")
    assert stack.service_deployment()["serviceDeploymentArn"] != first
    answer = client("ecs").describe_service_deployments(serviceDeploymentArns=[first])
    assert answer["serviceDeployments"][0]["status"] == "STOPPED"
    go_on(client, waiting(stack, "RECONCILE_SERVICE"))
    record = at_stage(stack, "BAKE_TIME")
    assert len(record["sourceServiceRevisions"]) == 2
    assert production(aws, stack) == {"3.0": 100.0}
    assert stack.wait_until_steady()["deployments"][0]["id"] == new
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["3.0"]


def test_the_first_deployment_has_nothing_to_go_back_to(make: Make, client: Client) -> None:
    stack = make(image="shop:1.0-unhealthy", strategy=blue_green(), wait=False)
    record = at_stage(stack, "SCALE_UP")
    ecs = client("ecs")
    arn = record["serviceDeploymentArn"]
    assert code(ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"
    unknown = f"{arn}x"
    assert code(ecs.stop_service_deployment, serviceDeploymentArn=unknown) == (
        "ServiceDeploymentNotFoundException"
    )
    stack.deploy("shop:1.1")
    assert ended(stack)["status"] == "SUCCESSFUL"
    assert version(stack.url) == "1.1"


def test_after_a_rollback_a_fix_can_be_deployed(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(strategy=blue_green(bake_minutes=20))
    stack.deploy("shop:2.0")
    at_stage(stack, "BAKE_TIME")
    stop(client, stack)
    stack.deploy("shop:2.1")  # while the rollback is still going on
    assert stack.wait_until_steady()["runningCount"] == 1
    assert production(aws, stack) == {"2.1": 100.0}


def test_a_rolling_service_becomes_blue_green_and_back(aws: Sandbox, client: Client) -> None:
    stack = make_stack(client, desired=1, strategy=blue_green(bake_minutes=0))
    ecs = client("ecs")
    where = {"cluster": stack.cluster, "service": stack.service}
    for number, strategy in (("2.0", "ROLLING"), ("3.0", "BLUE_GREEN"), ("4.0", "ROLLING")):
        ecs.update_service(**where, deploymentConfiguration={"strategy": strategy})
        stack.deploy(f"shop:{number}")
        service = stack.wait_until(is_steady)
        assert service["deploymentConfiguration"]["strategy"] == strategy
        assert (version(stack.url), production(aws, stack)) == (number, {number: 100.0})
    stack.delete()
