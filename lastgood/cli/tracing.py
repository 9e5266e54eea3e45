"""Find the workflow run that carried out a release, however long ago."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio.client import Client, WorkflowExecution, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from lastgood import messages
from lastgood.cli import asking
from lastgood.cli.asking import RPC_TIMEOUT
from lastgood.contracts import Explanation, ReleaseView
from lastgood.errors import UnreachableError
from lastgood.model import ReleaseResult, ServiceRef

MOST = 2000
"""Runs that are looked through for an id; whoever has more will name the service."""
_GONE = "Temporal no longer has its history: this is what the guard remembers."
_NO_STEPS = "An operator's rollback outside of a release: it has no measurements before it."


@dataclass(frozen=True)
class Traced:
    """A release that was found, and what is known of it."""

    service: ServiceRef
    explanation: Explanation | None = None
    result: ReleaseResult | None = None
    remark: str = ""
    """Why there is no explanation."""


async def trace(
    client: Client, release: str, *, service: ServiceRef | None, region: str | None
) -> Traced | None:
    """Find a release and ask it; None if nobody knows it.

    Args:
        client: Temporal's.
        release: its id.
        service: whose it was; None: the newest of this id, whoever's.
        region: only in this one.

    Raises:
        UnreachableError: if nobody answers.
    """
    if service is None:
        found = await _newest(client, release, region)
        if found is None:
            return None
        service = service_of(found.id)
        if found.workflow_type == messages.DEPLOYMENT:
            explanation = await _ask(client, found.id, found.run_id, release)
            return Traced(service, explanation, _result(explanation), _GONE)
    view = await asking.query_guard(client, service, messages.RELEASE, ReleaseView, release)
    if view is None or view.state == "unknown":
        return None
    if view.result and view.result.workflow_id != messages.deployment_id(service):
        return Traced(service, None, view.result, _NO_STEPS)
    run = view.run_id or (view.result.run_id if view.result else None)
    explanation = None
    if run:
        explanation = await _ask(client, messages.deployment_id(service), run, release)
    return Traced(service, explanation, view.result or _result(explanation), _GONE)


def _result(explanation: Explanation | None) -> ReleaseResult | None:
    return explanation.progress.result if explanation else None


def service_of(workflow_id: str) -> ServiceRef:
    """The service in ``release/{region}/{cluster}/{service}``."""
    _, region, cluster, name = workflow_id.split("/", 3)
    return ServiceRef(region=region, cluster=cluster, name=name)


async def _newest(client: Client, release: str, region: str | None) -> WorkflowExecution | None:
    """The run that began last; a release's own before the rollback that it started."""
    found: list[WorkflowExecution] = []
    try:
        async for one in _runs(client):
            wanted = region is None or service_of(one.id).region == region
            if wanted and await one.memo_value(messages.RELEASE_MEMO, None) == release:
                found.append(one)
    except RPCError as error:
        raise UnreachableError(f"Temporal's list of workflows fails: {error.message}") from None
    releases = [one for one in found if one.workflow_type == messages.DEPLOYMENT]
    return max(releases or found, key=lambda one: one.start_time, default=None)


async def _runs(client: Client) -> AsyncIterator[WorkflowExecution]:
    kinds = f"'{messages.DEPLOYMENT}', '{messages.ROLLBACK}'"
    async for one in client.list_workflows(f"WorkflowType IN ({kinds})", limit=MOST):
        yield one


async def _ask(client: Client, workflow_id: str, run_id: str, release: str) -> Explanation | None:
    """The run's own account; None if its history is gone."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        async with asyncio.timeout(4 * RPC_TIMEOUT.total_seconds()):
            found: Explanation = await handle.query(
                messages.EXPLAIN, result_type=Explanation, rpc_timeout=2 * RPC_TIMEOUT
            )
    except (TimeoutError, WorkflowQueryFailedError) as error:
        text = f"No worker could answer for release {release}: {error or 'it took too long'}"
        raise UnreachableError(text) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise UnreachableError(f"No worker answers: {error.message}") from None
    return found
