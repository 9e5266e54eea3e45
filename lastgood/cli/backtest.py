"""``lastgood backtest``: the policy of a service, over metrics of the past."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click

from lastgood import policy_file
from lastgood.cli import backtest_files, backtest_plot, backtest_report
from lastgood.cli.options import Checked, load_policy, output_option
from lastgood.cli.output import print_json, print_text, say
from lastgood.decisions.backtest import replay, window_of
from lastgood.decisions.recording import Recording, moment
from lastgood.decisions.sliding import HOUR, Sliding, TooShortError, slide
from lastgood.errors import UsageError
from lastgood.policy import Policy, format_duration
from lastgood.values import Long

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
    help="The length of a bucket. Left out: the shortest usual step between lines.",
)
@click.option(
    "--since",
    type=Checked[timedelta]("duration", Long),
    metavar="DURATION",
    help="Read the metrics of the policy's service from CloudWatch, so far back: 14d.",
)
@click.option(
    "--releases",
    is_flag=True,
    help="With --since: at the times of the service's real releases, as its guard remembers them.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="With --since: write what was read, for --metrics.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg|FILE.png",
    help="Draw it. Needs matplotlib: pip install 'lastgood[plots]'.",
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
    since: timedelta | None,
    releases: bool,
    save: Path | None,
    plot: Path | None,
    jobs: int | None,
    output: str,
) -> int:
    """Say what a policy would have done with releases of the past.

    \b
    Examples:
      lastgood backtest --policy lastgood.yaml --metrics web.csv \\
                        --deployed-at 2026-11-28T14:00:00Z
      lastgood backtest --policy lastgood.yaml --metrics web.csv
      lastgood backtest --policy lastgood.yaml --since 14d --save web.csv --plot web.svg

    It decides as a release would. A file has the header
    time,requests,errors[,latency_avg][,le_25,le_50,…][,probes,probes_failed] and one line for each
    bucket of time; time is its begin, latency_avg is in ms, le_MS is how many requests took at
    most MS milliseconds. An empty cell or an absent line is missing, never 0.

    The window is monitor.window of the policy if it is written there, else to the file's end (a
    day at most);
    without --deployed-at it is always monitor.window.

    With --output json, times are seconds since the epoch if the file's are, else ISO 8601; of a
    DIR there is one object a line, in the order of the files' names.

    \b
    Exit codes:
      0   it was judged, whatever the outcome: a backtest is no release
      1   AWS or Temporal could not be asked
      2   wrong usage or policy, or a file that cannot be read
    """
    _check_usage(path, metrics, since, releases, save, plot)
    if metrics is not None and metrics.is_dir():
        policy = load_policy_or_default(path)
        return _folder(policy, metrics, deployed_at, period, jobs, output)
    if since is not None:
        policy = load_policy(str(path))
        asked = Asked(
            policy, _from_cloudwatch(policy, since, save), f"the last {format_duration(since)}"
        )
    else:
        policy = load_policy_or_default(path)
        file = Path(str(metrics))
        asked = Asked(policy, backtest_files.load(file, period), file.name)
    if releases:
        _real(asked, output, plot)
    elif deployed_at is None:
        _pretended(asked, output, plot)
    else:
        _one(asked, deployed_at, output, plot)
    return 0


class Asked(NamedTuple):
    """Who judges what."""

    policy: Policy
    recording: Recording
    name: str

    @property
    def title(self) -> str:
        """How the result begins."""
        service = self.policy.service
        return self.name if service == _PLACEHOLDER else f"{service}, {self.name}"


def _check_usage(
    path: str | None,
    metrics: Path | None,
    since: timedelta | None,
    releases: bool,
    save: Path | None,
    plot: Path | None,
) -> None:
    """See that the options go together; what is written must not be there yet."""
    if (metrics is None) == (since is None):
        raise click.UsageError(
            "Say what is judged: --metrics FILE.csv, --metrics DIR, or --since 14d"
        )
    if since is not None and path is None:
        raise click.UsageError("--since reads the metrics of the policy's service: add --policy")
    if since is None and (releases or save):
        raise click.UsageError("--releases and --save go with --since")
    if plot and metrics is not None and metrics.is_dir():
        raise click.UsageError("--plot draws one file, not a DIR")
    if save and save.exists():
        raise click.UsageError(f"{save} exists: remove it, or name another file")
    if plot:
        backtest_plot.check(plot)


def load_policy_or_default(path: str | None) -> Policy:
    """The policy of a file, or one of defaults, which needs no region."""
    return policy_file.load(path) if path else Policy(service=_PLACEHOLDER)


def _from_cloudwatch(policy: Policy, since: timedelta, save: Path | None) -> Recording:
    from lastgood.cli import past  # here, because boto3 takes long to import

    recording = past.read(policy, since, datetime.now(UTC), past.clients(policy.region))
    if save:
        backtest_files.save(recording, save)
        say(f"wrote {save}: {len(recording.rows):,} buckets")
    return recording


def _one(asked: Asked, deployed_at: float, output: str, plot: Path | None) -> None:
    backtest_files.check_moment(asked.recording, deployed_at, asked.name)
    found = replay(asked.policy, asked.recording, deployed_at)
    if output == "json":
        print_json(backtest_report.as_json(found, asked.recording))
    else:
        window = window_of(asked.policy, asked.recording, deployed_at)
        text = backtest_report.as_text(asked.title, found, asked.recording, deployed_at, window)
        print_text(text)
    if plot:
        fired = [(one.trigger.type, one.fired_at) for one in found.triggers if one.fired_at]
        window = window_of(asked.policy, asked.recording, deployed_at)
        shown = backtest_plot.around(asked.recording, deployed_at, window)
        backtest_plot.draw(plot, asked.policy, shown, [deployed_at], fired)


def _pretended(asked: Asked, output: str, plot: Path | None) -> None:
    try:
        slid = slide(asked.policy, asked.recording)
    except TooShortError as error:
        raise UsageError(f"{asked.name}: {error}") from None
    if output == "json":
        print_json(backtest_report.slid_as_json(slid, asked.recording))
    else:
        print_text(backtest_report.slid_as_text(asked.title, slid, asked.recording))
    if plot:
        _draw(plot, asked, slid)


def _real(asked: Asked, output: str, plot: Path | None) -> None:
    from lastgood.cli import past_releases  # Temporal's client takes long to import

    known = past_releases.read(asked.policy.ref())
    recording = asked.recording
    begin, end = recording.rows[0].at + HOUR, recording.end
    useful = [one for one in known if begin <= one.deployed_at < end]
    if not useful:
        raise UsageError(
            f"{asked.policy.service}: none of the {len(known)} releases that its guard remembers "
            "lies in this time with an hour before it: leave --releases out, or give more --since"
        )
    slid = slide(asked.policy, recording, [one.deployed_at for one in useful])
    judged = list(zip(useful, slid.replays, strict=True))
    if output == "json":
        data = backtest_report.slid_as_json(slid, recording)
        print_json({**data, "releases": backtest_report.real_as_json(judged, recording)})
    else:
        print_text(backtest_report.real_as_text(asked.title, judged, recording))
    if plot:
        _draw(plot, asked, slid)


def _draw(plot: Path, asked: Asked, slid: Sliding) -> None:
    fired = [(one.trigger.type, at) for one in slid.triggers for at, _ in one.fired]
    backtest_plot.draw(plot, asked.policy, asked.recording, [], fired, slid.releases)


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
    except Exception as error:  # noqa: BLE001 - the others are to be judged all the same
        what = f"{type(error).__name__}: {error}"
        return {"file": file.name, "error": f"{file.name}: unexpected: {what}"}
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
