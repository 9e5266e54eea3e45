"""The guard's desk: each request of an operator is carried out once and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.memory import Memory
from workflows.telling import Conversation, here, tell

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        Answer,
        FreezeRequest,
        Incident,
        Instruction,
        InstructionAnswer,
        Notice,
        OperatorRequest,
        ReleaseOrder,
        RollbackRequest,
    )
    from lastgood.decisions import (
        alerts,
        guarding,
        incidents,
        ledger,
        notices,
        operators,
        queueing,
        targets,
    )
    from lastgood.decisions.wording import day
    from lastgood.model import Model, Outcome, ReleaseResult, Revision

M = TypeVar("M", bound=Model)


def refused(text: str) -> ApplicationError:
    """What an operator is answered whose request makes no sense now."""
    return ApplicationError(text, type="Refused", non_retryable=True)


def refuse(why: str | None) -> None:
    """Refuse a request, if there is a reason to.

    Raises:
        ApplicationError: if there is.
    """
    if why:
        raise refused(why)


class Desk:
    """Takes requests; hands what the release under way must decide on to it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._in_hand: set[str] = set()
        self._answers: dict[str, InstructionAnswer] = {}
        self._telling = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def telling(self) -> bool:
        """Whether people are being told of something: the guard does not continue as new."""
        return self._telling > 0

    # --- Once ------------------------------------------------------------------------------

    def answered(self, request_id: str) -> bool:
        """This very request was carried out, or is being carried out: it is no new one."""
        known = guarding.answer_to(self._memory.state, request_id)
        return known is not None or request_id in self._in_hand

    async def once(self, request_id: str, work: Coroutine[Any, Any, M], answer: type[M]) -> M:
        """Carry out a request; one that is delivered again gets the answer it got."""
        try:
            while request_id in self._in_hand:  # another that waited may be first
                await workflow.wait_condition(lambda: request_id not in self._in_hand)
            known = guarding.answer_to(self._memory.state, request_id)
            if known is not None:
                return answer.model_validate_json(known)
            return await self._carry_out(request_id, work)
        finally:
            work.close()

    async def _carry_out(self, request_id: str, work: Coroutine[Any, Any, M]) -> M:
        if not request_id:
            return await work
        self._in_hand.add(request_id)
        try:
            given = await work
        finally:
            self._in_hand.discard(request_id)
        self._memory.state = guarding.with_answer(
            self._memory.state, request_id, given.model_dump_json()
        )
        return given

    # --- What the release decides ----------------------------------------------------------

    def instruction(
        self, verb: operators.Verb, request: OperatorRequest | RollbackRequest
    ) -> Instruction:
        """A request as the release under way gets it."""
        asked = OperatorRequest(
            id=request.id or str(workflow.uuid4()),
            actor=request.actor,
            reason=request.reason,
            release=request.release,
        )
        rollback = request if isinstance(request, RollbackRequest) else None
        return Instruction(verb=verb, request=asked, rollback=rollback)

    def take_answer(self, answer: InstructionAnswer) -> None:
        """The release has answered."""
        self._answers[answer.id] = answer

    def has_answer(self, instruction: Instruction) -> bool:
        """Whether the release has answered this."""
        return instruction.request.id in self._answers

    def answer_to(self, instruction: Instruction) -> str:
        """What the release answered.

        Raises:
            ApplicationError: if it refused, or ended without an answer.
        """
        answer = self._answers.pop(instruction.request.id, None)
        if answer is None:
            raise refused(
                "The release has just ended: nothing was done. See: "
                f"lastgood history {self._memory.state.service}"
            )
        if not answer.done:
            raise refused(answer.text)
        return answer.text

    # --- The queue -------------------------------------------------------------------------

    async def cancel_queued(self, request: OperatorRequest) -> Answer:
        """Take a release out of the queue."""
        reason = f"{request.actor} cancelled it before it began: {request.reason}"
        ended = [one for one in self._memory.state.queue if one.id == request.release]
        await self._end_queued(Outcome.CANCELLED, reason, ended)
        self._memory.note(request.actor, "cancel", request.reason)
        text = f"Release {request.release} is taken out of the queue; nothing was changed."
        return Answer(text=text, release=request.release)

    async def end_before(self, newcomer: ReleaseOrder) -> None:
        """A newer release supersedes all that wait before it."""
        reason = f"Release {newcomer.id} superseded it. Nothing had been changed."
        before = queueing.before(self._memory.state, newcomer)
        await self._end_queued(Outcome.SUPERSEDED, reason, before)

    async def refuse_queued(self, order: ReleaseOrder, why: str) -> None:
        """A release may not begin: it ends at once, and people are told."""
        self._telling += 1
        await self._end_queued(Outcome.REFUSED, why, [order])
        result = guarding.result_by_id(self._memory.state, order.id)
        if result:
            context = guarding.context_of_queued(order, workflow.now(), here())
            notice = notices.ended(context, result=result)
            await tell(notice, order.policy.notify, self._memory.state.service.region)
        self._telling -= 1

    async def _end_queued(self, outcome: Outcome, reason: str, ended: list[ReleaseOrder]) -> None:
        self._memory.state = guarding.without_queued(
            self._memory.state, ended, outcome, reason, workflow.now(), workflow.info().run_id
        )
        for order in ended:
            result = guarding.result_by_id(self._memory.state, order.id)
            if result:
                await self.tell_group(order, result)

    # --- The service -----------------------------------------------------------------------

    async def freeze(self, request: FreezeRequest) -> Answer:
        """No release may begin from now on."""
        await self._memory.ready()
        refuse(operators.refuse_freeze(self._memory.state, workflow.now()))
        state = self._memory.state
        self._memory.state = guarding.frozen(state, request, workflow.now())
        self._memory.note(request.actor, "freeze", request.reason)
        freeze = self._memory.state.frozen
        until = f"until {day(freeze.until)}" if freeze and freeze.until else "until unfrozen"
        return Answer(text=f"{state.service} is frozen {until}. Rollbacks may still happen.")

    async def unfreeze(self, request: OperatorRequest) -> Answer:
        """Releases may begin again."""
        await self._memory.ready()
        refuse(operators.refuse_unfreeze(self._memory.state, workflow.now()))
        state = self._memory.state
        self._memory.state = state.model_copy(update={"frozen": None})
        self._memory.note(request.actor, "unfreeze", request.reason)
        return Answer(text=f"Releases of {state.service} may begin again.")

    async def acknowledge(self, request: OperatorRequest) -> Answer:
        """Somebody takes care of a failed rollback."""
        state = self._memory.state
        about = ", ".join(one.release for one in state.alerts)
        self._memory.state = alerts.acknowledged(state)
        self._memory.note(request.actor, "acknowledge", request.reason)
        now = workflow.now()
        told = [(one, incidents.acknowledged(one, request, now)) for one in state.incidents]
        self._tell_afterwards(told)
        return Answer(text=f"Nobody is told of {about} any more: {request.actor} takes care.")

    async def revision_to_adopt(self, request: OperatorRequest) -> Revision:
        """What runs, if it runs steadily."""
        service = self._memory.state.service
        try:
            state = await calls.describe_service(service, with_tags=True)
            why = targets.why_not_to_adopt(state)
            if state is None or state.primary is None or why:
                raise refused(f"{service} cannot be adopted: {why}")
            arn = state.primary.task_definition
            found = await calls.describe_task_definition(service.region, arn)
            proven = f"adopted by {request.actor}"
            revision = targets.revision_of(found, proven=proven, at=workflow.now())
            return await calls.with_digests(service.region, state.service_revision, revision)
        except ActivityError as error:
            raise refused(f"Nothing was done: {calls.why(error)}") from error

    def adopt(self, request: OperatorRequest, revision: Revision) -> Answer:
        """What runs is known to be good from now on."""
        state = self._memory.state
        self._memory.state = ledger.with_good(state, revision, workflow.now())
        self._memory.note(request.actor, "adopt", request.reason)
        text = f"{revision.label} is the last known good revision of {state.service} now."
        return Answer(text=text)

    # --- Incidents -------------------------------------------------------------------------

    def tell_of_recovery(self, before: tuple[Incident, ...], result: ReleaseResult) -> None:
        """Tell the incidents that a good end has closed; nothing waits for it."""
        now, left = workflow.now(), {one.release for one in self._memory.state.incidents}
        over = [one for one in before if one.release not in left]
        self._tell_afterwards([(one, incidents.recovered(one, result, now)) for one in over])

    def _tell_afterwards(self, told: list[tuple[Incident, Notice]]) -> None:
        for incident, notice in told:
            self._telling += 1
            task = asyncio.create_task(self._tell_one(incident, notice))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell_one(self, incident: Incident, notice: Notice) -> None:
        region = self._memory.state.service.region
        try:
            turns = self._memory.turns_about(incident.release)
            await Conversation(incident.threads, turns).tell(notice, incident.notify, region)
        finally:
            self._telling -= 1

    # --- Groups ----------------------------------------------------------------------------

    async def tell_group(
        self,
        order: ReleaseOrder | None,
        content: ReleaseResult | str,
        message: str = messages.MEMBER_ENDED,
    ) -> None:
        """Tell the group that a release is part of how it stands; a lost group hinders nothing."""
        if order is None or order.group is None:
            return
        handle = workflow.get_external_workflow_handle(order.group)
        try:
            await handle.signal(message, content)
        except Exception as error:  # noqa: BLE001 - the group may be gone; it also asks by itself
            workflow.logger.warning("The group %s could not be told: %s", order.group, error)
