"""make and make setup: the newest Python that really runs, and quick when nothing is to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tracked import ROOT

FIND = ROOT / "scripts/find-python"


class Shelf:
    """Folders for a PATH with programs that are called like Pythons."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path: list[str] = []

    def add(self, folder: str, name: str, body: str, *, mode: int = 0o755) -> Path:
        program = self._folder / folder / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(mode)
        if str(program.parent) not in self.path:
            self.path.append(str(program.parent))
        return program

    def find(self, script: Path = FIND) -> "subprocess.CompletedProcess[str]":
        shell = shutil.which("sh") or "/bin/sh"
        return subprocess.run(
            [shell, str(script)],
            env={"PATH": ":".join(self.path)},
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def runs(version: str) -> str:
    return f'[ "$1" = -c ] && echo {version}'


SHIM = "echo 'shim: no version is set' >&2; exit 127"
NO_ENSUREPIP = "echo 'ModuleNotFoundError: ensurepip' >&2; exit 1"


def test_the_newest_wins(shelf: Shelf) -> None:
    for version in ("3.11", "3.13", "3.12"):
        shelf.add("bin", f"python{version}", runs(version))
    done = shelf.find()
    assert (done.returncode, done.stdout.strip()) == (0, f"{shelf.path[0]}/python3.13")


@pytest.mark.parametrize("broken", [SHIM, NO_ENSUREPIP, runs("2.7"), runs("3.14"), "true"])
def test_a_name_that_does_not_run_is_skipped(shelf: Shelf, broken: str) -> None:
    shelf.add("shims", "python3.13", broken)
    shelf.add("shims", "python3.12", broken)
    good = shelf.add("bin", "python3.12", runs("3.12"))
    assert shelf.find().stdout.strip() == str(good)


def test_a_later_folder_has_a_python_that_runs(shelf: Shelf) -> None:
    shelf.add("shims", "python3.13", SHIM)
    good = shelf.add("bin", "python3.13", runs("3.13"))
    shelf.add("bin", "python3.12", runs("3.12"))
    assert shelf.find().stdout.strip() == str(good)


@pytest.mark.parametrize("name", ["python3", "python"])
def test_a_python_without_a_version_in_its_name(shelf: Shelf, name: str) -> None:
    good = shelf.add("bin", name, runs("3.13"))
    shelf.add("bin", "python3.12", runs("3.12"))
    assert shelf.find().stdout.strip() == str(good)


def test_a_folder_with_spaces(shelf: Shelf) -> None:
    good = shelf.add("my tools", "python3.12", runs("3.12"))
    assert shelf.find().stdout.strip() == str(good)


def test_a_file_that_is_no_program(shelf: Shelf) -> None:
    shelf.add("bin", "python3.13", runs("3.13"), mode=0o644)
    done = shelf.find()
    assert (done.returncode, done.stdout) == (1, "")
    assert "Lastgood needs Python 3.13, 3.12 or 3.11" in done.stderr
    assert "make setup PYTHON=" in done.stderr


def test_ones_that_do_not_run_alone_are_an_error(shelf: Shelf) -> None:
    for version in ("3.13", "3.12", "3.11"):
        shelf.add("shims", f"python{version}", SHIM)
    assert shelf.find().returncode == 1


def test_it_asks_for_what_setup_needs(shelf: Shelf, tmp_path: Path) -> None:
    noted = tmp_path / "asked"
    shelf.add("bin", "python3.13", f'printf %s "$2" >"{noted}"; echo 3.13')
    assert shelf.find().returncode == 0
    for module in ("ensurepip", "ssl", "venv"):
        assert module in noted.read_text()


def test_the_real_one(shelf: Shelf) -> None:
    done = subprocess.run(["sh", str(FIND)], capture_output=True, text=True, timeout=60, check=True)
    version = subprocess.run(
        [done.stdout.strip(), "-V"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert version.split()[1].rpartition(".")[0] in ("3.11", "3.12", "3.13")


def test_a_script_that_takes_any_name_would_be_seen(shelf: Shelf, tmp_path: Path) -> None:
    broken = tmp_path / "find"
    text = FIND.read_text()
    asks = '[ "$("$candidate" -c "$probe" 2>/dev/null)" = "$version" ]'
    assert asks in text
    broken.write_text(text.replace(asks, "true"))
    shim = shelf.add("shims", "python3.13", SHIM)
    shelf.add("bin", "python3.12", runs("3.12"))
    assert shelf.find(broken).stdout.strip() == str(shim)


# --- make --------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of set-up, with an environment whose Python notes how it is called."""
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    (folder / "scripts").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("setup", "find-python"):
        shutil.copy(ROOT / "scripts" / name, folder / "scripts" / name)
    program = folder / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$*" >>"{tmp_path}/calls"\n')
    program.chmod(0o755)
    (tmp_path / "calls").write_text("")
    return folder


def make(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "-C", str(checkout), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=kept,
    )


def called(checkout: Path) -> list[str]:
    return (checkout.parent / "calls").read_text().splitlines()


def test_make_alone_lists_what_there_is(checkout: Path) -> None:
    done = make(checkout)
    assert done.returncode == 0
    for target in ("setup", "demo", "test", "check", "e2e", "bench"):
        assert f"make {target} " in done.stdout
    assert called(checkout) == []


def test_setup_installs_once_from_hashes(checkout: Path) -> None:
    fake = checkout / ".venv/bin/python"
    done = make(checkout, "setup", f"PYTHON={fake}")
    assert done.returncode == 0, done.stderr
    pip = [call for call in called(checkout) if "pip" in call and "install" in call]
    assert len(pip) == 2
    assert "--require-hashes" in pip[0]
    assert "requirements/dev.txt" in pip[0]
    assert "--no-deps" in pip[1]
    (checkout.parent / "calls").write_text("")
    again = make(checkout, "setup", f"PYTHON={fake}")
    assert again.returncode == 0
    assert called(checkout) == []  # nothing to do: neither pip nor Python


@pytest.mark.parametrize("changed", ["requirements/dev.txt", "pyproject.toml"])
def test_setup_installs_again_when_requirements_changed(checkout: Path, changed: str) -> None:
    stamp = checkout / ".venv/.set-up"
    stamp.touch()
    os.utime(checkout / changed, (stamp.stat().st_mtime + 10,) * 2)
    make(checkout, "setup", f"PYTHON={checkout / '.venv/bin/python'}")
    assert any("install" in call for call in called(checkout))


def test_an_install_that_failed_is_not_set_up(checkout: Path) -> None:
    fake = checkout / ".venv/bin/python"
    fake.write_text('#!/bin/sh\ncase "$*" in *install*) exit 1 ;; esac\n')
    assert make(checkout, "setup", f"PYTHON={fake}").returncode != 0
    assert not (checkout / ".venv/.set-up").exists()
