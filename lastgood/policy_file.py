"""Reads a policy file, and says everything that is wrong with it at once.

Each problem is one line: file, line, dotted key, what is wrong and what to write instead::

    lastgood.yaml:12: triggers.1.treshold: unknown key; did you mean threshold?

``strict_yaml`` judges how it is written, ``policy`` what it means, ``policy_problems`` puts the
latter into words, ``policy_messages`` tries its templates out. A value that may be a secret is
never repeated.
"""

from __future__ import annotations

import functools
import os
import zoneinfo
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from lastgood import policy_messages, policy_problems, strict_yaml
from lastgood.errors import PolicyError
from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy

DEFAULT_NAME = "lastgood.yaml"
_MOST = 100
"""Problems that are said one by one; whoever has more will begin with these."""


class Problem(NamedTuple):
    """One thing wrong with a policy file."""

    line: int | None
    """None where it concerns the file as a whole."""
    key: str
    """Dotted, such as ``triggers.1.threshold``; empty where it concerns no key."""
    message: str

    def sentence(self, name: str) -> str:
        """The problem on one line, as a compiler would say it."""
        place = name if self.line is None else f"{name}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class Checked(NamedTuple):
    """A policy of one service or of a group, or else its problems in the order of their lines."""

    policy: Policy | GroupPolicy | None
    problems: tuple[Problem, ...]


def load(path: str | os.PathLike[str]) -> Policy:
    """Read the policy file of one service.

    Raises:
        PolicyError: with every problem, one on each line.
    """
    return _of_one_service(load_any(path), os.fspath(path))


def load_any(path: str | os.PathLike[str]) -> Policy | GroupPolicy:
    """Read a policy file, of one service or of a group.

    Raises:
        PolicyError: with every problem, one on each line.
    """
    return _policy_of(check(path), os.fspath(path))


def parse(text: str, name: str = DEFAULT_NAME) -> Policy:
    """Read the policy of one service from text; ``name`` stands for the file in messages.

    Raises:
        PolicyError: with every problem, one on each line.
    """
    return _of_one_service(_policy_of(check_text(text), name), name)


def parse_any(text: str, name: str = DEFAULT_NAME) -> Policy | GroupPolicy:
    """Read a policy from text, of one service or of a group.

    Raises:
        PolicyError: with every problem, one on each line.
    """
    return _policy_of(check_text(text), name)


def check(path: str | os.PathLike[str]) -> Checked:
    """Read a policy file, and say what is wrong with it. Raises nothing."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(strict_yaml.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no usable file name"
        return _wrong(None, f"cannot be read: {reason}")
    if len(content) > strict_yaml.MAX_BYTES:
        return _wrong(None, strict_yaml.TOO_LARGE)
    try:
        return check_text(content.decode("utf-8"), Path(path).parent)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _wrong(line, "not UTF-8: save the file in that encoding")


def check_text(text: str, folder: Path | None = None) -> Checked:
    """Read a policy from text, and say what is wrong with it. Raises nothing.

    ``folder``: where the files are that it names; None: nowhere.
    """
    document = strict_yaml.read(text)
    found = list(document.faults)
    policy = None
    if document.complete:
        policy, more = _validate(document, folder)
        found += more
    problems = [
        Problem(fault.line, policy_problems.dotted(fault.path), fault.message)
        for fault in sorted(found[:_MOST], key=lambda fault: fault.line or 0)
    ]
    if len(found) > _MOST:
        problems.append(Problem(None, "", f"and {len(found) - _MOST} more problems"))
    return Checked(None if problems else policy, tuple(problems))


def _validate(
    document: strict_yaml.Document, folder: Path | None
) -> tuple[Policy | GroupPolicy | None, list[strict_yaml.Fault]]:
    data: Any = document.data
    if data is None:
        text = "the file is empty: `lastgood policy init` writes a first one"
        return None, [strict_yaml.Fault(None, (), text)]
    if not isinstance(data, dict):
        if data is strict_yaml.BROKEN:
            return None, []
        text = "must be a mapping: begin with service: CLUSTER/SERVICE"
        return None, [strict_yaml.Fault(document.line(()), (), text)]
    file = _kind_of(data)
    faults, names = policy_messages.read_files(document, folder)
    try:
        policy = file.model_validate(
            data, strict=True, by_alias=True, by_name=False, context={"zones": _zones}
        )
        return policy, [*faults, *policy_messages.wrong_in(policy, document, names)]
    except ValidationError as error:
        broken = {fault.path for fault in document.faults}
        return None, faults + [
            strict_yaml.Fault(document.line(path), path, message)
            for path, message in policy_problems.translate(error, file)
            if path not in broken
        ]


def _kind_of(data: dict[str, Any]) -> type[Policy] | type[GroupPolicy]:
    group = "service" not in data and ("group" in data or "services" in data)
    return GroupPolicy if group else Policy


@functools.cache
def _zones() -> frozenset[str]:
    """The time zones that this machine, or the package tzdata, knows; reads many files."""
    return frozenset(zoneinfo.available_timezones())


def _policy_of(checked: Checked, name: str) -> Policy | GroupPolicy:
    if checked.policy is None:
        raise PolicyError("\n".join(problem.sentence(name) for problem in checked.problems))
    return checked.policy


def _of_one_service(policy: Policy | GroupPolicy, name: str) -> Policy:
    if isinstance(policy, Policy):
        return policy
    raise PolicyError(
        f"{name}: group: this is about the group {policy.group}: `lastgood deploy` and `lastgood "
        "policy check` take it; all else is about one service, and needs a file of that service"
    )


def _wrong(line: int | None, message: str) -> Checked:
    return Checked(None, (Problem(line, "", message),))
