"""What Temporal's own record says of a run: events, bytes, and when something was decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle

from lastgood.messages import ROLLBACK_STARTED

_MOVES = ("update_service", "stop_service_deployment", "continue_service_deployment")
"""The activities that bring a service back; which one is chosen is the ladder's."""


@dataclass(frozen=True)
class Record:
    """One run's history."""

    events: tuple[HistoryEvent, ...]

    @property
    def size(self) -> int:
        """Bytes of all events as they are sent and stored."""
        return sum(event.ByteSize() for event in self.events)

    @property
    def shape(self) -> list[int]:
        """How many activities were scheduled together, in order."""
        decided = (
            event.activity_task_scheduled_event_attributes.workflow_task_completed_event_id
            for event in self.events
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        )
        return [len(list(group)) for _, group in groupby(decided)]

    def refuse_failures(self) -> None:
        """Raise if an activity failed: stand-ins always answer, so one of them is missing."""
        for event in self.events:
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                failure = event.activity_task_failed_event_attributes.failure
                raise RuntimeError(f"an activity failed: {failure.message}")

    def fired_at(self) -> float:
        """When the watch that ended the way forward had answered, in seconds since the epoch.

        The next thing that a release does then is to tell its guard that it rolls back.
        """
        watches: set[int] = set()
        answered: float | None = None
        for event in self.events:
            scheduled = event.activity_task_scheduled_event_attributes
            completed = event.activity_task_completed_event_attributes
            signal = event.signal_external_workflow_execution_initiated_event_attributes
            if scheduled.activity_type.name.startswith("watch_"):
                watches.add(event.event_id)
            elif completed.scheduled_event_id in watches:
                answered = seconds(event)
            elif signal.signal_name == ROLLBACK_STARTED:
                break
        if answered is None:
            raise LookupError("no watch had answered before the rollback")
        return answered

    @property
    def child(self) -> tuple[str, str]:
        """Workflow id and run id of the first child that this run started."""
        for event in self.events:
            started = event.child_workflow_execution_started_event_attributes
            if started.workflow_execution.run_id:
                return started.workflow_execution.workflow_id, started.workflow_execution.run_id
        raise LookupError("it started no child")


def way_back(release: Record, rollback: Record) -> dict[str, float]:
    """The moments between a trigger and the call that brings the service back, in order.

    Read from the two histories, whatever steps they have: the child's start, and each answer of
    an activity that the child waits for before it calls.
    """
    moments = {"trigger fired": release.fired_at()}
    names: dict[int, str] = {}
    for event in rollback.events:
        scheduled = event.activity_task_scheduled_event_attributes.activity_type.name
        completed = names.get(event.activity_task_completed_event_attributes.scheduled_event_id)
        if event.event_id == 1:
            moments["Rollback begun"] = seconds(event)
        elif scheduled in _MOVES:
            moments[f"{scheduled} scheduled"] = seconds(event)
            break
        elif scheduled:
            names[event.event_id] = scheduled
        elif completed:
            again = " again" if f"{completed} answered" in moments else ""
            moments[f"{completed} answered{again}"] = seconds(event)
    return moments


def seconds(event: HistoryEvent) -> float:
    """An event's time in seconds since the epoch."""
    return event.event_time.ToDatetime(tzinfo=UTC).timestamp()


async def record_of(handle: WorkflowHandle[Any, Any]) -> Record:
    """The whole history of a run."""
    events: Iterable[HistoryEvent] = (await handle.fetch_history()).events
    return Record(tuple(events))
