"""Asking a service's guard, for the release of a group: one question each.

A group never goes around its members' guards. What it asks for is known by an id, a release's or a
request's own, so that asking twice does nothing twice, whatever became of the first answer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from temporalio import activity
from temporalio.client import (
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.service import RPCError, RPCStatusCode

from activities.watch import beating, pause
from lastgood import messages
from lastgood.contracts import (
    Accepted,
    Answer,
    CancelOrder,
    MemberStanding,
    Overview,
    ReleaseOrder,
    RollbackAccepted,
    StandingQuery,
    TakeBackOrder,
)
from lastgood.decisions.standings import has_come, standing
from lastgood.errors import REFUSED
from lastgood.guards import starting
from lastgood.model import Model, ServiceRef

T = TypeVar("T")

_RPC_TIMEOUT = timedelta(seconds=10)
"""A query waits for a worker of the guard's; this one may be the last, and shutting down."""
_MOST_UNKNOWN = 6
"""Looks in a row at which a guard does not know a release, until that is believed."""


class GuardActivities:
    """Questions to guards, through the client of the worker that carries them out."""

    @activity.defn
    async def ask_to_release(self, order: ReleaseOrder) -> Accepted:
        """Ask for a release. Idempotent: the same release id is the same release.

        Raises:
            ApplicationError: REFUSED if the guard refuses it.
        """
        service = order.policy.ref()
        return await _update(service, messages.DEPLOY, order, order.id, Accepted)

    @activity.defn
    async def ask_for_preflight(self, order: ReleaseOrder) -> Answer:
        """Ask whether a release could begin now. Changes nothing.

        Raises:
            ApplicationError: REFUSED if it could not.
        """
        ident = f"{order.id}/{activity.info().workflow_run_id}"
        return await _update(order.policy.ref(), messages.PREFLIGHT, order, ident, Answer)

    @activity.defn
    async def ask_to_roll_back(self, order: TakeBackOrder) -> RollbackAccepted:
        """Ask for a rollback. Idempotent through the request's id.

        Raises:
            ApplicationError: REFUSED if the guard refuses it.
        """
        request = order.request
        update = messages.OPERATOR_ROLLBACK
        return await _update(order.service, update, request, request.id, RollbackAccepted)

    @activity.defn
    async def ask_to_cancel(self, order: CancelOrder) -> Answer:
        """Ask to take a release out of the queue. Idempotent through the request's id.

        Raises:
            ApplicationError: REFUSED if the guard refuses it.
        """
        request = order.request
        return await _update(order.service, messages.CANCEL, request, request.id, Answer)

    @activity.defn
    async def read_standing(self, query: StandingQuery) -> MemberStanding:
        """Read where a release stands."""
        return await _standing(query)

    @activity.defn
    async def watch_standing(self, query: StandingQuery) -> MemberStanding:
        """Wait until a release has ended, is rolled back after its end, or has been.

        Heartbeats; a guard that does not answer is asked again until it does. One that does not
        know the release, several times in a row, is believed.
        """
        unknown = 0
        async with beating():
            while True:
                seen = await _look(query)
                unknown = unknown + 1 if seen and seen.state == "unknown" else 0
                if seen and (has_come(query, seen) or unknown >= _MOST_UNKNOWN):
                    return seen
                await pause(query.interval.total_seconds())


async def _look(query: StandingQuery) -> MemberStanding | None:
    """Where the release stands; None without an answer."""
    try:
        return await _standing(query)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None


async def _standing(query: StandingQuery) -> MemberStanding:
    handle = activity.client().get_workflow_handle(messages.guard_id(query.service))
    try:
        overview: Overview = await handle.query(
            messages.OVERVIEW, result_type=Overview, rpc_timeout=_RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return MemberStanding(state="unknown")
        raise
    return standing(overview, query.service, query.release)


async def _update(
    service: ServiceRef, update: str, request: Model, ident: str, answer: type[T]
) -> T:
    try:
        answered: T = await activity.client().execute_update_with_start_workflow(
            update,
            request,
            start_workflow_operation=starting(service),
            id=f"{update}/{ident}",
            result_type=answer,
        )
    except WorkflowUpdateFailedError as error:
        raise ApplicationError(
            _innermost(error.cause),
            type=REFUSED,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,  # an answer, no fault
        ) from None
    return answered


def _innermost(error: BaseException) -> str:
    """The message of the failure that began it all."""
    while isinstance(error, FailureError) and error.cause is not None:
        error = error.cause
    return getattr(error, "message", "") or str(error)
