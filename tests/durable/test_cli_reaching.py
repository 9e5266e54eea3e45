"""What the command line says before anything is started: wrong usage, nobody there."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import click
import pytest

from lastgood.cli import main
from lastgood.cli.worker import find
from lastgood.errors import UsageError
from tests.durable.cli_fakes import POLICY, bare_environment, rig

VERBS = (
    *("deploy", "follow", "rollback", "status", "history", "explain", "check", "policy", "worker"),
    "doctor",
    *("promote", "hold", "resume", "approve", "deny", "cancel", "reset"),
    *("freeze", "unfreeze", "adopt", "acknowledge"),
)


@pytest.fixture(autouse=True)
def nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy file, and a Temporal that does not exist."""
    for name in set(os.environ) - set(bare_environment()):
        monkeypatch.delenv(name)
    for name, value in bare_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lastgood.yaml").write_text(POLICY)
    (tmp_path / "nowhere.yaml").write_text("service: shop/web\n")
    (tmp_path / "same.yaml").write_text(POLICY)
    (tmp_path / "bad.yaml").write_text("service: shop/web\ntriger: []\n")
    (tmp_path / "td.json").write_text(json.dumps({"taskDefinition": {"family": "web"}}))
    (tmp_path / "broken.json").write_text("{")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert verb == "policy" or "Example:" in said


SERVICE = ("shop/web", "--region", "eu-west-1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy"], "either --image or --task-definition"),
        (["deploy", "--image", "a", "--task-definition", "b:1"], "either --image"),
        (["deploy", "--image", "a b"], "--image: not an image"),
        (["deploy", "--image", ""], "--image: not an image"),
        (["deploy", "--image", "a:1", "--release", "a/b"], "--release: letters"),
        (["deploy", "--image", "a:1", "--release", "x" * 65], "at most 64"),
        (["deploy", "--image", "a:1", "--policy", "none.yaml"], "none.yaml: cannot be read"),
        (["deploy", "--image", "a:1", "--policy", "bad.yaml"], "bad.yaml:2: triger: unknown"),
        (["deploy", "--image", "a:1", "--policy", "nowhere.yaml"], "No AWS region"),
        (["deploy", "--task-definition", "web"], "FAMILY:REVISION"),
        (["deploy", "--task-definition", "td.json"], "no task definition"),
        (["deploy", "--task-definition", "broken.json"], "is no JSON"),
        (["deploy", "--task-definition", "none.json"], "cannot be read"),
        (["deploy", "--image", "a:1", "--output", "xml"], "'xml' is not one of"),
        (["deploy", "--image", "a:1", "--force"], "--force: say why with --reason"),
        (["deploy", "--image", "a:1", "--force", "--reason", " "], "--force: say why"),
        (["deploy", "--image", "a:1", "--reason", "x"], "goes with --force"),
        (["rollback", *SERVICE], "Missing option '--reason'"),
        (["rollback", *SERVICE, "--reason", " "], "say why"),
        (["rollback", *SERVICE, "--reason", "x", "--to", "web"], "--to: write an ARN"),
        (["rollback", "web", "--reason", "x"], "CLUSTER/SERVICE"),
        (["rollback", "a/b", "--reason", "x", "--policy", "lastgood.yaml"], "is about shop/web"),
        (["rollback", "shop/web", "--reason", "x"], "No AWS region"),
        (["status", "shop/web", "--region", "Mars"], "--region"),
        (["status"], "Missing argument 'CLUSTER/SERVICE'"),
        (["deplyo"], "No such command"),
        (["doctor", "--policy", "bad.yaml"], "bad.yaml:2: triger: unknown"),
        (["doctor", "--policy", "lastgood.yaml", "--policy", "same.yaml"], "is described twice"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_started(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["deploy", "--image", "a:1"],
        ["rollback", *SERVICE, "--reason", "x"],
        ["status", *SERVICE],
        ["history", *SERVICE],
        ["check"],
        ["reset", *SERVICE, "--reason", "x"],
        ["follow", *SERVICE],
        ["promote", *SERVICE, "--reason", "x"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_unreachable_temporal_is_said_within_five_seconds(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert main.run(arguments) == 1
    assert time.monotonic() - began < 5
    out, err = capsys.readouterr()
    assert "Temporal cannot be reached at 127.0.0.1:1" in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


async def test_a_missing_namespace_and_a_missing_worker_are_named(tmp_path: Path) -> None:
    async with rig(tmp_path, worker=False) as cli:
        nobody = await cli.here("deploy", "--image", "a:1")
        assert nobody.code == 1
        assert "No worker polls task queue 'lastgood'" in nobody.err
        missing = await cli.here("status", *SERVICE, env={"TEMPORAL_NAMESPACE": "nope"})
        assert missing.code == 1
        assert "has no namespace 'nope'" in missing.err


def test_the_unexpected_is_one_line_and_how_to_see_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(**_: object) -> None:
        raise RuntimeError("over\nhere")

    monkeypatch.setattr(main.cli, "main", explode)
    assert main.run([]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "Unexpected error: RuntimeError: over here"
    assert "LASTGOOD_LOG_LEVEL=DEBUG" in said[1]


def test_aborted_and_click_errors_have_their_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    def abort(**_: object) -> None:
        raise click.Abort

    monkeypatch.setattr(main.cli, "main", abort)
    assert main.run([]) == 130


def test_the_worker_is_found_beside_the_package_or_missed_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find().name == "worker.py"
    monkeypatch.setattr("lastgood.__file__", str(tmp_path / "site/lastgood/__init__.py"))
    with pytest.raises(UsageError, match=re.escape("the command line alone")):
        find()
