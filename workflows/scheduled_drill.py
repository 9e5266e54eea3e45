"""A drill that a Temporal Schedule begins: it asks the guard, as anybody does, and waits."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.guard_calls import ask_to_release, watch_standing
from workflows.telling import here, tell

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import ReleaseOrder, ScheduledDrill, StandingQuery
    from lastgood.decisions import drills, guarding, notices
    from lastgood.model import Outcome, ReleaseResult


@workflow.defn(name=messages.DRILL)
class ScheduledDrillRun:
    """One drill; it fails if the drill did not pass, so that the schedule's list shows it."""

    @workflow.run
    async def run(self, scheduled: ScheduledDrill) -> ReleaseResult:
        """Ask, wait for the end."""
        order = self._order(scheduled)
        try:
            await ask_to_release(order)
        except ActivityError as error:
            reason = calls.why(error)
            await self._tell_of_refusal(order, reason)
            raise _failed(Outcome.REFUSED, reason) from None
        query = StandingQuery(service=order.policy.ref(), release=order.id, until="ended")
        standing = await watch_standing(query)
        result = standing.result
        if result is None:
            raise _failed(Outcome.HELD, f"Its guard knows nothing of drill {order.id} any more.")
        if result.drill is None or not result.drill.passed:
            why_not = result.drill.why_not if result.drill else None
            raise _failed(result.outcome, why_not or result.reason)
        return result

    def _order(self, scheduled: ScheduledDrill) -> ReleaseOrder:
        return ReleaseOrder(
            id=f"drill-{workflow.now():%Y%m%d-%H%M%S}",
            policy=scheduled.policy,
            actor=scheduled.actor,
            drill=scheduled.drill,
        )

    async def _tell_of_refusal(self, order: ReleaseOrder, reason: str) -> None:
        """Nobody waits for its answer: people are told what otherwise a command says."""
        result = ReleaseResult(
            release=order.id,
            workflow_id=workflow.info().workflow_id,
            run_id=workflow.info().run_id,
            service=order.policy.service,
            outcome=Outcome.REFUSED,
            reason=reason,
            actor=order.actor,
            drill=drills.begun(order),
        )
        context = guarding.context_of_queued(order, workflow.now(), here())
        notice = notices.ended(context, result=result)
        await tell(notice, order.policy.notify, order.policy.ref().region)


def _failed(outcome: Outcome, reason: str) -> ApplicationError:
    return ApplicationError(f"{outcome.value}: {reason}", type="DrillFailed", non_retryable=True)
