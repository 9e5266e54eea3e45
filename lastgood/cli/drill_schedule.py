"""Drills that Temporal begins by itself: a Temporal Schedule for each service, and no CI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.service import RPCError, RPCStatusCode

from lastgood import messages
from lastgood.cli import asking
from lastgood.cli.asking import RPC_TIMEOUT
from lastgood.cli.output import day, print_json, print_text, say
from lastgood.contracts import ScheduledDrill
from lastgood.errors import UnreachableError, UsageError
from lastgood.model import ServiceRef

WORDS = ("list", "run", "remove")
"""What ``--schedule`` takes beside a cron expression."""
_SHOWN = 3
"""Runs to come, and runs that were, of each schedule."""
_CATCH_UP = timedelta(minutes=10)
"""A drill that was missed while Temporal was down is not made up for at some other hour."""
_PREFIX = "drill/"


@dataclass
class Found:
    """A schedule as Temporal tells it."""

    service: str
    region: str
    cron: str
    zone: str
    paused: bool
    coming: list[datetime]
    runs: list[dict[str, Any]] = field(default_factory=list)
    """The newest first: when, which run, and what became of it."""


async def save(scheduled: ScheduledDrill, cron: str, zone: str | None, output: str) -> int:
    """Make the service's schedule, or change the one that it has."""
    client = await asking.reach()
    ref = scheduled.policy.ref()
    ordered = scheduled.drill.model_copy(update={"scheduled_at": datetime.now(UTC)})
    wanted = _schedule(scheduled.model_copy(update={"drill": ordered}), cron, zone)
    handle = client.get_schedule_handle(messages.drill_id(ref))
    with _understood(ref, cron):
        try:
            await client.create_schedule(handle.id, wanted, rpc_timeout=RPC_TIMEOUT)
        except ScheduleAlreadyRunningError:
            await handle.update(lambda _: ScheduleUpdate(wanted), rpc_timeout=RPC_TIMEOUT)
        _show([await _read(client, handle.id)], output)
    return 0


def _schedule(scheduled: ScheduledDrill, cron: str, zone: str | None) -> Schedule:
    ref = scheduled.policy.ref()
    return Schedule(
        action=ScheduleActionStartWorkflow(
            messages.DRILL,
            scheduled,
            id=messages.drill_id(ref),
            task_queue=messages.TASK_QUEUE,
            static_summary=f"DRILL of {ref}",
        ),
        spec=ScheduleSpec(cron_expressions=[cron], time_zone_name=zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
        state=ScheduleState(note=cron),  # Temporal itself keeps no more than what it means
    )


async def run(ref: ServiceRef, output: str) -> int:
    """Begin the schedule's drill now, as its hour would."""
    client = await asking.reach()
    with _understood(ref):
        handle = client.get_schedule_handle(messages.drill_id(ref))
        await handle.trigger(rpc_timeout=RPC_TIMEOUT)
    text = f"The drill of {ref} begins. See what becomes of it: lastgood status {ref}"
    _say_done({"service": str(ref), "region": ref.region, "run": True}, text, output)
    return 0


async def remove(ref: ServiceRef, output: str) -> int:
    """Remove the schedule; a drill that is under way goes on."""
    client = await asking.reach(worker=False)
    with _understood(ref):
        handle = client.get_schedule_handle(messages.drill_id(ref))
        await handle.delete(rpc_timeout=RPC_TIMEOUT)
    text = f"Drills of {ref} are no longer scheduled."
    _say_done({"service": str(ref), "region": ref.region, "removed": True}, text, output)
    return 0


async def show(ref: ServiceRef | None, output: str) -> int:
    """Show one service's schedule, or all of the namespace."""
    client = await asking.reach(worker=False)
    with _understood(ref):
        if ref:
            _show([await _read(client, messages.drill_id(ref))], output)
            return 0
        listed = await client.list_schedules(rpc_timeout=RPC_TIMEOUT)
        names = sorted([one.id async for one in listed if one.id.startswith(_PREFIX)])
        _show([await _read(client, name) for name in names], output)
    return 0


async def _read(client: Client, ident: str) -> Found:
    told = await client.get_schedule_handle(ident).describe(rpc_timeout=RPC_TIMEOUT)
    _, region, cluster, name = ident.split("/", 3)
    spec, info = told.schedule.spec, told.info
    newest = list(info.recent_actions)[-_SHOWN:]
    return Found(
        service=f"{cluster}/{name}",
        region=region,
        cron=told.schedule.state.note or "as Temporal's UI shows",
        zone=spec.time_zone_name or "UTC",
        paused=told.schedule.state.paused,
        coming=list(info.next_action_times)[:_SHOWN],
        runs=[await _run(client, one) for one in reversed(newest)],
    )


async def _run(client: Client, one: ScheduleActionResult) -> dict[str, Any]:
    """When a drill was begun, and what became of it."""
    begun: dict[str, Any] = {"at": one.started_at, "workflow_id": None, "passed": None, "why": ""}
    if not isinstance(one.action, ScheduleActionExecutionStartWorkflow):
        return begun
    begun["workflow_id"] = one.action.workflow_id
    run_id = one.action.first_execution_run_id
    handle = client.get_workflow_handle(one.action.workflow_id, run_id=run_id)
    try:
        status = (await handle.describe(rpc_timeout=RPC_TIMEOUT)).status
        if status is WorkflowExecutionStatus.RUNNING:
            return {**begun, "why": "under way"}
        await handle.result(rpc_timeout=RPC_TIMEOUT)
    except WorkflowFailureError as error:
        return {**begun, "passed": False, "why": asking.innermost(error.cause)}
    except RPCError as error:
        return {**begun, "why": f"not known any more: {error.message}"}
    return {**begun, "passed": True}


@contextmanager
def _understood(ref: ServiceRef | None, cron: str = "") -> Iterator[None]:
    """What Temporal answers, in our words."""
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise UsageError(
                f"Drills of {ref} are not scheduled: lastgood drill {ref} --policy FILE "
                '--schedule "0 9 * * 1"'
            ) from None
        if error.status is RPCStatusCode.INVALID_ARGUMENT and cron:
            raise UsageError(
                f"--schedule: {cron!r} is no cron expression that Temporal knows "
                f'({error.message}). Write one such as "0 9 * * 1", or {", ".join(WORDS)}.'
            ) from None
        raise UnreachableError(f"Temporal gave no answer: {error.message}") from None


def _say_done(data: dict[str, Any], text: str, output: str) -> None:
    if output == "json":
        print_json(data)
    else:
        print_text([text])


def _show(found: list[Found], output: str) -> None:
    if output == "json":
        print_json({"schedules": [_as_json(one) for one in found]})
        return
    if not found:
        say("No drills are scheduled.")
    for one in found:
        print_text(_as_text(one))


def _as_json(one: Found) -> dict[str, Any]:
    return {
        "service": one.service,
        "region": one.region,
        "schedule": one.cron,
        "time_zone": one.zone,
        "paused": one.paused,
        "next": [at.isoformat() for at in one.coming],
        "runs": [{**run, "at": run["at"].isoformat()} for run in one.runs],
    }


def _as_text(one: Found) -> list[str]:
    paused = ", PAUSED in Temporal" if one.paused else ""
    return [
        f"{one.service} in {one.region}",
        f"  drills          {one.cron} ({one.zone}){paused}",
        *(f"  next            {day(at)}" for at in one.coming[:1]),
        *(f"  was             {day(run['at'])}  {_fate(run)}" for run in one.runs),
    ]


def _fate(run: dict[str, Any]) -> str:
    if run["passed"] is None:
        return str(run["why"])
    return "passed" if run["passed"] else f"NOT passed: {run['why']}"
