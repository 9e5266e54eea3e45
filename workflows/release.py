"""A release as it stands: what its steps know in common, and the messages it got."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls
from workflows.drilling import Drilling
from workflows.journal import Journal
from workflows.listed import Listed
from workflows.orders import Orders
from workflows.preflight import Prepared
from workflows.resolved_images import images_of, newest_revision
from workflows.watching import Round, until_after

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        DeploymentOrder,
        Finding,
        Limits,
        OperatorRequest,
        ServiceWatchOrder,
        Tally,
        WatchedTrigger,
        WatchOrder,
    )
    from lastgood.decisions import comparing, digests, drills, findings, limits, rollout, targets
    from lastgood.decisions.notices import NoticeContext
    from lastgood.decisions.wording import sentence
    from lastgood.model import Revision, RollbackRecord


class Release:
    """The state of one release; changed by the steps of ``Deployment`` and by messages."""

    def __init__(self, order: DeploymentOrder) -> None:
        self.order = order
        self.policy = order.release.policy
        self.service = order.service
        self.journal = Journal(order)
        self.listed = Listed(wanted=order.listed, show=self.journal.changed)
        self.limits: Limits = order.limits
        self.started_at = workflow.now()
        self.orders = Orders(self)
        drill = order.release.drill
        self.drilling = Drilling(self, drill) if drill else None
        self.superseded_by: str | None = None
        self.prepared: Prepared | None = None
        self.released: Revision | None = None
        self.deployment: str | None = None
        self.deployed_at = workflow.now()
        self.released_at: datetime | None = None
        """Right before the service was changed."""
        self._deadline: datetime | None = None
        """Of the rollout, if a hold has moved it."""
        self.rolled_out_at: datetime | None = None
        self.smoke_tested = False
        self.window_end: datetime | None = None
        self.ended_early = ""
        """After how long, and why, if the window ended before its time."""
        self.not_before: datetime | None = None
        self.rolling_back = False
        self.judged_good = False
        self.orphaned = False
        """The guard that began it is gone: the present one learns of its end by a message."""
        self.closing = False
        """It has its outcome, and people are being told."""
        self._reading: asyncio.Task[None] | None = None
        self._revision: str | None = None
        """ARN of the service revision that the release brought."""
        self.over = False

    @property
    def interruption(self) -> Finding | None:
        """What a person or a newer release asked for."""
        if self.orders.rollback:
            return findings.of_operator(self.orders.rollback)
        if self.orders.cancelled:
            return Finding(kind="cancelled", reason=self.cancelled_by(self.orders.cancelled))
        if self.superseded_by:
            reason = f"Release {self.superseded_by} superseded it."
            return Finding(kind="superseded", reason=reason)
        if self.orders.held:
            return findings.of_hold(self.orders.held)
        return None

    def cancelled_by(self, request: OperatorRequest | None = None) -> str:
        """What a cancelled release leaves behind."""
        who = (
            f"{request.actor} cancelled it: {sentence(request.reason)}" if request else "Cancelled."
        )
        if self.released is None:
            return f"{who} Nothing had been changed."
        return (
            f"{who} The service stays on {self.released.label}, which was not judged to its end. "
            f'To go back: lastgood rollback {self.service} --reason "…"'
        )

    def resume(self, held_since: datetime) -> None:
        """Be judged again: what was left of the rollout's time, or of the window, is left now."""
        self.orders.held = self.orders.resumed = None
        self.not_before = None
        if self.window_end is None:
            left = _left(self.deadline(), held_since, self.policy.deploy.timeout)
            self._deadline = workflow.now() + left
            return
        triggers = self.prepared.triggers if self.prepared else ()
        left = _left(self.window_end, held_since, self.policy.monitor.window)
        least = until_after(workflow.now(), triggers, self.policy.monitor.interval)
        self.window_end = max(workflow.now() + left, least)

    def look_at_digests(self) -> None:
        """Find out which images the release really brought, beside everything else."""
        missing = self.released and not digests.are_known(self.released.images)
        if missing and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read_digests())

    async def know_digests(self) -> None:
        """The last look at them: what is remembered of the release is about to be told."""
        if self._reading:
            await self._reading
        if self._revision:
            self.look_at_digests()
        if self._reading:
            await self._reading

    async def _read_digests(self) -> None:
        before = self.prepared.state.service_revision if self.prepared else None
        wanted = self.released.images if self.released else ()
        try:
            # Asked for while our deployment is the newest: after a rollback it no longer is.
            self._revision = self._revision or await newest_revision(self.service, before)
            told = await images_of(self.service, self._revision, wanted) if self._revision else ()
        except ActivityError as error:
            workflow.logger.warning("The image digests cannot be read: %s", calls.why(error))
            return
        if self.released:
            images = digests.completed(self.released.images, told)
            self.released = self.released.model_copy(update={"images": images})

    @property
    def target(self) -> Revision | None:
        """What a rollback goes back to."""
        return self.prepared.target if self.prepared else None

    def remedy(self, finding: Finding) -> limits.Remedy | None:
        """What is to be done about a finding; None if a rollback is not the question."""
        if not findings.remedy_needed(finding, self.policy.monitor):
            return None
        if self.drilling:
            return drills.remedy(has_target=bool(self.target or finding.to))
        return limits.decide(
            self.limits,
            self.policy.rollback,
            by_operator=finding.kind == "operator",
            has_target=bool(self.target or finding.to),
            now=workflow.now(),
        )

    def count(self, record: RollbackRecord) -> None:
        """Count a rollback that begins, or what is known of it at its end; not a drill's."""
        if record.drill:
            return
        others = tuple(r for r in self.limits.rollbacks if r.started_at != record.started_at)
        self.limits = self.limits.model_copy(update={"rollbacks": (*others, record)})

    def context(self, link: str) -> NoticeContext:
        """What every notice about this release says."""
        counted = limits.counted(self.limits, self.policy.rollback, workflow.now())
        return NoticeContext(
            service=str(self.service),
            region=self.service.region,
            release=self.order.release.id,
            what=self.order.release.what,
            actor=self.order.release.actor,
            forced=self.order.release.forced,
            drill=self.drilling.summary if self.drilling else None,
            from_revision=self.prepared.running if self.prepared else None,
            to_revision=self.released,
            rollbacks_counted=len(counted),
            max_rollbacks=self.policy.rollback.max_rollbacks,
            per=self.policy.rollback.per,
            link=link,
            at=workflow.now(),
        )

    @property
    def shifts_traffic(self) -> bool:
        """The new tasks run beside the old ones, and traffic moves from these to those."""
        return self.prepared is not None and self.prepared.state.shifts_traffic

    @property
    def has_stages(self) -> bool:
        """ECS goes on after the rollout that we wait for: it bakes, or waits at a hook."""
        return self.prepared is not None and rollout.has_stages(self.prepared.state)

    @property
    def goes_on(self) -> bool:
        """ECS is not through with it, or may not be."""
        return self.has_stages or self.rolled_out_at is None

    def finished_by(self) -> datetime:
        """When ECS must have carried out all of a deployment that has all traffic, or gets it."""
        bake = self.prepared.state.bake if self.prepared else timedelta(0)
        return workflow.now() + bake + self.policy.deploy.timeout

    @property
    def armed_early(self) -> bool:
        """Whether the triggers watch during the rollout already."""
        prepared = self.prepared
        return (
            prepared is not None
            and not prepared.burning
            and targets.is_blameless(prepared.running, prepared.target)
        )

    @property
    def _judged_from(self) -> datetime:
        """What was measured earlier says nothing about this release."""
        if self.armed_early or self.rolled_out_at is None:
            return self.deployed_at
        return self.rolled_out_at

    @property
    def _rolling(self) -> str | None:
        """ARN of the task definition whose tasks replace the old ones."""
        return self.released.task_definition if self.released and not self.rolled_out_at else None

    async def tell_guard(self, name: str, payload: object) -> None:
        """Tell the guard; one that is gone learns it from our report, or from its successor's."""
        guard = self.order.guard_id
        if guard is None:
            return
        try:
            await workflow.get_external_workflow_handle(guard).signal(name, payload)
        except Exception as error:  # noqa: BLE001 - a missing guard must not stop a rollback
            workflow.logger.warning("The guard could not be told %s: %s", name, error)

    def deadline(self) -> datetime:
        """When the rollout must be complete; a cooldown that is sat out moves it, and a hold."""
        deadline = self._deadline or self.deployed_at + self.policy.deploy.timeout
        if self.not_before is None:
            return deadline
        return max(deadline, self.not_before + timedelta(seconds=1))

    def watch(
        self,
        goal: Literal["rollout", "traffic", "window", "standing"],
        until: datetime,
        *,
        armed_until: datetime | None = None,
        triggers: tuple[WatchedTrigger, ...] | None = None,
        carry: tuple[Tally, ...] = (),
        part: Part | None = None,
    ) -> Round:
        """Start a round of watches over this release.

        Args:
            goal: what the service watch is for.
            until: when the service watch ends.
            armed_until: when the triggers' watches end; left out: with the service watch.
            triggers: which to watch; left out: all.
            carry: what an earlier round remembers.
            part: of the window that this round is, if the window may end early.
        """
        if self.prepared is None or self.released is None:
            raise RuntimeError("watching comes after deploy")
        interval = self.policy.monitor.interval
        order = WatchOrder(
            service=self.service,
            triggers=self.prepared.triggers if triggers is None else triggers,
            since=self._judged_from,
            covers_from=part.begin if part else workflow.now(),
            until=part.until if part else armed_until or until,
            goes_on=part is not None and part.until < until,
            not_before=self.not_before,
            interval=interval,
            carry=carry,
            released_at=self.released_at,
            started=tuple(at for at in (self.deployed_at, self.rolled_out_at) if at),
            window=self.policy.monitor.window,
            troubled=self.order.troubled,
            rolling=None if self.shifts_traffic or goal != "rollout" else self._rolling,
            previous=comparing.previous_of(self.order.good, self.policy.monitor.window),
        )
        service = ServiceWatchOrder(
            service=self.service,
            task_definition=self.released.task_definition,
            deployment=self.deployment,
            previous_deployments=self.prepared.state.deployment_ids,
            deployed_at=self.deployed_at,
            until=until,
            interval=interval,
            goal=goal,
        )
        return Round(order, service, part.after if part else None)


class Part(NamedTuple):
    """A part of a monitor window that may end early: up to when it is asked whether it does."""

    begin: datetime
    """Of the window."""
    until: datetime
    after: Round | None
    """The part before."""


def _left(until: datetime, since: datetime, whole: timedelta) -> timedelta:
    """What was left until then; all of it anew, if it was over."""
    return until - since if until > since else whole
