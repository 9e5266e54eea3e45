"""Show a release until its end, where we run: a terminal, GitHub Actions, another log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lastgood.cli import github
from lastgood.cli.following import Follower
from lastgood.cli.lines import Lines
from lastgood.cli.output import say, show_result
from lastgood.cli.screen import Screen
from lastgood.errors import UnreachableError
from lastgood.model import ReleaseResult, exit_code


async def until_end(follower: Follower, *, through_hold: bool = False) -> ReleaseResult:
    """Follow a release, showing its progress on stderr."""
    with _view(os.environ) as view:
        async for snapshot in follower.follow(through_hold=through_hold):
            view.show(snapshot)
    if snapshot.result is None:
        raise UnreachableError("The release could not be followed to its end.")
    return snapshot.result


@contextmanager
def _view(environment: Mapping[str, str]) -> Iterator[Lines | Screen]:
    if not _interactive(environment):
        in_github = github.active(environment)
        lines = Lines(say, grouped=in_github)
        try:
            yield lines
        finally:
            lines.close()
        return
    with Screen() as screen:
        yield screen


def _interactive(environment: Mapping[str, str]) -> bool:
    if environment.get("CI") or environment.get("GITHUB_ACTIONS"):
        return False
    return sys.stderr.isatty() and environment.get("TERM") not in (None, "", "dumb")


def end(result: ReleaseResult, output: str) -> int:
    """Print the result, tell GitHub Actions where it runs us; the exit code."""
    if github.active(os.environ):
        say(github.annotation(result))
        trouble = github.write_summary(result, os.environ)
        if trouble:
            say(trouble)
    show_result(result, output)
    return exit_code(result)
