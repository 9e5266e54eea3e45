""".github/workflows: their schema, zizmor, shellcheck on what they run, and our own checks."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEXTS = {file.name: file.read_text() for file in FILES}
CI, COMPOSE = TEXTS["ci.yml"], TEXTS["compose.yml"]

ACTIONS = {
    "actions/checkout": "de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "actions/setup-python": "a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0",
}
"""The only actions; GitHub's own, by commit. Read in public repositories that pin the same."""


def jobs(text: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["jobs"]
    return found


def steps(text: str) -> list[dict[str, Any]]:
    return [step for job in jobs(text).values() for step in job["steps"]]


def loose_actions(text: str) -> Iterator[str]:
    used = re.findall(r"uses: *(.*)", text)
    known = {f"{name}@{commit}" for name, commit in ACTIONS.items()}
    yield from (f"{use} is not one of ours, or not pinned" for use in used if use not in known)


def wide_rights(text: str) -> Iterator[str]:
    workflow = yaml.safe_load(text)
    if workflow.get("permissions") != {"contents": "read"}:
        yield "may do more than read"
    if any("permissions" in job for job in workflow["jobs"].values()):
        yield "a job has rights of its own"
    for step in steps(text):
        if "checkout" in step.get("uses", "") and step.get("with", {}).get("persist-credentials"):
            yield "the checkout keeps its credentials"
        if "checkout" in step.get("uses", "") and "with" not in step:
            yield "the checkout keeps its credentials"
    if re.search(r"secrets\.|pull_request_target", text):
        yield "reaches for secrets"


def endless_jobs(text: str) -> Iterator[str]:
    if not yaml.safe_load(text).get("concurrency"):
        yield "no concurrency group"
    for name, job in jobs(text).items():
        if not 0 < job.get("timeout-minutes", 0) <= 60:
            yield f"{name} has no time-out"
        if "latest" in job["runs-on"]:
            yield f"{name} runs on whatever is latest"


def unknown_commands(text: str) -> Iterator[str]:
    made = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    trial = (ROOT / "compose/try.sh").read_text()
    for step in steps(text):
        run = step.get("run", "")
        for target in re.findall(r"\bmake ([a-z0-9-]+)", run):
            if target not in made:
                yield f"make {target} is not in the Makefile"
        for verb in re.findall(r"compose/try\.sh (\S+)", run):
            if not re.search(rf"^(.*\| )?{verb}( \|.*)?\) ", trial, re.M):
                yield f"compose/try.sh has no {verb}"
        for script in re.findall(r"^(?:sh )?([\w.]+/[\w./-]+)", run, re.M):
            if not (ROOT / script).exists():
                yield f"{script} does not exist"


CHECKS: list[Callable[[str], Iterator[str]]] = [
    loose_actions,
    wide_rights,
    endless_jobs,
    unknown_commands,
]

BROKEN = [
    (loose_actions, CI, "@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6"),
    (loose_actions, CI, "actions/setup-python@", "someone/setup-python@"),
    (loose_actions, CI, "# v6.2.0", "# v6.9.9"),
    (wide_rights, CI, "contents: read", "contents: write"),
    (wide_rights, CI, "    runs-on: macos-15", "    permissions: {}\n    runs-on: macos-15"),
    (wide_rights, CI, "persist-credentials: false", "persist-credentials: true"),
    (wide_rights, COMPOSE, "pull_request:", "pull_request_target:"),
    (endless_jobs, CI, "    timeout-minutes: 30\n", ""),
    (endless_jobs, CI, "macos-15", "macos-latest"),
    (endless_jobs, COMPOSE, "concurrency:", "env:"),
    (unknown_commands, CI, "make check", "make chekc"),
    (unknown_commands, CI, "run: .ci/run", "run: .ci/rum"),
    (unknown_commands, COMPOSE, "compose/try.sh release", "compose/try.sh relaese"),
]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_files_pass_our_own_checks(name: str, check: Callable[[str], Iterator[str]]) -> None:
    assert list(check(TEXTS[name])) == []


@pytest.mark.parametrize(("check", "text", "old", "new"), BROKEN)
def test_our_own_checks_catch_a_broken_copy(
    check: Callable[[str], Iterator[str]], text: str, old: str, new: str
) -> None:
    assert old in text
    assert list(check(text.replace(old, new)))


def test_every_check_of_ours_is_tried_on_a_broken_copy() -> None:
    assert {check for check, *_ in BROKEN} == set(CHECKS)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    ("old", "new", "good"),
    [("", "", True), ("runs-on:", "run-on:", False), ("on:\n", "no:\n", False)],
)
def test_the_schema_of_workflows(tmp_path: Path, name: str, old: str, new: str, good: bool) -> None:
    copy = tmp_path / name
    copy.write_text(TEXTS[name].replace(old, new) if old else TEXTS[name])
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", copy]
    assert (subprocess.run(command, check=False).returncode == 0) is good


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("          persist-credentials: false\n", "          fetch-depth: 1\n", False),
        ("@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6", False),
        ("run: |\n", "run: |\n          echo ${{ github.head_ref }}\n", False),
    ],
)
def test_zizmor_finds_nothing(tmp_path: Path, name: str, old: str, new: str, good: bool) -> None:
    assert old in TEXTS[name]
    copy = tmp_path / ".github/workflows" / name
    copy.parent.mkdir(parents=True)
    copy.write_text(TEXTS[name].replace(old, new) if old else TEXTS[name])
    judged = subprocess.run(
        [BIN / "zizmor", "--offline", "--no-progress", "--persona", "pedantic", copy],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        check=False,
    )
    assert (judged.returncode == 0) is good


@pytest.mark.parametrize("name", TEXTS)
def test_what_they_run_passes_shellcheck(name: str) -> None:
    for step in steps(TEXTS[name]):
        script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", "true"))
        subprocess.run(
            [BIN / "shellcheck", "--shell=bash", "--severity=info", "-"],
            input=script,
            text=True,
            check=True,
        )


def test_ci_runs_every_python_that_we_support() -> None:
    probed = re.search(r"for version in (.*); do", (ROOT / "scripts/find-python").read_text())
    assert probed
    assert set(jobs(CI)["test"]["strategy"]["matrix"]["python"]) == set(probed[1].split())
    assert any(step.get("run") == ".ci/run" for step in jobs(CI)["test"]["steps"])
    assert any(job["runs-on"].startswith("macos") for job in jobs(CI).values())


def test_the_compose_file_is_started_killed_and_torn_down() -> None:
    verbs = re.findall(r"compose/try\.sh (\S+)", COMPOSE)
    assert verbs == ["start", "check", "release", "kill", "stop"]
    assert steps(COMPOSE)[-1]["if"] == "always()"
