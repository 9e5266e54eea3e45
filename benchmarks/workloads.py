"""The workflows that a release is compared with."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.scripted import report_on
    from lastgood.contracts import WatchOrder, WatchReport

_LIMIT = timedelta(seconds=10)


@activity.defn
async def do_nothing() -> None:
    """Nothing: what is left is what the call itself costs."""


@activity.defn
async def look_once(order: WatchOrder) -> WatchReport:
    """One look at all triggers, as an activity of its own."""
    return report_on(order)


@workflow.defn
class EmptyActivities:
    """As many empty activities as asked for: groups one after the other, a group's at once."""

    @workflow.run
    async def run(self, shape: list[int]) -> None:
        """Call them."""
        for size in shape:
            calls = [
                workflow.start_activity(do_nothing, start_to_close_timeout=_LIMIT)
                for _ in range(size)
            ]
            for call in calls:
                await call


@workflow.defn
class PollingLoop:
    """A window as a plain loop would watch it: a timer and one activity for each poll."""

    @workflow.run
    async def run(self, order: WatchOrder, polls: int) -> None:
        """Poll so often."""
        for _ in range(polls):
            await workflow.execute_activity(look_once, order, start_to_close_timeout=_LIMIT)
            await workflow.sleep(order.interval)
