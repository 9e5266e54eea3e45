"""The alarms that we make decide about a release, and tell people."""

import pytest

from tests.e2e.commands import Json
from tests.e2e.scene import Scene

ALARMED: Json = {"type": "error-rate", "threshold": "20%", "datapoints": "1 of 2"}
PATIENCE = 600
"""An alarm on a load balancer's counts takes minutes; and as many to be good again."""


@pytest.mark.campaign
@pytest.mark.long
def test_a_bad_release_is_rolled_back_by_an_alarm_of_ours(scene: Scene) -> None:
    shop = scene.make(desired=2)
    name = f"{shop.service}-error-rate"
    monitor = {"window": "5m", "interval": "2s"}
    path = scene.policy(triggers=[{"type": "alarm", "alarm": name}], monitor=monitor)
    alarmed = scene.policy(triggers=[ALARMED], monitor=monitor)
    scene.policies.pop()  # no release is judged by that one
    aws = scene.world.cloud.aws.env  # CI itself needs none
    topic = scene.world.cloud.client("sns").create_topic(Name="alarms")["TopicArn"]
    file = ("--policy", alarmed, "--topic", topic)
    made = scene.lastgood("alarms", "apply", *file, "--output", "json", **aws)
    assert made.code == 0, made
    assert [one["state"] for one in made.json["alarms"]] == ["create"]
    run = scene.end(scene.start_deploy("2.0-errors-0.6", path), PATIENCE)
    assert run.code == 10, run
    assert run.json["trigger"] == "alarm"
    assert name in run.json["reason"]
    assert run.json["rollback"]["verified"], run
    assert scene.runs_only("1.0")
    told = [one for one in scene.world.cloud.aws.messages() if one["topic"] == topic]
    assert any(f'ALARM: "{name}"' in one["subject"] for one in told), told
    again = scene.lastgood("alarms", "plan", *file, "--detailed-exitcode", **aws)
    assert again.code == 0, again
