"""Each kind of release by the command line alone, with ECS's own truth (issue, point 2)."""

import pytest

from tests.e2e.commands import Json, Run
from tests.e2e.scene import Scene

DURATION, INTERVAL = 3, 2
"""Seconds, as in the scenes' policy."""
BUSY = 20
"""Seconds that a busy machine may add."""


def first_error(scene: Scene) -> int:
    """The second in which the first request failed."""
    timeline = scene.truth()["timeline"]
    failed = (t["second"] for t in timeline if any(v["errors"] for v in t["versions"].values()))
    return int(next(failed))


def rolled_back(scene: Scene, run: Run, trigger: str | None) -> Json:
    """The result of a release that must have been rolled back by a trigger, and verified."""
    assert run.code == 10, run
    result = run.json
    assert (result["outcome"], result["trigger"]) == ("rolled_back", trigger), run
    assert result["rollback"]["verified"], run
    assert result["rollback"]["to"] == scene.shop.task_definition
    assert scene.runs_only("1.0"), scene.truth()
    assert len(scene.updates()) == 2
    return result


def test_a_good_release_is_healthy(scene: Scene) -> None:
    scene.make(desired=2)
    run = scene.deploy("2.0")
    assert run.code == 0, run
    result = run.json
    assert (result["outcome"], result["trigger"], result["rollback"]) == ("healthy", None, None)
    assert result["release"] == "r1"
    assert result["workflow_id"] == scene.identity("release")
    assert result["service"] == scene.shop.name
    assert result["from_task_definition"] == scene.shop.task_definition
    assert set(result["timings"]) == {"preflight", "deploy", "wait", "smoke test", "monitor"}
    truth = scene.truth()
    assert scene.runs_only("2.0")
    assert truth["taskDefinition"] == result["to_task_definition"]
    assert len(scene.updates()) == 1
    assert scene.posts() == [], "nobody asked to be told of healthy releases"


def test_errors_are_rolled_back_by_error_rate(scene: Scene) -> None:
    scene.make(desired=2)
    result = rolled_back(scene, scene.deploy("2.0-errors-0.4"), "error-rate")
    measured = result["evidence"][0]
    assert measured["value"] > measured["threshold"] == 0.05, measured
    assert scene.updates()[-1]["at"] - first_error(scene) < DURATION + 2 * INTERVAL + BUSY
    told = scene.slack_says("rolled back")[0].text
    for fact in ("r1", "error-rate", "shop:2.0-errors-0.4", "shop:1.0", "5 %"):
        assert fact in told, f"{fact} is not in {told}"
    assert "http://temporal.example.com/namespaces/" in told


@pytest.mark.campaign
def test_latency_is_rolled_back_by_response_time(scene: Scene) -> None:
    result = rolled_back(scene, scene.deploy("2.0-slow-3s"), "response-time")
    assert result["evidence"][0]["value"] > 2000


def test_a_health_check_that_fails_after_the_start_is_rolled_back_by_it(scene: Scene) -> None:
    scene.served_throughout = False  # ECS itself stops its only task, as that is unhealthy
    rolled_back(scene, scene.deploy("2.0-sick-4s"), "health-check")


@pytest.mark.parametrize(
    "composite",
    [
        pytest.param(False, id="metric"),
        pytest.param(True, id="composite", marks=pytest.mark.campaign),
    ],
)
def test_a_named_alarm_is_rolled_back_by_it(scene: Scene, composite: bool) -> None:
    name = alarm_on_errors(scene, composite=composite)
    policy = scene.policy(triggers=[{"type": "alarm", "alarm": name, "message": "It burns"}])
    run = scene.deploy("2.0-errors-0.4", policy)
    result = rolled_back(scene, run, "alarm")
    assert name in result["reason"], result
    assert scene.slack_says("It burns")


def alarm_on_errors(scene: Scene, *, composite: bool) -> str:
    """An alarm on the load balancer's 5xx count; with `composite`, one of another alarm."""
    cloudwatch, name = scene.world.cloud.client("cloudwatch"), f"{scene.shop.service}-errors"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": "LoadBalancer", "Value": scene.shop.load_balancer}],
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    if not composite:
        return name
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-any", AlarmRule=f'ALARM("{name}")')
    return f"{name}-any"


def test_a_crash_at_start_never_reaches_the_window(scene: Scene) -> None:
    policy = scene.policy(deploy={"timeout": "12s"})
    result = rolled_back(scene, scene.deploy("2.0-crash", policy), None)
    assert "monitor" not in result["timings"], result
    answered = {version for one in scene.truth()["timeline"] for version in one["versions"]}
    assert answered == {"1.0"}, "only the old version ever answered"


def test_tasks_that_never_get_healthy_never_reach_the_window(scene: Scene) -> None:
    policy = scene.policy(deploy={"timeout": "8s"})
    result = rolled_back(scene, scene.deploy("2.0-unhealthy", policy), None)
    assert "monitor" not in result["timings"], result


def test_a_rollback_by_ecs_itself_is_told_apart(scene: Scene) -> None:
    scene.make(circuit_breaker=True)
    run = scene.deploy("2.0-crash")
    assert run.code == 11, run
    assert run.json["outcome"] == "rolled_back_by_ecs"
    assert run.json["rollback"]["verified"]
    assert len(scene.updates()) == 1, "ECS went back by itself, and nobody did so again"
    assert scene.runs_only("1.0")


@pytest.mark.campaign
def test_a_smoke_test_that_fails_on_the_old_version_too_is_a_failed_rollback(scene: Scene) -> None:
    shop = scene.shop
    asked = {"url": f"{shop.url}/", "expect": {"contains": "no such words"}, "every": "1s"}
    triggers = [{"type": "health-check", "url": f"{shop.url}/health"}]
    policy = scene.policy(smoke=[{**asked, "attempts": 2}], triggers=triggers)
    run = scene.deploy("2.0", policy)
    assert run.code == 12, run
    assert "smoke test" in run.json["reason"].lower()
    assert scene.runs_only("1.0"), "the old revision is back, though it fails the test as well"


def test_an_operator_rolls_back_during_the_window(scene: Scene) -> None:
    deploy = scene.start_deploy("2.0", scene.policy(monitor={"window": "60s"}))
    scene.wait_for_step("monitor")
    operator = scene.rollback("the shop looks odd")
    assert operator.code == 10, operator
    result = rolled_back(scene, scene.end(deploy), "manual")
    assert "the shop looks odd" in result["reason"]


def test_an_operator_rolls_back_after_the_release(scene: Scene) -> None:
    assert scene.deploy("2.0").code == 0
    operator = scene.rollback("customers complain")
    assert operator.code == 10, operator
    result = operator.json
    assert (result["outcome"], result["trigger"]) == ("rolled_back", "manual")
    assert result["rollback"]["verified"]
    assert scene.runs_only("1.0")
    assert len(scene.updates()) == 2
    assert scene.slack_says("customers complain")
