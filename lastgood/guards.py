"""How a service's guard is started and reached, by the command line and by a group's release."""

from __future__ import annotations

from typing import Any

from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from lastgood import messages
from lastgood.contracts import GuardState
from lastgood.decisions.rendering.temporal_ui.guard import guard_details
from lastgood.model import ServiceRef


def starting(service: ServiceRef) -> WithStartWorkflowOperation[Any, Any]:
    """Start the service's guard, if it does not run yet."""
    return WithStartWorkflowOperation(
        messages.GUARD,
        GuardState(service=service, listed=True),
        id=messages.guard_id(service),
        task_queue=messages.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Guards {service}",
        static_details=guard_details(service),
    )
