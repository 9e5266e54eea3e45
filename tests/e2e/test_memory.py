"""Temporal's database is lost between two releases: what matters stands in the service's tags."""

from collections.abc import Callable

import pytest

from tests.e2e.brisk import BAD, brisk, went_back
from tests.e2e.commands import Json
from tests.e2e.scene import Scene


def tags(scene: Scene) -> dict[str, str]:
    """The service's own tags, as anybody may read them."""
    ecs, shop = scene.world.cloud.client("ecs"), scene.shop
    answer = ecs.list_tags_for_resource(resourceArn=shop.describe()["serviceArn"])
    return {one["key"]: one["value"] for one in answer["tags"]}


def lose_the_database(scene: Scene, *wanted: Callable[[dict[str, str]], bool]) -> None:
    """Delete what Temporal knows, once the tags say what is wanted; its worker goes on."""
    scene.wait("the mirror", lambda: all(one(tags(scene)) for one in wanted))
    scene.forgotten += reversed(scene.overview()["results"])
    scene.operations.clear()
    scene.world.temporal.lose_everything()
    assert scene.query("service", "overview") is None, "nothing is left"


def has(key: str, words: int = 1) -> Callable[[dict[str, str]], bool]:
    """A tag of ours has at least so many words."""
    return lambda found: len(found.get(f"lastgood:{key}", "").split()) >= words


def remembers(scene: Scene, task_definition: str, *, rollbacks: int) -> Json:
    """What `status` says must be what was before."""
    status = scene.status()
    assert status["last_known_good"]["task_definition"] == task_definition, status
    assert status["last_known_good"]["images"][0]["digest"], status
    assert status["rollbacks_counted"] == rollbacks, status
    return status


def test_a_lost_database_changes_neither_limit_nor_quarantine(scene: Scene) -> None:
    scene.play_in(scene.stage.own(temporal=True))
    policy = brisk(scene, rollback={"max_rollbacks": 1})
    good = scene.deploy("1.1", policy, "r1")
    assert good.code == 0, good
    target = good.json["to_task_definition"]
    bad = scene.deploy(f"2.0{BAD}", policy, "r2")
    went_back(scene, bad, target, "1.1")
    lose_the_database(scene, has("good-1", 3), has("rollbacks-1"), has("quarantine-1"))

    refused = scene.deploy(f"2.0{BAD}", policy, "r3")
    assert refused.code == 15, refused
    assert "quarantined" in refused.json["reason"]
    status = remembers(scene, target, rollbacks=1)
    assert [one["digest"] for one in status["quarantine"]] == [
        scene.world.cloud.aws.digest(f"shop:2.0{BAD}")
    ]
    held = scene.deploy(f"3.0{BAD}", policy, "r4")
    assert held.code == 13, held
    assert "limit" in held.json["reason"]
    assert scene.truth()["images"] == [f"shop:3.0{BAD}"], "and nothing was rolled back"
    assert scene.rollback("an operator is never limited").code == 10
    assert scene.truth()["taskDefinition"] == target


@pytest.mark.campaign
def test_a_lost_database_changes_neither_cooldown_nor_what_was_held(scene: Scene) -> None:
    """The service runs what never proved good: steady, and still not gone back to."""
    scene.play_in(scene.stage.own(temporal=True))
    good = scene.deploy("1.1", brisk(scene), "r1")
    assert good.code == 0, good
    target = good.json["to_task_definition"]
    limits = {"cooldown": "300s", "cooldown_then": "hold", "hold_for": "1s"}
    policy = brisk(scene, rollback=limits)
    went_back(scene, scene.deploy(f"2.0{BAD}", policy, "r2"), target, "1.1")
    held = scene.deploy(f"3.0{BAD}", policy, "r3")
    assert held.code == 13, held
    scene.wait("the end of r3", lambda: scene.overview()["current"] is None)
    lose_the_database(scene, has("good-1", 3), has("rollbacks-1"), has("unproven", 2))

    again = scene.deploy(f"4.0{BAD}", policy, "r4")
    assert again.code == 13, again
    assert "cooldown" in again.json["reason"]
    operator = scene.rollback("I have decided")
    assert operator.code == 10, operator
    assert scene.truth()["taskDefinition"] == target, "not r3's, though that ran steadily"
    assert scene.runs_only("1.1")


@pytest.mark.campaign
def test_a_lost_database_lifts_no_freeze_and_forgets_nothing_that_was_adopted(
    scene: Scene,
) -> None:
    """Lastgood has never released this service."""
    scene.play_in(scene.stage.own(temporal=True))
    shop = scene.make()
    adopted = scene.operate("adopt", "runs since March")
    assert adopted.code == 0, adopted
    remembers(scene, shop.task_definition, rollbacks=0)
    assert scene.operate("freeze", "the sale").code == 0
    lose_the_database(scene, has("good-1", 3), has("frozen"))

    policy = brisk(scene)
    refused = scene.deploy("2.0", policy, "r1")
    assert refused.code == 15, refused
    assert "the sale" in refused.json["reason"]
    assert scene.updates() == []
    assert scene.status()["frozen"]["reason"] == "the sale"
    assert scene.operate("unfreeze", "it is over").code == 0
    run = scene.deploy(f"3.0{BAD}", policy, "r2")
    went_back(scene, run, shop.task_definition)
    remembers(scene, shop.task_definition, rollbacks=1)
