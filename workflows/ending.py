"""How a release ends: healthy, or rolled back and verified, or held; and people are told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from workflows import calls
from workflows.release import Release
from workflows.results import after_rollback, report_of, result_of
from workflows.rollback import Rollback
from workflows.telling import here, tell

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        DeploymentReport,
        Finding,
        Notice,
        RollbackOrder,
        RollbackReport,
    )
    from lastgood.decisions import findings, notices, targets
    from lastgood.decisions.limits import Remedy
    from lastgood.decisions.wording import sentence
    from lastgood.model import (
        ChannelFailure,
        Outcome,
        ReleaseResult,
        Revision,
        RollbackRecord,
    )

_BUSY_RETRY_SECONDS = 5


async def run_rollback(order: RollbackOrder) -> RollbackReport:
    """Run the ``Rollback`` child; wait if an orphaned one still runs for this service."""
    started_at = workflow.now()
    while True:
        try:
            return await workflow.execute_child_workflow(
                Rollback.run,
                order,
                id=messages.rollback_id(order.service),
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"{order.service} back to {order.target.label}",
            )
        except WorkflowAlreadyStartedError:
            await workflow.sleep(_BUSY_RETRY_SECONDS)
        except ChildWorkflowError as error:
            return RollbackReport(
                outcome=Outcome.ROLLBACK_FAILED,
                reason=f"The rollback itself broke off: {calls.why(error)}. Look at the service.",
                to=order.target.task_definition,
                started_at=started_at,
                finished_at=workflow.now(),
                verified=False,
            )


class Ending:
    """Brings a release to its one outcome."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._journal = release.journal
        self._telling: list[asyncio.Task[tuple[ChannelFailure, ...]]] = []

    async def reach(self, finding: Finding | None) -> DeploymentReport:
        """From why the release does not go on (None: it is good) to its report."""
        if finding is None:
            end = result_of(self._release, Outcome.HEALTHY, "The window ended clean.")
        else:
            end = await self._follow(finding)
        await self._tell(
            notices.ended(
                self._release.context(here()),
                result=end,
                fired=finding.verdict if finding else None,
                target=self._release.target,
            )
        )
        while self._telling:
            self._journal.failures.extend(await self._telling.pop(0))
        late = self._release.interruption
        if end.outcome is Outcome.HEALTHY and late and late.kind == "operator":
            return await self.reach(late)  # it came while people were told of a good end
        report = report_of(self._release, end)
        self._journal.held = False
        self._journal.result = ReleaseResult.model_validate(report.model_dump())
        self._journal.note(f"Ended: {report.outcome.value}. {report.reason}")
        return report

    async def tell_of_cooldown(self, finding: Finding, remedy: Remedy) -> None:
        """Something fired during a cooldown: people hear of it at once."""
        self._journal.note(f"{sentence(finding.reason)} {remedy.reason}")
        if remedy.until is None:
            return
        last = max(self._release.limits.rollbacks, key=lambda r: r.started_at, default=None)
        await self._tell(
            notices.cooldown(
                self._release.context(here()),
                reason=finding.reason,
                fired=finding.verdict,
                until=remedy.until,
                last=last,
            )
        )

    # --- The ways to end -------------------------------------------------------------------

    async def _follow(self, finding: Finding) -> ReleaseResult:
        if finding.kind == "rolled_back_by_ecs":
            return await self._adopt(finding)
        remedy = self._release.remedy(finding)
        if remedy and remedy.do == "roll_back":
            return await self._roll_back(finding)
        if findings.waits_for_a_person(finding):
            return await self._hold(finding, remedy)
        return result_of(
            self._release, findings.outcome_without_rollback(finding), finding.reason, finding
        )

    async def _roll_back(self, finding: Finding) -> ReleaseResult:
        release = self._release
        target = await self._target_of(finding)
        if target is None or release.released is None:
            reason = f"{sentence(finding.reason)} There is no revision to go back to."
            return result_of(self._release, Outcome.ROLLBACK_FAILED, reason, finding)
        release.rolling_back = True
        record = RollbackRecord(
            release=release.order.release.id,
            started_at=workflow.now(),
            trigger=findings.trigger_of(finding),
            reason=finding.reason,
            actor=finding.actor,
            to=target.task_definition,
        )
        release.count(record)
        remembered = asyncio.create_task(release.tell_guard(messages.ROLLBACK_STARTED, record))
        await self._tell(
            notices.rollback_started(
                release.context(here()),
                reason=finding.reason,
                fired=finding.verdict,
                target=target,
                asked_by=finding.actor if finding.kind == "operator" else None,
            )
        )
        with self._journal.step("roll back", target.label):
            report = await self._run(finding, target, adopt=False)
        await remembered
        ended = {"finished_at": workflow.now(), "verified": report.verified}
        await self._remember(record.model_copy(update=ended))
        return after_rollback(self._release, report, finding)

    async def _adopt(self, finding: Finding) -> ReleaseResult:
        """ECS went back by itself: no second rollback, but the same proof."""
        before = self._release.prepared.running if self._release.prepared else None
        if before is None:
            return result_of(self._release, Outcome.ROLLED_BACK_BY_ECS, finding.reason, finding)
        with self._journal.step("verify", before.label):
            report = await self._run(finding, before, adopt=True)
        return after_rollback(self._release, report, finding)

    async def _run(self, finding: Finding, target: Revision, *, adopt: bool) -> RollbackReport:
        release, prepared = self._release, self._release.prepared
        released = release.released.task_definition if release.released else ""
        order = RollbackOrder(
            service=release.service,
            release=release.order.release.id,
            target=target,
            from_task_definition=released,
            from_deployment=release.deployment,
            target_deployment=prepared.running_deployment if prepared else None,
            before_revision=prepared.revision_before(target) if prepared else None,
            policy=release.policy,
            fired=finding.verdict,
            smoke_failed=finding.kind == "smoke",
            adopt=adopt,
            triggers=prepared.triggers if prepared else (),
        )
        return await self._to_its_end(run_rollback(order))

    async def _to_its_end(self, rollback: Coroutine[Any, Any, RollbackReport]) -> RollbackReport:
        """A rollback that has begun goes on, even if the release is cancelled meanwhile."""
        task = asyncio.create_task(rollback)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done() or workflow.cancellation_reason() is None:
                    raise
                self._journal.note("Cancelled while rolling back: the rollback goes on.")

    async def _target_of(self, finding: Finding) -> Revision | None:
        if finding.to is None:
            return self._release.target
        try:
            found = await calls.describe_task_definition(
                self._release.service.region, finding.to, back=True
            )
        except ActivityError as error:
            self._journal.note(
                f"{finding.to} cannot be read ({calls.why(error)}); using last known good."
            )
            return self._release.target
        return targets.revision_of(found, proven=None, at=workflow.now())

    async def _hold(self, finding: Finding, remedy: Remedy | None) -> ReleaseResult:
        """Wait for a person; somebody else's deployment or a newer release ends it too."""
        release = self._release
        why = f"{sentence(finding.reason)} {remedy.reason}" if remedy else finding.reason
        held = result_of(self._release, Outcome.HELD, why, finding)
        self._journal.held, self._journal.result = True, held
        self._journal.note(f"Held for a person: {why}")
        release.request = None
        await self._tell(
            notices.held(
                release.context(here()),
                reason=why,
                fired=finding.verdict,
                until=workflow.now() + release.policy.rollback.hold_for,
            )
        )
        await self._release.tell_guard(messages.RELEASE_HELD, release.order.release.id)
        with self._journal.step("hold"):
            until = workflow.now() + release.policy.rollback.hold_for
            watch = release.watch("window", until, triggers=())
            try:
                await workflow.wait_condition(
                    lambda: release.interruption is not None or bool(watch.news),
                    timeout=release.policy.rollback.hold_for,
                )
            except TimeoutError:
                return held
            finally:
                watch.cancel()
        decided = release.interruption or (
            findings.of_service_news(watch.news) if watch.news else None
        )
        self._journal.held = False
        return await self._after_hold(decided, held)

    async def _after_hold(self, decided: Finding | None, held: ReleaseResult) -> ReleaseResult:
        if decided is None or decided.kind in ("rollout", "lost"):
            return held
        if decided.kind == "operator":
            return await self._roll_back(decided)
        if decided.kind == "rolled_back_by_ecs":
            return await self._adopt(decided)
        outcome = findings.outcome_without_rollback(decided)
        return result_of(
            self._release, outcome, f"{decided.reason} It was held: {held.reason}", decided
        )

    # --- Telling ---------------------------------------------------------------------------

    async def _tell(self, notice: Notice) -> None:
        """Begin to tell people; nothing waits for it but the very end."""
        call = tell(notice, self._release.policy.notify, self._release.service.region)
        self._telling.append(asyncio.create_task(call))

    async def _remember(self, record: RollbackRecord) -> None:
        self._release.count(record)
        await self._release.tell_guard(messages.ROLLBACK_STARTED, record)
