"""One ECS service's guard: one release at a time, and the memory of what was good."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError
from temporalio.workflow import ChildWorkflowHandle

from workflows.deployment import Deployment
from workflows.desk import Desk, refuse, refused
from workflows.listed import Listed
from workflows.lost import report_of_lost
from workflows.memory import Memory
from workflows.operator_rollback import prepare_rollback, roll_back
from workflows.preflight import refusal_of
from workflows.reminding import remind
from workflows.starting import start_release

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        Accepted,
        Answer,
        Begun,
        CurrentRelease,
        DeploymentOrder,
        DeploymentReport,
        FreezeRequest,
        GuardState,
        InstructionAnswer,
        LedgerEntry,
        OperatorRequest,
        Overview,
        ReleaseOrder,
        ReleaseView,
        RollbackAccepted,
        RollbackRequest,
    )
    from lastgood.decisions import attributes, drills, guarding, ledger, operators, queueing
    from lastgood.decisions.rendering.temporal_ui.guard import GuardNow, guard_now
    from lastgood.model import ReleaseResult, RollbackRecord


@workflow.defn(name=messages.GUARD)
class ServiceGuard:
    """Lives as long as its service; starts releases and rollbacks as children."""

    @workflow.init
    def __init__(self, state: GuardState) -> None:
        self._memory = Memory(state)
        self._order: ReleaseOrder | None = None
        self._looked_at: set[str] = set()
        """Releases that may begin, and supersede the one under way."""
        self._current: CurrentRelease | None = None
        self._child: ChildWorkflowHandle[Deployment, DeploymentReport] | None = None
        self._held: ReleaseResult | None = None
        self._rolling_back = False
        self._begun: Begun | None = None
        self._earlier: LedgerEntry | None = None
        """What was thought of the revision that is being released."""
        self._own: DeploymentReport | None = None
        """How the release under way ended that a lost guard had begun, under the same id."""
        self._asked: list[guarding.AskedRollback] = []
        self._desk = Desk(self._memory)
        self._listed = Listed(wanted=state.listed, show=self._show)

    @workflow.run
    async def run(self, _: GuardState) -> None:
        """Carry out what is asked, one after the other; continue as new when history grows."""
        tending = [asyncio.create_task(self._memory.keep())]
        tending.append(asyncio.create_task(remind(self._memory)))
        tending.append(asyncio.create_task(self._look_at_newcomers()))
        tending.append(asyncio.create_task(self._keep_showing()))
        await self._memory.restore()
        self._listed.put(attributes.of_service(self._state.service))
        while True:
            await workflow.wait_condition(
                lambda: bool(
                    self._asked or self._long or (self._state.queue and not self._newcomer)
                )
            )
            if self._asked:
                await self._roll_back(self._asked[0])
                self._asked.pop(0)
            elif self._long and self._idle:
                workflow.continue_as_new(self._state.model_copy(update={"listed": True}))
            elif self._long:
                await workflow.wait_condition(lambda: self._idle or bool(self._asked))
            else:
                await self._release(self._state.queue[0])

    @property
    def _state(self) -> GuardState:
        return self._memory.state

    @_state.setter
    def _state(self, state: GuardState) -> None:
        self._memory.state = state

    @property
    def _long(self) -> bool:
        """The history has grown long; what waits in the queue goes over with the state."""
        return workflow.info().is_continue_as_new_suggested()

    @property
    def _idle(self) -> bool:
        telling = self._memory.reminding or self._desk.telling
        busy = self._memory.writing or telling or self._listed.writing
        return workflow.all_handlers_finished() and not busy

    # --- What Temporal's UI shows ----------------------------------------------------------

    async def _keep_showing(self) -> None:
        """Bring the details up to date after each change; no command, so no history."""
        while True:
            shown = self._known
            self._show()
            await workflow.wait_condition(
                lambda shown=shown: any(  # type: ignore[misc]
                    now is not then for now, then in zip(self._known, shown, strict=True)
                )
            )

    @property
    def _known(self) -> tuple[object, ...]:
        return self._state, self._current, self._held, self._rollback_under_way

    def _show(self) -> None:
        now = GuardNow(
            place=self._listed.place,
            service=self._state.service,
            overview=self.overview(),
            held=self._held.reason if self._held else None,
            rolling_back=self._rollback_under_way,
        )
        workflow.set_current_details(guard_now(now))

    # --- A release -------------------------------------------------------------------------

    async def _release(self, release: ReleaseOrder) -> None:
        self._take_up(release)
        await self._memory.compare()
        child = self._child = await start_release(lambda: self._order_for(release), self._is_over)
        report = await self._until_over(release, child) if child else self._orphans_report()
        state = guarding.release_not_begun(self._state, self._begun, self._earlier, report)
        self._state = guarding.after_release(state, report, release.policy, workflow.now())
        self._desk.tell_of_recovery(state.incidents, report)
        self._current, self._child, self._held, self._begun = None, None, None, None
        self._rolling_back = False
        self._order = None
        self._looked_at.clear()
        await self._desk.tell_group(release, self._state.results[0])

    async def _until_over(
        self, release: ReleaseOrder, child: ChildWorkflowHandle[Deployment, DeploymentReport]
    ) -> DeploymentReport:
        run_id = child.first_execution_run_id
        if self._current:
            self._current = self._current.model_copy(update={"run_id": run_id})
        try:
            return await child
        except ChildWorkflowError as error:
            return await report_of_lost(self._state.service, release, run_id, error, self._begun)

    def _is_over(self) -> bool:
        """Whether the release was carried out for a guard that is lost: it is not begun again."""
        return self._own is not None

    def _orphans_report(self) -> DeploymentReport:
        report, self._own = self._own, None
        if report is None:
            raise RuntimeError("a release that was not started has ended")
        return report

    def _take_up(self, release: ReleaseOrder) -> None:
        state, self._order = self._state, release
        self._current = CurrentRelease(
            release=release.id,
            what=release.what,
            workflow_id=messages.deployment_id(state.service),
            run_id=None,
            actor=release.actor,
            since=workflow.now(),
        )
        policy = drills.policy_after(state.policy, release)
        self._state = state.model_copy(update={"queue": state.queue[1:], "policy": policy})

    def _order_for(self, release: ReleaseOrder) -> DeploymentOrder:
        ident = workflow.info().workflow_id
        return guarding.order_for(self._state, release, workflow.now(), ident)

    # --- Releases that would end another ---------------------------------------------------

    @property
    def _newcomer(self) -> ReleaseOrder | None:
        """Who would end what is before it; a way back is not ended by anybody."""
        if self._asked or self._rolling_back:
            return None
        return queueing.newcomer(
            self._state,
            under_way=self._current is not None,
            held=self._held is not None,
            looked_at=self._looked_at,
        )

    async def _look_at_newcomers(self) -> None:
        """A release ends another only if its own preflight lets it begin."""
        await self._memory.ready()
        while True:
            await workflow.wait_condition(lambda: self._newcomer is not None)
            newcomer = self._newcomer
            why = await refusal_of(self._order_for(newcomer)) if newcomer else None
            await workflow.wait_condition(lambda: bool(self._child or not self._current))
            if newcomer is None or self._newcomer != newcomer:
                continue  # it was cancelled, or its turn has come
            if why:
                await self._desk.refuse_queued(newcomer, why)
                continue
            self._looked_at.add(newcomer.id)
            child = self._child
            await self._desk.end_before(newcomer)
            if self._child is child:  # else it ended by itself, and this is the newcomer's own
                await self._tell_child(messages.SUPERSEDE, newcomer.id)

    # --- An operator's rollback outside of a release ---------------------------------------

    async def _roll_back(self, asked: guarding.AskedRollback) -> None:
        open_before = self._state.incidents
        result = await roll_back(self._memory, asked)
        self._desk.tell_of_recovery(open_before, result)

    # --- Releases --------------------------------------------------------------------------

    @workflow.update(name=messages.DEPLOY)
    async def deploy(self, release: ReleaseOrder) -> Accepted:
        """Accept a release, or say that it is known already."""
        known = guarding.find(self._state, self._current, release.id)
        if known is None:
            release = drills.with_newest_policy(release, self._state)
            self._state = self._state.model_copy(update={"queue": (*self._state.queue, release)})
            if release.forced:
                why = f"{release.forced} (release {release.id})"
                self._memory.note(release.actor, "deploy --force", why)
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
        waiting = [order.id for order in self._state.queue]
        under_way = self._current.release if self._current and not self._held else None
        if known is None and release.drill:
            release = drills.with_newest_policy(release, self._state)
            busy = (self._current.release if self._current else None) or self._rollback_under_way
            busy = busy or next(iter(waiting), None)
            refuse(drills.refuse(release, self._state, busy, workflow.now()))
        refuse(
            queueing.refuse_release(
                release,
                known=known,
                busy=under_way or self._rollback_under_way or next(iter(waiting), None),
                frozen=self._state.frozen,
                now=workflow.now(),
                queue=self._state.queue,
            )
        )

    @workflow.update(name=messages.PREFLIGHT)
    async def preflight(self, release: ReleaseOrder) -> Answer:
        """Whether a release could begin now. Nothing is changed, and nothing is remembered."""
        await self._memory.ready()
        self._validate_deploy(release)
        if self.release(release.id).state != "unknown" or self._busy:
            return Answer(text="It has its preflight when its turn comes.", release=release.id)
        refuse(await refusal_of(self._order_for(release)))
        return Answer(text="It could begin now.", release=release.id)

    @property
    def _busy(self) -> bool:
        return bool(self._current or self._asked or self._state.queue)

    @workflow.update(name=messages.OPERATOR_ROLLBACK)
    async def rollback(self, request: RollbackRequest) -> RollbackAccepted:
        """An operator's rollback: of the release under way, or of what runs."""
        return await self._desk.once(request.id, self._rollback(request), RollbackAccepted)

    async def _rollback(self, request: RollbackRequest) -> RollbackAccepted:
        if self._current is None:
            asked = await prepare_rollback(self._memory, request)
            self._refuse_rollback(request)
            if self._current is None:  # no release began meanwhile
                return self._line_up(request, asked)
        release = self._current.release  # it may end while we wait
        text = await self._instructed("rollback", request)
        return RollbackAccepted(release=release, during_release=True, text=text)

    def _line_up(self, request: RollbackRequest, asked: guarding.AskedRollback) -> RollbackAccepted:
        self._memory.note(request.actor, "rollback", request.reason)
        self._asked.append(asked)
        return RollbackAccepted(
            release=asked.id,
            during_release=False,
            text=guarding.accepted(asked, self._state),
        )

    @rollback.validator
    def _validate_rollback(self, request: RollbackRequest) -> None:
        if not self._desk.answered(request.id):
            self._refuse_rollback(request)

    def _refuse_rollback(self, request: RollbackRequest) -> None:
        if self._asked:
            raise refused(f"A rollback is under way already: {self._asked[0].id}.")
        standing = self._standing(request.release)
        if not (standing.phase == "ended" and self._current is None):
            refuse(operators.refuse("rollback", standing))

    # --- Operators: the release under way --------------------------------------------------

    @workflow.update(name=messages.PROMOTE)
    async def promote(self, request: OperatorRequest) -> Answer:
        """End the monitor window now: the release is good."""
        return await self._instruct("promote", request)

    @promote.validator
    def _validate_promote(self, request: OperatorRequest) -> None:
        self._check("promote", request)

    @workflow.update(name=messages.HOLD)
    async def hold(self, request: OperatorRequest) -> Answer:
        """No automatic remedy from now on: a person decides."""
        return await self._instruct("hold", request)

    @hold.validator
    def _validate_hold(self, request: OperatorRequest) -> None:
        self._check("hold", request)

    @workflow.update(name=messages.RESUME)
    async def resume(self, request: OperatorRequest) -> Answer:
        """Let a held release be judged again."""
        return await self._instruct("resume", request)

    @resume.validator
    def _validate_resume(self, request: OperatorRequest) -> None:
        self._check("resume", request)

    @workflow.update(name=messages.APPROVE)
    async def approve(self, request: OperatorRequest) -> Answer:
        """A held release is good."""
        return await self._instruct("approve", request)

    @approve.validator
    def _validate_approve(self, request: OperatorRequest) -> None:
        self._check("approve", request)

    @workflow.update(name=messages.DENY)
    async def deny(self, request: OperatorRequest) -> Answer:
        """A held release is rolled back."""
        return await self._instruct("deny", request)

    @deny.validator
    def _validate_deny(self, request: OperatorRequest) -> None:
        self._check("deny", request)

    @workflow.update(name=messages.CANCEL)
    async def cancel(self, request: OperatorRequest) -> Answer:
        """Take a release out of the queue, or end the watch over the one under way."""
        if self._standing(request.release).phase != "queued":
            return await self._instruct("cancel", request)
        return await self._desk.once(request.id, self._desk.cancel_queued(request), Answer)

    @cancel.validator
    def _validate_cancel(self, request: OperatorRequest) -> None:
        self._check("cancel", request)

    def _check(self, verb: operators.Verb, request: OperatorRequest) -> None:
        if not self._desk.answered(request.id):
            refuse(operators.refuse(verb, self._standing(request.release)))

    async def _instruct(self, verb: operators.Verb, request: OperatorRequest) -> Answer:
        return await self._desk.once(request.id, self._told(verb, request), Answer)

    async def _told(self, verb: operators.Verb, request: OperatorRequest) -> Answer:
        release = self._current.release if self._current else None
        return Answer(text=await self._instructed(verb, request), release=release)

    async def _instructed(
        self, verb: operators.Verb, request: OperatorRequest | RollbackRequest
    ) -> str:
        """Hand a message to the release, which knows best, and wait for its answer."""
        await workflow.wait_condition(lambda: bool(self._child or not self._current))
        child = self._child
        instruction = self._desk.instruction(verb, request)
        if await self._tell_child(messages.INSTRUCT, instruction):
            await workflow.wait_condition(
                lambda: self._desk.has_answer(instruction) or self._child is not child
            )
        text = self._desk.answer_to(instruction)
        self._memory.note(request.actor, verb, request.reason)
        return text

    @workflow.signal(name=messages.INSTRUCTION_ANSWERED)
    def instruction_answered(self, answer: InstructionAnswer) -> None:
        """The release says what it made of an instruction."""
        self._desk.take_answer(answer)

    @property
    def _rollback_under_way(self) -> str | None:
        return self._asked[0].id if self._asked else None

    def _standing(self, release: str | None) -> operators.Standing:
        return guarding.standing(
            self._state,
            self._current,
            release,
            held=self._held is not None,
            rolling_back=self._rolling_back,
        )

    # --- Operators: the service ------------------------------------------------------------

    @workflow.update(name=messages.RESET)
    async def reset(self, request: OperatorRequest) -> Answer:
        """Forget the rollbacks counted so far: no cooldown, no limit reached."""
        return await self._desk.once(request.id, self._reset(request), Answer)

    async def _reset(self, request: OperatorRequest) -> Answer:
        await self._memory.ready()
        refuse(operators.refuse_reset(self._state))
        counted = self._state.limits.model_copy(update={"counted_from": workflow.now()})
        self._state = self._state.model_copy(update={"limits": counted})
        self._memory.note(request.actor, "reset", request.reason)
        await self._tell_child(messages.LIMITS_RESET, counted)
        return Answer(text=f"Cooldown and rollback limit of {self._state.service} are reset.")

    @reset.validator
    def _validate_reset(self, request: OperatorRequest) -> None:
        if self._memory.is_ready and not self._desk.answered(request.id):
            refuse(operators.refuse_reset(self._state))

    @workflow.update(name=messages.FREEZE)
    async def freeze(self, request: FreezeRequest) -> Answer:
        """No new release may begin; rollbacks may."""
        return await self._desk.once(request.id, self._desk.freeze(request), Answer)

    @freeze.validator
    def _validate_freeze(self, request: FreezeRequest) -> None:
        if self._memory.is_ready and not self._desk.answered(request.id):
            refuse(operators.refuse_freeze(self._state, workflow.now()))

    @workflow.update(name=messages.UNFREEZE)
    async def unfreeze(self, request: OperatorRequest) -> Answer:
        """Releases may begin again."""
        return await self._desk.once(request.id, self._desk.unfreeze(request), Answer)

    @unfreeze.validator
    def _validate_unfreeze(self, request: OperatorRequest) -> None:
        if self._memory.is_ready and not self._desk.answered(request.id):
            refuse(operators.refuse_unfreeze(self._state, workflow.now()))

    @workflow.update(name=messages.ADOPT)
    async def adopt(self, request: OperatorRequest) -> Answer:
        """What runs steadily now is known to be good."""
        return await self._desk.once(request.id, self._adopt(request), Answer)

    async def _adopt(self, request: OperatorRequest) -> Answer:
        revision = await self._desk.revision_to_adopt(request)
        self._refuse_adopt()
        return self._desk.adopt(request, revision)

    @adopt.validator
    def _validate_adopt(self, request: OperatorRequest) -> None:
        if not self._desk.answered(request.id):
            self._refuse_adopt()

    def _refuse_adopt(self) -> None:
        busy = self._current.release if self._current else self._rollback_under_way
        refuse(operators.refuse_adopt(busy))

    @workflow.update(name=messages.ACKNOWLEDGE)
    async def acknowledge(self, request: OperatorRequest) -> Answer:
        """Stop telling people of a failed rollback: somebody takes care of it."""
        return await self._desk.once(request.id, self._desk.acknowledge(request), Answer)

    @acknowledge.validator
    def _validate_acknowledge(self, request: OperatorRequest) -> None:
        if not self._desk.answered(request.id):
            refuse(operators.refuse_acknowledge(self._state))

    # --- What the release under way tells --------------------------------------------------

    @workflow.signal(name=messages.RELEASE_BEGUN)
    def release_begun(self, begun: Begun) -> None:
        """The release is about to touch the service: remembered in case it breaks off."""
        if self._current and self._current.release == begun.release:
            self._begun = begun
            self._earlier = ledger.entry(self._state, begun.released.task_definition)
            drill = self._order is not None and self._order.drill is not None
            self._state = guarding.release_begun(self._state, begun, workflow.now(), drill=drill)

    @workflow.signal(name=messages.ROLLBACK_STARTED)
    def rollback_started(self, record: RollbackRecord) -> None:
        """A rollback begins, or ends: remembered at once, whatever becomes of the release."""
        self._state = guarding.with_rollback(self._state, record)
        if self._current and self._current.release == record.release:
            self._rolling_back = True

    @workflow.signal(name=messages.RELEASE_HELD)
    async def release_held(self, held: ReleaseResult) -> None:
        """The release under way waits for a person: it must not stand in the way."""
        if self._current and self._current.release == held.release:
            self._held = held
            await self._desk.tell_group(self._order, held)

    @workflow.signal(name=messages.RELEASE_RESUMED)
    async def release_resumed(self, release: str) -> None:
        """The release under way is judged again."""
        if self._current and self._current.release == release:
            self._held = None
            await self._desk.tell_group(self._order, release, messages.MEMBER_RESUMED)

    @workflow.signal(name=messages.RELEASE_ENDED)
    async def release_ended(self, report: DeploymentReport) -> None:
        """A release that an earlier guard began has ended: what it found is remembered."""
        await self._memory.ready()
        if self._current and self._current.release == report.release and self._child is None:
            self._own = report
            return
        policy = self._state.policy
        if policy and guarding.find(self._state, self._current, report.release) is None:
            before = self._state.incidents
            self._state = guarding.after_release(self._state, report, policy, workflow.now())
            self._desk.tell_of_recovery(before, report)

    async def _tell_child(self, message: str, content: object) -> bool:
        """Signal the release under way; False if there is none, or it has just ended."""
        if self._child is None:
            return False
        try:
            await self._child.signal(message, content)
        except FailureError:
            return False
        return True

    # --- Questions -------------------------------------------------------------------------

    @workflow.query(name=messages.RELEASE)
    def release(self, release: str) -> ReleaseView:
        """Where a release stands."""
        return guarding.view(self._state, self._current, self._asked, release)

    @workflow.query(name=messages.OVERVIEW)
    def overview(self) -> Overview:
        """What the guard knows of its service."""
        held = self._held is not None
        return guarding.overview(self._state, self._current, held, workflow.now())
