"""One release at a time, the same id is the same release, and callers may come and go (point 4)."""

import pytest

from tests.e2e.scene import Scene, instant


def test_a_second_release_waits_its_turn(scene: Scene) -> None:
    policy = scene.policy()
    first = scene.start_deploy("2.0", policy, "r1")
    scene.wait_for_step("wait", "smoke test", "monitor")
    second = scene.start_deploy("3.0", policy, "r2")
    scene.wait("r2 in the queue", lambda: scene.overview()["queued"] == ["r2"])
    one, two = scene.end(first), scene.end(second)
    assert (one.code, two.code) == (0, 0), f"{one}\n{two}"
    calls = [call["at"] for call in scene.updates()]
    ended = {r["release"]: instant(r["finished_at"]) for r in scene.overview()["results"]}
    assert len(calls) == 2
    assert calls[1] > ended["r1"], "r2 began before r1 had ended"
    assert scene.runs_only("3.0")


def test_the_same_release_twice_is_one_and_both_callers_hear_of_it(scene: Scene) -> None:
    policy = scene.policy()
    commands = [scene.start_deploy("2.0-errors-0.4", policy, "build-7") for _ in range(2)]
    runs = [scene.end(command) for command in commands]
    runs.append(scene.deploy("2.0-errors-0.4", policy, "build-7"))  # long after its end
    assert [run.code for run in runs] == [10, 10, 10], runs
    assert runs[0].json == runs[1].json == runs[2].json
    assert len(scene.updates()) == 2, "one release, one rollback"


@pytest.mark.campaign
def test_a_policy_may_reject_a_second_release(scene: Scene) -> None:
    policy = scene.policy(deploy={"on_busy": "reject"})
    first = scene.start_deploy("2.0", policy, "r1")
    scene.wait_for_step("wait", "smoke test", "monitor")
    second = scene.deploy("3.0", policy, "r2")
    assert second.code == 15, second
    assert "r1" in second.json["reason"]
    assert scene.end(first).code == 0
    assert scene.runs_only("2.0")


@pytest.mark.campaign
def test_a_policy_may_let_a_newer_release_supersede(scene: Scene) -> None:
    policy = scene.policy(deploy={"on_busy": "supersede"}, monitor={"window": "60s"})
    first = scene.start_deploy("2.0", policy, "r1")
    scene.wait_for_step("monitor")
    quick = scene.policy(deploy={"on_busy": "supersede"})
    second = scene.deploy("3.0", quick, "r2")
    assert second.code == 0, second
    assert scene.end(first).code == 14
    assert scene.runs_only("3.0")


def test_ctrl_c_detaches_and_the_release_goes_on(scene: Scene) -> None:
    policy = scene.policy(monitor={"window": "12s"})
    deploy = scene.start_deploy("2.0", policy, "r1")
    scene.wait_for_step("wait", "smoke test", "monitor")
    deploy.interrupt()
    left = scene.end(deploy)
    assert left.code == 130, left
    assert left.out == ""
    assert "--release r1" in left.err
    again = scene.deploy("2.0", policy, "r1")
    assert again.code == 0, again
    assert len(scene.updates()) == 1
    assert scene.runs_only("2.0")


def test_a_strangers_release_is_never_rolled_back(scene: Scene) -> None:
    deploy = scene.start_deploy("2.0", scene.policy(monitor={"window": "60s"}))
    scene.wait_for_step("monitor")
    theirs = scene.shop.register("shop:9.9")
    scene.changed_by_hand.append(theirs)
    ecs, shop = scene.world.cloud.client("ecs"), scene.shop
    ecs.update_service(cluster=shop.cluster, service=shop.service, taskDefinition=theirs)
    run = scene.end(deploy)
    assert run.code == 14, run
    scene.wait("the stranger's rollout", lambda: scene.runs_only("9.9"))
    assert len(scene.updates()) == 2
