"""Temporal or a worker is missing, workers come and go, AWS is another emulator (points 10, 12)."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from typing import Any

import boto3
import pytest

from sandbox.scenarios.demo.parts import ROOT, answers, free_port, wait_for
from sandbox.scenarios.stack import MakeClient, Stack
from tests.e2e.commands import Command, Run
from tests.e2e.scene import Scene
from tests.e2e.stage import WORKER

WITHIN = 30.0
"""Seconds for all of it on a busy machine. What is waited for in there is 4 s at most, and has its
test beside the command line's."""


def timed(scene: Scene, *arguments: str, **env: str) -> tuple[Run, float]:
    """A command, and how long it took."""
    begun = time.monotonic()
    return scene.lastgood(*arguments, **env), time.monotonic() - begun


def test_a_missing_temporal_is_said_within_seconds(scene: Scene) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    policy = scene.policy()
    order = ("deploy", "--image", "shop:2.0", "--policy", policy, "--output", "json")
    run, seconds = timed(scene, *order, TEMPORAL_ADDRESS=nowhere)
    assert run.code == 1, run
    assert nowhere in run.err
    assert "Traceback" not in run.err
    assert seconds < WITHIN
    assert scene.updates() == []


def test_a_missing_namespace_is_said_within_seconds(scene: Scene) -> None:
    order = ("deploy", "--image", "shop:2.0", "--policy", scene.policy(), "--output", "json")
    run, seconds = timed(scene, *order, TEMPORAL_NAMESPACE="no-such-namespace")
    assert run.code == 1, run
    assert "no-such-namespace" in run.err
    assert seconds < WITHIN


def test_a_missing_worker_is_said_within_seconds(scene: Scene) -> None:
    empty = scene.world.temporal.take_namespace()
    order = ("deploy", "--image", "shop:2.0", "--policy", scene.policy(), "--output", "json")
    run, seconds = timed(scene, *order, TEMPORAL_NAMESPACE=empty)
    assert run.code == 1, run
    assert "worker" in run.err
    assert seconds < WITHIN


def test_a_worker_says_what_it_misses_and_ends(scene: Scene) -> None:
    world = scene.world
    nowhere = f"127.0.0.1:{free_port()}"
    for missing in ({"TEMPORAL_ADDRESS": nowhere}, {"TEMPORAL_NAMESPACE": "no-such-namespace"}):
        env = {**world.worker_env, **missing}
        ended = subprocess.run(
            WORKER, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 1, ended.stderr
        assert next(iter(missing.values())) in ended.stderr
        assert "Traceback" not in ended.stderr


def test_sigterm_hands_the_watch_to_another_worker(scene: Scene) -> None:
    world = scene.stage.own()
    scene.play_in(world)
    deploy = scene.start_deploy("2.0", scene.policy(monitor={"window": "15s"}))
    ends = scene.wait_for_step("monitor")["window_ends_at"]
    scene.stage.second_worker(world)
    scene.wait("the second worker", lambda: world.starts() == 2)
    assert world.worker.end() == 0, "a graceful end"
    run = scene.end(deploy)
    assert run.code == 0, run
    assert scene.query("release", "progress")["window_ends_at"] == ends, "an absolute time"
    assert len(scene.updates()) == 1
    assert scene.runs_only("2.0")


def test_check_measures_and_changes_nothing(scene: Scene) -> None:
    policy = scene.policy()
    # Check looks 30 s back, and a service that is younger has too little to show.
    scene.wait("half a minute of traffic", lambda: len(scene.truth()["timeline"]) > 25)
    good = scene.lastgood("check", "--policy", policy, "--output", "json")
    assert good.code == 0, good
    scene.changed_by_hand.append(scene.shop.register("shop:2.0-errors-0.4"))
    ecs, shop = scene.world.cloud.client("ecs"), scene.shop
    target = scene.changed_by_hand[0]
    ecs.update_service(cluster=shop.cluster, service=shop.service, taskDefinition=target)
    scene.wait("the rollout", lambda: scene.runs_only("2.0-errors-0.4"))
    time.sleep(6)  # the trigger's duration, and what is late
    bad = scene.lastgood("check", "--policy", policy, "--output", "json")
    assert bad.code == 10, bad
    assert "error-rate" in bad.out
    assert len(scene.updates()) == 1, "the test's own"


def service_in_moto(client: MakeClient) -> Stack:
    """A service as moto takes it: without a network."""
    ecs, name = client("ecs"), "shop-in-moto"
    ecs.create_cluster(clusterName=name)
    definition = ecs.register_task_definition(
        family=name, containerDefinitions=[{"name": "app", "image": "shop:1.0", "memory": 128}]
    )["taskDefinition"]["taskDefinitionArn"]
    service = {"serviceName": name, "taskDefinition": definition, "desiredCount": 1}
    ecs.create_service(cluster=name, **service)
    return Stack(client, name, name, name, "app", definition)


@pytest.mark.campaign
def test_motos_own_server_ends_in_a_clear_word(scene: Scene) -> None:
    """It answers ECS's calls, but runs no tasks: never healthy, and never a wrong outcome."""
    port = free_port()
    scene.stage.program("moto", [sys.executable, "-m", "moto.server", "-p", str(port)])
    wait_for("moto's start", lambda: answers(port))
    endpoint = f"http://127.0.0.1:{port}"
    world = scene.stage.own(AWS_ENDPOINT_URL=endpoint)
    scene.play_in(world)
    aws = world.cloud.aws

    @functools.cache
    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=aws.env["AWS_REGION"],
            aws_access_key_id="moto",
            aws_secret_access_key="moto",
        )

    scene.use(service_in_moto(client))
    metric = {"namespace": "Servio/Production", "name": "ErrorRate"}
    triggers = [{"type": "error-rate", "duration": "3s", "metric": metric}]
    policy = scene.policy(deploy={"timeout": "10s"}, triggers=triggers)
    run = scene.deploy("2.0", policy)
    assert run.code in (12, 13, 15), run
    assert run.json["outcome"] in ("rollback_failed", "held", "refused")
    assert run.json["reason"], "why, in words"
    scene.close()
    client("ecs").close()


REFUSED = {
    "unknown key": ("service: a/b\ntriggers:\n  - type: error-rate\n    treshold: 5%\n", 4),
    "wrong unit": ("service: a/b\nmonitor:\n  window: 10 minutes\n", 3),
    "negative window": ("service: a/b\nmonitor:\n  window: -10m\n", 3),
    "unknown trigger": ("service: a/b\ntriggers:\n  - type: eror-rate\n", 3),
    "missing alarm name": ("service: a/b\ntriggers:\n  - type: alarm\n", 3),
    "empty file": ("", None),
    "anchor": ("service: a/b\nsmoke: &x []\n", 2),
    "deep nesting": ("service: a/b\nnotify: " + "[" * 500_000 + "]" * 500_000 + "\n", None),
}
KEYS = {
    "unknown key": "treshold",
    "wrong unit": "monitor.window",
    "negative window": "monitor.window",
    "unknown trigger": "triggers.0.type",
    "missing alarm name": "alarm",
}


def test_bad_policy_files_start_nothing(scene: Scene) -> None:
    commands: dict[str, Command] = {}
    for name, (text, _) in REFUSED.items():
        path = scene.stage.folder / f"bad {name}.yaml"
        path.write_text(text.replace("a/b", scene.shop.name))
        order = ("--image", "shop:2.0", "--policy", str(path), "--release", "r1")
        commands[name] = scene.start("deploy", *order, "--output", "json")
    for name, command in commands.items():
        run, line = scene.end(command), REFUSED[name][1]
        assert run.code == 2, run
        assert run.out == "", run
        assert "Traceback" not in run.err, run
        assert len(run.err) < 1000, run
        assert KEYS.get(name, "") in run.err, run
        assert line is None or f":{line}: " in run.err or f"line {line}" in run.err, run
        one_message = [said for said in run.err.splitlines() if said.strip()]
        assert len(one_message) == 1, run
    assert scene.query("service", "overview") is None, "a guard was started"
    assert scene.updates() == []
