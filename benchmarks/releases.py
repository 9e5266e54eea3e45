"""Releases on real parts: asked for as CI does, through the service's guard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from lastgood import messages
from lastgood.contracts import (
    Accepted,
    DeploymentReport,
    GuardState,
    Progress,
    ReleaseOrder,
    ReleaseView,
)
from lastgood.policy import Policy
from sandbox.running import Sandbox
from sandbox.scenarios.stack import Stack

_PATIENCE = 180.0
_PAUSE = 0.1
_MOVING = ("UpdateService", "StopServiceDeployment", "ContinueServiceDeployment")

Release = WorkflowHandle[Any, DeploymentReport]


async def release(client: Client, policy: Policy, image: str, name: str) -> Release:
    """Ask the guard for a release; its run, once it has begun."""
    service = policy.ref()
    guard: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        messages.GUARD,
        GuardState(service=service),
        id=messages.guard_id(service),
        task_queue=messages.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    order = ReleaseOrder(id=name, image=image, policy=policy, actor="benchmarks")
    await client.execute_update_with_start_workflow(
        messages.DEPLOY, order, start_workflow_operation=guard, result_type=Accepted
    )
    handle = client.get_workflow_handle(messages.guard_id(service))
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        view = await handle.query(messages.RELEASE, name, result_type=ReleaseView)
        if view.run_id:
            return client.get_workflow_handle(
                messages.deployment_id(service), run_id=view.run_id, result_type=DeploymentReport
            )
        await asyncio.sleep(_PAUSE)
    raise TimeoutError(f"release {name} did not begin")


async def until_monitored(handle: Release) -> None:
    """Wait until the monitor window of a release has begun."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        progress = await handle.query(messages.PROGRESS, result_type=Progress)
        if progress.step == "monitor":
            return
        if progress.result:
            raise RuntimeError(f"it ended before its window: {progress.result.reason}")
        await asyncio.sleep(_PAUSE)
    raise TimeoutError("the monitor window did not begin")


@dataclass(frozen=True)
class Move:
    """A call that moved a service, forth or back."""

    action: str
    at: float


def moves(aws: Sandbox, stack: Stack) -> list[Move]:
    """The calls that moved a service, by the sandbox's own record, oldest first."""
    found = [
        Move(action, float(call["at"]))
        for action in _MOVING
        for call in aws.requests(action)
        if call["about"] == stack.service and any(map(_moves, call["effects"]))
    ]
    return sorted(found, key=lambda move: move.at)


def _moves(effect: str) -> bool:
    return effect.startswith(("deployment ", "rollback to "))


async def until(what: str, condition: Callable[[], bool], pause: float = _PAUSE) -> float:
    """When a condition on the sandbox was first seen to hold, in seconds since the epoch."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if await asyncio.to_thread(condition):
            return time.time()
        await asyncio.sleep(pause)
    raise TimeoutError(f"{what} did not happen within {_PATIENCE:.0f} s")
