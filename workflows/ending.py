"""How a release ends: healthy, or rolled back and verified, or held; and people are told."""

from __future__ import annotations

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from workflows import calls
from workflows.release import Release
from workflows.results import after_rollback, report_of, result_of
from workflows.rollback import Rollback
from workflows.telling import Conversation, here
from workflows.unbroken import WHILE_TOLD, to_its_end

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        DeploymentReport,
        Finding,
        Notice,
        OperatorRequest,
        RollbackOrder,
        RollbackReport,
    )
    from lastgood.decisions import attributes, findings, ledger, notices, targets
    from lastgood.decisions.limits import Remedy
    from lastgood.decisions.pictures import picture_of
    from lastgood.decisions.rendering.temporal_ui.rollback import rollback_details, rollback_summary
    from lastgood.decisions.wording import sentence
    from lastgood.model import (
        ChannelFailure,
        Outcome,
        ReleaseResult,
        Revision,
        RollbackRecord,
    )

_BUSY_RETRY_SECONDS = 5
_GOES_ON = "Cancelled while rolling back: the rollback goes on."


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
                memo={messages.RELEASE_MEMO: order.release},
                static_summary=rollback_summary(order),
                static_details=rollback_details(order),
            )
        except WorkflowAlreadyStartedError:
            await workflow.sleep(
                _BUSY_RETRY_SECONDS, summary="Another rollback of the service is under way"
            )
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
        self._proven: str | None = None
        self._holds = 0
        self._closings = 0
        self._held: ReleaseResult | None = None
        """What it waited for a person with, last."""
        self._cooldown_told: datetime | None = None
        """The end of the cooldown that people were told of last."""
        self._conversation = Conversation()
        self._telling: list[asyncio.Task[tuple[ChannelFailure, ...]]] = []

    async def reach(self, finding: Finding | None) -> DeploymentReport | None:
        """From why the release does not go on (None: it is good) to its report.

        Returns:
            None if a person wants a held release to go on.
        """
        end = self._good() if finding is None else await self._follow(finding)
        return await self._close(end, finding) if end else None

    async def close(self, finding: Finding) -> DeploymentReport:
        """End without asking anybody."""
        outcome = findings.outcome_without_rollback(finding)
        end = result_of(self._release, outcome, finding.reason, finding)
        return await self._close(end, finding)

    def _good(self) -> ReleaseResult:
        orders = self._release.orders
        by, done = orders.approved or orders.promoted, "approved" if orders.approved else "promoted"
        if by is None:
            early = self._release.ended_early
            reason = f"The window ended clean {early}." if early else "The window ended clean."
            return result_of(self._release, Outcome.HEALTHY, reason)
        self._proven = f"{done} by {by.actor}"
        reason = f"{by.actor} {done} it: {sentence(by.reason)}"
        if orders.approved and self._held:
            reason = f"{reason} It was held: {self._held.reason}"
        return result_of(self._release, Outcome.HEALTHY, reason)

    async def _close(self, end: ReleaseResult, finding: Finding | None) -> DeploymentReport:
        """Tell people; a rollback that comes meanwhile is not lost."""
        release = self._release
        release.judged_good, release.closing = end.outcome is Outcome.HEALTHY, True
        release.listed.put(attributes.of_outcome(end.outcome))
        notice = notices.ended(
            release.context(here()),
            result=end,
            fired=finding.verdict if finding else None,
            target=release.target,
        )
        notice = self._with_own_key(notice)
        await self._tell(notice, finding)
        while self._telling:
            told = await to_its_end(self._journal, self._telling.pop(0), WHILE_TOLD)
            self._journal.failures.extend(told)
        await to_its_end(self._journal, release.know_digests(), WHILE_TOLD)
        late = release.interruption
        if release.judged_good and late and late.kind == "operator":
            release.judged_good = False
            back = await to_its_end(self._journal, self._roll_back(late), _GOES_ON)
            return await self._close(back, late)
        report = report_of(release, end, self._proven, notice, self._conversation.open)
        self._journal.held = False
        self._journal.result = ReleaseResult.model_validate(report.model_dump())
        self._journal.note(f"Ended: {report.outcome.value}. {report.reason}")
        return report

    def _with_own_key(self, notice: Notice) -> Notice:
        """A second end is news: its key is not the first one's."""
        self._closings += 1
        if self._closings == 1:
            return notice
        return notice.model_copy(update={"dedup": f"{notice.dedup}-{self._closings}"})

    async def tell_of_cooldown(self, finding: Finding, remedy: Remedy) -> None:
        """Something went wrong during a cooldown: people hear of it at once, and once."""
        if remedy.until in (None, self._cooldown_told):
            return
        self._cooldown_told = remedy.until
        self._journal.note(f"{sentence(finding.reason)} {remedy.reason}")
        self._journal.decided(finding, remedy.do, remedy.reason)
        last = max(self._release.limits.rollbacks, key=lambda r: r.started_at, default=None)
        await self._tell(
            notices.cooldown(
                self._release.context(here()),
                reason=finding.reason,
                fired=finding.verdict,
                until=remedy.until,
                last=last,
            ),
            finding,
        )

    # --- The ways to end -------------------------------------------------------------------

    async def _follow(self, finding: Finding) -> ReleaseResult | None:
        if finding.kind == "rolled_back_by_ecs":
            self._journal.decided(finding, "verify")
            return await self._adopt(finding)
        remedy = self._release.remedy(finding)
        if remedy and remedy.do == "roll_back":
            self._journal.decided(finding, "roll_back", remedy.reason)
            return await self._roll_back(finding)
        if findings.waits_for_a_person(finding):
            self._journal.decided(finding, "hold", remedy.reason if remedy else "")
            return await self._hold(finding, remedy)
        outcome = findings.outcome_without_rollback(finding)
        self._journal.decided(finding, outcome.value)
        return result_of(self._release, outcome, finding.reason, finding)

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
            drill=release.drilling is not None,
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
            ),
            finding,
        )
        with self._journal.step("roll back", target.label):
            report = await self._run(finding, target, adopt=False)
            report = await self._once_more(finding, target, report)
        await to_its_end(self._journal, remembered, _GOES_ON)
        ended = {"finished_at": workflow.now(), "verified": report.verified, "to": report.to}
        remembering = self._remember(record.model_copy(update=ended))
        await to_its_end(self._journal, remembering, WHILE_TOLD)
        return after_rollback(self._release, report, finding)

    async def _once_more(
        self, finding: Finding, target: Revision, failed: RollbackReport
    ) -> RollbackReport:
        """After a rollback that failed: to the next good revision, if the policy wants that."""
        release = self._release
        wanted = release.policy.rollback.try_next_good and release.drilling is None
        further = targets.next_good(release.order.good, target, failed, wanted=wanted)
        if further is None:
            return failed
        self._journal.note(f"{sentence(failed.reason)} Going back further, to {further.label}.")
        report = await self._run(finding, further, adopt=False, also_from=(failed.to,))
        return report.model_copy(update={"reason": f"{sentence(failed.reason)} {report.reason}"})

    async def _adopt(self, finding: Finding) -> ReleaseResult:
        """ECS went back by itself: no second rollback, but the same proof."""
        before = self._release.prepared.running if self._release.prepared else None
        if before is None:
            return result_of(self._release, Outcome.ROLLED_BACK_BY_ECS, finding.reason, finding)
        if finding.to not in (None, before.task_definition):
            before = await to_its_end(self._journal, self._target_of(finding), _GOES_ON) or before
        with self._journal.step("verify", before.label):
            report = await self._run(finding, before, adopt=True)
        return after_rollback(self._release, report, finding)

    async def _run(
        self, finding: Finding, target: Revision, *, adopt: bool, also_from: tuple[str, ...] = ()
    ) -> RollbackReport:
        release, prepared = self._release, self._release.prepared
        released = release.released.task_definition if release.released else ""
        order = RollbackOrder(
            service=release.service,
            release=release.order.release.id,
            target=target,
            from_task_definition=released,
            also_from=also_from,
            from_deployment=release.deployment,
            before_deployments=prepared.state.deployment_ids if prepared else (),
            before_revision=prepared.revision_before(target) if prepared else None,
            policy=release.policy,
            released_at=release.released_at,
            troubled=release.order.troubled,
            fired=finding.verdict.bare if finding.verdict else None,
            smoke_failed=finding.kind == "smoke",
            adopt=adopt,
            triggers=prepared.triggers if prepared else (),
            actor=finding.actor,
            reason=finding.reason,
            listed=True,
        )
        report = await to_its_end(self._journal, run_rollback(order), _GOES_ON)
        self._journal.calls += report.calls
        return report

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
        named = targets.revision_of(found, proven=None, at=workflow.now())
        prepared = self._release.prepared
        known = (*self._release.order.good, *((prepared.running,) if prepared else ()))
        return ledger.as_known(named, known)

    async def _hold(self, finding: Finding, remedy: Remedy | None) -> ReleaseResult | None:
        """Wait for a person; somebody else's deployment or a newer release ends it too."""
        release, since = self._release, workflow.now()
        why = f"{sentence(finding.reason)} {remedy.reason}" if remedy else finding.reason
        held = result_of(self._release, Outcome.HELD, why, finding)
        self._journal.held, self._journal.result = True, held
        release.listed.put(attributes.of_outcome(Outcome.HELD))
        self._journal.note(f"Held for a person: {why}")
        until = since + release.policy.rollback.hold_for
        with self._journal.step("hold"):
            release.orders.wait_for_a_person()
            self._holds += 1
            notice = notices.held(
                release.context(here()),
                reason=why,
                fired=finding.verdict,
                until=until,
                number=self._holds,
            )
            await self._tell(notice, finding)
            await release.tell_guard(messages.RELEASE_HELD, held)
            decided = await self._decision_of_a_person(until)
        self._journal.held, self._journal.result, self._held = False, None, held
        release.listed.put(attributes.of_outcome(None))
        if not release.orders.decided:
            return await self._after_hold(decided, held)
        if release.orders.resumed or release.goes_on:
            await release.tell_guard(messages.RELEASE_RESUMED, release.order.release.id)
        if release.orders.resumed:
            await self._tell_of_resuming(release.orders.resumed)
            release.resume(since)
        return None

    async def _decision_of_a_person(self, until: datetime) -> Finding | None:
        """What ends a hold; None: nothing did, or a person approved or resumed."""
        release = self._release
        watch = release.watch("standing", until, triggers=())
        try:
            await workflow.wait_condition(
                lambda: (
                    release.interruption is not None or release.orders.decided or bool(watch.news)
                ),
                timeout=until - workflow.now(),
                timeout_summary=f"Held for a person until {until:%Y-%m-%d %H:%M} UTC",
            )
        except TimeoutError:
            return None
        finally:
            watch.cancel()
        news = findings.of_service_news(watch.news) if watch.news else None
        return release.interruption or (None if release.orders.decided else news)

    async def _after_hold(self, decided: Finding | None, held: ReleaseResult) -> ReleaseResult:
        if decided is None or decided.kind == "lost":
            return held
        if decided.kind == "operator":
            self._journal.decided(decided, "roll_back")
            return await self._roll_back(decided)
        if decided.kind == "rolled_back_by_ecs":
            return await self._adopt(decided)
        outcome = findings.outcome_without_rollback(decided)
        return result_of(
            self._release, outcome, f"{decided.reason} It was held: {held.reason}", decided
        )

    # --- Telling ---------------------------------------------------------------------------

    async def _tell(self, notice: Notice, finding: Finding | None = None) -> None:
        """Begin to tell people; nothing waits for it but the very end."""
        notify, region = self._release.policy.notify, self._release.service.region
        fired = finding.verdict if finding else None
        picture = picture_of(self._release.policy.triggers, fired)
        call = self._conversation.tell(notice, notify, region, picture)
        self._telling.append(asyncio.create_task(call))

    async def _tell_of_resuming(self, by: OperatorRequest) -> None:
        context = self._release.context(here())
        number, who = self._holds, by.actor
        await self._tell(notices.resumed(context, by=who, reason=by.reason, number=number))

    async def _remember(self, record: RollbackRecord) -> None:
        self._release.count(record)
        await self._release.tell_guard(messages.ROLLBACK_STARTED, record)
