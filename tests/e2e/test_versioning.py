"""Two builds of Lastgood at work at once: what was begun on the old one ends on the old one.

The new build is a copy of this checkout with a change that no release under way would survive.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from sandbox.scenarios.demo.parts import BIN, ROOT, Program
from tests.e2e.checker import check
from tests.e2e.scene import Scene
from tests.e2e.stage import World
from tests.e2e.test_crashes import JUDGED_BY_DATA

PACKAGES = ("lastgood", "workflows", "activities")
BEFORE = '''        """The pipeline."""
'''
AFTER = f"""{BEFORE}        await workflow.sleep(timedelta(seconds=1))  # not replay-safe
"""
NO_FAULT = {
    # The server's word for "something new arrived, look again".
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
}


def new_code(folder: Path) -> Path:
    """A copy of our code, changed as no patch guards it; returns its worker.py."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    pipeline = folder / "workflows/deployment.py"
    text = pipeline.read_text()
    assert text.count(BEFORE) == 1, "the pipeline begins otherwise now: change this test's patch"
    pipeline.write_text(text.replace(BEFORE, AFTER))
    return Path(shutil.copy(ROOT / "worker.py", folder))


def new_worker(scene: Scene, **env: str) -> Program:
    """A worker with the new code, beside the world's own."""
    folder = scene.stage.folder / f"{scene.name}-new-code"
    command = [sys.executable, str(new_code(folder))]
    program = scene.stage.program(
        f"{folder.name}-worker", command, {**scene.world.worker_env, **env}
    )
    scene.wait("the start of the new code", lambda: program.says("Working on"))
    return program


def make_current(scene: Scene, build: str) -> None:
    """What docs/upgrading.md says to run; a version is known a moment after its first poll."""
    order = ("worker", "deployment", "set-current-version", "--deployment-name", "lastgood")

    def done() -> bool:
        command = [str(BIN / "temporal"), *order, "--build-id", build, "--yes"]
        env = scene.world.env
        return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0

    scene.wait(f"build {build} as the current one", done)


@contextmanager
def another(scene: Scene) -> Iterator[Scene]:
    """A second service in the same world, judged by the checker like every scene."""
    other = Scene(scene.stage, f"{scene.name}, the other service")
    other.play_in(scene.world)
    try:
        yield other
        check(other)
    finally:
        other.close()


def history(scene: Scene, kind: str) -> list[HistoryEvent]:
    return scene.world.temporal.events(scene.world.namespace, scene.identity(kind))


def builds(scene: Scene, kind: str) -> list[str]:
    """The builds that a workflow ran on, in order, each once."""
    done = [
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in history(scene, kind)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    return list(dict.fromkeys(done))


def broken_tasks(scene: Scene, kind: str) -> list[str]:
    """Why workers gave up on tasks of a workflow: code that does not fit its history, say."""
    failed = [
        event.workflow_task_failed_event_attributes
        for event in history(scene, kind)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    return [one.failure.message for one in failed if one.cause not in NO_FAULT]


@pytest.mark.long
def test_old_and_new_code_at_once_each_end_what_they_began(scene: Scene) -> None:
    world: World = scene.stage.own(TEMPORAL_WORKER_BUILD_ID="old")
    scene.play_in(world)
    refused = scene.start_deploy("2.0", release="too-early")
    new = new_worker(scene, TEMPORAL_WORKER_BUILD_ID="new")
    run = scene.end(refused)
    assert run.code == 1, run
    assert "set-current-version" in run.err, "no build is current, and that is said"
    make_current(scene, "old")

    with another(scene) as other:
        slowly = {"triggers": JUDGED_BY_DATA, "monitor": {"window": "3m"}}
        on_old = scene.start_deploy("2.0", scene.policy(**slowly))
        scene.wait_for_step("monitor")
        make_current(scene, "new")
        policy = other.policy(triggers=JUDGED_BY_DATA, monitor={"window": "12s"})
        on_new = other.start_deploy("2.0", policy)
        other.wait_for_step("monitor")

        # Whoever takes them up again has nothing but their histories.
        world.restart_worker()
        new.kill()
        new.start()

        # An operator's word goes to the guard, on new code by now, and from there to the release.
        asked = scene.rollback("checkout is broken")
        assert asked.code == 10, asked
        back = scene.end(on_old)
        assert (back.code, back.json["outcome"]) == (10, "rolled_back"), back
        good = other.end(on_new)
        assert (good.code, good.json["outcome"]) == (0, "healthy"), good

        assert builds(scene, "release") == ["old"]
        assert builds(scene, "rollback") == ["old"], "inherited from its release"
        assert builds(scene, "service") == ["old", "new"], "the guard moves on"
        assert builds(other, "release") == ["new"]
        assert broken_tasks(other, "release") == broken_tasks(other, "service") == []
    for kind in ("service", "release", "rollback"):
        assert broken_tasks(scene, kind) == []

    # What comes next for the first service is begun by its guard on the new code.
    assert scene.deploy("3.0", scene.policy(monitor={"window": "4s"}), "r2").code == 0
    assert builds(scene, "release") == ["new"]
