"""The old version is bad too: nothing more is tried, and people are told until somebody answers."""

import time
from collections import Counter
from typing import Any

import pytest

from tests.e2e.brisk import brisk
from tests.e2e.scene import Scene

EVERY = 2
"""Seconds between reminders."""
PATIENCE = 4 * EVERY
"""Seconds of silence that are believed."""


def depends_on_something(scene: Scene, **rollback: Any) -> str:
    """A policy whose health check asks something outside of the service, too; the policy's path.

    When that is down, no revision is good.
    """
    url = f"{scene.stage.http.address}{dependency(scene)}"
    return brisk(
        scene,
        monitor={"window": "10m"},
        triggers=[{"type": "health-check", "url": url, "threshold": 2}],
        rollback={"verify_timeout": "4s", "remind_every": f"{EVERY}s", **rollback},
    )


def dependency(scene: Scene) -> str:
    return f"/dependency/{scene.shop.service}"


def break_it(scene: Scene) -> None:
    scene.stage.http.down.add(dependency(scene))


def mend_it(scene: Scene) -> None:
    scene.stage.http.down.discard(dependency(scene))


def reminders(scene: Scene) -> list[str]:
    """The keys of the reminders that came by webhook, oldest first."""
    keys = [str(post.body["dedup"]) for post in scene.posts("hook")]
    return [key for key in keys if "/reminder-" in key]


def is_silent(scene: Scene) -> bool:
    """Whether no reminder comes for some of their intervals."""
    before = reminders(scene)
    time.sleep(PATIENCE)
    return reminders(scene) == before


def fails(scene: Scene, policy: str, release: str = "r1") -> None:
    """A release in whose window something outside breaks: back does not help."""
    deploy = scene.start_deploy("2.0", policy, release)
    scene.wait_for_step("monitor", release=release)
    break_it(scene)
    run = scene.end(deploy)
    assert run.code == 12, run
    assert run.json["outcome"] == "rollback_failed"
    assert not run.json["rollback"]["verified"]
    assert "503" in run.json["reason"], run


def test_people_are_told_until_somebody_acknowledges_it(scene: Scene) -> None:
    policy = depends_on_something(scene)
    fails(scene, policy)
    assert scene.moves() == ["UpdateService"] * 2
    assert scene.runs_only("1.0"), "the old version runs, good or not"
    assert scene.slack_says("FAILED|failed")

    scene.wait("two reminders", lambda: len(reminders(scene)) >= 2)
    assert scene.slack_says("lastgood acknowledge"), "which say how to stop them"
    assert scene.status()["alerts"] == ["r1"]
    done = scene.operate("acknowledge", "on it")
    assert done.code == 0, done
    assert scene.status()["alerts"] == []
    assert is_silent(scene)
    assert max(Counter(reminders(scene)).values()) == 1, "each came once"
    assert scene.operate("acknowledge", "on it, too").code == 15
    assert scene.moves() == ["UpdateService"] * 2, "no ping-pong, whatever time passes"


@pytest.mark.campaign
def test_a_good_release_ends_the_reminders(scene: Scene) -> None:
    policy = depends_on_something(scene)
    fails(scene, policy)
    scene.wait("a reminder", lambda: reminders(scene))
    mend_it(scene)
    fix = scene.deploy("3.0", brisk(scene), "r2")
    assert fix.code == 0, fix
    assert scene.status()["alerts"] == []
    assert is_silent(scene)


@pytest.mark.campaign
def test_where_the_policy_wants_it_one_older_good_revision_is_tried_and_no_further(
    scene: Scene,
) -> None:
    oldest = scene.shop.task_definition
    for release, tag in (("r1", "1.1"), ("r2", "1.2")):
        assert scene.deploy(tag, brisk(scene), release).code == 0
    before = scene.truth()["taskDefinition"]
    policy = depends_on_something(scene, try_next_good=True)
    fails(scene, policy, "r3")
    scene.passed_through.append(before)
    assert scene.runs_only("1.1")
    assert oldest != scene.truth()["taskDefinition"]
    assert scene.moves() == ["UpdateService"] * 5, "three releases, and two ways back"
    assert scene.operate("acknowledge", "on it").code == 0
    assert is_silent(scene)
    assert scene.moves() == ["UpdateService"] * 5
