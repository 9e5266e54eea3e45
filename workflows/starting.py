"""A guard's release begins: as its child, once an earlier guard's is over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows.deployment import Deployment

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import DeploymentOrder, DeploymentReport
    from lastgood.decisions.rendering.temporal_ui.release import release_details, release_summary

_ORPHAN_RETRY = timedelta(seconds=5)


async def start_release(
    order_now: Callable[[], DeploymentOrder], is_over: Callable[[], bool]
) -> ChildWorkflowHandle[Deployment, DeploymentReport] | None:
    """Start the release; wait for one that an earlier guard left behind, and learn how it ends.

    Args:
        order_now: what the release must know, asked for anew at each attempt: the one that is
            waited for may have gone back meanwhile.
        is_over: whether the one that was waited for was this very release.

    Returns:
        The release; None if it is over already.
    """
    told = False
    while True:
        order = order_now()
        ident, release = messages.deployment_id(order.service), order.release
        try:
            return await workflow.start_child_workflow(
                Deployment.run,
                order,
                id=ident,
                parent_close_policy=ParentClosePolicy.ABANDON,
                memo={messages.RELEASE_MEMO: release.id},
                static_summary=release_summary(release, order.service),
                static_details=release_details(release, order.service),
            )
        except WorkflowAlreadyStartedError:
            if not told:
                with suppress(FailureError):  # it has just ended
                    orphan = workflow.get_external_workflow_handle(ident)
                    await orphan.signal(messages.ORPHANED)
            told = True
            await workflow.sleep(
                _ORPHAN_RETRY, summary="A release that a lost guard began is under way"
            )
            if is_over():
                return None
