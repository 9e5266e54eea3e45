"""What all watches share: pace, heartbeats, the way out.

A watch is one activity that looks, heartbeats and sleeps until it has news or its end has come.
It costs the history a handful of events however long it lasts. What it must remember is small and
travels in its heartbeats: after a crash the next attempt goes on from there, towards the same
absolute end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from lastgood.contracts import Tally, WatchedTrigger, WatchOrder, WatchReport
from lastgood.decisions import recorded, records
from lastgood.decisions.health import look_failed
from lastgood.decisions.verdicts import conclude, first_of, remembered
from lastgood.model import Model, Verdict

HEARTBEAT_EVERY = 3.0
"""Seconds; the SDK sends at most what its throttle allows."""

GRACE = timedelta(seconds=60)
"""How long the last look is tried again when the outside does not answer."""


class Memory(Model):
    """A watch's heartbeat."""

    watching: tuple[str, ...]
    """The latest values in words; what people read in the Temporal UI."""
    until: datetime
    tallies: tuple[Tally, ...]


Look = Callable[[WatchOrder, Sequence[Tally], datetime, bool], Awaitable[tuple[Tally, ...]]]
"""One look at all triggers: order, tallies, now, whether it is the last one."""


def now() -> datetime:
    """The time; watches read it here and hand it to decisions."""
    return datetime.now(UTC)


class Heart:
    """Heartbeats the newest details until its task is cancelled."""

    def __init__(self) -> None:
        self.details: Model | None = None

    def beat(self, details: Model | None = None) -> None:
        """Send now, with new details if there are any."""
        self.details = details or self.details
        activity.heartbeat(*([self.details] if self.details else []))

    async def run(self) -> None:
        """Send every few seconds, for watches whose looks are far apart."""
        while True:
            self.beat()
            await asyncio.sleep(HEARTBEAT_EVERY)


@asynccontextmanager
async def beating() -> AsyncIterator[Heart]:
    """A heart that beats in the background while the block runs."""
    heart = Heart()
    task = asyncio.create_task(heart.run())
    try:
        yield heart
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def pause(seconds: float) -> None:
    """Sleep, unless the worker shuts down: then hand the watch to another worker at once.

    Raises:
        ApplicationError: retryable, when this worker is shutting down.
    """
    shutdown = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        done, _ = await asyncio.wait([shutdown], timeout=max(0.0, seconds))
    finally:
        shutdown.cancel()
    if done:
        raise ApplicationError(
            "This worker shuts down; another one goes on.",
            type="WorkerShutdown",
            next_retry_delay=timedelta(seconds=1),
            category=ApplicationErrorCategory.BENIGN,
        )


def _remembered(order: WatchOrder) -> list[Tally]:
    known = {tally.key: tally for tally in order.carry}
    details = activity.info().heartbeat_details
    if details:
        memory = Memory.model_validate(details[0])
        known |= {tally.key: tally for tally in memory.tallies}
    return [known.get(one.key) or Tally(key=one.key) for one in order.triggers]


def _memory(order: WatchOrder, tallies: Sequence[Tally]) -> Memory:
    words = tuple(
        f"{tally.latest}; its last datapoint is waited for" if tally.awaiting else tally.latest
        for tally in tallies
    )
    light = tuple(records.light(tally) for tally in tallies)
    return Memory(watching=words, until=order.until, tallies=light)


def _report(tallies: Sequence[Tally], fired: Verdict | None = None) -> WatchReport:
    verdicts = tuple(tally.conclusion for tally in tallies if tally.conclusion)
    bare = tuple(records.bare(tally) for tally in tallies)
    return WatchReport(fired=fired, verdicts=verdicts, tallies=bare)


def fired_among(order: WatchOrder, tallies: Sequence[Tally], moment: datetime) -> Verdict | None:
    """The first trigger that fires and may; during a cooldown nothing does yet."""
    if order.goal != "breach" or (order.not_before and moment < order.not_before):
        return None
    return first_of(tally.failing for tally in tallies)


async def watch(order: WatchOrder, look: Look) -> WatchReport:
    """Look at an order's triggers until one fires, all have recovered, or its end has come.

    At its end, datapoints of the window that are published late are waited for: what they say is
    as old as the window, and counts. A look that fails counts as an error measurement and the watch
    goes on. When the workflow cancels the watch, it answers with what it remembers.
    """
    tallies: Sequence[Tally] = _remembered(order)
    due = order.until + order.patience
    too_late = due if order.goes_on else max(due, now()) + GRACE
    try:
        async with beating() as heart:
            heart.beat(_memory(order, tallies))
            while True:
                started, moment = time.monotonic(), now()
                last = moment >= order.until
                looked = await _try(look, order, tallies, min(moment, order.until), last)
                tallies = remembered(
                    order.triggers, looked, now=moment, not_before=order.not_before
                )
                heart.beat(_memory(order, tallies))
                fired = fired_among(order, tallies, moment)
                if fired:
                    return _report(tallies, fired)
                if order.goal == "recovery" and all(tally.recovered for tally in tallies):
                    return _report(tallies)
                waits = moment < due and any(tally.awaiting for tally in tallies)
                if last and ((_concluded(tallies) and not waits) or moment >= too_late):
                    return _report(_give_up(order, tallies))
                await pause(_rest(order, time.monotonic() - started, last, waits))
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details and details.cancel_requested:
            return _report(tallies)
        raise


def _rest(order: WatchOrder, took: float, last: bool, waits: bool) -> float:
    """Seconds until the next look, after one that took so long."""
    every = order.interval.total_seconds()
    if last and not waits:
        return every - took
    if last:  # when they come is not known: asked for twenty times at most, and once at the end
        every = max(every, order.patience.total_seconds() / 20)
    end = order.until + order.patience if last else order.until
    return min(every - took, max((end - now()).total_seconds(), 0.0))


def _concluded(tallies: Sequence[Tally]) -> bool:
    return all(tally.conclusion for tally in tallies)


def _give_up(order: WatchOrder, tallies: Sequence[Tally]) -> list[Tally]:
    """The last look failed for too long: conclude from the counts, without data."""
    return [
        tally
        if tally.conclusion
        else _counted(order, watched, tally.model_copy(update={"healthy": 0, "unhealthy": 0}), 1)
        for watched, tally in zip(order.triggers, tallies, strict=True)
    ]


async def _try(
    look: Look, order: WatchOrder, tallies: Sequence[Tally], moment: datetime, last: bool
) -> tuple[Tally, ...]:
    try:
        return await look(order, tallies, moment, last)
    except ApplicationError as error:
        failed = [look_failed(tally, error.message, moment) for tally in tallies]
        return tuple(one.model_copy(update={"conclusion": None}) for one in failed)


def conclude_polled(order: WatchOrder, watched: WatchedTrigger, tally: Tally, last: bool) -> Tally:
    """Add the conclusion of a polled trigger (health check, alarm) at the last look."""
    if not last:
        return tally
    expected = (order.until - order.covers_from) / order.interval
    if tally.failing:
        return tally.model_copy(update={"conclusion": tally.failing})
    return _counted(order, watched, tally, expected)


def _counted(order: WatchOrder, watched: WatchedTrigger, tally: Tally, expected: float) -> Tally:
    """Add what a trigger's counts say of a window that should have had so many."""
    verdict = conclude(tally, watched.trigger, expected, order.until)
    concluded = tally.model_copy(update={"conclusion": verdict})
    if not records.wanted(order, watched, tally, last=True):
        return concluded
    counts = {"healthy", "unhealthy", "no_data", "error", "latest"}
    counted = tally.model_dump(include=counts)
    given = recorded.OfCounts(**counted, expected=expected, at=order.until)
    return records.with_record(concluded, records.record_of(given))
