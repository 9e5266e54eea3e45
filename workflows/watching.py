"""One round of watching: a heartbeating activity per kind of source, racing."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityHandle

from workflows.calls import why
from workflows.options import watch_options

with workflow.unsafe.imports_passed_through():
    from activities.cloudwatch import CloudWatchActivities
    from activities.ecs import EcsActivities
    from activities.health import HealthActivities
    from lastgood.contracts import (
        ServiceNews,
        ServiceWatchOrder,
        Tally,
        WatchedTrigger,
        WatchOrder,
        WatchReport,
    )
    from lastgood.decisions.verdicts import said_by, with_keys
    from lastgood.model import Status, Verdict

_SOURCES: dict[str, tuple[str, Any]] = {
    "error-rate": ("metrics", CloudWatchActivities.watch_metrics),
    "response-time": ("metrics", CloudWatchActivities.watch_metrics),
    "regression": ("metrics", CloudWatchActivities.watch_metrics),
    "band": ("metrics", CloudWatchActivities.watch_metrics),
    "health-check": ("health checks", HealthActivities.watch_health),
    "alarm": ("alarms", CloudWatchActivities.watch_alarms),
}

_HANDOVER = timedelta(seconds=10)
"""How long a round waits for what its watches remember, before the next one starts without."""


class Round:
    """Watches that were started together and end together.

    Args:
        order: what to watch; its triggers are split by source.
        service: the service watch that goes with it, if any.
        after: an earlier round whose service watch goes on, in place of another.
    """

    def __init__(
        self,
        order: WatchOrder,
        service: ServiceWatchOrder | None = None,
        after: Round | None = None,
    ) -> None:
        self._order = order
        self._watches: list[tuple[WatchOrder, ActivityHandle[WatchReport]]] = []
        options = watch_options(order.until - workflow.now())
        for source, (method, triggers) in _by_source(order.triggers).items():
            keys = {one.key for one in triggers}
            part = order.model_copy(
                update={
                    "triggers": triggers,
                    "carry": tuple(tally for tally in order.carry if tally.key in keys),
                }
            )
            handle = workflow.start_activity_method(
                method, part, summary=f"Watch {source}: {_names(triggers)}", **options
            )
            handle.add_done_callback(_look_at)
            self._watches.append((part, handle))
        self._service: ActivityHandle[ServiceNews] | None = after._service if after else None
        if service and after is None:
            self._service = workflow.start_activity_method(
                EcsActivities.watch_service,
                service,
                summary=f"Follow {service.goal} of {service.task_definition.rsplit('/', 1)[-1]}",
                **watch_options(service.until - workflow.now()),
            )
            self._service.add_done_callback(_look_at)

    @property
    def done(self) -> bool:
        """All watches have ended."""
        service_done = self._service is None or self._service.done()
        return service_done and all(handle.done() for _, handle in self._watches)

    @property
    def goes_on(self) -> bool:
        """The triggers' watches have ended, and their window may not have."""
        return self._order.goes_on and all(handle.done() for _, handle in self._watches)

    @property
    def carried(self) -> tuple[Tally, ...]:
        """What the watches of the same window's next part go on with: their counts too."""
        return tuple(tally.model_copy(update={"conclusion": None}) for tally in self.tallies)

    @property
    def fired(self) -> Verdict | None:
        """The verdict of a trigger that fired, as soon as there is one."""
        return next(iter(self.all_fired), None)

    @property
    def all_fired(self) -> tuple[Verdict, ...]:
        """The verdicts of all sources in which a trigger fired."""
        reports = [_report(order, handle) for order, handle in self._watches if handle.done()]
        return tuple(report.fired for report in reports if report.fired)

    @property
    def news(self) -> ServiceNews | None:
        """What the service watch found, once it has ended."""
        if self._service is None or not self._service.done() or self._service.cancelled():
            return None
        try:
            return self._service.result()
        except ActivityError as error:
            return ServiceNews(
                kind="unreadable",
                reason=f"The service watch failed: {why(error)}",
                at=workflow.now(),
            )

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What all triggers concluded."""
        reports = [_report(order, handle) for order, handle in self._watches]
        return tuple(verdict for report in reports for verdict in report.verdicts)

    @property
    def good(self) -> bool:
        """Everything watched is good again (for the goal ``recovery``)."""
        if not all(handle.done() for _, handle in self._watches):
            return False
        return all(tally.recovered for tally in self.tallies) and len(self.tallies) == len(
            self._order.triggers
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The latest values in words."""
        return tuple(tally.latest for tally in self.tallies)

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What the watches that have ended remember."""
        reports = [_report(order, handle) for order, handle in self._watches if handle.done()]
        return tuple(tally for report in reports for tally in report.tallies)

    def cancel(self) -> None:
        """End all watches; does not wait for them."""
        for _, handle in self._watches:
            handle.cancel()
        if self._service:
            self._service.cancel()

    async def hand_over(self) -> tuple[Tally, ...]:
        """End all watches and collect what they remember for the next round.

        Counts start anew there; streaks and an alarm's having been OK go on.
        """
        self.cancel()
        handles = [handle for _, handle in self._watches]
        try:
            await workflow.wait_condition(
                lambda: all(handle.done() for handle in handles) or bool(self.fired),
                timeout=_HANDOVER,
                timeout_summary="The watches hand over what they remember",
            )
        except TimeoutError:
            workflow.logger.info("A watch did not hand over in time; the next round starts fresh")
        anew = {"healthy": 0, "unhealthy": 0, "no_data": 0, "error": 0, "conclusion": None}
        return tuple(tally.model_copy(update=anew) for tally in self.tallies)


def _by_source(
    triggers: tuple[WatchedTrigger, ...],
) -> dict[str, tuple[Any, tuple[WatchedTrigger, ...]]]:
    grouped: dict[str, tuple[Any, tuple[WatchedTrigger, ...]]] = {}
    for watched in triggers:
        source, method = _SOURCES[watched.trigger.type]
        before = grouped.get(source, (method, ()))[1]
        grouped[source] = (method, (*before, watched))
    return grouped


def _look_at(handle: asyncio.Task[Any]) -> None:
    """Take note of how a watch ended, or asyncio complains about those that nobody asks."""
    if not handle.cancelled():
        handle.exception()


def _names(triggers: tuple[WatchedTrigger, ...]) -> str:
    return ", ".join(dict.fromkeys(watched.trigger.type for watched in triggers))


def _report(order: WatchOrder, handle: ActivityHandle[WatchReport]) -> WatchReport:
    """A watch's report; a watch that failed or was cancelled says nothing about the release."""
    if not handle.done() or handle.cancelled():
        return WatchReport()
    try:
        return with_keys(handle.result())
    except ActivityError as error:
        return WatchReport(
            verdicts=tuple(
                said_by(
                    watched.trigger,
                    Verdict(
                        trigger=watched.trigger.type,
                        key=watched.key,
                        status=Status.INCONCLUSIVE,
                        reason=f"The watch itself failed: {why(error)}",
                        at=order.until,
                    ),
                )
                for watched in order.triggers
            )
        )


def until_after(
    moment: datetime, triggers: tuple[WatchedTrigger, ...], step: timedelta
) -> datetime:
    """A time late enough after ``moment`` for every trigger to have looked once more."""
    longest = max(
        (getattr(one.trigger, "duration", timedelta(0)) for one in triggers), default=timedelta(0)
    )
    return moment + step + min(longest, timedelta(minutes=1))
