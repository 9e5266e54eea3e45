"""One ECS service's guard: one release at a time, and the memory of what was good."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
)
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows import calls
from workflows.deployment import Deployment
from workflows.ending import run_rollback
from workflows.telling import here, tell

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        Accepted,
        Begun,
        CurrentRelease,
        DeploymentOrder,
        DeploymentReport,
        GuardState,
        OperatorRequest,
        Overview,
        ReleaseOrder,
        ReleaseView,
        RollbackAccepted,
        RollbackOrder,
        RollbackRequest,
    )
    from lastgood.decisions import guarding, notices, targets
    from lastgood.model import Outcome, ReleaseResult, RollbackRecord, ServiceRef
    from lastgood.policy import Policy

_ORPHAN_RETRY = timedelta(seconds=5)


@workflow.defn(name=messages.GUARD)
class ServiceGuard:
    """Lives as long as its service; starts releases and rollbacks as children."""

    @workflow.init
    def __init__(self, state: GuardState) -> None:
        self._state = state
        self._current: CurrentRelease | None = None
        self._child: ChildWorkflowHandle[Deployment, DeploymentReport] | None = None
        self._held = False
        self._begun: Begun | None = None
        self._asked: list[guarding.AskedRollback] = []

    @workflow.run
    async def run(self, _: GuardState) -> None:
        """Carry out what is asked, one after the other; continue as new when history grows."""
        while True:
            await workflow.wait_condition(
                lambda: bool(self._asked or self._state.queue or self._long)
            )
            if self._asked:
                await self._roll_back(self._asked[0])
                self._asked.pop(0)
            elif self._long and workflow.all_handlers_finished():
                workflow.continue_as_new(self._state)
            elif self._long:
                await workflow.wait_condition(workflow.all_handlers_finished)
            else:
                await self._release(self._state.queue[0])

    @property
    def _long(self) -> bool:
        """The history has grown long; what waits in the queue goes over with the state."""
        return workflow.info().is_continue_as_new_suggested()

    # --- A release -------------------------------------------------------------------------

    async def _release(self, release: ReleaseOrder) -> None:
        state = self._state
        self._current = CurrentRelease(
            release=release.id,
            what=release.what,
            workflow_id=messages.deployment_id(state.service),
            run_id=None,
            actor=release.actor,
            since=workflow.now(),
        )
        self._state = state.model_copy(update={"queue": state.queue[1:], "policy": release.policy})
        order = DeploymentOrder(
            release=release,
            service=state.service,
            good=state.good,
            unproven=state.unproven,
            limits=state.limits,
            guard_id=workflow.info().workflow_id,
        )
        child = self._child = await self._start(order)
        run_id = child.first_execution_run_id
        self._current = self._current.model_copy(update={"run_id": run_id})
        try:
            report = await child
        except ChildWorkflowError as error:
            report = await self._after_lost_child(release, run_id, error)
        self._state = guarding.after_release(self._state, report, workflow.now())
        self._current, self._child, self._held, self._begun = None, None, False, None

    async def _start(
        self, order: DeploymentOrder
    ) -> ChildWorkflowHandle[Deployment, DeploymentReport]:
        """Start the release; wait for one that an earlier guard left behind."""
        while True:
            try:
                return await workflow.start_child_workflow(
                    Deployment.run,
                    order,
                    id=messages.deployment_id(order.service),
                    parent_close_policy=ParentClosePolicy.ABANDON,
                    static_summary=f"{order.release.id}: {order.release.what} → {order.service}",
                )
            except WorkflowAlreadyStartedError:
                await workflow.sleep(_ORPHAN_RETRY)

    async def _after_lost_child(
        self, release: ReleaseOrder, run_id: str | None, error: ChildWorkflowError
    ) -> DeploymentReport:
        """A release that ended without a verdict was not judged: people are asked."""
        result = ReleaseResult(
            release=release.id,
            workflow_id=messages.deployment_id(self._state.service),
            run_id=run_id or "",
            service=str(self._state.service),
            outcome=Outcome.HELD,
            reason=(
                f"Its workflow broke off ({calls.why(error)}): the release was not judged, and the "
                "service may run it. Look at it, then release again or roll back."
            ),
            finished_at=workflow.now(),
            image=release.image,
            actor=release.actor,
        )
        context = notices.NoticeContext(
            service=str(self._state.service),
            release=release.id,
            what=release.what,
            actor=release.actor,
            max_rollbacks=release.policy.rollback.max_rollbacks,
            per=release.policy.rollback.per,
            link=here(),
            at=workflow.now(),
        )
        notice = notices.held(context, reason=result.reason)
        failures = await tell(notice, release.policy.notify, self._state.service.region)
        result = result.model_copy(update={"notification_failures": failures})
        begun = self._begun
        return DeploymentReport(
            **result.model_dump(),
            released=begun.released if begun else None,
            target=begun.target if begun else None,
        )

    # --- An operator's rollback outside of a release ---------------------------------------

    async def _roll_back(self, asked: guarding.AskedRollback) -> None:
        record = RollbackRecord(
            release=asked.id,
            started_at=workflow.now(),
            trigger="manual",
            reason=asked.request.reason,
            actor=asked.request.actor,
            to=asked.target.task_definition,
        )
        self.rollback_started(record)
        policy = asked.policy
        context = guarding.context_of(asked, self._state, workflow.now(), here())
        reason = f"{asked.request.actor} asked for it: {asked.request.reason}"
        started = notices.rollback_started(
            context, reason=reason, target=asked.target, asked_by=asked.request.actor
        )
        region = self._state.service.region
        failed = asyncio.create_task(tell(started, policy.notify, region))
        order = RollbackOrder(
            service=self._state.service,
            release=asked.id,
            target=asked.target,
            from_task_definition=asked.running.task_definition,
            policy=policy,
        )
        report = await run_rollback(order)
        self.rollback_started(
            record.model_copy(update={"finished_at": workflow.now(), "verified": report.verified})
        )
        result = guarding.result_of(asked, report, self._state.service)
        ended = notices.ended(context, result=result, target=asked.target)
        failures = (*await failed, *await tell(ended, policy.notify, region))
        result = result.model_copy(update={"notification_failures": failures})
        self._state = guarding.after_rollback(self._state, asked, result, workflow.now())

    def _refuse_second_rollback(self) -> None:
        if self._asked:
            raise _refused(f"A rollback is under way already: {self._asked[0].id}.")

    async def _prepare_rollback(self, request: RollbackRequest) -> guarding.AskedRollback:
        """Find out what runs and what to go back to; refuse if there is nothing."""
        service = self._state.service
        try:
            state = await calls.describe_service(service)
            if state is None or state.primary is None:
                raise _refused(f"{service} does not exist or runs nothing.")
            running = await calls.describe_task_definition(
                service.region, state.primary.task_definition
            )
            named = None
            if request.to:
                found = await calls.describe_task_definition(service.region, request.to)
                named = targets.revision_of(found, proven=None, at=workflow.now())
        except ActivityError as error:
            raise _refused(f"Nothing was done: {calls.why(error)}") from error
        choice = targets.choose_for_operator(self._state.good, running.task_definition, named)
        if choice.target is None:
            raise _refused(choice.reason)
        return guarding.AskedRollback(
            id=f"rollback-{workflow.now():%Y%m%d-%H%M%S}",
            request=request,
            policy=request.policy or self._state.policy or _bare_policy(service),
            running=targets.revision_of(running, proven=None, at=workflow.now()),
            target=choice.target,
        )

    # --- Messages --------------------------------------------------------------------------

    @workflow.update(name=messages.DEPLOY)
    async def deploy(self, release: ReleaseOrder) -> Accepted:
        """Accept a release, or say that it is known already."""
        known = guarding.find(self._state, self._current, release.id)
        if known is None:
            self._state = self._state.model_copy(update={"queue": (*self._state.queue, release)})
            supersedes = release.policy.deploy.on_busy == "supersede"
            if self._held or supersedes:
                await self._tell_child(messages.SUPERSEDE, release.id)
        view = self.release(release.id)
        return Accepted(
            release=release.id,
            workflow_id=messages.deployment_id(self._state.service),
            position=view.position,
            already_known=known is not None,
        )

    @deploy.validator
    def _validate_deploy(self, release: ReleaseOrder) -> None:
        known = guarding.find(self._state, self._current, release.id)
        busy = self._current is not None and not self._held
        refusal = guarding.refuse_release(release, known=known, busy=busy, current=self._current)
        if refusal:
            raise _refused(refusal)

    @workflow.update(name=messages.OPERATOR_ROLLBACK)
    async def rollback(self, request: RollbackRequest) -> RollbackAccepted:
        """An operator's rollback: of the release under way, or of what runs."""
        current = self._current  # it may end while we wait
        if current and await self._tell_child(messages.ROLL_BACK_NOW, request):
            self._note(request.actor, "rollback", request.reason)
            return RollbackAccepted(
                release=current.release,
                during_release=True,
                text=f"Release {current.release} is rolled back.",
            )
        self._refuse_second_rollback()
        asked = await self._prepare_rollback(request)
        self._refuse_second_rollback()
        self._note(request.actor, "rollback", request.reason)
        self._asked.append(asked)
        return RollbackAccepted(
            release=asked.id,
            during_release=False,
            text=f"{self._state.service} goes back to {asked.target.label}.",
        )

    @workflow.update(name=messages.RESET)
    async def reset(self, request: OperatorRequest) -> str:
        """Forget the rollbacks counted so far: no cooldown, no limit reached."""
        counted = self._state.limits.model_copy(update={"counted_from": workflow.now()})
        self._state = self._state.model_copy(update={"limits": counted})
        self._note(request.actor, "reset", request.reason)
        await self._tell_child(messages.LIMITS_RESET, counted)
        return f"Cooldown and rollback limit of {self._state.service} are reset."

    @workflow.signal(name=messages.RELEASE_BEGUN)
    def release_begun(self, begun: Begun) -> None:
        """The release is about to touch the service: remembered in case it breaks off."""
        if self._current and self._current.release == begun.release:
            self._begun = begun

    @workflow.signal(name=messages.ROLLBACK_STARTED)
    def rollback_started(self, record: RollbackRecord) -> None:
        """A rollback begins, or ends: remembered at once, whatever becomes of the release."""
        self._state = guarding.with_rollback(self._state, record)

    @workflow.signal(name=messages.RELEASE_HELD)
    async def release_held(self, release: str) -> None:
        """The release under way waits for a person: it must not stand in the way."""
        if self._current and self._current.release == release:
            self._held = True
            if self._state.queue:
                await self._tell_child(messages.SUPERSEDE, self._state.queue[0].id)

    @workflow.query(name=messages.RELEASE)
    def release(self, release: str) -> ReleaseView:
        """Where a release stands."""
        return guarding.view(self._state, self._current, self._asked, release)

    @workflow.query(name=messages.OVERVIEW)
    def overview(self) -> Overview:
        """What the guard knows of its service."""
        return guarding.overview(self._state, self._current, self._held, workflow.now())

    async def _tell_child(self, message: str, content: object) -> bool:
        """Signal the release under way; False if there is none, or it has just ended."""
        if self._child is None:
            return False
        try:
            await self._child.signal(message, content)
        except FailureError:
            return False
        return True

    def _note(self, actor: str, verb: str, reason: str) -> None:
        self._state = guarding.with_action(self._state, actor, verb, reason, workflow.now())


def _refused(text: str) -> ApplicationError:
    return ApplicationError(text, type="Refused", non_retryable=True)


def _bare_policy(service: ServiceRef) -> Policy:
    return Policy(service=str(service), region=service.region)
