"""An operator's rollback outside of a release: what runs goes back to what was good."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls
from workflows.desk import refuse, refused
from workflows.ending import run_rollback
from workflows.memory import Memory
from workflows.telling import Conversation, here

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import RollbackOrder, RollbackRequest
    from lastgood.decisions import guarding, ledger, notices, preflight, targets
    from lastgood.model import ReleaseResult, Revision, RollbackRecord, ServiceRef
    from lastgood.policy import Policy


async def prepare_rollback(memory: Memory, request: RollbackRequest) -> guarding.AskedRollback:
    """Find out what runs and what to go back to.

    Raises:
        ApplicationError: if there is nothing to go back to, or the service went on.
    """
    await memory.ready()
    service = memory.state.service
    try:
        running, named = await _read(service, request)
    except ActivityError as error:
        raise refused(f"Nothing was done: {calls.why(error)}") from error
    why = guarding.refuse_rollback(memory.state, request, running.task_definition)
    if why:
        raise refused(why)
    if named:
        named = ledger.as_known(named, (one.revision for one in memory.state.ledger))
    choice = targets.choose_for_operator(
        memory.state.good,
        running.task_definition,
        named,
        copy_of=targets.copy_in(running, memory.state.good),
    )
    if choice.target is None:
        raise refused(choice.reason)
    return guarding.AskedRollback(
        id=f"rollback-{workflow.now():%Y%m%d-%H%M%S}",
        request=request,
        policy=request.policy or memory.state.policy or _bare_policy(service),
        running=running,
        target=choice.target,
    )


async def _read(service: ServiceRef, request: RollbackRequest) -> tuple[Revision, Revision | None]:
    state = await calls.describe_service(service)
    if state is None or state.primary is None:
        raise refused(f"{service} does not exist or runs nothing.")
    refuse(preflight.why_unfit(str(service), state))
    found = await calls.describe_task_definition(service.region, state.primary.task_definition)
    running = targets.revision_of(found, proven=None, at=workflow.now())
    running = await calls.with_digests(service.region, state.service_revision, running)
    if not request.to:
        return running, None
    asked = await calls.describe_task_definition(service.region, request.to)
    return running, targets.revision_of(asked, proven=None, at=workflow.now())


async def roll_back(memory: Memory, asked: guarding.AskedRollback) -> ReleaseResult:
    """Carry it out, count it, tell people, remember; never limited by cooldown or maximum."""
    record = RollbackRecord(
        release=asked.id,
        started_at=workflow.now(),
        trigger="manual",
        reason=asked.request.reason,
        actor=asked.request.actor,
        to=asked.target.task_definition,
    )
    memory.state = guarding.with_rollback(memory.state, record)
    policy, region = asked.policy, memory.state.service.region
    context = guarding.context_of(asked, memory.state, workflow.now(), here())
    started = notices.rollback_started(
        context,
        reason=f"{asked.request.actor} asked for it: {asked.request.reason}",
        target=asked.target,
        asked_by=asked.request.actor,
    )
    conversation = Conversation()
    failed = asyncio.create_task(conversation.tell(started, policy.notify, region))
    report = await run_rollback(
        RollbackOrder(
            service=memory.state.service,
            release=asked.id,
            target=asked.target,
            from_task_definition=asked.running.task_definition,
            policy=policy,
            actor=asked.request.actor,
            reason=asked.request.reason,
            listed=True,
        )
    )
    ended = {"finished_at": workflow.now(), "verified": report.verified}
    memory.state = guarding.with_rollback(memory.state, record.model_copy(update=ended))
    result = guarding.result_of(asked, report, memory.state.service)
    notice = notices.ended(context, result=result, target=asked.target)
    failures = (*await failed, *await conversation.tell(notice, policy.notify, region))
    result = result.model_copy(update={"notification_failures": failures})
    memory.state = guarding.after_rollback(
        memory.state, asked, result, notice, workflow.now(), conversation.open
    )
    return result


def _bare_policy(service: ServiceRef) -> Policy:
    return Policy(service=str(service), region=service.region)
