"""How long after the decision a client is still answered by the version that goes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.metric import Publisher, policy_metric
from benchmarks.records import record_of
from benchmarks.releases import Release, moves, release, until, until_monitored
from benchmarks.report import Cell, Report, Table, median
from benchmarks.servers import RealParts, real_parts
from benchmarks.visitor import Visitor
from lastgood.contracts import RollbackReport
from lastgood.model import Outcome
from lastgood.policy import Policy
from sandbox.scenarios.stack import Stack, make_stack
from sandbox.scenarios.strategy import ROLLING, Strategy, blue_green, canary

NAME = "traffic"
QUESTION = "seconds from decision to all traffic on the old version, by deployment strategy"
_RUNS = 3
_TASKS, _CANARY = 6, 25
_MINUTE, _START = 30, 1
_PACE = ("--minute", str(_MINUTE), "--start-seconds", str(_START))
_OLD, _NEW = "1.0", "2.0"
_CAVEATS = (
    "A lower bound for what a shift of traffic gains: the sandbox's tasks were let start in "
    f"{_START} s and drain for half a second. On ECS both take minutes, so that a rolling way back "
    "takes minutes, while weights of a listener change in seconds as they do here.",
    f"Each service has {_TASKS} tasks. A minute of bake time, or of a canary's step, lasts "
    f"{_MINUTE} s here; each release is noticed within it.",
    "The decision is the answer of the trigger's watch in Temporal's record; the call is in the "
    "sandbox's own. The last answer is the last one that a visitor of the load balancer got from "
    f"the new version: a request every {1000 * Visitor.EVERY:.0f} ms, each over a connection of "
    "its own, slower on a busy machine (the pace is in the title). Steady and verified are of "
    "Lastgood's own report.",
    "What fires is an error rate over 2 s that this program publishes: the new version itself "
    "answers well, so that visits differ in their version only. Steady is polled once a second, "
    "and verified follows the trigger: its 2 s must be good again.",
    "Decision to call is work of Temporal and of the worker, on a machine that they share with the "
    "sandbox: on a busy one it is the larger part of a quick way back. It is longer where "
    "UpdateService is called, before which the target's task definition and the tags of its images "
    "are read, and the service once more.",
    "Call to last answer is what the strategy itself takes. Where all traffic shifts within the "
    "call it is about nought, by the pace of the visits.",
)


@dataclass(frozen=True)
class _Way:
    """A way to deploy, the moment at which the metric turns bad, and what is called then."""

    name: str
    call: str
    strategy: Strategy = ROLLING
    maximum: int = 200
    early: bool = False
    """The metric turns bad with the first answer of the new version, not with the window."""


_STOP, _UPDATE = "StopServiceDeployment", "UpdateService"
_ROLLED_OUT = _Way("rolling (all at once), rolled out", _UPDATE)
_BAKING = _Way("blue/green, in its bake time", _STOP, blue_green())
_WAYS = (
    _ROLLED_OUT,
    _Way("rolling (one by one), rolled out", _UPDATE, maximum=120),
    _Way("rolling (one by one), half-way", _STOP, maximum=120, early=True),
    _BAKING,
    _Way(f"canary, in its step of {_CANARY} %", _STOP, canary(percent=_CANARY), early=True),
)


@dataclass(frozen=True)
class _Run:
    call: float
    """Each in seconds since the decision."""
    last: float
    steady: float
    verified: float
    pace: float
    failed: int


def _policy(stack: Stack) -> Policy:
    trigger = {"type": "error-rate", "duration": "2s", "metric": policy_metric(stack.service)}
    return Policy.model_validate(
        {
            "service": stack.name,
            "region": "us-east-1",
            "deploy": {"timeout": "120s"},
            "monitor": {"window": "120s", "interval": "1s"},
            "triggers": [trigger],
        }
    )


async def _run(parts: RealParts, way: _Way) -> _Run:
    """A service of its own, one release of it, and a visitor throughout."""
    aws = parts.aws
    stack = await asyncio.to_thread(
        make_stack,
        aws.client,
        image=f"shop:{_OLD}",
        desired=_TASKS,
        strategy=way.strategy,
        maximum=way.maximum,
    )
    before = len(moves(aws, stack))
    with Publisher(aws.client, stack.service) as publisher, Visitor(stack.url or "") as visitor:
        handle = await release(parts.client, _policy(stack), f"shop:{_NEW}", stack.service)
        if way.early:
            await until("the new version's first answer", lambda: visitor.met(_NEW), pause=0.02)
        else:
            await until_monitored(handle)
        publisher.turn_bad(time.time())
        await until("the rollback call", lambda: len(moves(aws, stack)) >= before + 2)
        publisher.turn_good()
        rollback = await _rollback(parts, handle)
    back = moves(aws, stack)[before + 1]
    if back.action != way.call or rollback.steady_at is None:
        raise RuntimeError(f"{way.name}: not {way.call} but {back.action}: noticed too late")
    decided = (await record_of(handle)).fired_at()
    await asyncio.to_thread(stack.delete)
    return _Run(
        call=back.at - decided,
        last=visitor.last(_NEW) - decided,
        steady=rollback.steady_at.timestamp() - decided,
        verified=rollback.finished_at.timestamp() - decided,
        pace=visitor.pace,
        failed=visitor.failed,
    )


async def _rollback(parts: RealParts, handle: Release) -> RollbackReport:
    """How the way back went, once the release has ended."""
    report = await handle.result()
    if report.outcome is not Outcome.ROLLED_BACK:
        raise RuntimeError(f"the release ended {report.outcome}: {report.reason}")
    workflow_id, run_id = (await record_of(handle)).child
    child = parts.client.get_workflow_handle(workflow_id, run_id=run_id)
    return RollbackReport.model_validate(await child.result())


async def measure(runs: int | None, *, quick: bool) -> Report:
    """All ways, taking turns."""
    runs = runs or (1 if quick else _RUNS)
    found: dict[str, list[_Run]] = {}
    async with real_parts(traffic=0, pace=_PACE) as parts:
        await _run(parts, _ROLLED_OUT)  # the first release of a worker is slower than all others
        for _ in range(runs):
            for way in (_ROLLED_OUT, _BAKING) if quick else _WAYS:
                found.setdefault(way.name, []).append(await _run(parts, way))
    command = f"python -m benchmarks {NAME}{' --quick' if quick else ''} --runs {runs}"
    return Report(NAME, QUESTION, command, _CAVEATS, (_medians(found, runs), _each(found, runs)))


def _medians(found: dict[str, list[_Run]], runs: int) -> Table:
    samples = [one for some in found.values() for one in some]
    pace, failed = median([one.pace for one in samples]), sum(one.failed for one in samples)
    title = (
        f"Seconds; medians of {runs} releases of each kind, taking turns after one for warming "
        "up, column by column. Ratio: decision→last answer of the first row, by that of this row. "
        f"A visit was answered every {1000 * pace:.0f} ms in the median; {failed} visits failed."
    )
    columns = (
        "service",
        "call",
        "decision→call",
        "call→last answer",
        "decision→last answer",
        "decision→steady",
        "decision→verified",
        "ratio",
    )
    rolling = median([one.last for one in found[_ROLLED_OUT.name]])
    calls = {way.name: way.call for way in _WAYS}
    rows = tuple(
        (
            name,
            calls[name],
            median([one.call for one in some]),
            median([one.last - one.call for one in some]),
            median([one.last for one in some]),
            median([one.steady for one in some]),
            median([one.verified for one in some]),
            rolling / median([one.last for one in some]),
        )
        for name, some in found.items()
    )
    return Table(title, columns, rows)


def _each(found: dict[str, list[_Run]], runs: int) -> Table:
    """Every release, as medians of a few hide how far they lie apart."""
    names = tuple(f"{number + 1}" for number in range(runs))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(one.last for one in some)) for name, some in found.items()
    )
    return Table("Decision→last answer of each release.", ("service", *names), rows)
