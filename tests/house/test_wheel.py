"""The wheel: lastgood alone, which installs and runs without the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.house.tracked import ROOT, tracked

_BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # No build isolation and no network: hatchling is here already.
    built = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return folder / built.stdout.strip().splitlines()[-1]


def not_ours(names: list[str]) -> list[str]:
    """What would land in somebody's site-packages beside lastgood."""
    return [name for name in names if not name.startswith(("lastgood/", "lastgood-"))]


def test_it_holds_lastgood_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert not_ours(names) == []
    packed = {name for name in names if name.startswith("lastgood/")}
    assert packed == set(tracked("lastgood/*"))
    assert "lastgood/py.typed" in packed
    assert not_ours(["workflows/__init__.py", "worker.py", "lastgood/cli/main.py"]) == [
        "workflows/__init__.py",
        "worker.py",
    ]


def test_its_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Name"] == "lastgood"
    assert metadata["Requires-Python"] == ">=3.11"
    needed = [one for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one]
    assert not [one for one in needed if one.startswith(("moto", "pytest", "flask"))]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel, and borrows its dependencies."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    subprocess.run(
        [
            *(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-index", "--disable-pip-version-check", str(wheel)),
        ],
        check=True,
        timeout=120,
    )
    return folder / "bin"


def run(installed: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(installed),
        "PYTHONPATH": sysconfig.get_paths()["purelib"],
    }
    return subprocess.run(
        [str(installed / command[0]), *command[1:]],
        cwd=installed,  # not the checkout
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_is_imported_from_where_it_was_installed(installed: Path) -> None:
    code = "import lastgood, lastgood.cli.main; print(lastgood.__file__)"
    done = run(installed, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


def test_its_command_runs(installed: Path) -> None:
    done = run(installed, "lastgood", "--help")
    assert done.returncode == 0, done.stderr
    assert "deploy" in done.stdout


def test_it_can_write_the_page_of_a_report(installed: Path) -> None:
    code = (
        "from lastgood.report import page; from lastgood.report.parts import Page;"
        "from lastgood.model import ReleaseResult; from lastgood.report.telling import of_result;"
        "said = dict(release='1', workflow_id='w', run_id='', service='a/b', reason='Good.');"
        "part = of_result('a/b', ReleaseResult(outcome='healthy', **said), '');"
        "print(page.html(Page(title=part.title, lead=part), plots=False))"
    )
    done = run(installed, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert "a/b: release 1 is healthy" in done.stdout
    assert "prefers-color-scheme: dark" in done.stdout


def test_generic_names_stay_out_of_site_packages(installed: Path) -> None:
    code = (
        "import importlib.util as u, pathlib, sys; import lastgood;"
        "here = pathlib.Path(lastgood.__file__).parents[1];"
        "print(sorted(p.name for p in here.iterdir() if not p.name.startswith(('pip', '_'))))"
    )
    names = run(installed, "python", "-c", code).stdout
    assert "workflows" not in names
    assert "activities" not in names
    assert "'lastgood'" in names
