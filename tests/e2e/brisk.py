"""Releases that are judged within seconds: by one request after the rollout, and a short window."""

from typing import Any

from tests.e2e.commands import Json, Run
from tests.e2e.scene import Scene

BAD = "-errors-1"
"""Answers every request with 500, its health check apart."""


def brisk(scene: Scene, **changes: Any) -> str:
    """A policy whose smoke test tells good from bad at once; return the file's path."""
    url = scene.shop.url
    defaults: Json = {
        "smoke": [{"url": f"{url}/", "attempts": 1}],
        # What these tests are about is decided before: a busy machine may miss the window.
        "monitor": {"window": "3s", "interval": "1s", "on_inconclusive": "promote"},
        "triggers": [{"type": "health-check", "url": f"{url}/health", "threshold": 2}],
        "rollback": {"cooldown": "0s", "max_rollbacks": 9},
    }
    for key, value in changes.items():
        merge = isinstance(value, dict) and isinstance(defaults.get(key), dict)
        defaults[key] = {**defaults[key], **value} if merge else value
    return scene.policy(**defaults)


def went_back(scene: Scene, run: Run, to: str, tag: str = "1.0") -> Json:
    """The result of a release that must have been brought back to this very task definition."""
    assert run.code == 10, run
    assert run.json["rollback"]["verified"], run
    assert run.json["rollback"]["to"] == to, run
    assert scene.truth()["taskDefinition"] == to
    assert scene.runs_only(tag), scene.truth()
    return run.json


def answered_lately(scene: Scene) -> set[str]:
    """Which versions really answered in the last seconds."""
    return {version for one in scene.truth()["timeline"][-2:] for version in one["versions"]}


def digests(scene: Scene) -> set[str]:
    """The digests of the images that the running tasks were really started from."""
    return {one["digest"] for one in scene.truth()["tasks"] if one["pids"]}
