"""A failed rollback is told again and again until somebody acknowledges it."""

from __future__ import annotations

from temporalio import workflow

from workflows.memory import Memory
from workflows.telling import Conversation

with workflow.unsafe.imports_passed_through():
    from lastgood.decisions import alerts, incidents


async def remind(memory: Memory) -> None:
    """Tell people of each failure at its intervals, for as long as nobody acknowledges it."""
    while True:
        await workflow.wait_condition(lambda: bool(memory.state.alerts))
        waiting_for = alerts.next_at(memory.state)
        try:
            await workflow.wait_condition(
                lambda due=waiting_for: alerts.next_at(memory.state) != due,  # type: ignore[misc]
                timeout=max(alerts.NO_TIME, waiting_for - workflow.now()) if waiting_for else None,
                timeout_summary="People are told again of a failed rollback",
            )
        except TimeoutError:
            for alert in alerts.due(memory.state, workflow.now()):
                notice = alerts.reminder(alert, workflow.now())
                memory.state = alerts.told(memory.state, alert, workflow.now())
                conversation = Conversation(
                    incidents.threads_of(memory.state, alert.release),
                    memory.turns_about(alert.release),
                )
                await conversation.tell(notice, alert.notify, memory.state.service.region)
                memory.state = incidents.reminded(memory.state, alert, conversation.open)
