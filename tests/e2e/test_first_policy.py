"""A service that nobody wrote a policy for: `policy init` writes one, and it is released with."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.e2e.scene import REGION, Scene


def test_a_first_policy_is_released_with(scene: Scene) -> None:
    """All triggers that it writes find what they measure; its window of minutes is cut short."""
    given = Path(scene.policy())
    path = given.with_name("first.yaml")
    order = ("policy", "init", "--from", scene.shop.name, "--region", REGION, str(path))
    written = scene.lastgood(*order, **scene.world.cloud.aws.env)
    assert written.code == 0, written
    checked = scene.lastgood("policy", "check", "--policy", str(path))
    assert (checked.code, "warning" in checked.err) == (0, False), checked
    notify = yaml.safe_load(given.read_text())["notify"]  # the checker wants everybody told
    path.write_text(f"{path.read_text()}\nnotify: {json.dumps(notify)}\n")
    deploy = scene.start_deploy("2.0", str(path))
    scene.wait_for_step("monitor")
    assert scene.operate("promote", "it is a test").code == 0
    run = scene.end(deploy)
    assert run.code == 0, run
    assert scene.runs_only("2.0")
