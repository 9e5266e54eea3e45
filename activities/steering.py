"""An ECS service deployment that is under way: read it, stop it, answer its PAUSE hooks."""

from __future__ import annotations

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ecs_calls import EcsCalls, still_in_time
from activities.watch import now
from lastgood import errors
from lastgood.contracts import ContinueOrder, ServiceDeploymentQuery, Steered, StopOrder
from lastgood.decisions import ladder
from lastgood.model import ServiceDeploymentState, ServiceRef

_TOO_LATE = ("ConflictException", "InvalidParameterException")
"""What ECS answers if the service deployment has moved on since we looked."""


class SteeringActivities(EcsCalls):
    """Calls to ECS about service deployments, through injected clients."""

    @activity.defn
    async def describe_service_deployments(
        self, query: ServiceDeploymentQuery
    ) -> ServiceDeploymentState | None:
        """Read a service deployment, or the newest; None where ECS knows none."""
        return await self._describe_deployment(query.service, query.arn)

    @activity.defn
    async def stop_service_deployment(self, order: StopOrder) -> Steered:
        """Let ECS go back to what ran before. Idempotent: reads first, and writes only if needed.

        Raises:
            ApplicationError: with ECS's own code if it refuses, and the deployment goes on.
        """
        state = await self._read(order.service, order.arn)
        if not ladder.is_under_way(state):
            return _on_its_way(state)
        still_in_time()
        try:
            await self._call(
                order.service.region,
                "stop_service_deployment",
                serviceDeploymentArn=order.arn,
                stopType="ROLLBACK",
            )
        except ApplicationError as error:
            return await self._moved_on(order.service, order.arn, error)
        return Steered(called=True, status=state.status, at=now())

    @activity.defn
    async def continue_service_deployment(self, order: ContinueOrder) -> Steered:
        """Answer a PAUSE hook. Idempotent: reads first, and answers only one that waits.

        Raises:
            ApplicationError: with ECS's own code if it refuses, and the hook still waits.
        """
        state = await self._read(order.service, order.arn)
        if not _waits(state, order.hook):
            return _on_its_way(state)
        still_in_time()
        try:
            await self._call(
                order.service.region,
                "continue_service_deployment",
                serviceDeploymentArn=order.arn,
                hookId=order.hook,
                action=order.action,
            )
        except ApplicationError as error:
            return await self._moved_on(order.service, order.arn, error, hook=order.hook)
        return Steered(called=True, status=state.status, at=now())

    async def _read(self, service: ServiceRef, arn: str) -> ServiceDeploymentState:
        state = await self._describe_deployment(service, arn)
        if state is None:
            text = f"ECS does not know service deployment {arn.rsplit('/', 1)[-1]}."
            raise ApplicationError(text, type=errors.NOT_FOUND, non_retryable=True)
        return state

    async def _moved_on(
        self, service: ServiceRef, arn: str, error: ApplicationError, hook: str | None = None
    ) -> Steered:
        """What a refusal means: nothing, if the deployment is no longer what we saw."""
        if error.type not in _TOO_LATE:
            raise error
        state = await self._read(service, arn)
        still = _waits(state, hook) if hook else ladder.is_under_way(state)
        if still:
            raise ApplicationError(error.message, type=error.type, non_retryable=True)
        return _on_its_way(state)


def _waits(state: ServiceDeploymentState, hook: str) -> bool:
    return ladder.is_under_way(state) and any(one.id == hook for one in state.awaiting)


def _on_its_way(state: ServiceDeploymentState) -> Steered:
    """Nothing was sent now; an earlier attempt, whose answer was lost, may have sent it."""
    back = ladder.is_going_back(state) or state.status.startswith("ROLLBACK")
    return Steered(called=back and activity.info().attempt > 1, status=state.status, at=now())
