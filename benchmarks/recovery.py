"""How long a service is bad, and until it is proven good again, by kind of fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.records import record_of
from benchmarks.releases import moves, release, until
from benchmarks.report import Report, Table, median
from benchmarks.servers import RealParts, real_parts
from lastgood.model import Outcome
from lastgood.policy import Policy
from sandbox.scenarios.stack import Stack, make_stack

NAME = "recovery"
QUESTION = "seconds from a fault to the old version, steady and verified, by kind of fault"
_RUNS = 2
_DEADLINE = 10
_DURATION = 5
_OLD = "1.0"
_CAVEATS = (
    "Nothing here is AWS's speed: the sandbox's tasks start in a third of a second and its load "
    "balancer drains for half a second, which take minutes on ECS. What carries over is the order "
    "of the parts and what each of them waits for.",
    f"The policy is impatient: a poll each second, {_DURATION} s of bad data for a metric, three "
    f"failed health checks, {_DEADLINE} s for a rollout. Minutes in real life; the parts fault→"
    "trigger and steady→verified follow the policy, and are longer by as much.",
    "The fault is the second in which the sandbox's own record has the first failed request of the "
    "new version (for a slow one, its first answer; for a crash, the end of its first task). That "
    "record counts by whole seconds: fault→trigger can be up to a second too long.",
    "The failing health check begins five seconds after the start, with all other answers; the "
    "others fail from the start. A crash at start is found by three failed tasks in a row, if the "
    "rollout's deadline does not come first; ECS's circuit breaker is off.",
    "The trigger is the watch's answer in Temporal's record, the call UpdateService or "
    "StopServiceDeployment in the sandbox's, steady what the sandbox itself says (asked five times "
    "a second), verified the end of the rollback in Lastgood's result.",
    "Sandbox, traffic (20 requests a second), dev server and worker share the machine.",
)

Truth = dict[str, Any]


@dataclass(frozen=True)
class _Fault:
    name: str
    tag: str
    begins: Callable[[Truth, str], float | None]


def _first(count: str) -> Callable[[Truth, str], float | None]:
    """The first second in which a version answered, or failed, a request."""

    def find(truth: Truth, version: str) -> float | None:
        seconds = (
            float(one["second"])
            for one in truth["timeline"]
            if one["versions"].get(version, {}).get(count)
        )
        return next(seconds, None)

    return find


def _first_end(truth: Truth, version: str) -> float | None:
    """When the first task of a version had ended."""
    ends = (float(t["stoppedAt"]) for t in truth["stopped"] if t["version"] == version)
    return min(ends, default=None)


_FAULTS = (
    _Fault("errors (40 %)", "2.0-errors-0.4", _first("errors")),
    _Fault("slow (3 s)", "2.0-slow-3s", _first("requests")),
    _Fault("health check", "2.0-degrades-5s", _first("errors")),
    _Fault("crash at start", "2.0-crash", _first_end),
)


@dataclass(frozen=True)
class _Run:
    trigger: str
    parts: tuple[float, ...]
    """Fault→trigger, trigger→call, call→steady, steady→verified."""


def _policy(stack: Stack) -> Policy:
    return Policy.model_validate(
        {
            "service": stack.name,
            "region": "us-east-1",
            "deploy": {"timeout": f"{_DEADLINE}s"},
            "monitor": {"window": "60s", "interval": "1s"},
            "triggers": [
                {"type": "error-rate", "duration": f"{_DURATION}s"},
                {"type": "response-time", "duration": f"{_DURATION}s"},
                {"type": "health-check", "url": f"{stack.url}/health"},
            ],
        }
    )


async def _run(parts: RealParts, fault: _Fault) -> _Run:
    """A service of its own, one bad release, and what the sandbox and Temporal say of it."""
    aws = parts.aws
    stack = await asyncio.to_thread(make_stack, aws.client, image=f"shop:{_OLD}")
    before = len(moves(aws, stack))
    handle = await release(parts.client, _policy(stack), f"shop:{fault.tag}", stack.service)
    await until("the rollback call", lambda: len(moves(aws, stack)) >= before + 2)

    def steady() -> bool:
        truth = aws.truth(stack.cluster, stack.service)
        return bool(truth["steady"]) and truth["versions"] == [_OLD]

    steady_at = await until("steady on the old version", steady, pause=0.2)
    report = await handle.result()
    if report.outcome is not Outcome.ROLLED_BACK or not report.rollback:
        raise RuntimeError(f"{fault.name} ended {report.outcome}: {report.reason}")
    truth = await asyncio.to_thread(aws.truth, stack.cluster, stack.service)
    began = fault.begins(truth, fault.tag)
    if began is None or report.rollback.finished_at is None:
        raise RuntimeError(f"{fault.name} was never seen in the sandbox")
    back = moves(aws, stack)[before + 1]
    moments = (
        began,
        (await record_of(handle)).fired_at(),
        back.at,
        steady_at,
        report.rollback.finished_at.timestamp(),
    )
    await asyncio.to_thread(stack.delete)
    steps = tuple(b - a for a, b in pairwise(moments))
    return _Run(report.trigger or "rollout", steps)


async def measure(runs: int | None, *, quick: bool) -> Report:
    """Some bad releases of each kind."""
    runs = runs or (1 if quick else _RUNS)
    found: dict[str, list[_Run]] = {}
    async with real_parts(traffic=20) as parts:
        for _ in range(runs):
            for fault in _FAULTS[:1] if quick else _FAULTS:
                found.setdefault(fault.name, []).append(await _run(parts, fault))
    columns = (
        "fault",
        "found by",
        "fault→trigger",
        "trigger→call",
        "call→steady",
        "steady→verified",
        "fault→steady",
        "fault→verified",
    )
    rows = tuple(_row(name, samples) for name, samples in found.items())
    title = f"Seconds; medians of {runs} releases of each kind, column by column."
    command = f"python -m benchmarks {NAME} --runs {runs}"
    return Report(NAME, QUESTION, command, _CAVEATS, (Table(title, columns, rows),))


def _row(name: str, samples: list[_Run]) -> tuple[str | float, ...]:
    found_by = ", ".join(sorted({one.trigger for one in samples}))
    columns = [median(list(values)) for values in zip(*(s.parts for s in samples), strict=True)]
    steady = median([sum(one.parts[:3]) for one in samples])
    verified = median([sum(one.parts) for one in samples])
    return (name, found_by, *columns, steady, verified)
