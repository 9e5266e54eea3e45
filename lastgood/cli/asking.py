"""What the command line asks a service's guard, and what can come of it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import click
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig
from temporalio.runtime import TelemetryFilter as Filter
from temporalio.service import RPCError, RPCStatusCode

from lastgood import messages
from lastgood.connection import connect, require_worker
from lastgood.contracts import OperatorRequest
from lastgood.errors import REFUSED, LastgoodError, UnreachableError
from lastgood.guards import starting
from lastgood.model import Model, ServiceRef

T = TypeVar("T")
M = TypeVar("M", bound=Model)

RPC_TIMEOUT = timedelta(seconds=5)
_PATIENCE = 120.0
"""Seconds until a guard that does not answer is given up."""
_REMARK_EVERY = 10.0
_TRIES, _PAUSE = 5, 0.25


class RefusedError(LastgoodError):
    """Raised when the guard refuses what was asked; the message says why."""


class FailedError(LastgoodError):
    """Raised when what was asked could not be carried out."""


async def reach(*, worker: bool = True) -> Client:
    """Connect, with Temporal's own log in ours; see that somebody works.

    Raises:
        UnreachableError: within five seconds.
    """
    logs = LoggingConfig(
        filter=Filter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
    client = await connect(Runtime(telemetry=TelemetryConfig(logging=logs)))
    if worker:
        await _find_worker(client)
    return client


async def _find_worker(client: Client) -> None:
    """A worker that is just being started is waited for, shortly."""
    for left in reversed(range(_TRIES)):
        try:
            await require_worker(client)
        except UnreachableError:
            if not left:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return


async def tell_guard(
    client: Client, service: ServiceRef, update: str, order: Model, answer: type[T]
) -> T:
    """Send an update to the service's guard, which is started if there is none.

    Raises:
        RefusedError: if it is refused.
        FailedError: if it failed.
        UnreachableError: if nobody answered; what was asked may still be carried out.
    """
    call = client.execute_update_with_start_workflow(
        update,
        order,
        start_workflow_operation=starting(service),
        id=_update_id(order),
        result_type=answer,
    )
    return await _answered(call)


async def tell_running_guard(
    client: Client, service: ServiceRef, update: str, order: Model, answer: type[T]
) -> T:
    """Send an update to the service's guard; refused if there is none.

    Raises:
        RefusedError, FailedError, UnreachableError: as ``tell_guard``.
    """
    handle = client.get_workflow_handle(messages.guard_id(service))
    try:
        call = handle.execute_update(update, order, id=_update_id(order), result_type=answer)
        return await _answered(call)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise RefusedError(nothing_known(service)) from None
        raise


async def tell_group(
    handle: WorkflowHandle[Any, Any], update: str, request: OperatorRequest, answer: type[T]
) -> T:
    """Send an update to a group's release; refused if it has ended.

    Raises:
        RefusedError, FailedError, UnreachableError: as ``tell_guard``.
    """
    call = handle.execute_update(update, request, id=_update_id(request), result_type=answer)
    try:
        return await _answered(call)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise RefusedError(f"Release {request.release} has ended already.") from None
        raise


def _update_id(order: Model) -> str:
    """An operator's request is the same one however often it is sent."""
    known = order.id if isinstance(order, OperatorRequest) else ""
    return known or str(uuid.uuid4())


async def query_guard(
    client: Client, service: ServiceRef, query: str, answer: type[M], about: str | None = None
) -> M | None:
    """Ask the service's guard, about a release perhaps; None if there is none.

    Raises:
        UnreachableError: if nobody answers.
    """
    handle = client.get_workflow_handle(messages.guard_id(service))
    try:
        async with asyncio.timeout(2 * RPC_TIMEOUT.total_seconds()):
            found: M = await handle.query(
                query,
                args=[] if about is None else [about],
                result_type=answer,
                rpc_timeout=RPC_TIMEOUT,
            )
            return found
    except TimeoutError:
        raise UnreachableError(_SILENT) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise UnreachableError(f"{_SILENT} ({error.message})") from None


_SILENT = "No worker answers: see that `python worker.py` runs and reaches this Temporal."


def nothing_known(service: ServiceRef) -> str:
    """What is said of a service without a guard."""
    return (
        f"Lastgood has no record of {service} in {service.region}: nothing was released with it "
        "yet, or the region or Temporal namespace is another one."
    )


async def _answered(call: Coroutine[Any, Any, T]) -> T:
    remarks = asyncio.ensure_future(_remark())
    try:
        async with asyncio.timeout(_PATIENCE):
            return await call
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        raise UnreachableError(
            f"The guard has not answered for {_PATIENCE:.0f} s, so no worker may be running. "
            "What was asked may still be carried out when one is back: see `lastgood status`."
        ) from None
    except WorkflowUpdateFailedError as error:
        raise _failure(error.cause) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise
        raise UnreachableError(
            f"Temporal gave no answer: {error.message}. What was asked may still be carried out: "
            "see `lastgood status`."
        ) from None
    finally:
        remarks.cancel()


async def _remark() -> None:
    waited = 0.0
    while True:
        await asyncio.sleep(_REMARK_EVERY)
        waited += _REMARK_EVERY
        click.echo(f"No answer for {waited:.0f} s; still waiting", err=True)


def _failure(cause: BaseException) -> LastgoodError:
    if isinstance(cause, ApplicationError) and cause.type == REFUSED:
        return RefusedError(cause.message)
    return FailedError(f"It could not be carried out: {innermost(cause)}")


def innermost(error: BaseException) -> str:
    """The message of the failure that began it all."""
    while isinstance(error, FailureError) and error.cause is not None:
        error = error.cause
    return getattr(error, "message", "") or str(error)


def run(work: Coroutine[Any, Any, int], on_signal: Callable[[], str]) -> int:
    """Run a verb to its exit code; SIGINT and SIGTERM end it with a word: 130, 143."""
    return asyncio.run(_until_signal(work, on_signal))


async def _until_signal(work: Coroutine[Any, Any, int], on_signal: Callable[[], str]) -> int:
    task, caught = asyncio.ensure_future(work), []
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        caught.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):  # Windows; not the main thread
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except (asyncio.CancelledError, LastgoodError):
        # Temporal's client turns a cancelled update into an error of its own.
        if not caught:
            raise
        sys.stdout.flush()
        click.echo(on_signal(), err=True)
        return 128 + int(caught[0])
