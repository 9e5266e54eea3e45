"""PAUSE hooks of ECS: where it waits for us to let a release go on."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls
from workflows.release import Release

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import ContinueOrder, Finding, ServiceNews, Steered
    from lastgood.model import ServiceRef


async def go_on(service: ServiceRef, news: ServiceNews) -> Steered:
    """Answer the hook that news tells of with CONTINUE.

    Raises:
        ActivityError: if that is refused, or not answered for a minute.
    """
    order = ContinueOrder(
        service=service,
        arn=news.service_deployment or "",
        hook=news.hook or "",
        action="CONTINUE",
    )
    return await calls.continue_service_deployment(order)


async def let_go_on(release: Release, news: ServiceNews) -> Finding | None:
    """Answer the hook that news tells of with CONTINUE; what keeps us from it, if anything.

    Who calls this has made sure that nothing fired, and nobody holds the release.
    """
    try:
        steered = await go_on(release.service, news)
    except ActivityError as error:
        reason = f"ECS waits at a PAUSE hook ({news.stage}) that cannot be answered: "
        return Finding(kind="inconclusive", reason=reason + calls.why(error))
    if steered.called:
        release.journal.note(f"PAUSE hook at {news.stage} answered: CONTINUE.")
        release.journal.call(f"ContinueServiceDeployment(CONTINUE) at {news.stage}")
    else:
        # What ECS answers may be a moment old: the next look waits a little.
        pause = release.policy.monitor.interval
        await workflow.sleep(pause, summary=f"ECS looks again at the hook of {news.stage}")
    return None
