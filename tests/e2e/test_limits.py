"""Cooldown and rollback limit, across crashes of worker and Temporal (issue, point 3)."""

import pytest

from tests.e2e.commands import Run
from tests.e2e.scene import Scene, instant

BAD = "-errors-0.4"
COOLDOWN = 60


def crash(scene: Scene) -> None:
    """SIGKILL Temporal and the worker; start both again on the same database file."""
    world = scene.world
    starts = world.starts()
    world.temporal.kill()
    world.worker.kill()
    world.temporal.start()
    world.worker.start()
    scene.wait("the worker's return", lambda: world.starts() > starts)


def waited(scene: Scene, first: Run, second: Run, cooldown: float) -> None:
    """The second release was rolled back, when the cooldown after the first had ended."""
    assert (first.code, second.code) == (10, 10), f"{first}\n{second}"
    ends = instant(first.json["rollback"]["finished_at"]) + cooldown
    told = scene.slack_says("no rollback before")
    assert told, "people must hear of it at once"
    assert told[0].at < ends, "told only after the cooldown"
    assert second.json["trigger"] == "error-rate"
    calls = [call["at"] for call in scene.updates()]
    assert len(calls) == 4, "two releases, two rollbacks"
    assert calls[-1] >= ends, f"rolled back {ends - calls[-1]:.1f} s before the cooldown ended"
    assert scene.runs_only("1.0")


@pytest.mark.long
def test_a_second_rollback_waits_for_the_cooldown_whatever_crashes(scene: Scene) -> None:
    """The cooldown is long enough for a busy machine to let the second release fire in it."""
    scene.play_in(scene.stage.own(temporal=True))
    policy = scene.policy(rollback={"cooldown": f"{COOLDOWN}s"})
    first = scene.deploy(f"2.0{BAD}", policy, "r1")
    deploy = scene.start_deploy(f"3.0{BAD}", policy, "r2")
    scene.wait("the word of the cooldown", lambda: scene.slack_says("no rollback before"))
    crash(scene)
    waited(scene, first, scene.end(deploy), COOLDOWN)


@pytest.mark.campaign
def test_with_cooldown_then_hold_it_is_held(scene: Scene) -> None:
    policy = scene.policy(rollback={"cooldown": "300s", "cooldown_then": "hold"})
    assert scene.deploy(f"2.0{BAD}", policy, "r1").code == 10
    run = scene.deploy(f"3.0{BAD}", policy, "r2")
    assert run.code == 13, run
    assert "cooldown" in run.json["reason"]
    assert scene.truth()["images"] == [f"shop:3.0{BAD}"], "nothing was rolled back"
    assert scene.slack_says("needs a decision")
    operator = scene.rollback("I have decided")
    assert operator.code == 10, operator
    assert scene.runs_only("1.0")


@pytest.mark.campaign
@pytest.mark.long
def test_after_the_limit_people_decide_and_crashes_change_nothing(scene: Scene) -> None:
    scene.play_in(scene.stage.own(temporal=True))
    policy = scene.policy(rollback={"max_rollbacks": 1})
    assert scene.deploy(f"2.0{BAD}", policy, "r1").code == 10
    crash(scene)
    held = scene.deploy(f"3.0{BAD}", policy, "r2")
    assert held.code == 13, held
    assert "limit" in held.json["reason"]
    operator = scene.rollback("an operator is never limited")
    assert operator.code == 10, operator
    assert scene.runs_only("1.0")
    reset = scene.operate("reset", "found the cause")
    assert reset.code == 0, reset
    again = scene.deploy(f"4.0{BAD}", policy, "r3")
    assert again.code == 10, again
    assert scene.runs_only("1.0")


def test_a_fix_is_not_blocked_by_a_held_release(scene: Scene) -> None:
    policy = scene.policy(rollback={"max_rollbacks": 0})
    held = scene.deploy(f"2.0{BAD}", policy, "r1")
    assert held.code == 13, held
    fix = scene.deploy("3.0", policy, "r2")
    assert fix.code == 0, fix
    assert scene.runs_only("3.0")
    results = {one["release"]: one["outcome"] for one in scene.overview()["results"]}
    assert results == {"r1": "superseded", "r2": "healthy"}
