"""Releases judged against what the service was before, on the real command line and sandbox."""

import re
import time
from importlib.util import find_spec

import pytest

from tests.e2e.commands import Json
from tests.e2e.receivers import SECRETS
from tests.e2e.scene import Scene

REGRESSION: Json = {
    "type": "regression",
    "period": "1s",
    "burst": "2s",
    "baseline_for": "1m",
    "slowdown": 2,
}
SLOW = "slow-200ms"
"""Each answer takes so long that a busy machine's milliseconds are no regression."""
BASELINE = 20
"""Seconds of traffic before the release."""
SENTENCE = re.compile(
    r"5xx [\d.]+ % before \([\d,]+ requests\), [\d.]+ % since \d\d:\d\d:\d\d UTC "
    r"\([\d,]+ requests\): at least [\d.]+ points worse, "
    r"chance of a false alarm below 1 in [\d,]+"
)


def served_for_a_while(scene: Scene, tag: str = f"1.0-{SLOW}") -> None:
    """Two tasks, and enough traffic to know what is normal."""
    scene.make(desired=2, image=f"{scene.repository}:{tag}")
    scene.world.cloud.aws.traffic(40, scene.shop.load_balancer.split("/")[1])
    time.sleep(BASELINE)


def judged(scene: Scene, **changes: object) -> str:
    """A policy with a plain threshold that would overlook it, and the regression trigger."""
    plain = {"type": "error-rate", "threshold": "60%", "duration": "3s"}
    return scene.policy(
        triggers=[plain, {**REGRESSION, **changes}],
        monitor={"window": "12s", "interval": "1s"},
    )


def explained(scene: Scene, *arguments: str) -> Json:
    """What `lastgood explain` says of the release."""
    asked = ("explain", "r1", "--service", scene.shop.name, *arguments, "--output", "json")
    run = scene.lastgood(*asked)
    assert run.code == 0, run
    return run.json


def same_when_judged_again(scene: Scene, *triggers: str) -> bool:
    """Whether each of these triggers' verdicts has a record, and says the same once more."""
    again = explained(scene, "--again")["again"]
    said = {one["trigger"]: one["same"] for one in again}
    assert all(said[trigger] for trigger in triggers), again
    return True


def reported(scene: Scene) -> str:
    """The release's page."""
    file = scene.stage.folder / f"{scene.shop.service}.html"
    pictures = () if find_spec("matplotlib") else ("--no-plots",)
    asked = ("report", "r1", "--service", scene.shop.name, "--out", str(file), *pictures)
    run = scene.lastgood(*asked)
    assert (run.code, run.out.strip()) == (0, str(file)), run
    return file.read_text()


def test_what_is_worse_than_before_is_rolled_back_and_says_by_how_much(scene: Scene) -> None:
    served_for_a_while(scene)
    run = scene.deploy(f"2.0-{SLOW}-errors-0.3", judged(scene))
    assert run.code == 10, run
    assert run.json["trigger"] == "regression"
    assert run.json["rollback"]["verified"], run
    assert scene.runs_only(f"1.0-{SLOW}")
    assert SENTENCE.search(run.json["reason"]), run.json["reason"]
    assert scene.slack_says("points worse")
    assert same_when_judged_again(scene, "regression")
    assert not any("record" in one for one in run.json["evidence"])
    page = reported(scene)
    assert f"{scene.shop.name}: release r1 was rolled back" in page
    assert ("evidence that it is worse, to 1" in page) == bool(find_spec("matplotlib"))
    assert not [secret for secret in SECRETS if secret in page]


def test_a_dry_run_says_what_it_would_have_done_and_does_nothing(scene: Scene) -> None:
    served_for_a_while(scene)
    run = scene.deploy(f"2.0-{SLOW}-errors-0.3", judged(scene, dry_run=True))
    assert run.code == 0, run
    assert scene.runs_only(f"2.0-{SLOW}-errors-0.3")
    [said] = [one for one in run.json["evidence"] if one["trigger"] == "regression"]
    assert said["dry_run"], said
    assert said["status"] == "fail"
    assert "would have rolled back at" in said["reason"]
    assert same_when_judged_again(scene, "regression", "error-rate")


def test_a_service_that_was_bad_before_is_not_blamed_on_the_release(scene: Scene) -> None:
    served_for_a_while(scene, f"1.0-{SLOW}-errors-0.3")
    run = scene.deploy(f"2.0-{SLOW}-errors-0.3", judged(scene))
    assert run.code == 0, run
    [said] = [
        one for one in explained(scene)["explanation"]["verdicts"] if one["trigger"] == "regression"
    ]
    assert said["status"] == "pass", said
    assert "no worse than the 1m before the release" in said["reason"]
    assert same_when_judged_again(scene, "regression", "error-rate")


@pytest.mark.campaign
def test_a_good_release_need_not_wait_for_its_windows_end(scene: Scene) -> None:
    served_for_a_while(scene)
    plain = {"type": "error-rate", "threshold": "60%", "duration": "3s"}
    early = {"window": "2m", "interval": "1s", "consecutive_success": 3, "min_window": "12s"}
    run = scene.deploy(f"2.0-{SLOW}", scene.policy(triggers=[plain], monitor=early))
    assert run.code == 0, run
    assert re.search(r"clean after \d+s of 2m: 3 good measurements in a row", run.json["reason"])
    assert 12 <= run.json["timings"]["monitor"] < 60
    assert same_when_judged_again(scene, "error-rate")
