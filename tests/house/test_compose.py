"""docker-compose.yml, as far as it can be judged without an engine (.github/workflows has one).

No single judge sees everything, so there are four: the compose-spec schema (misspelt keys), PyPI's
compose-spec (undefined networks), compose-lint (hardening), and our own checks (references,
variables, files, versions). Each is tried on broken copies of the file too.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TEXT = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rule>:?[-?][^}]*)?\}")
SECRET = re.compile(r"PASSWORD|PWD|SECRET|TOKEN|ACCESS_KEY")

Services = dict[str, dict[str, Any]]


def services_of(text: str) -> Services:
    services: Services = yaml.safe_load(text)["services"]
    return services


def dangling_references(text: str) -> Iterator[str]:
    compose = yaml.safe_load(text)
    services: Services = compose["services"]
    for name, service in services.items():
        for network in service.get("networks", []):
            if network not in compose["networks"]:
                yield f"{name}: network {network} is not defined"
        for source in sources(service):
            if not source.startswith(".") and source not in compose["volumes"]:
                yield f"{name}: volume {source} is not defined"
        for secret in service.get("secrets", []):
            if secret not in compose.get("secrets", {}):
                yield f"{name}: secret {secret} is not defined"
        shared = service.get("network_mode", "").removeprefix("service:")
        for other in [*service.get("depends_on", {}), *([shared] if shared else [])]:
            if other not in services:
                yield f"{name}: service {other} is not defined"


def conditions_that_never_come(text: str) -> Iterator[str]:
    services = services_of(text)
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            target = services.get(other, {})
            if how["condition"] == "service_healthy" and "healthcheck" not in target:
                yield f"{name}: {other} has no healthcheck to wait for"
            one_shot = str(target.get("restart")).startswith("on-failure")
            if (how["condition"] == "service_completed_successfully") != one_shot:
                yield f"{name}: {how['condition']} does not suit {other}"
            if not set(target.get("profiles", [])) <= set(service.get("profiles", [])):
                yield f"{name}: {other} is in a profile that {name} is not in"


def undocumented_variables(text: str) -> Iterator[str]:
    documented = set(re.findall(r"^(?:# )?(\w+)=", EXAMPLE, re.M))
    used = {match["name"] for match in VARIABLE.finditer(text)}
    for service in services_of(text).values():
        used |= {name for name, value in service.get("environment", {}).items() if value is None}
    for name in sorted(used ^ documented):
        yield f"{name} is in only one of docker-compose.yml and .env.example"


def given_away_secrets(text: str) -> Iterator[str]:
    for match in VARIABLE.finditer(text):
        if SECRET.search(match["name"]) and not (match["rule"] or "").startswith(":?"):
            yield f"{match['name']} must be asked for: ${{{match['name']}:?...}}"
    for name, service in services_of(text).items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key) and value is not None and not VARIABLE.match(str(value)):
                yield f"{name}: {key} is written down"


def sources(service: dict[str, Any]) -> list[str]:
    return [volume.split(":")[0] for volume in service.get("volumes", [])]


def bad_mounts(text: str) -> Iterator[str]:
    for name, service in services_of(text).items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith((".", "/", "~")):
                if not source.startswith("./compose/"):
                    yield f"{name}: {source} is not one of our own files"
                if not (ROOT / source).exists():
                    yield f"{name}: {source} does not exist"
                if not volume.endswith(":ro"):
                    yield f"{name}: {source} is not mounted read-only"


def commands_without_a_file(text: str) -> Iterator[str]:
    for name, service in services_of(text).items():
        mounts = [volume.split(":")[:2] for volume in service.get("volumes", [])]
        for word in service.get("command", []):
            if word.startswith("/compose/") and word not in [inside for _, inside in mounts]:
                yield f"{name}: {word} is not mounted"


def open_ports(text: str) -> Iterator[str]:
    for name, service in services_of(text).items():
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is not on 127.0.0.1"


def soft_services(text: str) -> Iterator[str]:
    for name, service in services_of(text).items():
        wanted = {
            "drops all capabilities": service.get("cap_drop") == ["ALL"],
            "adds none": not service.get("cap_add") and not service.get("privileged"),
            "has no new privileges": "no-new-privileges:true" in service.get("security_opt", []),
            "is read-only": service.get("read_only") is True,
            "limits its logs": "max-size" in service.get("logging", {}).get("options", {}),
            "has a restart policy": service.get("restart") in {"unless-stopped", "on-failure:5"},
            "has limits": {"cpus", "memory", "pids"}
            <= set(service.get("deploy", {}).get("resources", {}).get("limits", {})),
            "does not share the host": "host" not in str(service.get("network_mode")),
        }
        yield from (f"{name}: not so: {what}" for what, so in wanted.items() if not so)


def loose_images(text: str) -> Iterator[str]:
    for name, service in services_of(text).items():
        _, _, tag = service["image"].partition(":")
        ours = tag == "local" and "build" in service
        if not ours and not re.fullmatch(r"\d+\.\d+(\.\d+)?(-\w+(\.\d+)*)?(@sha256:\w{64})?", tag):
            yield f"{name}: {service['image']} is not an exact tag"


CHECKS: list[Callable[[str], Iterator[str]]] = [
    dangling_references,
    conditions_that_never_come,
    undocumented_variables,
    given_away_secrets,
    bad_mounts,
    commands_without_a_file,
    open_ports,
    soft_services,
    loose_images,
]

PASSWORD = "${POSTGRES_PASSWORD:?copy .env.example to .env and set POSTGRES_PASSWORD}"

BROKEN = [
    (dangling_references, "networks: [database, temporal]", "networks: [databse, temporal]"),
    (dangling_references, "  postgresql: {}", "  postgres: {}"),
    (dangling_references, "network_mode: service:sandbox", "network_mode: service:sandbx"),
    (dangling_references, "      schema: {condition", "      schemas: {condition"),
    (dangling_references, "    user: postgres\n", "    user: postgres\n    secrets: [password]\n"),
    (conditions_that_never_come, "    healthcheck:\n      # That it", "    x-check:\n      # That"),
    (
        conditions_that_never_come,
        "schema: {condition: service_completed_successfully}",
        "schema: {condition: service_started}",
    ),
    (conditions_that_never_come, "    profiles: [sandbox]\n    network_mode", "    network_mode"),
    (undocumented_variables, "${TEMPORAL_PORT:-7233}", "${TEMPORAL_PROT:-7233}"),
    (undocumented_variables, "      AWS_SESSION_TOKEN:\n", ""),
    (undocumented_variables, "      SMTP_PASSWORD:\n", "      SMTP_PASSWORD:\n      MY_OWN:\n"),
    (given_away_secrets, PASSWORD, "${POSTGRES_PASSWORD:-temporal}"),
    (given_away_secrets, f"POSTGRES_PWD: {PASSWORD}", "POSTGRES_PWD: temporal"),
    (bad_mounts, "./compose/setup-schema.sh:", "./compose/setup-schemas.sh:"),
    (bad_mounts, "./compose/sandbox:/compose:ro", "./compose/sandbox:/compose"),
    (bad_mounts, "./compose/sandbox:/compose:ro", "~/.aws:/app/.aws:ro"),
    (commands_without_a_file, "command: [/compose/setup-schema.sh]", "command: [/compose/set.sh]"),
    (open_ports, '"127.0.0.1:${TEMPORAL_PORT', '"${TEMPORAL_PORT'),
    (open_ports, '"127.0.0.1:${TEMPORAL_UI_PORT', '"0.0.0.0:${TEMPORAL_UI_PORT'),
    (soft_services, "  cap_drop: [ALL]\n", ""),
    (soft_services, "    user: postgres\n", "    user: postgres\n    cap_add: [CHOWN]\n"),
    (soft_services, '"no-new-privileges:true"', ""),
    (soft_services, "  read_only: true\n", ""),
    (soft_services, "max-size: 10m, ", ""),
    (soft_services, "restart: on-failure:5", "restart: on-failure"),
    (soft_services, "memory: 512M, ", ""),
    (soft_services, "network_mode: service:sandbox", "network_mode: host"),
    (loose_images, "temporalio/ui:2.54.1", "temporalio/ui:latest"),
    (loose_images, "temporalio/server:1.32.0", "temporalio/server"),
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


def test_the_example_holds_no_secret() -> None:
    values = dict(re.findall(r"^(?:# )?(\w+)=(.*)$", EXAMPLE, re.M))
    assert values["POSTGRES_PASSWORD"] == ""
    assert [name for name, value in values.items() if SECRET.search(name) and value] == []


def test_git_ignores_the_settings() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("    ports: [", "    port: [", False),
        ("condition: service_healthy", "condition: service_is_healthy", False),
        ("      start_period: 60s", "      start_periods: 60s", False),
    ],
)
def test_the_schema_of_compose_files(tmp_path: Path, old: str, new: str, good: bool) -> None:
    copy = tmp_path / "docker-compose.yml"
    copy.write_text(TEXT.replace(old, new))
    judged = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", copy)
    assert (judged.returncode == 0) is good, judged.stdout + judged.stderr


def flattened(text: str) -> dict[str, Any]:
    """The file with its anchors resolved and variables put in, which compose-spec wants."""

    def value(match: re.Match[str]) -> str:
        rule = match["rule"] or ""
        return rule.removeprefix(":-") if rule.startswith(":-") else "x"

    compose: dict[str, Any] = yaml.safe_load(VARIABLE.sub(value, text))
    return compose


def judge(compose: dict[str, Any]) -> None:
    PyCompose.from_yaml(yaml.safe_dump(compose)).validate()


def without_retry_counts(compose: dict[str, Any]) -> dict[str, Any]:
    for service in compose["services"].values():
        service["restart"] = service["restart"].split(":")[0]
    return compose


def test_the_compose_spec_package() -> None:
    judge(without_retry_counts(flattened(TEXT)))


def test_the_compose_spec_package_wrongly_rejects_a_retry_count() -> None:
    # `restart: on-failure:5` is valid. When this fails, without_retry_counts() can go.
    with pytest.raises(ValueError, match="on-failure:5"):
        judge(flattened(TEXT))


def test_the_compose_spec_package_catches_an_undefined_network() -> None:
    broken = TEXT.replace("networks: [database, temporal]", "networks: [nowhere, temporal]")
    with pytest.raises(ValueError, match="nowhere"):
        judge(without_retry_counts(flattened(broken)))


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ("", "", True),
        ("      SMTP_PASSWORD:\n", "      SMTP_PASSWORD: written-down\n", False),
        ("    user: postgres\n", "    user: postgres\n    privileged: true\n", False),
        (
            "./compose/sandbox:/compose:ro",
            "/var/run/docker.sock:/var/run/docker.sock",
            False,
        ),
    ],
)
def test_compose_lint_finds_nothing_high(tmp_path: Path, old: str, new: str, good: bool) -> None:
    assert old in TEXT
    copy = tmp_path / "docker-compose.yml"
    copy.write_text(TEXT.replace(old, new))
    judged = run(BIN / "compose-lint", "check", "--fail-on", "high", copy)
    assert (judged.returncode == 0) is good, judged.stdout + judged.stderr


def test_the_images_are_the_versions_that_our_tests_run_on() -> None:
    printed = run(BIN / "temporal", "--version").stdout
    server, ui = re.search(r"Server ([\d.]+), UI ([\d.]+)", printed).groups()  # type: ignore[union-attr] # the test fails if it is None
    images = {service["image"] for service in services_of(TEXT).values()}
    assert {image for image in images if image.startswith("temporalio/")} == {
        f"temporalio/server:{server}",
        f"temporalio/admin-tools:{server}",
        f"temporalio/ui:{ui}",
    }


def test_nothing_but_temporal_and_its_set_up_reaches_the_database() -> None:
    services = services_of(TEXT)
    on_it = {
        name for name, service in services.items() if "database" in service.get("networks", [])
    }
    assert on_it == {"postgresql", "schema", "temporal"}
    assert yaml.safe_load(TEXT)["networks"]["database"] == {"internal": True}
    assert "ports" not in services["postgresql"]
