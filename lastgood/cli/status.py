"""``lastgood status``: what is going on with a service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from lastgood import messages
from lastgood.cli import asking, drill_status, live
from lastgood.cli.following import Follower, Snapshot
from lastgood.cli.options import output_option, region_option, service_argument, service_ref
from lastgood.cli.output import advice, clock, day, label, print_json, print_text, say, seconds
from lastgood.contracts import Overview, Progress
from lastgood.decisions.wording import describe
from lastgood.model import ChannelFailure, ReleaseResult, ServiceRef


@click.command()
@service_argument
@region_option
@output_option
def status(service: str, region: str | None, output: str) -> int:
    """Show a service: the release under way, what is known to be good, limits, the last end.

    \b
    Example:
      lastgood status shop/web

    Ends with 0, also for a service that nothing is known of yet.
    """
    ref = service_ref(service, region)
    return asking.run(_status(ref, output), lambda: "Stopped.")


async def _status(ref: ServiceRef, output: str) -> int:
    client = await asking.reach()
    overview = await asking.query_guard(client, ref, messages.OVERVIEW, Overview)
    snapshot = await _look(client, ref, overview) if overview else None
    if output == "json":
        print_json(as_json(ref, overview, snapshot))
    elif overview is None:
        print_text([asking.nothing_known(ref)])
    else:
        print_text(as_text(ref, overview, snapshot))
    return 0


async def _look(client: Client, ref: ServiceRef, overview: Overview) -> Snapshot | None:
    if overview.current is None:
        return None
    try:
        return await Follower(client, ref, overview.current.release).look()
    except (RPCError, WorkflowQueryFailedError) as error:
        say(f"The release itself does not answer: {error}")
        return None


def failures(overview: Overview, progress: Progress | None) -> tuple[ChannelFailure, ...]:
    """Notifications that did not arrive, of the release under way, or else of the last one."""
    if progress and (progress.notification_failures or progress.held):
        return progress.notification_failures
    return overview.results[0].notification_failures if overview.results else ()


def as_json(
    ref: ServiceRef, overview: Overview | None, snapshot: Snapshot | None
) -> dict[str, Any]:
    """The same keys whether anything is known or not."""
    data: dict[str, Any] = {
        "service": str(ref),
        "region": ref.region,
        "known": overview is not None,
        "current": None,
        "queued": [],
        "last_known_good": None,
        "rollbacks_counted": 0,
        "max_rollbacks": None,
        "cooldown_until": None,
        "frozen": None,
        "alerts": [],
        "mirror_problem": None,
        "ledger": [],
        "quarantine": [],
        "last_result": None,
        "drill": None,
        "notification_failures": [],
    }
    if overview is None:
        return data
    hidden = {"service", "results", "actions", "rollbacks"}
    hidden |= {"drillable", "last_drill", "last_passed_drill"}
    shown = overview.model_dump(mode="json", exclude=hidden)
    data |= shown
    if data["current"]:
        data["current"] |= _current_json(snapshot)
    last = next((one for one in overview.results if not one.drill), None)
    data["last_result"] = last.model_dump(mode="json") if last else None
    data["drill"] = drill_status.as_json(overview, datetime.now(UTC))
    told = failures(overview, snapshot.progress if snapshot else None)
    data["notification_failures"] = [one.model_dump(mode="json") for one in told]
    return data


def _current_json(snapshot: Snapshot | None) -> dict[str, Any]:
    progress = snapshot.progress if snapshot else None
    now = snapshot.now if snapshot else live.NOTHING
    return {
        "held": bool(progress and progress.held),
        "progress": progress.model_dump(mode="json") if progress else None,
        "rollout": now.rollout,
        "latest": [vars(one) for one in now.triggers],
    }


def as_text(ref: ServiceRef, overview: Overview, snapshot: Snapshot | None) -> list[str]:
    """A service's status for people."""
    lines = [f"{ref} in {ref.region}", *_frozen(overview)]
    if overview.current:
        lines += _current(overview, snapshot)
    else:
        lines.append("  release         none under way")
    if overview.queued:
        lines.append(f"  queue           {', '.join(overview.queued)}")
    lines.append(f"  last known good {_good(overview)}")
    lines.append(
        f"  rollbacks       {overview.rollbacks_counted} of {overview.max_rollbacks} counted"
    )
    if overview.cooldown_until:
        lines.append(f"  cooldown        until {day(overview.cooldown_until)}")
    last = next((one for one in overview.results if not one.drill), None)
    if last:
        lines += _last(last)
    lines += drill_status.as_text(overview, datetime.now(UTC))
    for one in failures(overview, snapshot.progress if snapshot else None):
        lines.append(f"  NOT TOLD        {one.channel} at {day(one.at)}: {one.error}")
    return lines + _unsettled(overview)


def _frozen(overview: Overview) -> list[str]:
    frozen = overview.frozen
    if frozen is None:
        return []
    until = f"until {day(frozen.until)}" if frozen.until else "until somebody unfreezes"
    return [
        f"  FROZEN          {until}, by {frozen.actor} since {day(frozen.at)}",
        f"                  {frozen.reason}",
    ]


def _unsettled(overview: Overview) -> list[str]:
    """What somebody should take care of."""
    lines = []
    if overview.alerts:
        failed = ", ".join(overview.alerts)
        lines.append(f"  UNACKNOWLEDGED  failed rollback of {failed}: people are told until")
        command = f'lastgood acknowledge {overview.service} --reason "…"'
        lines.append(f"                  {command}")
    if overview.mirror_problem:
        lines.append(f"  memory          NOT in the service's tags: {overview.mirror_problem}")
    return lines


def _good(overview: Overview) -> str:
    good = overview.last_known_good
    if good is None:
        return "none yet"
    when = f" at {day(good.proven_at)}" if good.proven_at else ""
    return describe(good) + (f": {good.proven}{when}" if good.proven else "")


def _last(result: ReleaseResult) -> list[str]:
    at = f" at {day(result.finished_at)}" if result.finished_at else ""
    return [
        f"  last            {result.release}: {result.outcome.value}{at}",
        f"                  {result.reason}",
    ]


def _current(overview: Overview, snapshot: Snapshot | None) -> list[str]:
    current = overview.current
    if current is None:
        return []
    lines = [
        f"  release         {current.release}: {current.what}",
        f"                  by {current.actor} since {day(current.since)}",
    ]
    if snapshot is None or snapshot.progress is None:
        return lines
    progress = snapshot.progress
    lines.append(f"  step            {_step(progress)}")
    moved = f"{label(progress.from_task_definition)} → {label(progress.to_task_definition)}"
    lines.append(f"  revision        {moved}; back would be {label(progress.rollback_target)}")
    if snapshot.now.rollout:
        lines.append(f"  rollout         {snapshot.now.rollout}")
    for one in snapshot.now.triggers:
        firing = "FIRING " if one.firing else ""
        lines.append(f"  trigger         {firing}{one.line}")
    if progress.held and progress.result:
        lines.append(f"  HELD            {progress.result.reason}")
        lines += [f"                  {line}" for line in advice(progress.result)]
    return lines


def _step(progress: Progress) -> str:
    step = progress.steps[-1] if progress.steps else None
    since = f" since {clock(step.started_at)}" if step else ""
    left = ""
    if progress.step == "monitor" and progress.window_ends_at:
        rest = (progress.window_ends_at - datetime.now(UTC)).total_seconds()
        left = f"; {seconds(round(max(0.0, rest)))} left, until {clock(progress.window_ends_at)}"
    return f"{progress.step}{since}{left}"
