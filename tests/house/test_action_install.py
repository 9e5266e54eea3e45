"""scripts/github/install.sh, the action's first step: with a Python that only notes its calls.

For real it runs in the campaign, as it downloads all that the command line needs.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tracked import ROOT

FAKE = r"""#!/bin/sh
echo "$0 $*" >>"$LOG"
case "$*" in
"--version") echo Python 3.13.0 ;;
*"-m venv"*) for folder; do :; done; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python" ;;
*"-m hatchling"*) for folder; do :; done; mkdir -p "$folder"; : >"$folder/lastgood-1.0.whl" ;;
*"--no-deps"*) printf '#!/bin/sh\necho lastgood 1.0\n' >"$(dirname "$0")/../../bin/lastgood"
    chmod +x "$(dirname "$0")/../../bin/lastgood" ;;
esac
case "$*" in *"$FAILS"*) [ -z "$FAILS" ] || exit 1 ;; esac
"""


class Job:
    def __init__(self, folder: Path) -> None:
        self.temp = folder / "temp"
        self.temp.mkdir()
        self._out, self._log = folder / "out", folder / "log"
        self._python = folder / "python3.13"
        self._python.write_text(FAKE)
        self._python.chmod(0o755)

    def install(self, **more: str) -> "subprocess.CompletedProcess[str]":
        self._out.write_text("")
        self._log.write_text("")
        env = {
            "PATH": os.environ["PATH"],
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(self._out),
            "RUNNER_TEMP": str(self.temp),
            "RUNNER_OS": "Linux",
            "INPUT_PYTHON": str(self._python),
            "INPUT_REPORT": "false",
            "LOG": str(self._log),
            "FAILS": "",
        }
        return subprocess.run(
            ["bash", ROOT / "scripts/github/install.sh"],
            env=env | more,
            capture_output=True,
            text=True,
            timeout=1200,  # a busy machine is no bug
        )

    @property
    def installs(self) -> list[str]:
        calls = self._log.read_text().splitlines()
        return [call for call in calls if " install " in call]

    @property
    def command(self) -> Path:
        found = re.fullmatch(r"command=(.+)\n", self._out.read_text())
        assert found
        return Path(found[1])


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_all_is_checked_against_hashes_and_only_our_own_wheel_has_none(job: Job) -> None:
    done = job.install()
    assert done.returncode == 0, done.stderr
    assert job.command.is_relative_to(job.temp)
    build, run, ours = job.installs
    assert build.endswith(f"-r {ROOT}/requirements/build.txt")
    assert run.endswith(f"-r {ROOT}/requirements/run.txt")
    assert ours.endswith(".whl")
    assert "--no-deps" in ours
    script = (ROOT / "scripts/github/install.sh").read_text()
    assert re.search(r"^export .*PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1$", script, re.M)
    assert script.count("PIP_REQUIRE_HASHES=0") == 1
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("::group::Install Lastgood with Python 3.13.0", "::endgroup::")


def test_with_reports_it_has_what_draws_them(job: Job) -> None:
    assert job.install(INPUT_REPORT="true").returncode == 0
    assert job.installs[1].endswith("requirements/plots.txt")


def test_a_second_use_in_a_job_installs_nothing(job: Job) -> None:
    job.install()
    first = job.command
    again = job.install()
    assert (again.returncode, again.stdout) == (0, "Lastgood is installed already.\n")
    assert job.installs == []
    assert job.command == first


@pytest.mark.parametrize("fails", ["build.txt", "run.txt", "hatchling", "--no-deps"])
def test_what_failed_is_not_installed(job: Job, fails: str) -> None:
    assert job.install(FAILS=fails).returncode != 0
    assert list(job.temp.glob("*/installed-*")) == []
    assert job.install().returncode == 0
    assert len(job.installs) == 3


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"RUNNER_OS": "Windows"}, "Use a Linux or macOS runner"),
        ({"INPUT_PYTHON": ""}, "add a step with actions/setup-python"),
    ],
)
def test_what_cannot_work_is_said(
    job: Job, tmp_path: Path, more: dict[str, str], says: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "cksum", "cut"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    done = job.install(PATH=str(tools), **more)
    assert done.returncode == 1
    assert "::error title=Lastgood could not be installed::" in done.stdout
    assert says in done.stdout


@pytest.mark.campaign
@pytest.mark.parametrize("report", ["false", "true"])
def test_it_installs_for_real(job: Job, report: str) -> None:
    settings = {name: v for name, v in os.environ.items() if name.startswith(("PIP_", "HOME"))}
    done = job.install(INPUT_PYTHON="", INPUT_REPORT=report, **settings)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run([job.command, "deploy", "--help"], capture_output=True, check=True)
    assert b"--image" in shown.stdout
