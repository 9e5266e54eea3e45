"""A failed rollback is told again and again until somebody acknowledges it."""

from __future__ import annotations

from temporalio import workflow

from workflows.memory import Memory
from workflows.telling import Conversation

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import Alert
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
            memory.reminding = True
            try:
                await _remind_of_those_due(memory)
            finally:
                memory.reminding = False


async def _remind_of_those_due(memory: Memory) -> None:
    """One after the other; what is acknowledged or good again meanwhile is left out."""
    for alert in alerts.due(memory.state, workflow.now()):
        if alert in memory.state.alerts or not workflow.patched("no-stale-reminders"):
            await _remind_of(memory, alert)


async def _remind_of(memory: Memory, alert: Alert) -> None:
    notice = alerts.reminder(alert, workflow.now())
    memory.state = alerts.told(memory.state, alert, workflow.now())
    threads = incidents.threads_of(memory.state, alert.release)
    conversation = Conversation(threads, memory.turns_about(alert.release))
    await conversation.tell(notice, alert.notify, memory.state.service.region)
    memory.state = incidents.reminded(memory.state, alert, conversation.open)
