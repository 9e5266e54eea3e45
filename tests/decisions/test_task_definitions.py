"""A task definition that differs only in its image."""

import copy
from typing import Any

import pytest
from botocore.loaders import Loader

from lastgood.decisions.task_definitions import container_of, registrable, with_image

SOURCE: dict[str, Any] = {
    "taskDefinitionArn": "arn:…:task-definition/web:7",
    "family": "web",
    "revision": 7,
    "status": "ACTIVE",
    "requiresAttributes": [{"name": "x"}],
    "compatibilities": ["EC2", "FARGATE"],
    "registeredBy": "arn:…:root",
    "registeredAt": "2026-01-31",
    "cpu": "256",
    "taskRoleArn": None,
    "volumes": [],
    "containerDefinitions": [
        {"name": "app", "image": "shop:1", "environment": [{"name": "A", "value": "b"}]},
        {"name": "log", "image": "log:1"},
    ],
}


def test_only_what_ecs_takes() -> None:
    kept = registrable(SOURCE)
    assert set(kept) == {"family", "cpu", "volumes", "containerDefinitions"}
    assert kept["containerDefinitions"] == SOURCE["containerDefinitions"]


def test_whatever_ecs_gives_is_taken_or_dropped() -> None:
    """From AWS's own model: what DescribeTaskDefinition gives and RegisterTaskDefinition takes."""
    model = Loader().load_service_model("ecs", "service-2")["shapes"]
    given = model["TaskDefinition"]["members"]
    taken = model["RegisterTaskDefinitionRequest"]["members"]
    assert set(registrable(dict.fromkeys(given, "x"))) <= set(taken)


def test_another_image_and_nothing_else() -> None:
    before = copy.deepcopy(SOURCE)
    changed = with_image(SOURCE, "app", "shop:2")
    assert before == SOURCE
    app, log = changed["containerDefinitions"]
    assert app == {**SOURCE["containerDefinitions"][0], "image": "shop:2"}
    assert log == SOURCE["containerDefinitions"][1]
    assert {k: v for k, v in changed.items() if k != "containerDefinitions"} == {
        "family": "web",
        "cpu": "256",
        "volumes": [],
    }
    app["environment"].clear()
    assert before == SOURCE  # nothing is shared


@pytest.mark.parametrize(
    ("names", "wanted", "found"),
    [
        (["app"], None, "app"),
        (["app"], "app", "app"),
        (["app", "log"], "log", "log"),
        (["app", "log"], None, "several containers (app, log)"),
        (["app"], "web", "no container 'web', only app"),
        (["app", "log"], "web", "no container 'web', only app, log"),
    ],
)
def test_the_container(names: list[str], wanted: str | None, found: str) -> None:
    source = {"containerDefinitions": [{"name": name} for name in names]}
    if found in names:
        assert container_of(source, wanted) == found
        return
    with pytest.raises(ValueError, match="container in the policy") as caught:
        container_of(source, wanted)
    assert found in str(caught.value)


def test_a_new_release_of_a_pinned_copy_is_no_copy() -> None:
    copy = SOURCE | {
        "tags": [{"key": "lastgood:copy-of", "value": "x"}, {"key": "team", "value": "y"}]
    }
    changed = with_image(copy, "app", "shop:2")
    assert changed["tags"] == [{"key": "team", "value": "y"}]
