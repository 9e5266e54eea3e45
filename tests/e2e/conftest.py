"""Scenes play side by side: a release is mostly waiting, and two cores can wait for many.

Every test here takes a `scene` and nothing else that pytest sets up. The first one whose turn it
is starts all the selected ones in a pool; then each test's turn is to wait for its own scene. A
scene ends with the checker, and its service is taken away.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from tests.e2e.checker import check
from tests.e2e.scene import Scene
from tests.e2e.stage import Stage

AT_A_TIME = 10


class Play:
    """All selected scenes, under way."""

    def __init__(self, stage: Stage, items: list[pytest.Function]) -> None:
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="scene")
        self._ended: dict[str, Future[None]] = {}
        for item in sorted(items, key=lambda one: one.get_closest_marker("long") is None):
            scene = Scene(stage, item.name)
            self._ended[item.nodeid] = self._pool.submit(_play, item, scene)

    def result(self, item: pytest.Function) -> None:
        """Wait for one scene; raises what it raised."""
        self._ended[item.nodeid].result()

    def stop(self) -> None:
        """Begin no further ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        self._pool.shutdown(wait=True)


def _play(item: pytest.Function, scene: Scene) -> None:
    parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    try:
        item.obj(scene, **parameters)
        check(scene)
    finally:
        scene.close()


@pytest.fixture(scope="session")
def play(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Play]:
    stage = Stage(tmp_path_factory.mktemp("e2e"))
    items = [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function) and "scene" in item.fixturenames
    ]
    # A runner that gives up sends SIGTERM; what was started must end then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stage.shared()
    play = Play(stage, items)
    yield play
    play.stop()
    started = psutil.Process().children(recursive=True)
    stage.close()
    play.wait()
    left = _still_there(started, within=15)
    assert not left, f"I12: left behind are {left}"


def _still_there(started: list[psutil.Process], within: float) -> list[psutil.Process]:
    """Those that do not end in time; asked by their state, as not every kernel can wait for any."""
    deadline = time.monotonic() + within
    while left := [one for one in started if _runs(one)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def scene(play: Play) -> Play:
    """The test's own `Scene`; it is handed over by the play."""
    return play


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if "scene" not in pyfuncitem.fixturenames:
        return None
    pyfuncitem.funcargs["scene"].result(pyfuncitem)
    return True
