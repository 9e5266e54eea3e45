"""Each rung of the rollback ladder, taken for real: which call, and what ECS says became of it."""

from typing import Any

import pytest

from tests.e2e.commands import Json, Run
from tests.e2e.scene import Scene


def rolled_back(scene: Scene, run: Run, *moves: str) -> Json:
    assert run.code == 10, run
    assert run.json["rollback"]["verified"], run
    assert scene.runs_only("1.0"), scene.truth()
    assert scene.moves() == ["UpdateService", *moves]
    return run.json


def stuck(scene: Scene, **options: Any) -> Run:
    """A release whose tasks never get healthy: ECS is at it for ever, and our deadline passes."""
    scene.make(desired=1, **options)
    return scene.deploy("2.0-unhealthy", scene.policy(deploy={"timeout": "8s"}))


def test_a_rollout_under_way_is_stopped(scene: Scene) -> None:
    result = rolled_back(scene, stuck(scene), "StopServiceDeployment")
    assert result["rollback"]["to"] == scene.shop.task_definition, "no copy: ECS knows the digest"


@pytest.mark.campaign
def test_a_finished_release_is_moved_back_by_update_service(scene: Scene) -> None:
    policy = scene.policy(monitor={"window": "60s"})
    deploy = scene.start_deploy("2.0", policy)
    scene.wait_for_step("monitor")
    assert scene.rollback("it looks odd").code == 10
    rolled_back(scene, scene.end(deploy), "UpdateService")


@pytest.mark.campaign
def test_an_endpoint_that_cannot_stop_gets_update_service(scene: Scene) -> None:
    world = scene.stage.own(cloud=scene.stage.new_cloud())
    scene.play_in(world)
    world.cloud.aws.unsupported("StopServiceDeployment")
    rolled_back(scene, stuck(scene), "UpdateService")


@pytest.mark.campaign
def test_an_endpoint_without_service_deployments_gets_update_service(scene: Scene) -> None:
    world = scene.stage.own(cloud=scene.stage.new_cloud())
    scene.play_in(world)
    scene.make(desired=1)
    world.cloud.aws.unsupported("ListServiceDeployments")
    world.cloud.aws.unsupported("DescribeServiceDeployments")
    run = scene.deploy("2.0-unhealthy", scene.policy(deploy={"timeout": "8s"}))
    world.cloud.aws.clear_faults()  # the checker reads them
    rolled_back(scene, run, "UpdateService")


@pytest.mark.campaign
def test_a_rollback_of_ecss_own_is_waited_for(scene: Scene) -> None:
    """Its circuit breaker and our trigger: whoever is first, there is one rollback."""
    scene.make(desired=1, circuit_breaker=True)
    run = scene.deploy("2.0-crash", scene.policy(deploy={"timeout": "60s"}))
    assert run.code == 11, run
    assert run.json["rollback"]["verified"]
    assert scene.moves() == ["UpdateService"]
    assert scene.runs_only("1.0")


def test_a_rollback_of_ecs_that_fails_is_followed_by_update_service_once(scene: Scene) -> None:
    shop = scene.make(desired=1)
    scene.world.cloud.aws.fail_rollbacks(shop.cluster, shop.service)
    run = scene.deploy("2.0-unhealthy", scene.policy(deploy={"timeout": "8s"}))
    rolled_back(scene, run, "StopServiceDeployment", "UpdateService")


@pytest.mark.campaign
def test_if_that_fails_too_people_are_told(scene: Scene) -> None:
    """The old image is gone from the registry: nothing that anybody sends can bring it back."""
    scene.served_throughout = False
    world = scene.stage.own(cloud=scene.stage.new_cloud())
    scene.play_in(world)
    shop = scene.make(desired=1)
    world.cloud.aws.fail_rollbacks(shop.cluster, shop.service)
    policy = scene.policy(deploy={"timeout": "8s"}, rollback={"timeout": "15s"})
    deploy = scene.start_deploy("2.0-unhealthy", policy)
    scene.wait_for_step("wait")
    world.cloud.aws.remove_image("shop:1.0")
    run = scene.end(deploy)
    assert run.code == 12, run
    assert scene.moves() == ["UpdateService", "StopServiceDeployment", "UpdateService"]
    assert scene.slack_says("ROLLBACK FAILED")
