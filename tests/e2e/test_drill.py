"""Drills, against ECS's own truth: the image stays, the way back is taken, and it is measured."""

from __future__ import annotations

import json

import pytest

from tests.e2e.commands import Json, Run
from tests.e2e.scene import Scene


def drill(scene: Scene, policy: str, release: str, *more: str) -> Run:
    where = ("drill", scene.shop.name, "--policy", policy, "--release", release)
    return scene.lastgood(*where, "--after", "2s", *more, "--output", "json")


def alarm(scene: Scene) -> str:
    """An alarm over the load balancer's errors, which are few."""
    name = f"{scene.shop.service}-5xx"
    scene.world.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": "LoadBalancer", "Value": scene.shop.load_balancer}],
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1000,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    scene.wait("a first evaluation", lambda: state_of(scene, name) == "OK")
    return name


def state_of(scene: Scene, name: str) -> str:
    told = scene.world.cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])
    return str(told["MetricAlarms"][0]["StateValue"])


def test_drill_passes_and_leaves_nothing_behind_but_the_proof(scene: Scene) -> None:
    refused = drill(scene, scene.policy(), "d0")
    assert (refused.code, "drill.allowed" in refused.json["reason"]) == (15, True), refused
    policy = scene.policy(drill={"allowed": True})
    assert scene.deploy("2.0", policy, "r1").code == 0
    before = scene.status()
    report = scene.stage.folder / f"{scene.shop.service}-drill.json"

    run = drill(scene, policy, "d1", "--report", str(report))

    _passed(run, "drill")
    assert scene.runs_only("2.0")
    _is_as(before, scene)
    told = json.loads(report.read_text())
    assert told["result"] == run.json
    calls = {call.split()[3].rstrip(":") for call in told["explanation"]["calls"]}
    assert {"RegisterTaskDefinition", "UpdateService"} <= calls
    assert not scene.posts("ok"), "nobody is told of a drill that passes"


@pytest.mark.campaign
def test_drill_by_alarm_passes_and_neither_limit_nor_cooldown_know_of_it(scene: Scene) -> None:
    name = alarm(scene)
    triggers = [
        {"type": "error-rate", "threshold": "5%", "duration": "3s"},
        {"type": "health-check", "url": f"{scene.shop.url}/health", "threshold": 2},
        {"type": "alarm", "alarm": name},
    ]
    policy = scene.policy(
        triggers=triggers,
        rollback={"max_rollbacks": 1, "cooldown": "300s"},
        drill={"allowed": True, "alarms": [name]},
    )
    assert scene.deploy("2.0", policy, "r1").code == 0
    before = scene.status()

    _passed(drill(scene, policy, "d1", "--alarm", name), "alarm")
    _passed(drill(scene, policy, "d2"), "drill")

    _is_as(before, scene)
    bad = scene.deploy("3.0-errors-0.4", policy, "r2")
    assert bad.code == 10, bad


def _passed(run: Run, trigger: str) -> None:
    assert (run.code, run.json["trigger"]) == (0, trigger), run
    assert run.json["drill"]["passed"], run
    assert run.json["drill"]["seconds"].keys() == {"detection", "rollback", "verify", "all"}


def _is_as(before: Json, scene: Scene) -> None:
    """What the guard knows of its revisions and rollbacks is what it knew."""
    after, kept = scene.status(), ("last_known_good", "ledger", "quarantine", "cooldown_until")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert after["rollbacks_counted"] == 0
    assert after["last_result"]["release"] == "r1"
    assert after["drill"]["last_passed_age"] < 600
    assert scene.truth()["taskDefinition"] == before["last_known_good"]["task_definition"]
