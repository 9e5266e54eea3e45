"""What somebody changed in a task definition, told without what may be secret."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastgood.decisions.differences import changes, in_words

BASE: dict[str, Any] = {
    "family": "web",
    "taskRoleArn": "arn:aws:iam::1:role/web",
    "networkMode": "awsvpc",
    "cpu": "256",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "web:1",
            "memory": 512,
            "essential": True,
            "command": ["serve", "--token=hunter2"],
            "environment": [
                {"name": "LOG_LEVEL", "value": "hunter2"},
                {"name": "MODE", "value": "hunter2"},
            ],
            "secrets": [{"name": "KEY", "valueFrom": "arn:hunter2"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"group": "hunter2"}},
            "dockerLabels": {"owner": "hunter2"},
            "portMappings": [{"containerPort": 80}],
        },
        {"name": "sidecar", "image": "proxy:1"},
    ],
}


def changed(change: Any, released: str | None = "app") -> tuple[str, ...]:
    """What is told after a change of a copy."""
    after = copy.deepcopy(BASE)
    change(after, *after["containerDefinitions"])
    return changes(BASE, after, released)


def put(**values: Any) -> Any:
    return lambda whole, app, sidecar: app.update(values)


ENVIRONMENT = BASE["containerDefinitions"][0]["environment"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(memory=1024), "app: memory 512 → 1024"),
        (put(essential=False), "app: essential true → false"),
        (put(privileged=True), "app: privileged none → true"),
        (put(command=["serve", "--token=swordfish"]), "app: command changed"),
        (put(entryPoint=["sh"]), "app: entryPoint added"),
        (put(command=[]), "app: command removed"),
        (put(workingDirectory="/swordfish"), "app: workingDirectory added"),
        (
            put(repositoryCredentials={"credentialsParameter": "swordfish"}),
            "app: repositoryCredentials added",
        ),
        (
            put(environment=[{"name": "LOG_LEVEL", "value": "swordfish"}, ENVIRONMENT[1]]),
            "app: environment LOG_LEVEL changed",
        ),
        (put(environment=ENVIRONMENT[:1]), "app: environment MODE removed"),
        (
            put(environment=[*ENVIRONMENT, {"name": "NEW", "value": "x"}]),
            "app: environment NEW added",
        ),
        (put(secrets=[{"name": "KEY", "valueFrom": "swordfish"}]), "app: secrets KEY changed"),
        (
            put(logConfiguration={"logDriver": "awslogs", "options": {"group": "swordfish"}}),
            "app: logConfiguration.options group changed",
        ),
        (
            put(logConfiguration={"logDriver": "fluentd", "options": {"group": "hunter2"}}),
            "app: logConfiguration.logDriver awslogs → fluentd",
        ),
        (put(dockerLabels={"owner": "swordfish"}), "app: dockerLabels owner changed"),
        (put(portMappings=[{"containerPort": 81}]), "app: portMappings 80 removed"),
        (put(healthCheck={"command": ["x"], "retries": 4}), "app: healthCheck added"),
        (lambda whole, app, sidecar: sidecar.update(image="proxy:2"), "sidecar: image proxy:1 → p"),
        (lambda whole, *_: whole["containerDefinitions"].pop(), "sidecar: removed"),
        (
            lambda whole, *_: whole["containerDefinitions"].append({"name": "agent"}),
            "agent: added",
        ),
        (lambda whole, *_: whole.update(cpu="512"), "cpu 256 → 512"),
        (lambda whole, *_: whole.update(networkMode="bridge"), "networkMode awsvpc → bridge"),
        (
            lambda whole, *_: whole.update(taskRoleArn="arn:aws:iam::1:role/admin"),
            "taskRoleArn arn:aws:iam::1:role/web → arn:aws:iam::1:role/admin",
        ),
        (lambda whole, *_: whole.update(volumes=[{"name": "data"}]), "volumes data added"),
    ],
)
def test_a_change_is_one_line(change: Any, said: str) -> None:
    found = changed(change)
    assert found[0].startswith(said)
    assert "hunter2" not in str(found)
    assert "swordfish" not in str(found)


@pytest.mark.parametrize(
    "change",
    [
        put(image="web:2"),
        put(environment=[*reversed(ENVIRONMENT)]),
        put(portMappings=[{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]),
        put(mountPoints=[], volumesFrom=[], systemControls=[], cpu=0, user=None),
        lambda whole, *_: whole.update(tags=[{"key": "a", "value": "b"}], volumes=[]),
        lambda whole, *_: whole.update(revision=7, status="ACTIVE", registeredBy="ann"),
        lambda whole, *_: whole["containerDefinitions"].reverse(),
    ],
)
def test_what_is_no_change(change: Any) -> None:
    assert changed(change) == ()


def test_without_a_released_container_no_image_counts() -> None:
    assert changed(lambda whole, app, sidecar: sidecar.update(image="proxy:2"), None) == ()


def test_two_ports_of_the_same_number_are_two() -> None:
    both = [{"containerPort": 80}, {"containerPort": 80, "protocol": "udp"}]
    assert any("portMappings 80" in line for line in changed(put(portMappings=both)))


@given(st.dictionaries(st.sampled_from("ABCD"), st.text(min_size=5, max_size=9), max_size=4))
def test_no_value_of_a_variable_is_told(values: dict[str, str]) -> None:
    variables = [{"name": name, "value": f"«{value}»"} for name, value in values.items()]
    assert "«" not in "".join(changed(put(environment=variables)))


def test_a_name_that_would_move_the_cursor_does_not() -> None:
    (line, *_) = changed(put(environment=[*ENVIRONMENT, {"name": "\x1b[2Ja\nb", "value": "x"}]))
    assert line == "app: environment a b added"


def test_many_are_counted() -> None:
    assert in_words(("a", "b")) == "a; b"
    assert in_words(tuple("abcdefghijklm")) == "a; b; c; d; e; f; g; h; i; j; and 3 more"
