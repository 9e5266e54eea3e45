"""As GitHub's runner runs a composite action: its `run:` steps, with files, outputs and signals.

After actions/runner: `ScriptHandler`, `ActionCommand`, `FileCommandManager`, `ProcessInvoker`.
Steps with `uses:` are not run, but told.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SIGINT_LASTS, SIGTERM_LASTS = 7.5, 2.5
"""Seconds that a cancelled step has after each, before it is killed."""
COMMANDS = {
    *("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group"),
    *("notice", "remove-matcher", "save-state", "set-env", "set-output", "stop-commands"),
    "warning",
}
Words = Mapping[str, str]


@dataclass(frozen=True)
class Command:
    """A line that the runner takes for a command."""

    name: str
    properties: dict[str, str]
    data: str


def parse(line: str) -> Command | None:
    """What the runner makes of a line; None: it is shown as it is."""
    newer = re.match(r"\s*::(\S+?)( .*?)?::(.*)", line)
    older = re.search(r"##\[([^ \]]+)( [^\]]*)?\](.*)", line)
    for found, between in ((newer, ","), (older, ";")):
        if found and found[1].lower() in COMMANDS:
            pairs = (one.partition("=") for one in (found[2] or "").strip().split(between))
            properties = {name: _unescaped(value) for name, _, value in pairs if value}
            return Command(found[1].lower(), properties, _unescaped(found[3]))
    return None


def _unescaped(text: str) -> str:
    for token, escaped in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(escaped, token)
    return text


def outputs(text: str) -> dict[str, str]:
    """The file of GITHUB_OUTPUT, read as the runner does."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found[line[:equals]] = line[equals + 1 :]
            continue
        assert heredoc > 0, f"Invalid format {line!r}"
        ends, value = line[heredoc + 2 :], []
        for one in lines:
            if one == ends:
                break
            value.append(one)
        else:
            raise AssertionError(f"Matching delimiter not found {ends!r}")
        found[line[:heredoc]] = "\n".join(value)
    return found


@dataclass
class Step:
    """One step that was run."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str

    @property
    def commands(self) -> list[Command]:
        """Everything in its log that the runner takes for a command."""
        return [one for line in self.log.splitlines() if (one := parse(line))]

    def annotations(self, *levels: str) -> list[tuple[str, str]]:
        """Title and text of each."""
        wanted = [one for one in self.commands if one.name in levels]
        return [(one.properties.get("title", ""), one.data) for one in wanted]


@dataclass
class Ended:
    """An action that was run."""

    steps: dict[str, Step]
    outputs: dict[str, str]
    used: list[str] = field(default_factory=list)
    """The actions that would have been used after them."""
    cancelled: bool = False

    @property
    def code(self) -> int:
        """0, or the exit code of the step that failed."""
        return next((one.code for one in self.steps.values() if one.code), 0)

    def __getitem__(self, step: str) -> Step:
        return self.steps[step]


class Runner:
    """Runs an action in a folder of its own."""

    def __init__(self, action: Path, folder: Path, env: Words) -> None:
        self._action, self._folder = action, folder
        self._what: dict[str, Any] = yaml.safe_load((action / "action.yml").read_text())
        self.temp, self.workspace = folder / "temp", folder / "workspace"
        for one in (self.temp, self.workspace):
            one.mkdir(parents=True, exist_ok=True)
        self._env = {**env, "GITHUB_ACTIONS": "true", "CI": "true", "RUNNER_OS": "Linux"}
        self._count = 0
        self._running: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"
        """Of the step that runs."""
        self._cancelled = False

    def run(self, **given: str) -> Ended:
        """Run it with some inputs, their names with `_` for `-`."""
        inputs = {name: one.get("default", "") for name, one in self._what["inputs"].items()}
        named = {name.replace("_", "-"): value for name, value in given.items()}
        assert set(named) <= set(inputs), "Unexpected input(s)"
        contexts: dict[str, Any] = {"inputs": inputs | named, "steps": {}}
        contexts["runner"] = {"temp": str(self.temp)}
        ended = Ended({}, {})
        for step in self._what["runs"]["steps"]:
            always = "always()" in step.get("if", "")
            if (ended.code or self._cancelled) and not always:
                continue
            if "if" in step and not _holds(step["if"], contexts):
                continue
            if "uses" in step:
                ended.used.append(step["uses"])
                continue
            ran = ended.steps[step["id"]] = self._run(step, contexts)
            contexts["steps"][step["id"]] = {"outputs": ran.outputs}
        for name, one in self._what["outputs"].items():
            ended.outputs[name] = _filled(one["value"], contexts)
        ended.cancelled = self._cancelled
        return ended

    def cancel(self) -> None:
        """As when somebody cancels the run; only the process that was started gets signals."""
        process = self._running
        assert process, "nothing runs"
        self._cancelled = True
        for number, lasts in ((signal.SIGINT, SIGINT_LASTS), (signal.SIGTERM, SIGTERM_LASTS)):
            process.send_signal(number)
            deadline = time.monotonic() + lasts
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    return
                time.sleep(0.05)
        process.kill()

    def _run(self, step: dict[str, Any], contexts: dict[str, Any]) -> Step:
        self._count += 1
        files = {
            name: self._folder / f"{name}-{self._count}"
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
        }
        for one in files.values():
            one.touch()
        script = self._folder / f"script-{self._count}.sh"
        script.write_text(_filled(step["run"], contexts))
        assert step["shell"] == "bash"
        env = {
            **self._env,
            **{name: _filled(value, contexts) for name, value in step.get("env", {}).items()},
            **{name: str(one) for name, one in files.items()},
            "GITHUB_ACTION_PATH": str(self._action),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
        }
        with self.log.open("wb") as log:
            self._running = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
                cwd=self.workspace,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            code = self._running.wait()
        return Step(
            code=code,
            log=self.log.read_text(),
            outputs=outputs(files["GITHUB_OUTPUT"].read_text()),
            summary=files["GITHUB_STEP_SUMMARY"].read_text(),
        )


def _filled(text: str, contexts: Any) -> str:
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: _value(found[1], contexts), str(text))


def _value(path: str, contexts: Any) -> str:
    found = contexts
    for part in path.split("."):
        found = found.get(part, {})
    return found if isinstance(found, str) else ""


def _holds(condition: str, contexts: Any) -> bool:
    inner = condition.strip().removeprefix("${{").removesuffix("}}")
    for part in inner.split("&&"):
        left, _, right = (one.strip() for one in part.partition("=="))
        if left != "always()" and _value(left, contexts) != right.strip("'"):
            return False
    return True
