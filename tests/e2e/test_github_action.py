"""action.yml as GitHub's runner runs it, against the sandbox: a healthy image, a bad one, a cancel.

Only the step that installs is spared its work here; tests/house/test_action_install.py is about it.
"""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from sandbox.scenarios.demo.parts import BIN, ROOT
from tests.e2e.runner import Ended, Runner
from tests.e2e.scene import Scene

UI = "https://temporal.example.com"
RUN = "4242"
BAD = "2.0-errors-0.4"
SOON = {"triggers": [{"type": "error-rate", "threshold": "5%", "duration": "3s"}]}


def runner(scene: Scene, *, attempt: str = "1") -> Runner:
    """A job of this scene's own, with Lastgood installed."""
    folder = scene.stage.folder / f"{scene.shop.service}-job-{attempt}"
    env = {
        **scene.world.env,
        "LASTGOOD_UI_URL": UI,
        "GITHUB_RUN_ID": RUN,
        "GITHUB_RUN_ATTEMPT": attempt,
        "GITHUB_ACTOR": "octocat",
        "GITHUB_REPOSITORY": "servio/shop",
        "GITHUB_SERVER_URL": "https://github.example.com",
    }
    made = Runner(ROOT, folder, env)
    _installed(made.temp)
    return made


def _installed(temp: Path) -> None:
    """As the first step of an earlier use in the same job has left it."""
    number = subprocess.run(
        ["cksum"], input=str(ROOT).encode(), capture_output=True, check=True
    ).stdout.split()[0]
    home = temp / f"lastgood-{number.decode()}"
    (home / "bin").mkdir(parents=True)
    (home / "bin/lastgood").symlink_to(BIN / "lastgood")
    for requirements in ("run", "plots"):
        (home / f"installed-{requirements}").touch()


def groups(ended: Ended) -> list[str]:
    return [one.data for one in ended["deploy"].commands if one.name == "group"]


def test_a_healthy_image_by_the_action(scene: Scene) -> None:
    image = f"{scene.repository}:2.0"
    ended = runner(scene).run(image=image, policy=scene.policy())
    step = ended["deploy"]
    assert ended.code == 0, step.log
    assert ended["install"].log == "Lastgood is installed already.\n"
    assert ended.outputs["outcome"] == "healthy"
    assert ended.outputs["release"].startswith(f"gh-{RUN}-1-2.0-")
    page = f"{UI}/namespaces/{scene.world.namespace}/workflows/release%2F"
    assert ended.outputs["workflow-url"].startswith(page)
    assert ended.outputs["workflow-url"].endswith("/history")
    assert groups(ended) == ["preflight", "deploy", "wait", "smoke test", "monitor"]
    assert [one.name for one in step.commands].count("endgroup") == len(groups(ended))
    [(title, _)] = step.annotations("notice", "warning", "error")
    assert title.startswith("HEALTHY: release gh-")
    assert "## Lastgood: HEALTHY: release" in step.summary
    assert "xychart-beta" in step.summary, "the error rate stayed below its threshold"
    assert ended.used == []
    assert scene.runs_only("2.0")


def test_a_bad_image_by_the_action(scene: Scene) -> None:
    policy = scene.policy(monitor={"window": "20s"}, **SOON)
    job, image = runner(scene), f"{scene.repository}:{BAD}"
    ended = job.run(image=image, policy=policy, release="r1", report="true")
    step = ended["deploy"]
    assert ended.code == 10, step.log
    assert (ended.outputs["outcome"], ended.outputs["release"]) == ("rolled_back", "r1")
    fired, end = step.annotations("error")
    assert fired[0] == "error-rate fired"
    assert "(threshold 5" in fired[1]
    assert end[0] == f"ROLLED BACK: release r1 of {scene.shop.name}"
    assert f"Release a fixed image.\nlastgood explain r1 --service {scene.shop.name}" in end[1]
    assert ended.outputs["reason"] in end[1]
    assert f"ROLLED BACK: release r1 of {scene.shop.name}\n" in step.log
    for part in ("xychart-beta", "threshold 5 %", "### Timeline", "error-rate fires", "octocat"):
        assert part in step.summary, step.summary
    assert groups(ended)[-2:] == ["monitor", "roll back"]
    [upload] = ended.used
    assert upload.startswith("actions/upload-artifact@")
    assert "error-rate" in (job.temp / "lastgood-report.html").read_text()
    assert scene.runs_only("1.0")


@pytest.mark.long
def test_a_cancelled_job_leaves_its_release_and_a_second_attempt_follows_it(scene: Scene) -> None:
    policy = scene.policy(monitor={"window": "30s"})
    image = f"{scene.repository}:2.0"
    job = runner(scene)
    found: list[Ended] = []
    running = threading.Thread(target=lambda: found.append(job.run(image=image, policy=policy)))
    running.start()
    scene.wait("the window", lambda: job.log.exists() and "::group::monitor" in job.log.read_text())
    job.cancel()
    running.join(timeout=60)
    [ended] = found
    step = ended["deploy"]
    assert step.code == 130, "it ended by itself, at SIGINT"
    release = ended.outputs["release"]
    assert ended.outputs["outcome"] == ""
    assert ended.outputs["workflow-url"].startswith(f"{UI}/namespaces/")
    follow = f"lastgood follow {scene.shop.name} --release {release} --region us-east-1"
    stop = f"lastgood rollback {scene.shop.name} --release {release} --region us-east-1 --reason"
    [(title, text)] = step.annotations("warning", "error")
    assert title == f"The job was stopped; release {release} of {scene.shop.name} goes on"
    for said in (text, step.summary):
        assert follow in said
        assert stop in said
    assert "goes on: the job was stopped, the release was not" in step.summary
    again = runner(scene, attempt="2").run(image=image, policy=policy)
    assert again.code == 0, again["deploy"].log
    assert again.outputs["release"] == release
    assert "of an earlier attempt of this run is under way" in again["deploy"].log
    assert len(scene.updates()) == 1
