"""What lies where: known root entries, telling names, pinned requirements, no registry's name."""

import re
from pathlib import Path

import pytest

from tests.house.tracked import ROOT, tracked

ROOT_ENTRIES = {
    *(".ci", ".dockerignore", ".env.example", ".github", ".gitignore"),
    *(
        "action.yml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "Makefile",
        "pyproject.toml",
    ),
    *("Dockerfile", "docker-compose.yml", "compose", "requirements", "scripts"),
    *("worker.py", "workflows", "activities", "lastgood"),
    *("sandbox", "benchmarks", "tests", "docs"),
}
TELLS_NOTHING = {"utils", "util", "helpers", "helper", "common", "shared", "core", "base", "misc"}
INDEX = re.compile(
    r"--(extra-)?index-url[ =]\S|--find-links[ =]https?:|--trusted-host[ =]"
    r"|\bindex-url\s*=|\bextra-index-url\s*="
    r"|PIP_(EXTRA_)?INDEX_URL\s*=|UV_(DEFAULT_)?INDEX(_URL)?\s*=|/simple/"
    r"|https?://[\w.-]*py(pi|thonhosted)\.|https?://(registry|proxy)\."
)
A_MACHINES_PATH = re.compile(r"/(home|Users)/[a-z][a-z0-9_-]*/")
HASHED = re.compile(
    r"[A-Za-z0-9._\[\]-]+==\S+( ;[^\\]*)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+"
)


def names_nothing(path: str) -> bool:
    return bool(TELLS_NOTHING & {part.partition(".")[0].strip("_") for part in Path(path).parts})


def names_an_index(text: str) -> str | None:
    found = INDEX.search(text) or A_MACHINES_PATH.search(text)
    return found[0] if found else None


def unhashed(text: str) -> list[str]:
    """Requirements without a pinned version and a hash; and whatever else pip would obey."""
    rest = HASHED.sub("", text)
    lines = (line.strip() for line in rest.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_every_root_entry_is_known() -> None:
    assert {path.split("/")[0] for path in tracked()} <= ROOT_ENTRIES


def test_names_tell_something() -> None:
    assert [path for path in tracked() if names_nothing(path)] == []


@pytest.mark.parametrize("path", ["lastgood/utils.py", "sandbox/core/x.py", "activities/_base.py"])
def test_names_that_tell_nothing(path: str) -> None:
    assert names_nothing(path)


def test_no_file_names_a_registry_or_a_machines_path() -> None:
    exempt = {"tests/house/test_layout.py", "scripts/lock"}  # they say what is left out
    found = {}
    for path in tracked():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        if path not in exempt and (name := names_an_index(text)):
            found[path] = name
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://packages.test/x",
        "--extra-index-url=https://packages.test/x",
        "index-url = https://packages.test/x",
        "PIP_INDEX_URL=https://packages.test/x",
        "https://registry.packages.test/x",
        "https://packages.test/simple/boto3",
        "/home/ada/lastgood",
    ],
)
def test_a_registry_is_seen(text: str) -> None:
    assert names_an_index(f"a\n{text}\nb")


def test_a_lock_names_no_index() -> None:
    text = (ROOT / "scripts/lock").read_text()
    assert "--no-emit-index-url" in text
    assert "https://" not in text


def test_all_requirements_are_pinned_and_hashed() -> None:
    locks = tracked("requirements/*.txt")
    assert len(locks) >= 4
    for path in locks:
        text = (ROOT / path).read_text()
        assert "==" in text
        assert unhashed(text) == [], path


@pytest.mark.parametrize(
    "text",
    [
        "boto3==1.0\n",
        "boto3>=1.0 \\\n    --hash=sha256:" + "0" * 64,
        "boto3==1.0 \\\n    --hash=sha256:" + "0" * 63,
        "boto3==1.0 \\\n    --hash=md5:" + "0" * 64,
        "-e .\n",
        "https://packages.test/boto3.whl\n",
    ],
)
def test_what_is_not_hashed_is_seen(text: str) -> None:
    assert unhashed(text)


def test_no_test_folder_shadows_a_root_package() -> None:
    """House rule 12: tests/workflows would be imported in place of workflows."""
    folders = {path.split("/")[1] for path in tracked("tests/*/*")}
    assert folders & {"workflows", "activities", "lastgood", "sandbox", "benchmarks"} == set()
