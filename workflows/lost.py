"""A release whose workflow broke off without a verdict: it was not judged, and people are asked."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError

from workflows import calls
from workflows.telling import Conversation, here

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import Begun, DeploymentReport, ReleaseOrder
    from lastgood.decisions import drills, guarding, notices
    from lastgood.model import Outcome, ReleaseResult, ServiceRef


async def report_of_lost(
    service: ServiceRef,
    release: ReleaseOrder,
    run_id: str | None,
    error: ChildWorkflowError,
    begun: Begun | None,
) -> DeploymentReport:
    """Tell people, and report what is known."""
    result = ReleaseResult(
        release=release.id,
        workflow_id=messages.deployment_id(service),
        run_id=run_id or "",
        service=str(service),
        outcome=Outcome.HELD,
        reason=(
            f"Its workflow broke off ({calls.why(error)}): the release was not judged, and the "
            "service may run it. Look at it, then release again or roll back."
        ),
        finished_at=workflow.now(),
        image=release.image,
        actor=release.actor,
        drill=drills.begun(release),
    )
    context = guarding.context_of_queued(release, workflow.now(), here())
    notice = notices.held(context, reason=result.reason)
    conversation = Conversation()
    failures = await conversation.tell(notice, release.policy.notify, service.region)
    result = result.model_copy(update={"notification_failures": failures})
    return DeploymentReport(
        **result.model_dump(),
        released=begun.released if begun else None,
        target=begun.target if begun else None,
        notice=notice,
        threads=conversation.open,
    )
