"""How long after bad datapoints can be read the rollback call is made, by poll interval."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.metric import Publisher, Reader, policy_metric
from benchmarks.records import record_of, way_back
from benchmarks.releases import Release, moves, release, until, until_monitored
from benchmarks.report import Report, Table, median
from benchmarks.servers import RealParts, real_parts
from lastgood.model import Outcome
from lastgood.policy import Policy
from lastgood.policy_triggers import ErrorRateTrigger
from sandbox.scenarios.stack import Stack, make_stack

NAME = "reaction"
QUESTION = "seconds from 'the bad datapoints can be read' to the rollback call, by poll interval"
_RUNS = 4
_INTERVALS, _SHORTEST = (1, 2, 5), (1,)
_DURATION = 3
_LEAD = 1.0
_CAVEATS = (
    "Sandbox, dev server, worker and this program share the machine: each hop waits for a core "
    "that it would have for itself elsewhere. The dev server's throttle is lifted.",
    "The sandbox shows a datapoint at once. CloudWatch takes seconds to minutes until it does; "
    "that time comes before these figures and is longer than they are.",
    "Readable is the moment at which a reader of our own (GetMetricData every "
    f"{1000 * Reader.EVERY:.0f} ms) first got enough bad datapoints for the trigger's rule "
    f"(error-rate over {_DURATION} s of one-second datapoints): it may be that much late. The call "
    "is UpdateService in the sandbox's own record.",
    "The metric is published by this program, and turns bad at moments spread evenly over the "
    "poll interval, so that the wait for the next poll is neither lucky nor unlucky: about half "
    "an interval in the median, a whole one at most.",
    "Few runs: a median, and the longest that was seen, not the longest that there is.",
)


@dataclass(frozen=True)
class _Run:
    readable: float
    moments: dict[str, float]
    """From the watch's answer to UpdateService, in order."""

    @property
    def noticed(self) -> float:
        """From readable to the watch's answer in Temporal's record."""
        return next(iter(self.moments.values())) - self.readable

    @property
    def whole(self) -> float:
        """From readable to UpdateService."""
        return list(self.moments.values())[-1] - self.readable

    @property
    def hops(self) -> dict[str, float]:
        """What each moment took since the one before it."""
        pairs = pairwise(self.moments.items())
        return {name: at - before for (_, before), (name, at) in pairs}


def _policy(stack: Stack, interval: int) -> Policy:
    return Policy.model_validate(
        {
            "service": stack.name,
            "region": "us-east-1",
            "monitor": {"window": f"{60 + 3 * interval}s", "interval": f"{interval}s"},
            "triggers": [
                {
                    "type": "error-rate",
                    "duration": f"{_DURATION}s",
                    "metric": policy_metric(stack.service),
                }
            ],
            "rollback": {"cooldown": "0s", "per": "1s"},
        }
    )


class _Bench:
    """One service, released again and again."""

    def __init__(self, parts: RealParts, stack: Stack, publisher: Publisher) -> None:
        self._parts = parts
        self._stack = stack
        self._publisher = publisher
        self._count = 0

    async def run(self, interval: int, phase: float) -> _Run:
        """One release that turns bad in its window; ``phase`` is a share of the interval."""
        self._count += 1
        policy = _policy(self._stack, interval)
        trigger = policy.triggers[0]
        if not isinstance(trigger, ErrorRateTrigger):
            raise TypeError("the policy's only trigger is an error rate")
        name = f"bench-{self._count}"
        handle = await release(self._parts.client, policy, f"shop:2.{self._count}", name)
        await until_monitored(handle)
        aws = self._parts.aws
        before = len(await asyncio.to_thread(moves, aws, self._stack))
        with Reader(aws.client, self._stack.service, trigger) as reader:
            self._publisher.turn_bad(time.time() + _LEAD + phase * interval)
            await until("the rollback call", lambda: len(moves(aws, self._stack)) > before)
        self._publisher.turn_good()
        report = await handle.result()
        if report.outcome is not Outcome.ROLLED_BACK:
            raise RuntimeError(f"the release ended {report.outcome}: {report.reason}")
        moments = await self._way_back(handle)
        back = moves(aws, self._stack)[before]
        moments[f"{back.action} arrived"] = back.at
        return _Run(reader.readable_at(), moments)

    async def _way_back(self, handle: Release) -> dict[str, float]:
        history = await record_of(handle)
        workflow_id, run_id = history.child
        child = self._parts.client.get_workflow_handle(workflow_id, run_id=run_id)
        return way_back(history, await record_of(child))


async def measure(runs: int | None, *, quick: bool) -> Report:
    """Some releases for each interval."""
    runs = runs or (1 if quick else _RUNS)
    found: dict[int, list[_Run]] = {}
    async with real_parts(traffic=0) as parts:
        stack = await asyncio.to_thread(
            make_stack, parts.aws.client, service="shop", load_balancer=False
        )
        with Publisher(parts.aws.client, stack.service) as publisher:
            bench = _Bench(parts, stack, publisher)
            for interval in _SHORTEST if quick else _INTERVALS:
                phases = [(number + 0.5) / runs for number in range(runs)]
                found[interval] = [await bench.run(interval, phase) for phase in phases]
    title = (
        f"{runs} releases per interval; seconds. Noticed: from readable to the watch's answer "
        "in Temporal's record. Called: from there to UpdateService."
    )
    columns = (
        "interval",
        "noticed, median",
        "called, median",
        "both, median",
        "both, max",
        "in intervals, median",
        "max",
    )
    rows = tuple(_row(interval, samples) for interval, samples in found.items())
    command = f"python -m benchmarks {NAME} --runs {runs}"
    tables = (Table(title, columns, rows), _hops([one for runs in found.values() for one in runs]))
    return Report(NAME, QUESTION, command, _CAVEATS, tables)


def _hops(samples: list[_Run]) -> Table:
    """Where the time between trigger and call goes."""
    taken: dict[str, list[float]] = {}
    for name, seconds in (hop for one in samples for hop in one.hops.items()):
        taken.setdefault(name, []).append(seconds)
    return Table(
        "From the watch's answer to the call, hop by hop: milliseconds since the moment before, "
        f"medians of all {len(samples)} releases.",
        ("until", "ms, median", "max"),
        tuple((n, round(1000 * median(t)), round(1000 * max(t))) for n, t in taken.items()),
    )


def _row(interval: int, samples: list[_Run]) -> tuple[str | float, ...]:
    whole = [one.whole for one in samples]
    return (
        f"{interval} s",
        median([one.noticed for one in samples]),
        median([one.whole - one.noticed for one in samples]),
        median(whole),
        max(whole),
        median(whole) / interval,
        max(whole) / interval,
    )
