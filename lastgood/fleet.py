"""The workers that poll, and which of them Temporal gives new releases to.

Without Worker Versioning that is all of them. With it, it is the build that was made *current*;
releases under way stay with the build they were started with. Nothing here makes a build current:
that would move what unversioned workers have under way, too (docs/upgrading.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.deployment.v1 import WorkerDeploymentVersion as Wire
from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion as Build

from lastgood.messages import TASK_QUEUE


@dataclass(frozen=True)
class Fleet:
    """What Temporal knows of the workers of a namespace; None stands for "without a build id"."""

    namespace: str
    workers: frozenset[Build | None]
    current: Build | None
    ramping: Build | None = None
    """The build that a share of the new releases goes to already."""

    def why_nobody_begins(self) -> str | None:
        """Why a new release would wait for ever, and what to do; None if it would not."""
        if not self.workers:
            return (
                f"No worker polls task queue {TASK_QUEUE!r} in namespace {self.namespace!r}: "
                "start one with `python worker.py`."
            )
        if self.workers & self._begins:
            return None
        newest = max(self.workers, key=lambda one: one.build_id if one else "")
        return (
            f"New releases go to {_name(self.current)}, and only {self._who()} in namespace "
            f"{self.namespace!r}. Start such a worker, or {self._make_current(newest)}"
        )

    def place_of(self, own: Build | None) -> tuple[bool, str]:
        """Whether a worker gets new releases, and what to tell those who started it."""
        if own in self._begins:
            return True, f"New releases come to {_name(own)}"
        remedy = (
            f"This is {_name(own)}: {self._make_current(own)}"
            if own
            else "This worker gets none: set its TEMPORAL_WORKER_BUILD_ID"
        )
        return False, f"New releases go to {_name(self.current)}. {remedy}"

    @property
    def _begins(self) -> frozenset[Build | None]:
        return frozenset({self.current, self.ramping or self.current})

    def _who(self) -> str:
        return f"{', '.join(sorted(_name(one) for one in self.workers))} poll"

    def _make_current(self, build: Build | None) -> str:
        fleet = build or self.current
        which = f"--build-id {build.build_id}" if build else "--unversioned"
        return (
            "make it current: temporal worker deployment set-current-version "
            f"--namespace {self.namespace} "
            f"--deployment-name {fleet.deployment_name if fleet else ''} {which}"
        )


async def fleet_of(client: Client) -> Fleet:
    """Ask Temporal; raises ``RPCError``."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    routing = answer.versioning_info
    return Fleet(
        namespace=client.namespace,
        workers=frozenset(_build_of(poller) for poller in answer.pollers),
        current=_build(routing.current_deployment_version),
        ramping=(
            _build(routing.ramping_deployment_version)
            if routing.ramping_version_percentage
            else None
        ),
    )


def _build_of(poller: PollerInfo) -> Build | None:
    options = poller.deployment_options
    if options.worker_versioning_mode != WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED:
        return None
    return Build(options.deployment_name, options.build_id)


def _build(version: Wire) -> Build | None:
    return Build(version.deployment_name, version.build_id) if version.build_id else None


def _name(build: Build | None) -> str:
    return f"build {build.to_canonical_string()}" if build else "workers without a build id"
