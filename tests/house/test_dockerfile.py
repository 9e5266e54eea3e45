"""Dockerfile and .dockerignore: hadolint, and what it does not see. Building needs a registry."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TEXT = (ROOT / "Dockerfile").read_text()

Stage = dict[str, list[str]]


def instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (word.upper(), rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def stages(text: str) -> dict[str, Stage]:
    """Each stage by its name, with its instructions by their word."""
    found: dict[str, Stage] = {}
    stage: Stage = {}
    for word, rest in instructions(text):
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            stage = found[name] = {"FROM": [image]}
        else:
            stage.setdefault(word, []).append(rest)
    return found


def loose_bases(text: str) -> Iterator[str]:
    for stage in stages(text).values():
        (image,) = stage["FROM"]
        exact = r"[\w/]+:\d+\.\d+\.\d+(-\w+)*(@sha256:[0-9a-f]{64})?"
        if image not in stages(text) and not re.fullmatch(exact, image):
            yield f"{image} is not an exact tag"


def missing_sources(text: str) -> Iterator[str]:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for stage in stages(text).values():
        for copy in stage.get("COPY", []):
            if copy.startswith("--from="):
                continue
            for source in copy.split()[:-1]:
                if not (ROOT / source).exists():
                    yield f"{source} does not exist"
                if f"!{source.rstrip('/').split('/')[0]}" not in ignored:
                    yield f"{source} is kept out by .dockerignore"


def powerful_users(text: str) -> Iterator[str]:
    for name in ("worker", "sandbox"):
        users = stages(text)[name].get("USER", [])
        if not users or not re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1]):
            yield f"{name} does not end as a numbered user without rights: {users}"


def unchecked_installs(text: str) -> Iterator[str]:
    for name, stage in stages(text).items():
        strict = any("PIP_REQUIRE_HASHES=1" in line for line in stage.get("ENV", []))
        for line in stage.get("RUN", []):
            for command in line.split("&&"):
                installs = re.search(r"pip\b.* install ", command)
                ours = "PIP_REQUIRE_HASHES=0" in command and "--no-deps /opt/wheel/" in command
                if installs and not ours and not (strict and "PIP_REQUIRE_HASHES" not in command):
                    yield f"{name}: installs without hashes: {command.strip()}"
        if "ADD" in stage:
            yield f"{name}: ADD can download"


def kept_secrets(text: str) -> Iterator[str]:
    for word, rest in instructions(text):
        if word in {"ENV", "ARG"} and re.search(r"PASSWORD|SECRET|TOKEN|KEY", rest):
            yield f"{word} {rest}"
        if word == "COPY" and any(re.match(r"\.(/|env|$)", source) for source in rest.split()[:-1]):
            yield f"copies more than it names: {rest}"


def wrong_ends(text: str) -> Iterator[str]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("worker", "sandbox"):
        stage = stages(text)[name]
        if stage.get("STOPSIGNAL") != ["SIGTERM"]:
            yield f"{name}: not ended by SIGTERM"
        command = yaml.safe_load(stage.get("CMD", ["[]"])[0])
        if not command or compose[name]["command"][: len(command)] != command:
            yield f"{name}: {command} is not what docker-compose.yml runs"
    if list(stages(text))[-1] != "worker":
        yield "the default target is not the worker"


CHECKS: list[Callable[[str], Iterator[str]]] = [
    loose_bases,
    missing_sources,
    powerful_users,
    unchecked_installs,
    kept_secrets,
    wrong_ends,
]

BROKEN = [
    (loose_bases, "python:3.13.16-slim-trixie AS", "python:3.13-slim AS"),
    (loose_bases, "python:3.13.16-slim-trixie AS", "python AS"),
    (loose_bases, "FROM base AS sandbox", "FROM bsae AS sandbox"),
    (missing_sources, "COPY workflows/", "COPY workflow/"),
    (missing_sources, "COPY workflows/", "COPY docs/"),
    (powerful_users, "USER 10001:10001\n", ""),
    (powerful_users, "USER 10001:10001", "USER root"),
    (unchecked_installs, "    PIP_REQUIRE_HASHES=1\n", "    PIP_NO_INPUT=1\n"),
    (unchecked_installs, "install --no-deps /opt/wheel/*.whl", "install /opt/wheel/*.whl"),
    (unchecked_installs, "&& pip --python", "&& PIP_REQUIRE_HASHES=0 pip --python"),
    (kept_secrets, "PYTHONUNBUFFERED=1", "API_TOKEN=abc"),
    (kept_secrets, "COPY lastgood/ lastgood/", "COPY . ."),
    (wrong_ends, "STOPSIGNAL SIGTERM\n", ""),
    (wrong_ends, '["python", "worker.py"]', '["lastgood", "worker"]'),
    (wrong_ends, "FROM base AS worker\n", "FROM base AS worker\nFROM worker AS more\n"),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_file_passes_our_own_checks(check: Callable[[str], Iterator[str]]) -> None:
    assert list(check(TEXT)) == []


@pytest.mark.parametrize(("check", "old", "new"), BROKEN)
def test_our_own_checks_catch_a_broken_copy(
    check: Callable[[str], Iterator[str]], old: str, new: str
) -> None:
    assert old in TEXT
    assert list(check(TEXT.replace(old, new)))


def test_every_check_of_ours_is_tried_on_a_broken_copy() -> None:
    assert {check for check, _, _ in BROKEN} == set(CHECKS)


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [("", "", True), ("WORKDIR /app", "WORKDIR app", False), ("USER 10001:10001", "USER", False)],
)
def test_hadolint(tmp_path: Path, old: str, new: str, good: bool) -> None:
    copy = tmp_path / "Dockerfile"
    copy.write_text(TEXT.replace(old, new))
    judged = subprocess.run([BIN / "hadolint", "--no-color", copy], check=False)
    assert (judged.returncode == 0) is good


def test_the_build_lock_is_what_the_wheel_is_built_with() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    lines = (ROOT / "requirements/build.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == wanted


@pytest.mark.parametrize("name", ["build", "run", "sandbox", "dev"])
def test_locks_pin_exact_versions_with_hashes_and_name_no_index(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    pins = re.findall(r"^[a-z0-9][^\s;]*==\S+.*\\\n(?:    --hash=sha256:\w{64}.*\n)+", text, re.M)
    assert len(pins) == len(re.findall(r"^[a-zA-Z0-9]", text, re.M)) > 0
    assert not re.search(r"://|--index|--find-links", text)


def test_the_build_sees_nothing_that_is_not_named() -> None:
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    assert not {".env", ".git", ".venv", "compose"} & {rule.strip("!/*") for rule in rules}
