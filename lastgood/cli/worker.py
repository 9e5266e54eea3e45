"""``lastgood worker``: the same as ``python worker.py``, where there is one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

import lastgood
from lastgood.errors import UsageError


@click.command()
def worker() -> int:
    """Run the worker, where the checkout or image has it.

    \b
    Example:
      TEMPORAL_ADDRESS=temporal.example.com:7233 lastgood worker

    SIGTERM ends it gracefully. Its settings are environment variables: LASTGOOD_LOG_LEVEL,
    LASTGOOD_LOG_FORMAT, LASTGOOD_METRICS_ADDRESS, LASTGOOD_UI_URL, LASTGOOD_MAX_WATCHES,
    LASTGOOD_SHUTDOWN_TIMEOUT, LASTGOOD_SLACK_API, LASTGOOD_PAGERDUTY_API: see
    docs/reference/settings.md. With TEMPORAL_WORKER_BUILD_ID (and TEMPORAL_DEPLOYMENT_NAME, else
    "lastgood") a release stays with the build that began it: docs/upgrading.md.
    """
    script = find()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(script)])  # noqa: S606 - becomes the worker


def find() -> Path:
    """Our ``worker.py``: beside the package, or in the working directory.

    Raises:
        UsageError: if neither has it.
    """
    for folder in (Path(lastgood.__file__).parents[1], Path.cwd()):
        if all((folder / part).exists() for part in ("worker.py", "workflows", "activities")):
            return folder / "worker.py"
    raise UsageError(
        "The worker is not here: the installed package is the command line alone. Run it from "
        "a checkout of Lastgood (`python worker.py`) or from its image."
    )
