"""Which workers new releases go to, what is said about it, and the settings that decide it."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion

from lastgood.cli.main import run
from lastgood.errors import SettingsError
from lastgood.fleet import Fleet
from lastgood.settings import Settings, load, variable
from worker import versioning

OLD, NEW = (WorkerDeploymentVersion("lastgood", build) for build in ("1.4.0", "1.5.0"))
ROOT = Path(__file__).parents[2]


def fleet(*workers: WorkerDeploymentVersion | None, **routing: WorkerDeploymentVersion) -> Fleet:
    return Fleet("shop", frozenset(workers), **{"current": None, **routing})


@pytest.mark.parametrize(
    "begins",
    [
        fleet(None),
        fleet(None, NEW),
        fleet(OLD, current=OLD),
        fleet(OLD, NEW, None, current=NEW),
        fleet(NEW, current=OLD, ramping=NEW),
    ],
)
def test_a_release_begins_if_a_worker_of_the_current_build_polls(begins: Fleet) -> None:
    assert begins.why_nobody_begins() is None


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        (fleet(), ["No worker polls", "'shop'", "python worker.py"]),
        (fleet(NEW), ["workers without a build id", "--build-id 1.5.0"]),
        (fleet(OLD, current=NEW), ["build lastgood.1.5.0", "only build lastgood.1.4.0 poll"]),
        (fleet(None, current=OLD), ["--deployment-name lastgood --unversioned"]),
    ],
)
def test_a_release_that_would_wait_for_ever_is_not_begun(waits: Fleet, said: list[str]) -> None:
    why = waits.why_nobody_begins() or ""
    assert [word for word in said if word not in why] == [], why
    assert "--namespace shop" in why or not waits.workers


@pytest.mark.parametrize(
    ("seen", "own", "gets", "said"),
    [
        (fleet(None), None, True, "New releases come to workers without a build id"),
        (fleet(NEW, current=NEW), NEW, True, "New releases come to build lastgood.1.5.0"),
        (fleet(NEW), NEW, False, "--deployment-name lastgood --build-id 1.5.0"),
        (fleet(OLD, NEW, current=OLD), NEW, False, "New releases go to build lastgood.1.4.0."),
        (fleet(None, OLD, current=OLD), None, False, "TEMPORAL_WORKER_BUILD_ID"),
    ],
)
def test_a_worker_says_whether_new_releases_come_to_it(
    seen: Fleet, own: WorkerDeploymentVersion | None, gets: bool, said: str
) -> None:
    answer, text = seen.place_of(own)
    assert answer is gets
    assert said in text


def test_a_build_id_pins_releases_and_without_one_nothing_is_versioned() -> None:
    assert versioning(load({})) is None
    config = versioning(load({"TEMPORAL_WORKER_BUILD_ID": "1.5.0"}))
    assert config is not None
    assert (config.version, config.use_worker_versioning) == (NEW, True)
    assert config.default_versioning_behavior is VersioningBehavior.PINNED
    other = load({"TEMPORAL_WORKER_BUILD_ID": "1", "TEMPORAL_DEPLOYMENT_NAME": "ops/lastgood"})
    assert other.deployment_name == "ops/lastgood", "as the worker controller names it"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEMPORAL_WORKER_BUILD_ID", "1.5 beta"),
        ("TEMPORAL_WORKER_BUILD_ID", "a:b"),
        ("TEMPORAL_WORKER_BUILD_ID", "x" * 129),
        ("TEMPORAL_DEPLOYMENT_NAME", "last.good"),
        ("TEMPORAL_DEPLOYMENT_NAME", "last:good"),
        ("LASTGOOD_MAX_WATCHES", "none"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load({name: value})


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert load({"TEMPORAL_WORKER_BUILD_ID": "", "LASTGOOD_UI_URL": ""}) == Settings()


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in map(variable, Settings.model_fields) if name not in shown] == []


def test_what_the_docs_say_to_run_is_what_a_worker_says() -> None:
    _, said = fleet(OLD, NEW, current=OLD).place_of(NEW)
    order = said.partition("make it current: ")[2].replace("--namespace shop ", "")
    assert order in (ROOT / "docs/upgrading.md").read_text()
