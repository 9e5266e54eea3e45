"""Temporal's UI in a real browser, during a window and after a rollback (issue 5, point 4).

`make screenshots` makes the pictures of docs/temporal-ui.md from this very run.
"""

import re
from pathlib import Path

import pytest
import yaml

from tests.e2e.browser import CHROMIUM, Ui, browser
from tests.e2e.scene import Scene

TAG = "2.4.0-slow-1ms"
ALARM = "checkout-failed-payments"
CI = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat", "GITHUB_RUN_ID": "4711"}
CI |= {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "shop/checkout"}


@pytest.mark.long
def test_release_is_understood_from_the_temporal_ui_alone(scene: Scene) -> None:
    if not CHROMIUM:  # here, as scenes are played before pytest looks at their marks
        pytest.skip("no Chromium on this machine's PATH: install one to see Temporal's UI")
    scene.play_in(scene.stage.own(ui=True))
    scene.make(service="checkout", cluster="shop", desired=2)
    make_alarm(scene)
    triggers = yaml.safe_load(Path(scene.policy()).read_text())["triggers"]
    alarm = {"type": "alarm", "alarm": ALARM, "message": "Payments fail"}
    policy = scene.policy(triggers=[*triggers, alarm], monitor={"window": "10m", "interval": "2s"})
    world = scene.world
    with browser(world.temporal.ui_url, world.namespace) as ui:
        order = ("--image", f"shop:{TAG}", "--policy", policy, "--release", "2.4.0")
        deploy = scene.start("deploy", *order, "--output", "json", **CI)
        scene.wait_for_step("monitor", release="2.4.0")
        during_the_window(scene, ui)
        set_alarm(scene, "ALARM", "14 payments failed within a minute")
        scene.wait_for_step("roll back", release="2.4.0")
        set_alarm(scene, "OK", "no payment failed within a minute")
        run = scene.end(deploy)
        assert run.code == 10, run
        after_the_rollback(scene, ui, run.json["run_id"])
        in_the_list(scene, ui)


def make_alarm(scene: Scene) -> None:
    """An alarm of somebody's own, which is only ever told what to say: no clock decides here."""
    scene.world.cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=ALARM,
        Namespace="Checkout",
        MetricName="FailedPayments",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    set_alarm(scene, "OK", "no payment failed within a minute")


def set_alarm(scene: Scene, state: str, why: str) -> None:
    """As CloudWatch would."""
    cloudwatch = scene.world.cloud.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason=why)


def during_the_window(scene: Scene, ui: Ui) -> None:
    """What is released, where, by whom; the triggers with their limits; where live values are."""
    ident, run = scene.identity("release"), run_of(scene, "release")
    ui.open(ident, run, "user-metadata")
    assert "2.4.0: shop:2.4.0-slow-1ms → shop/checkout" in ui.details("summary")
    static = ui.details("details")
    for words in ("shop/checkout", "us-east-1", "octocat (GitHub Actions)", "Watched for 10m"):
        assert words in static
    assert ui.links("details")["CI run"] == "https://github.com/shop/checkout/actions/runs/4711"
    now = ui.details("current-details")
    for words in (
        "monitor since",
        "error-rate",
        "5\u00a0%\u00a0for\u00a03s",
        "2s\u00a0for\u00a03s",
        "2\u00a0failed\u00a0in\u00a0a\u00a0row",
    ):
        assert words in now
    assert "rollback target: checkout:1" in now
    assert "lastgood rollback shop/checkout" in now
    ui.shoot("temporal-ui-window", end="#user-metadata-current-details")
    assert ui.follow("current-details", "Pending Activities").endswith(f"{run}/pending-activities")
    ui.open(ident, run, "pending-activities")
    ui.wait_for("watch_metrics")
    ui.wait_for(re.compile(r"\(threshold 5\.0 %\)"))
    ui.shoot("temporal-ui-live", height=700)


def after_the_rollback(scene: Scene, ui: Ui, run: str) -> None:
    """The verdict first, with the number that decided; the history reads as a story."""
    ident = scene.identity("release")
    ui.open(ident, run, "user-metadata")
    now = ui.details("current-details")
    assert now.startswith("was rolled back: Payments fail")
    assert "FAIL" in now
    assert "roll back" in now
    assert ui.links("current-details")["Rollback"].endswith(
        "rollback%2Fus-east-1%2Fshop%2Fcheckout"
    )
    ui.shoot("temporal-ui-rolled-back", end="#user-metadata-current-details")
    ui.open(ident, run, "timeline")
    for words in (
        "Read shop/checkout",
        "shop/checkout → checkout:2",
        "Follow rollout of checkout:2",
        "Watch metrics: error-rate, response-time",
        "Watch alarms: alarm",
        "Smoke test: http",
        "Tell slack: shop/checkout: rolling back release 2.4.0",
    ):
        ui.wait_for(words)
    ui.shoot("temporal-ui-timeline", begin="h2:has-text('Timeline')", height=820)
    ui.open(scene.identity("rollback"), run_of(scene, "rollback"), "user-metadata")
    assert ui.details("current-details").startswith("verified: ")
    assert "because: " in ui.details("details")


def in_the_list(scene: Scene, ui: Ui) -> None:
    """The views that docs/temporal-ui.md proposes find it."""
    rolled_back = 'LastgoodService="shop/checkout" AND LastgoodOutcome="rolled_back"'
    scene.wait("the list", lambda: scene.world.temporal.found(scene.world.namespace, rolled_back))
    ui.open_list(rolled_back)
    ui.wait_for(scene.identity("release"))
    ui.wait_for(scene.identity("rollback"))
    assert scene.identity("service") not in ui.text()
    ui.shoot("temporal-ui-list", height=300)


def run_of(scene: Scene, kind: str) -> str:
    """The latest run of a workflow."""
    world = scene.world
    return world.temporal.run_id(world.namespace, scene.identity(kind))
