"""Who asks, from where, and by which id: read from the CI system's environment."""

from __future__ import annotations

import getpass
import hashlib
import re
import secrets
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

from lastgood.errors import UsageError

_ACTORS = (
    ("GITHUB_ACTIONS", "GITHUB_ACTOR", "GitHub Actions"),
    ("GITLAB_CI", "GITLAB_USER_LOGIN", "GitLab CI"),
    ("BUILDKITE", "BUILDKITE_BUILD_CREATOR", "Buildkite"),
    ("CIRCLECI", "CIRCLE_USERNAME", "CircleCI"),
    ("JENKINS_URL", "BUILD_USER_ID", "Jenkins"),
)
"""The variable that tells the CI system, the one that tells the person, and its name."""

_URLS = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_ATTEMPTS = 5
"""So many earlier attempts of a run are looked for."""


def actor(environment: Mapping[str, str]) -> str:
    """Who asks: ``octocat (GitHub Actions)``, or ``user@host``."""
    for mark, person, name in _ACTORS:
        if environment.get(mark):
            who = environment.get(person)
            return f"{who} ({name})" if who else name
    return f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container whose user has no name


def ci_url(environment: Mapping[str, str]) -> str | None:
    """Where the job that asks can be read."""
    parts = [environment.get(f"GITHUB_{part}") for part in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if all(parts):
        return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}"
    return next((environment[name] for name in _URLS if environment.get(name)), None)


def release_id(given: str | None, what: str, environment: Mapping[str, str]) -> str:
    """The release's id: the one given, or the same one each time within a GitHub job, or new.

    Raises:
        UsageError: if the given id cannot be used.
    """
    if given is not None:
        if not _ID.fullmatch(given):
            raise UsageError(
                "--release: letters, digits, dots, underscores and hyphens only, at most 64"
            )
        return given
    run, attempt = environment.get("GITHUB_RUN_ID"), environment.get("GITHUB_RUN_ATTEMPT", "1")
    if environment.get("GITHUB_ACTIONS") and run:
        return f"gh-{run}-{attempt}-{_short(what)}"[:64]
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def earlier_ids(ident: str, environment: Mapping[str, str]) -> list[str]:
    """What earlier attempts of this GitHub run called the same release; the newest first.

    Args:
        ident: what this attempt calls it: made by ``release_id``, not given by a person.
        environment: the job's.
    """
    run, attempt = environment.get("GITHUB_RUN_ID"), environment.get("GITHUB_RUN_ATTEMPT", "1")
    begin = f"gh-{run}-{attempt}-"
    if not ident.startswith(begin) or not attempt.isdecimal():
        return []
    before = range(int(attempt) - 1, max(0, int(attempt) - 1 - _MOST_ATTEMPTS), -1)
    return [f"gh-{run}-{one}-{ident.removeprefix(begin)}" for one in before]


def _short(what: str) -> str:
    """The tag or revision, and enough of a hash to tell it from all else."""
    digest = hashlib.sha256(what.encode()).hexdigest()[:8]
    tag = what.rsplit("/", 1)[-1].partition("@")[0].partition(":")[2]
    tag = re.sub(r"[^A-Za-z0-9._-]", "-", tag)[:20]
    return f"{tag}-{digest}" if tag and not what.startswith("{") else digest
