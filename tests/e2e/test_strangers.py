"""What others do to the service during a release: told apart, and never fought against."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.brisk import BAD, brisk, went_back
from tests.e2e.commands import Run
from tests.e2e.scene import Scene

Condition = Callable[[Scene], Any]


def strangers_release(scene: Scene, tag: str = "9.9") -> None:
    """Somebody calls UpdateService, past Lastgood."""
    shop = scene.shop
    theirs = shop.register(f"shop:{tag}")
    scene.changed_by_hand.append(theirs)
    service(scene, taskDefinition=theirs)


def service(scene: Scene, **change: Any) -> None:
    """Change the service by hand."""
    ecs, shop = scene.world.cloud.client("ecs"), scene.shop
    ecs.update_service(cluster=shop.cluster, service=shop.service, **change)


# --- Somebody else's release -------------------------------------------------------------------


def rolling_out(scene: Scene) -> bool:
    return len(scene.updates()) == 1 and len(scene.truth()["deployments"]) == 2


def in_the_window(scene: Scene) -> bool:
    progress = scene.query("release", "progress")
    return bool(progress and "monitor" in [one["name"] for one in progress["steps"]])


def going_back(scene: Scene) -> bool:
    """Our second call was carried out, and the old version is not back yet."""
    return len(scene.updates()) == 2


def back_and_being_verified(scene: Scene) -> bool:
    return len(scene.updates()) == 2 and scene.runs_only("1.0")


@pytest.mark.parametrize(
    ("tag", "moment", "ours"),
    [
        pytest.param("2.0-unhealthy", rolling_out, 1, id="wait", marks=pytest.mark.campaign),
        pytest.param("2.0", in_the_window, 1, id="monitor"),
        pytest.param(f"2.0{BAD}", going_back, 2, id="roll back"),
        pytest.param(
            f"2.0{BAD}", back_and_being_verified, 2, id="verify", marks=pytest.mark.campaign
        ),
    ],
)
def test_a_strangers_release_is_left_alone_whenever_it_comes(
    scene: Scene, tag: str, moment: Condition, ours: int
) -> None:
    url = scene.shop.url
    slowly_verified = {"type": "health-check", "url": f"{url}/health", "threshold": 8}
    policy = brisk(scene, triggers=[slowly_verified], monitor={"window": "10m"})
    deploy = scene.start_deploy(tag, policy)
    scene.wait("the stranger's moment", lambda: moment(scene))
    strangers_release(scene)
    run = scene.end(deploy)
    assert run.code == 14, run
    assert run.json["outcome"] == "superseded"
    scene.wait("the stranger's rollout", lambda: scene.runs_only("9.9"))
    assert len(scene.updates()) == ours + 1, "nothing of ours after the stranger's"
    assert scene.updates()[-1]["action"] == "UpdateService"


@pytest.mark.campaign
def test_after_a_strangers_release_theirs_is_what_is_gone_back_to(scene: Scene) -> None:
    assert scene.deploy("2.0", brisk(scene), "r1").code == 0
    strangers_release(scene)
    scene.wait("the stranger's rollout", lambda: scene.runs_only("9.9"))
    run = scene.deploy(f"3.0{BAD}", brisk(scene), "r2")
    went_back(scene, run, scene.changed_by_hand[0], "9.9")


# --- ECS's circuit breaker and our trigger -----------------------------------------------------


def told_apart(scene: Scene, run: Run) -> None:
    """There was one rollback; who made it is what ECS itself has on record."""
    assert scene.runs_only("1.0"), scene.truth()
    record = scene.shop.service_deployment()
    assert record["status"] == "ROLLBACK_SUCCESSFUL", record
    by_us = "ServiceDeployment call" in record["rollback"]["reason"]
    assert run.code == (10 if by_us else 11), (run, record)
    assert run.json["rollback"]["verified"], run
    assert scene.moves() == ["UpdateService", *(["StopServiceDeployment"] if by_us else [])]


@pytest.mark.campaign
@pytest.mark.parametrize("failures", [2, pytest.param(3, marks=pytest.mark.campaign)])
def test_circuit_breaker_and_trigger_at_the_same_moment_are_one_rollback(
    scene: Scene, failures: int
) -> None:
    """ECS goes back at the third failure; an alarm of ours goes off at this one."""
    shop = scene.make(circuit_breaker=True)
    name, cloudwatch = f"{shop.service}-alarm", scene.world.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Nobody/Writes",
        MetricName="This",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    policy = brisk(scene, triggers=[{"type": "alarm", "alarm": name}])
    deploy = scene.start_deploy("2.0-crash", policy)
    failed = f"{failures} failed tasks"
    scene.wait(failed, lambda: len(crashed(scene)) >= failures)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    scene.wait("one rollback", lambda: scene.shop.service_deployment().get("rollback"))
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    told_apart(scene, scene.end(deploy))


def crashed(scene: Scene) -> list[Any]:
    return [one for one in scene.truth()["stopped"] if one["version"] == "2.0-crash"]


@pytest.mark.campaign
def test_a_rollback_of_ecs_that_we_cannot_see_yet_is_not_followed_by_ours(scene: Scene) -> None:
    """DescribeServices tells the past while our deadline passes: what is sent is told by ECS."""
    scene.play_in(scene.stage.own(cloud=scene.stage.new_cloud()))
    scene.make(circuit_breaker=True)
    deploy = scene.start_deploy("2.0-crash", brisk(scene, deploy={"timeout": "6s"}))
    scene.wait("the first failures", lambda: len(crashed(scene)) >= 2)
    scene.world.cloud.aws.stale(5)
    scene.wait("one rollback", lambda: scene.shop.service_deployment().get("rollback"))
    run = scene.end(deploy)
    scene.world.cloud.aws.clear_faults()
    told_apart(scene, run)


# --- The number of tasks, and the service itself -----------------------------------------------


def patient(scene: Scene) -> str:
    """A policy by which what ECS says is heard before a health check that fails for it."""
    check = {"type": "health-check", "url": f"{scene.shop.url}/health", "threshold": 60}
    return brisk(scene, triggers=[check], monitor={"window": "10m"})


@pytest.mark.campaign
def test_auto_scaling_during_a_release_is_neither_undone_nor_taken_for_a_release(
    scene: Scene,
) -> None:
    policy = brisk(scene, monitor={"window": "10m"})
    deploy = scene.start_deploy("2.0", policy)
    scene.wait("the window", lambda: in_the_window(scene))
    service(scene, desiredCount=3)
    scene.wait("three tasks", lambda: len(scene.truth()["tasks"]) == 3)
    assert scene.rollback("it looks odd").code == 10
    run = scene.end(deploy)
    assert run.code == 10, run
    assert scene.runs_only("1.0")
    assert scene.truth()["desiredCount"] == 3, "what auto scaling decided stands"


@pytest.mark.campaign
def test_scaled_up_while_it_goes_back_it_stays_so(scene: Scene) -> None:
    deploy = scene.start_deploy(f"2.0{BAD}", brisk(scene))
    scene.wait("the way back", lambda: going_back(scene))
    service(scene, desiredCount=2)
    run = scene.end(deploy)
    assert run.code == 10, run
    assert scene.truth()["desiredCount"] == 2
    assert scene.runs_only("1.0")


def test_scaled_to_zero_there_is_nothing_to_judge_and_nothing_is_scaled_back(scene: Scene) -> None:
    scene.served_throughout = False
    deploy = scene.start_deploy("2.0", patient(scene))
    scene.wait("the window", lambda: in_the_window(scene))
    service(scene, desiredCount=0)
    run = scene.end(deploy)
    assert run.code == 13, run
    assert "scaled to 0" in run.json["reason"]
    assert scene.slack_says("needs a decision|scaled to 0")
    assert scene.truth()["desiredCount"] == 0
    assert len(scene.updates()) == 1, "nothing was rolled back"


@pytest.mark.campaign
def test_a_deleted_service_is_told_and_nothing_is_sent_any_more(scene: Scene) -> None:
    scene.served_throughout = False
    shop = scene.shop
    deploy = scene.start_deploy("2.0", patient(scene))
    scene.wait("the window", lambda: in_the_window(scene))
    ecs = scene.world.cloud.client("ecs")
    ecs.delete_service(cluster=shop.cluster, service=shop.service, force=True)
    run = scene.end(deploy)
    assert run.code == 13, run
    assert "deleted" in run.json["reason"] or "no longer exists" in run.json["reason"], run
    assert len(scene.updates()) == 1, "nothing was rolled back"
