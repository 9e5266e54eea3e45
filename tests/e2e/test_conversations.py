"""One Slack thread and one PagerDuty incident for a release, through all that happens to it."""

from lastgood.plots import canvas
from tests.e2e.brisk import brisk
from tests.e2e.scene import Scene
from tests.e2e.services import CHANNEL

NOTIFY = {
    "slack": {"token": "env:SLACK_BOT_TOKEN", "channel": CHANNEL},
    "pagerduty": {"routing_key": "env:PAGERDUTY_ROUTING_KEY"},
    "teams": {"webhook_url": "env:TEAMS_WEBHOOK_URL"},
}


def test_a_failed_rollback_is_one_thread_and_one_incident_until_it_is_good(scene: Scene) -> None:
    """Slack loses an answer, PagerDuty is busy, Teams is down: each for a moment."""
    services, http = scene.stage.services, scene.stage.http
    dependency = f"/dependency/{scene.shop.service}"
    policy = brisk(
        scene,
        monitor={"window": "10m"},
        triggers=[{"type": "health-check", "url": f"{http.address}{dependency}", "threshold": 2}],
        rollback={"verify_timeout": "4s", "remind_every": "2s"},
        notify=NOTIFY,
    )
    services.faults |= {"chat.postMessage": ["lost"], "enqueue": ["busy"], "invoke": ["down"]}
    deploy = scene.start_deploy("2.0", policy)
    scene.wait_for_step("monitor")
    http.down.add(dependency)
    run = scene.end(deploy)
    assert run.code == 12, run
    assert run.json["notification_failures"] == []

    def kinds() -> list[str]:
        keys = [str(one["metadata"]["event_payload"]["key"]) for one in services.messages]
        assert all(one.startswith(f"us-east-1/{scene.shop.name}/") for one in keys), keys
        return [one.split("/", 3)[-1] for one in keys]

    scene.wait("a reminder in the thread", lambda: any("reminder" in k for k in kinds()))
    assert scene.operate("acknowledge", "on it").code == 0
    ((incident,),) = services.incidents.values()
    scene.wait("the acknowledgement", lambda: incident.status == "acknowledged")
    http.down.discard(dependency)
    fix = scene.deploy("2.1", brisk(scene, notify=NOTIFY), "r2")
    assert fix.code == 0, fix
    scene.wait("the end of the incident", lambda: incident.status == "resolved")
    scene.wait("the end of the thread", lambda: "r1/recovered" in kinds())

    assert kinds()[:2] == ["r1/rollback_started", "r1/ended"], "and nothing came twice"
    assert len(set(kinds())) == len(kinds())
    top, *replies = services.messages
    assert {one["thread_ts"] for one in replies} == {top["ts"]}
    assert "good again" in top["blocks"][0]["text"]["text"]
    assert len(services.incidents) == 1, "the good release has none"
    assert incident.actions[0] == "trigger"
    assert incident.actions[-2:] == ["acknowledge", "resolve"]
    assert scene.shop.name in str(services.cards)
    assert "http://temporal.example.com/namespaces/" in str(services.cards)
    if canvas.available():
        ((ident, content),) = services.uploads.items()
        assert content.startswith(b"\x89PNG"), "what fired, as a plot"
        assert [one["thread_ts"] for one in services.shared] == [top["ts"]]
        assert [one["id"] for one in services.shared[0]["files"]] == [ident]
