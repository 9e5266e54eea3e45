"""``lastgood backtest``: the policy of a service, over metrics of the past."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from lastgood.cli import backtest_files, backtest_report
from lastgood.cli.options import output_option
from lastgood.cli.output import print_json, print_text, say
from lastgood.decisions.backtest import replay
from lastgood.decisions.recording import Recording, moment
from lastgood.decisions.sliding import TooShortError, slide
from lastgood.errors import UsageError
from lastgood.policy import Policy

_AT_ONCE = 8
_PLACEHOLDER = "any/any"
"""The service of the default policy, which is nobody's and never shown."""


class _Time(click.ParamType[float]):
    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds since the epoch."""
        try:
            return value if isinstance(value, float) else moment(value)
        except ValueError:
            remedy = "write seconds since the epoch, or ISO 8601 such as 2026-11-28T14:02:00Z"
            return self.fail(f"{value!r} is no time: {remedy}", param, ctx)


@click.command()
@click.option(
    "--policy",
    "path",
    metavar="FILE",
    help="Whose triggers judge. Left out: the default ones.",
)
@click.option(
    "--metrics",
    type=click.Path(path_type=Path),
    metavar="FILE.csv|DIR",
    help="Metrics of the past; of a DIR every *.csv in it.",
)
@click.option(
    "--deployed-at",
    type=_Time(),
    metavar="TIME",
    help="When the release was deployed: seconds since the epoch, or ISO 8601. What lies before is "
    "its baseline. Left out: a release is pretended every hour.",
)
@click.option(
    "--period",
    type=click.FloatRange(min=0.001, max=86400),
    metavar="SECONDS",
    help="The length of a bucket. Left out: the most frequent step between lines.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that judge a DIR. Left out: one for each core.",
)
@output_option
def backtest(
    path: str | None,
    metrics: Path | None,
    deployed_at: float | None,
    period: float | None,
    jobs: int | None,
    output: str,
) -> int:
    """Say what a policy would have done with releases of the past.

    \b
    Examples:
      lastgood backtest --policy lastgood.yaml --metrics web.csv \\
                        --deployed-at 2026-11-28T14:00:00Z
      lastgood backtest --policy lastgood.yaml --metrics web.csv

    It decides as a release would. A file has the header
    time,requests,errors[,latency_avg][,le_25,le_50,…][,probes,probes_failed] and one line for each
    bucket of time; time is its begin, latency_avg is in ms, le_MS is how many requests took at
    most MS milliseconds. An empty cell or an absent line is missing, never 0.

    The window is monitor.window of the policy if it is written there, else as long as the file;
    without --deployed-at it is always monitor.window.

    With --output json, times are seconds since the epoch if the file's are, else ISO 8601; of a
    DIR there is one object a line, in the order of the files' names.

    \b
    Exit codes:
      0   it was judged, whatever the outcome: a backtest is no release
      2   wrong usage or policy, or a file that cannot be read
    """
    if metrics is None:
        raise click.UsageError("Nothing to judge: give --metrics FILE.csv or --metrics DIR")
    policy = load_policy_or_default(path)
    if metrics.is_dir():
        return _folder(policy, metrics, deployed_at, period, jobs, output)
    recording = backtest_files.load(metrics, period)
    _one(policy, recording, deployed_at, output, metrics.name)
    return 0


def load_policy_or_default(path: str | None) -> Policy:
    """The policy of a file, or one of defaults, which needs no region."""
    return backtest_files.load_policy(path) if path else Policy(service=_PLACEHOLDER)


def _one(
    policy: Policy, recording: Recording, deployed_at: float | None, output: str, name: str
) -> None:
    title = name if policy.service == _PLACEHOLDER else f"{policy.service}, {name}"
    if deployed_at is None:
        try:
            slid = slide(policy, recording)
        except TooShortError as error:
            raise UsageError(f"{name}: {error}") from None
        if output == "json":
            print_json(backtest_report.slid_as_json(slid, recording))
        else:
            print_text(backtest_report.slid_as_text(title, slid, recording))
        return
    backtest_files.check_moment(recording, deployed_at, name)
    found = replay(policy, recording, deployed_at)
    if output == "json":
        print_json(backtest_report.as_json(found, recording))
    else:
        print_text(backtest_report.as_text(title, found, recording, deployed_at))


# --- Many files --------------------------------------------------------------------------------


def _folder(
    policy: Policy,
    folder: Path,
    deployed_at: float | None,
    period: float | None,
    jobs: int | None,
    output: str,
) -> int:
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UsageError(f"{folder}: there is no *.csv in it")
    judge = partial(judge_file, policy, deployed_at, period)
    results: list[dict[str, Any]] = []
    for found in _on_all_cores(judge, files, jobs):
        results.append(found)
        if output == "json":
            click.echo(json.dumps(found, ensure_ascii=False))
        else:
            click.echo(backtest_report.line_of(found))
    say(backtest_report.total_of(results))
    return 2 if any("error" in one for one in results) else 0


def judge_file(
    policy: Policy, deployed_at: float | None, period: float | None, file: Path
) -> dict[str, Any]:
    """What is printed of one file among many; what is wrong with it, if it cannot be read."""
    try:
        recording = backtest_files.load(file, period)
        if deployed_at is None:
            found = backtest_report.slid_as_json(slide(policy, recording), recording)
        else:
            backtest_files.check_moment(recording, deployed_at, file.name)
            found = backtest_report.as_json(replay(policy, recording, deployed_at), recording)
    except UsageError as error:
        return {"file": file.name, "error": str(error)}
    except TooShortError as error:
        return {"file": file.name, "error": f"{file.name}: {error}"}
    return {"file": file.name, **found}


def _on_all_cores(
    judge: partial[dict[str, Any]], files: Sequence[Path], jobs: int | None
) -> Iterator[dict[str, Any]]:
    """Do it for each, in order. Few files are not worth the start of processes."""
    jobs = min(jobs or os.cpu_count() or 1, len(files))
    if jobs == 1 or len(files) < _AT_ONCE:
        yield from map(judge, files)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_as_part)
    try:
        yield from pool.map(judge, files, chunksize=_AT_ONCE)
    finally:
        pool.shutdown(cancel_futures=True)


def _as_part() -> None:
    """Ctrl-C is the business of whoever started us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
