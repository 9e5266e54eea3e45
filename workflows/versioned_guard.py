"""The guard under Worker Versioning, where it moves on to each build that is made current.

An idle guard that stayed on the build it was started with would strand as soon as that build's
workers end. Releases and rollbacks are pinned, by the worker's default. The behaviour cannot be
written on `ServiceGuard` itself: a worker without a build id would fail each of its tasks.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.service_guard import ServiceGuard

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import GuardState


@workflow.defn(name=messages.GUARD, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class VersionedServiceGuard(ServiceGuard):
    """`ServiceGuard`, the same under the same name."""

    @workflow.init
    def __init__(self, state: GuardState) -> None:
        super().__init__(state)

    @workflow.run
    async def run(self, state: GuardState) -> None:
        """Guard the service."""
        await super().run(state)
