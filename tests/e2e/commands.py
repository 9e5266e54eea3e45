"""The command line as a process, from its start to its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.scenarios.demo.parts import BIN

PATIENCE = 180.0
"""Seconds that a command gets; a busy machine is no bug."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A command that has ended."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """What it printed on stdout."""
        found: Json = json.loads(self.out)
        return found

    def __str__(self) -> str:
        return f"{' '.join(self.arguments)}: exit {self.code}\n{self.out}\n{self.err}"


class Command:
    """A command that runs, with its output in files."""

    def __init__(self, folder: Path, env: dict[str, str], arguments: tuple[str, ...]) -> None:
        self.arguments = arguments
        stem = folder / f"command-{uuid.uuid4().hex[:8]}"
        self._out, self._err = stem.with_suffix(".out"), stem.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [str(BIN / "lastgood"), *arguments],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        return self._err.read_text(errors="replace")

    def kill(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def wait(self, timeout: float = PATIENCE) -> Run:
        """Its exit code and output; kills it if it does not end."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            text = f"{' '.join(self.arguments)} did not end within {timeout:.0f} s:\n{self.err}"
            raise TimeoutError(text) from None
        return Run(self.arguments, code, self._out.read_text(errors="replace"), self.err)
