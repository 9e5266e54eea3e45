"""The scripts in compose/: their syntax, shellcheck, and dry runs with stubs in place of the tools.

create-namespace.sh also runs for real, against Temporal's dev server. setup-schema.sh cannot here:
temporal-sql-tool comes only in the image.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lastgood.messages import SEARCH_ATTRIBUTES
from lastgood.policy import Policy
from sandbox.scenarios.demo.parts import search_attributes

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "compose"
SCRIPTS = sorted(COMPOSE.glob("*.sh"))

SQL = {"SQL_HOST": "db", "SQL_PORT": "5432", "SQL_USER": "temporal", "SQL_PASSWORD": "hush"}
NAMESPACE = {"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_NAMESPACE": "one", "RETENTION": "30d"}

DOCKER = r"""
case "$*" in
"compose --env-file /dev/null config --quiet") exit 1 ;;
"compose --profile sandbox ps --all --quiet "*) echo 0123456789ab ;;
*RestartCount*) wc -l <"$LOG" ;; # another one each time
*State.Pid*) echo 4242 ;;
*State.ExitCode*) echo 0 ;;
*State.Health*) echo healthy ;;
"ps --filter "*) echo "8080/tcp, 127.0.0.1:7233->7233/tcp" ;;
*task-queue*) echo '{"pollers": [{"identity": "1@worker"}]}' ;;
*"workflow list"*) echo "Running service/us-east-1/shop/web ServiceGuard" ;;
esac
"""


class Stubs:
    """A folder for the PATH whose programs write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"
        for name in ("nc", "temporal", "temporal-sql-tool", "sudo", "sleep"):
            self.add(name, "")
        self.add("docker", DOCKER)

    def add(self, name: str, body: str) -> None:
        stub = self._folder / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{body}\n')
        stub.chmod(0o755)

    def run(
        self, script: str, *arguments: str, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        self._log.write_text("")
        path = f"{self._folder}:/usr/bin:/bin"
        return subprocess.run(
            ["sh", "-u", COMPOSE / script, *arguments],
            env={"PATH": path, "LOG": str(self._log), **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self, name: str) -> list[str]:
        lines = self._log.read_text().splitlines()
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def stubs(tmp_path: Path) -> Stubs:
    return Stubs(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_syntax(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    subprocess.run([BIN / "shellcheck", "--shell=sh", script], check=True)


@pytest.mark.parametrize("fault", ["if true; then", 'echo "$unset_by_a_typo"'])
def test_syntax_checks_catch_a_broken_copy(tmp_path: Path, fault: str) -> None:
    copy = tmp_path / "broken.sh"
    copy.write_text(f"{SCRIPTS[0].read_text()}\n{fault}\n")
    judged = subprocess.run([BIN / "shellcheck", "--shell=sh", copy], check=False)
    assert judged.returncode != 0


def test_schema_set_up_makes_both_databases_in_order(stubs: Stubs) -> None:
    assert stubs.run("setup-schema.sh", **SQL).returncode == 0
    server = "--plugin postgres12 --ep db -p 5432 -u temporal --db"
    folder = "/etc/temporal/schema/postgresql/v12"
    assert stubs.calls("temporal-sql-tool") == [
        f"{server} temporal create",
        f"{server} temporal setup-schema -v 0.0",
        f"{server} temporal update-schema -d {folder}/temporal/versioned",
        f"{server} temporal_visibility create",
        f"{server} temporal_visibility setup-schema -v 0.0",
        f"{server} temporal_visibility update-schema -d {folder}/visibility/versioned",
    ]


def test_schema_set_up_keeps_the_password_out_of_its_commands_and_output(stubs: Stubs) -> None:
    ran = stubs.run("setup-schema.sh", **SQL)
    assert "hush" not in ran.stdout + ran.stderr + str(stubs.calls("temporal-sql-tool"))


def test_schema_set_up_fails_with_the_tool(stubs: Stubs) -> None:
    stubs.add("temporal-sql-tool", 'case "$*" in *temporal_visibility*) exit 1 ;; esac')
    ran = stubs.run("setup-schema.sh", **SQL)
    assert ran.returncode == 1
    assert "up to date" not in ran.stdout


def test_schema_set_up_gives_up_on_a_database_that_does_not_answer(stubs: Stubs) -> None:
    stubs.add("nc", "exit 1")
    ran = stubs.run("setup-schema.sh", **SQL)
    assert ran.returncode == 1
    assert "PostgreSQL does not answer at db:5432" in ran.stderr
    assert len(stubs.calls("nc")) == 30
    assert stubs.calls("temporal-sql-tool") == []


@pytest.mark.parametrize(
    ("script", "settings"), [("setup-schema.sh", SQL), ("create-namespace.sh", NAMESPACE)]
)
def test_a_missing_setting_is_named(stubs: Stubs, script: str, settings: dict[str, str]) -> None:
    for missing in settings:
        ran = stubs.run(script, **{**settings, missing: ""})
        assert ran.returncode != 0
        assert missing in ran.stderr


def test_a_new_namespace_is_created(stubs: Stubs) -> None:
    stubs.add("temporal", 'case "$*" in *describe*) exit 1 ;; esac')
    assert stubs.run("create-namespace.sh", **NAMESPACE).returncode == 0
    *made, attributes = stubs.calls("temporal")
    assert attributes.startswith("operator search-attribute create --namespace one --name Lastgood")
    assert made == [
        "operator cluster health",
        "operator namespace describe --namespace one",
        "operator namespace create --namespace one --retention 30d",
        "workflow list --limit 1",
    ]


def test_a_namespace_that_is_there_gets_the_retention(stubs: Stubs) -> None:
    assert stubs.run("create-namespace.sh", **NAMESPACE).returncode == 0
    assert "operator namespace update --namespace one --retention 30d" in stubs.calls("temporal")


def test_a_dry_run_catches_a_misspelt_setting(stubs: Stubs, tmp_path: Path) -> None:
    # shellcheck takes any name in capitals for a variable of the environment.
    copy = tmp_path / "copy.sh"
    copy.write_text(
        (COMPOSE / "create-namespace.sh").read_text().replace("$RETENTION", "$RETENTON")
    )
    ran = stubs.run(str(copy), **NAMESPACE)
    assert ran.returncode != 0
    assert "RETENTON" in ran.stderr


def test_namespace_creation_waits_for_the_server_and_gives_up(stubs: Stubs) -> None:
    stubs.add("temporal", "exit 1")
    ran = stubs.run("create-namespace.sh", **NAMESPACE)
    assert ran.returncode == 1
    assert "Temporal serves at temporal:7233: still not so" in ran.stderr
    assert stubs.calls("temporal") == ["operator cluster health"] * 30


@pytest.fixture(scope="module")
def dev_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [BIN / "temporal", "server", "start-dev", "--headless", "--port", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(30)


def test_namespace_creation_on_a_real_server(dev_server: str) -> None:
    settings = {"TEMPORAL_ADDRESS": dev_server, "TEMPORAL_NAMESPACE": "lastgood-sandbox"}
    path = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    for retention, hours in (("30d", "720h"), ("2d", "48h")):  # again: it is there already
        subprocess.run(
            ["sh", COMPOSE / "create-namespace.sh"],
            env={**path, **settings, "RETENTION": retention},
            timeout=90,
            check=True,
        )
        told = subprocess.check_output(
            [BIN / "temporal", "operator", "namespace", "describe", "--output", "json"],
            env={**path, **settings},
            text=True,
        )
        seconds = int(hours.removesuffix("h")) * 3600
        assert f'"workflowExecutionRetentionTtl": "{seconds}s"' in told
        listed = subprocess.check_output(
            [BIN / "temporal", "operator", "search-attribute", "list", "--output", "json"],
            env={**path, **settings},
            text=True,
        )
        assert all(name in listed for name in SEARCH_ATTRIBUTES)


def test_what_releases_are_found_by_is_written_the_same_everywhere() -> None:
    script = (COMPOSE / "create-namespace.sh").read_text()
    for name in SEARCH_ATTRIBUTES:
        assert f"--name {name} --type Keyword" in script
    assert [one for one in search_attributes() if one != "--search-attribute"] == [
        f"{name}=Keyword" for name in SEARCH_ATTRIBUTES
    ]


def test_a_server_that_refuses_search_attributes_hinders_nothing(stubs: Stubs) -> None:
    stubs.add("temporal", 'case "$*" in *search-attribute*) exit 1 ;; esac')
    ran = stubs.run("create-namespace.sh", **NAMESPACE)
    assert ran.returncode == 0
    assert "docs/temporal-ui.md" in ran.stderr


@pytest.mark.parametrize("step", ["start", "check", "release", "kill", "stop"])
def test_dry_run_of_each_step(stubs: Stubs, step: str) -> None:
    ran = stubs.run("try.sh", step)
    assert ran.returncode == 0, ran.stderr


def test_kill_hits_processes_and_compares_what_ecs_runs(stubs: Stubs) -> None:
    stubs.run("try.sh", "kill")
    assert stubs.calls("sudo") == ["kill -9 4242"] * 4
    docker = stubs.calls("docker")
    assert sum("releases.py release shop:" in call for call in docker) == 4
    assert sum("releases.py serves shop:2" in call for call in docker) == 4
    assert any(call.endswith(" down") for call in docker)


@pytest.mark.parametrize(
    ("step", "answer", "complaint"),
    [
        ("start", '"compose --env-file /dev/null"*) exit 0 ;;', "without a password"),
        ("check", '"ps --filter "*) echo "0.0.0.0:7233->7233/tcp" ;;', "beyond loopback"),
        ("check", "*State.ExitCode*) echo 1 ;;", "schema ended with 1"),
        ("check", "*State.Health*) echo unhealthy ;;", "postgresql is unhealthy"),
        ("check", "*task-queue*) echo '{\"pollers\": null}' ;;", "no worker polls"),
        ("release", "*releases.py*10*) exit 1 ;;", ""),
        ("kill", "*RestartCount*) echo 0 ;;", "was not started again"),
        ("kill", "*releases.py*release*) exit 1 ;;", "did not survive the loss of"),
        ("kill", '*"workflow list"*) ;;', "memory is gone"),
        ("stop", '"ps --all "*) echo leftover ;;', "left behind: leftover"),
        ("nonsense", "nothing) ;;", "say start, check"),
    ],
)
def test_each_step_fails_when_it_should(
    stubs: Stubs, step: str, answer: str, complaint: str
) -> None:
    stubs.add("docker", DOCKER.replace('case "$*" in\n', f'case "$*" in\n{answer}\n'))
    ran = stubs.run("try.sh", step)
    assert ran.returncode != 0
    assert complaint in ran.stderr


def test_the_policy_of_the_trial_releases_is_valid() -> None:
    policy = Policy.model_validate(yaml.safe_load((COMPOSE / "sandbox/lastgood.yaml").read_text()))
    assert policy.service == "shop/web"


def test_the_dynamic_config_is_a_list_of_values_for_each_key() -> None:
    for file in (COMPOSE / "dynamicconfig").iterdir():
        for key, values in yaml.safe_load(file.read_text()).items():
            assert "." in key
            assert [set(value) for value in values] == [{"value"}]
