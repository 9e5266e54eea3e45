"""AWS loses answers, metrics are missing, Slack is down (issue, points 6 to 8)."""

from __future__ import annotations

import json

import pytest

from tests.e2e.scene import Scene

BAD = "2.0-errors-0.4"


def test_a_lost_answer_of_update_service_has_one_effect(scene: Scene) -> None:
    """On deploy and on the rollback; the call was carried out each time."""
    scene.play_in(scene.stage.own(cloud=scene.stage.new_cloud()))
    aws, policy = scene.world.cloud.aws, scene.policy()
    aws.lose_answer("UpdateService", times=1)
    deploy = scene.start_deploy(BAD, policy)
    scene.wait_for_step("wait")
    aws.lose_answer("UpdateService", times=1)
    run = scene.end(deploy)
    assert run.code == 10, run
    lost = [call for call in aws.requests("UpdateService") if not call["answered"]]
    assert len(lost) == 2, "the fault did not happen twice"
    assert len(scene.updates()) == 2, "one release, one rollback"
    assert scene.runs_only("1.0")


@pytest.mark.parametrize(
    "source", ["load balancer", pytest.param("metric", marks=pytest.mark.campaign)]
)
def test_missing_metrics_are_not_healthy(scene: Scene, source: str) -> None:
    shop = scene.make()
    trigger: dict[str, object] = {"type": "error-rate", "threshold": "5%", "duration": "3s"}
    if source == "metric":
        trigger["metric"] = {"namespace": "Nobody/Knows", "name": "ErrorRate"}
    else:
        scene.world.cloud.aws.traffic(0, shop.service)
        scene.served_throughout = False
    run = scene.deploy("2.0", scene.policy(triggers=[trigger]))
    assert run.code == 13, run
    assert run.json["outcome"] == "held"
    assert "error-rate" in run.json["reason"]
    assert "data" in run.json["reason"], "the reason says what was missing"
    assert scene.slack_says("needs a decision")
    assert len(scene.updates()) == 1
    assert scene.runs_only("2.0"), "and nothing was rolled back"


@pytest.mark.campaign
def test_error_rate_from_a_metric_of_the_app(scene: Scene) -> None:
    shop = scene.make(desired=2)
    own = {"namespace": "Servio/Production", "dimensions": {"Service": shop.service}}
    triggers = [
        {
            "type": "error-rate",
            "threshold": "5%",
            "duration": "3s",
            "metric": {**own, "name": "ErrorRate"},
        },
        {
            "type": "response-time",
            "threshold": "2000ms",
            "duration": "3s",
            "metric": {**own, "name": "ResponseTime", "unit": "ms"},
        },
    ]
    policy = scene.policy(triggers=triggers)
    good = scene.deploy("1.1", policy, "r1")
    assert good.code == 0, good
    run = scene.deploy(BAD, policy, "r2")
    assert run.code == 10, run
    assert run.json["trigger"] == "error-rate"
    assert scene.runs_only("1.1")


@pytest.mark.long
def test_a_broken_slack_changes_nothing(scene: Scene) -> None:
    policy = scene.policy(notify={"slack": {"webhook_url": "env:SLACK_BROKEN_URL"}})
    run = scene.deploy(BAD, policy)
    assert run.code == 10, run
    assert run.json["outcome"] == "rolled_back"
    failures = run.json["notification_failures"]
    assert {one["channel"] for one in failures} == {"slack"}, run
    assert scene.stage.mail.about(scene.shop.name), "the mail arrives"
    assert "slack" in json.dumps(scene.status()), "status does not tell of it"
    keys = [post.text for post in scene.posts("broken")]
    assert len(keys) >= 4, "it was tried again"
    assert max(keys.count(one) for one in keys) <= 6, "and not for ever"


@pytest.mark.campaign
def test_a_busy_slack_is_asked_again_when_it_said_and_ses_sends(scene: Scene) -> None:
    slack = {"webhook_url": "env:SLACK_BUSY_URL"}
    email = {"from": "deploys@example.com", "to": ["oncall@example.com"], "via": "ses"}
    run = scene.deploy(BAD, scene.policy(notify={"slack": slack, "email": email}))
    assert run.code == 10, run
    assert run.json["notification_failures"] == []
    told = scene.slack_says("was rolled back")
    assert [post.status for post in told] == [429, 200]
    assert told[1].at - told[0].at >= 1, "Retry-After was 1"
    mails = [one for one in scene.world.cloud.aws.mails() if scene.shop.name in str(one)]
    assert len(mails) == 2, "the rollback's start, and its end"
