"""Blue/green, canary and linear for real: judged while ECS keeps the old tasks, and PAUSE hooks."""

from typing import Any

import pytest

from sandbox.scenarios.strategy import Strategy, blue_green, canary, linear, pause
from tests.e2e.brisk import answered_lately
from tests.e2e.commands import Json, Run
from tests.e2e.scene import Scene
from tests.e2e.stage import MINUTE

SHIFTED = "POST_PRODUCTION_TRAFFIC_SHIFT"
STRATEGIES = {
    "blue-green": blue_green(bake_minutes=4),
    "canary": canary(percent=25, bake_minutes=4),
    "linear": linear(percent=50, bake_minutes=4),
}
BAD = "2.0-errors-0.6"


def each(always: str) -> pytest.MarkDecorator:
    """Every strategy; one of them always, the others in the campaign."""
    others = (
        pytest.param(name, marks=pytest.mark.campaign) for name in STRATEGIES if name != always
    )
    return pytest.mark.parametrize("name", [always, *others])


def policy(scene: Scene, strategy: Strategy, **changes: Any) -> str:
    scene.make(strategy=strategy, desired=1)
    return scene.policy(**{"monitor": {"window": "10s"}, "deploy": {"timeout": "90s"}, **changes})


def all_traffic_is_on_the_old_tasks(scene: Scene, run: Run) -> Json:
    assert run.code == 10, run
    assert run.json["rollback"]["verified"], run
    assert run.json["rollback"]["to"] == scene.shop.task_definition
    assert scene.runs_only("1.0"), scene.truth()
    assert answered_lately(scene) == {"1.0"}
    return run.json


def running(scene: Scene) -> set[str]:
    """The tasks that run, by ARN."""
    return {one["arn"] for one in scene.truth()["tasks"] if one["pids"]}


@pytest.mark.campaign
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_good_release_is_healthy_when_ecs_is_through_with_it(scene: Scene, name: str) -> None:
    run = scene.deploy("2.0", policy(scene, STRATEGIES[name]))
    assert run.code == 0, run
    assert scene.shop.service_deployment()["status"] == "SUCCESSFUL"
    assert scene.runs_only("2.0")
    assert scene.moves() == ["UpdateService"]
    assert "finish" in run.json["timings"]


@each(always="blue-green")
def test_a_bad_release_is_a_shift_of_traffic_back(scene: Scene, name: str) -> None:
    written = policy(scene, STRATEGIES[name], smoke=[])
    before = running(scene)
    run = scene.deploy(BAD, written)
    result = all_traffic_is_on_the_old_tasks(scene, run)
    assert result["trigger"] == "error-rate", result
    assert running(scene) == before, "the very tasks that ran: traffic moved, and nothing started"
    assert scene.moves() == ["UpdateService", "StopServiceDeployment"]
    record = scene.shop.service_deployment()
    assert record["status"] == "ROLLBACK_SUCCESSFUL"


@pytest.mark.campaign
def test_a_clean_window_lets_a_waiting_deployment_go_on(scene: Scene) -> None:
    run = scene.deploy("2.0", policy(scene, blue_green(hooks=(pause("POST_SCALE_UP", SHIFTED),))))
    assert run.code == 0, run
    answers = [
        call
        for call in scene.world.cloud.aws.requests("ContinueServiceDeployment")
        if call["about"] == scene.shop.service
    ]
    assert [call["effects"] for call in answers] == [
        ["continued POST_SCALE_UP"],
        [f"continued {SHIFTED}"],
    ]
    assert scene.runs_only("2.0")


def test_a_bad_release_that_waits_is_answered_with_rollback(scene: Scene) -> None:
    run = scene.deploy(BAD, policy(scene, blue_green(hooks=(pause(SHIFTED),))))
    all_traffic_is_on_the_old_tasks(scene, run)
    assert scene.moves() == ["UpdateService", "ContinueServiceDeployment"]


@pytest.mark.campaign
def test_the_way_back_from_a_finished_release_is_let_go_on_too(scene: Scene) -> None:
    """It is a deployment of its own, with the same hooks: ECS would undo it if nobody answered."""
    written = policy(scene, blue_green(bake_minutes=4, hooks=(pause("POST_SCALE_UP", SHIFTED),)))
    assert scene.deploy("2.0", written).code == 0
    run = scene.rollback("customers complain")
    all_traffic_is_on_the_old_tasks(scene, run)
    assert scene.moves() == ["UpdateService", "UpdateService"]
    assert scene.shop.service_deployment()["status"] == "SUCCESSFUL"
    answers = scene.world.cloud.aws.requests("ContinueServiceDeployment")
    effects = [one["effects"] for one in answers if one["about"] == scene.shop.service]
    assert effects == 2 * [["continued POST_SCALE_UP"], [f"continued {SHIFTED}"]]


@pytest.mark.long
def test_if_all_of_us_are_gone_the_hook_times_out_and_ecs_goes_back(scene: Scene) -> None:
    """The dead man's switch; our release learns it when its worker is back."""
    scene.play_in(scene.stage.own(temporal=True))
    waits = 4
    hooks = (pause(SHIFTED, minutes=waits),)
    triggers = [{"type": "error-rate", "threshold": "5%", "duration": "60s"}]
    written = policy(scene, blue_green(hooks=hooks), monitor={"window": "120s"}, triggers=triggers)
    deploy = scene.start_deploy("2.0", written)
    scene.wait_for_step("monitor")
    scene.world.worker.kill()
    scene.wait("ECS's own rollback", lambda: scene.runs_only("1.0"), 60 + waits * MINUTE)
    scene.world.worker.start()
    run = scene.end(deploy)
    assert run.code == 11, run
    assert run.json["outcome"] == "rolled_back_by_ecs"
    assert scene.moves() == ["UpdateService"]
