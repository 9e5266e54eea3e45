"""What a shell completes: asked as a shell asks, of the installed command line."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv/bin"
SHELLS = ("bash", "zsh", "fish")


def asked(folder: Path, *words: str) -> list[str]:
    """What bash would offer for the last of these words."""
    environment = {
        **os.environ,
        "_LASTGOOD_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("lastgood", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [BIN / "lastgood"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web.yaml").write_text("service: shop/web\nregion: eu-west-1\n")
    (tmp_path / "all.yml").write_text("group: shop\nservices:\n  - service: shop/api\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: web}}\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    return tmp_path


def test_verbs_options_files_and_services(folder: Path) -> None:
    assert asked(folder, "stat") == ["plain,status"]
    assert "plain,--policy" in asked(folder, "deploy", "--")
    assert asked(folder, "deploy", "--policy", "w") == ["file,w"]
    assert asked(folder, "status", "") == ["plain,shop/api", "plain,shop/web"]
    assert asked(folder, "hold", "shop/w") == ["plain,shop/web"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "lastgood", "completion", shell], capture_output=True, text=True, check=True
    )
    assert "_LASTGOOD_COMPLETE" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine: installing it removes this")
    script = tmp_path / "script"
    script.write_text(done.stdout)
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    read = subprocess.run([shell, *quiet, "-n", script], capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")


def test_a_real_bash_completes_after_the_line_of_the_help(folder: Path) -> None:
    line = (
        'eval "$(lastgood completion bash)"; COMP_WORDS=(lastgood status shop/w); COMP_CWORD=2; '
        '_lastgood_completion lastgood shop/w status; echo "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", line], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["shop/web"], done


def test_an_unknown_shell_is_wrong_usage() -> None:
    done = subprocess.run([BIN / "lastgood", "completion", "tcsh"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
