"""What a guard remembers and says: every change of its state, without a clock or a workflow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from lastgood.contracts import (
    Answered,
    Begun,
    CurrentRelease,
    DeploymentOrder,
    DeploymentReport,
    Freeze,
    FreezeRequest,
    GuardState,
    LedgerEntry,
    Notice,
    Overview,
    ReleaseOrder,
    ReleaseView,
    RollbackReport,
    RollbackRequest,
    Thread,
)
from lastgood.decisions import alerts, comparing, drills, incidents, ledger, limits
from lastgood.decisions.notices import NoticeContext
from lastgood.decisions.operators import Phase, Standing, frozen_now
from lastgood.decisions.targets import SURVIVED
from lastgood.decisions.wording import sentence
from lastgood.messages import deployment_id, guard_id, rollback_id
from lastgood.model import (
    Action,
    Model,
    Outcome,
    ReleaseResult,
    Revision,
    RollbackRecord,
    RollbackSummary,
    ServiceRef,
)
from lastgood.policy import Policy, RollbackPolicy

KEPT_ANSWERS = 100
KEPT = 50
"""How many results, rollbacks and actions are remembered; a policy cannot count more rollbacks."""


_WENT_BACK = (Outcome.ROLLED_BACK, Outcome.ROLLED_BACK_BY_ECS, Outcome.ROLLBACK_FAILED)


class AskedRollback(Model):
    """An operator's rollback that waits for its turn."""

    id: str
    request: RollbackRequest
    policy: Policy
    running: Revision
    target: Revision


def find(
    state: GuardState, current: CurrentRelease | None, release: str
) -> ReleaseResult | ReleaseOrder | CurrentRelease | None:
    """A release that is known already: the same id is the same release."""
    if current and current.release == release:
        return current
    queued = next((order for order in state.queue if order.id == release), None)
    return queued or next((one for one in state.results if one.release == release), None)


def view(
    state: GuardState,
    current: CurrentRelease | None,
    asked: list[AskedRollback],
    release: str,
) -> ReleaseView:
    """Where a release, or an operator's rollback, stands."""
    result = next((one for one in state.results if one.release == release), None)
    if result:
        return ReleaseView(
            release=release,
            state="ended",
            workflow_id=result.workflow_id,
            run_id=result.run_id,
            result=result,
        )
    if current and current.release == release:
        return ReleaseView(
            release=release,
            state="running",
            workflow_id=current.workflow_id,
            run_id=current.run_id,
        )
    waiting = [order.id for order in state.queue]
    if release in waiting:
        position = waiting.index(release) + (1 if current else 0)
        ident = deployment_id(state.service)
        return ReleaseView(release=release, state="queued", position=position, workflow_id=ident)
    if release in (one.id for one in asked):
        runs = current is None and asked[0].id == release
        state_now: Literal["running", "queued"] = "running" if runs else "queued"
        ident = rollback_id(state.service)
        return ReleaseView(release=release, state=state_now, workflow_id=ident)
    return ReleaseView(release=release, state="unknown")


def standing(
    state: GuardState,
    current: CurrentRelease | None,
    release: str | None,
    *,
    held: bool,
    rolling_back: bool,
) -> Standing:
    """Where the release stands that an operator speaks of: the one named, or the one under way."""
    service = str(state.service)
    if current and release in (None, current.release):
        phase: Phase = "rolling back" if rolling_back else "held" if held else "under way"
        return Standing(service=service, phase=phase, release=current.release)
    if release is None:
        return Standing(service=service, phase="nothing")
    under_way = current.release if current else None
    phase = "unknown"
    if release in (order.id for order in state.queue):
        phase = "queued"
    elif result_by_id(state, release):
        phase = "ended"
    return Standing(service=service, phase=phase, release=release, under_way=under_way)


def result_by_id(state: GuardState, release: str) -> ReleaseResult | None:
    """How a release ended, if it did."""
    return next((one for one in state.results if one.release == release), None)


def without_queued(
    state: GuardState,
    ended: list[ReleaseOrder],
    outcome: Outcome,
    reason: str,
    now: datetime,
    run_id: str,
) -> GuardState:
    """The memory after releases ended that had not begun."""
    queue = tuple(one for one in state.queue if one not in ended)
    state = state.model_copy(update={"queue": queue})
    for order in ended:
        result = ReleaseResult(
            release=order.id,
            workflow_id=guard_id(state.service),
            run_id=run_id,
            service=str(state.service),
            outcome=outcome,
            reason=reason,
            finished_at=now,
            image=order.image,
            actor=order.actor,
            drill=drills.begun(order),
        )
        state = _with_result(state, result)
    return state


def order_for(
    state: GuardState, release: ReleaseOrder, now: datetime, guard: str
) -> DeploymentOrder:
    """All that a release needs to know of what its guard remembers now."""
    return DeploymentOrder(
        release=release,
        service=state.service,
        good=state.good,
        unproven=state.unproven,
        limits=state.limits,
        quarantine=state.quarantine,
        demoted=tuple(one for one in state.ledger if one.status == "demoted" and one.blamed),
        frozen=frozen_now(state, now),
        last_released=next(iter(state.good), None),
        troubled=comparing.troubled(state.results),
        guard_id=guard,
        listed=True,
    )


def frozen(state: GuardState, request: FreezeRequest, now: datetime) -> GuardState:
    """The memory after an operator froze the service."""
    until = now + request.lasts if request.lasts else None
    freeze = Freeze(at=now, actor=request.actor, reason=request.reason, until=until)
    return state.model_copy(update={"frozen": freeze})


def answer_to(state: GuardState, request_id: str) -> str | None:
    """What a request was answered that was carried out already."""
    if not request_id:
        return None
    return next((one.answer for one in state.answered if one.id == request_id), None)


def with_answer(state: GuardState, request_id: str, answer: str) -> GuardState:
    """Remember a request that was carried out."""
    answered = (Answered(id=request_id, answer=answer), *state.answered)
    return state.model_copy(update={"answered": answered[:KEPT_ANSWERS]})


def release_begun(
    state: GuardState, begun: Begun, now: datetime, *, drill: bool = False
) -> GuardState:
    """The memory when the service is about to be moved: the target is good, the rest is open.

    A drill makes no revision good that was not before.
    """
    if begun.target and not drill:
        state = _with_target(state, begun.target, now)
    return ledger.with_candidate(state, begun.released, now)


def release_not_begun(
    state: GuardState, begun: Begun | None, earlier: LedgerEntry | None, report: DeploymentReport
) -> GuardState:
    """The memory where a release was about to touch the service, and then changed nothing."""
    if begun is None or report.released:
        return state
    return ledger.as_before(state, begun.released.task_definition, earlier)


def _with_target(state: GuardState, target: Revision, now: datetime) -> GuardState:
    known = ledger.entry(state, target.task_definition)
    if known and known.status == "good":
        return ledger.with_digests(state, target)
    return ledger.with_good(state, target, now, lift=False)


def after_release(
    state: GuardState, report: DeploymentReport, policy: Policy, now: datetime
) -> GuardState:
    """The memory after a release ended: what is good now, and what is not."""
    state = _with_revisions(state, report, now)
    fields = set(ReleaseResult.model_fields)
    result = ReleaseResult.model_validate(report.model_dump(include=fields))
    if result.drill:  # nobody is told again of what is no emergency, nor does it end one
        return drills.remembered(_with_result(state, result), result)
    if report.notice:
        state = alerts.after(state, result, report.notice, policy, now)
    else:
        state = alerts.resolved(state, result)
    state = incidents.after(state, result, report.notice, policy.notify, report.threads)
    return _with_result(state, result)


def _with_revisions(state: GuardState, report: DeploymentReport, now: datetime) -> GuardState:
    """What is thought of the revisions after a release ended."""
    if drills.returned(report):
        brought = report.released
        return ledger.as_before(state, brought.task_definition, None) if brought else state
    if report.target:
        state = _with_target(state, report.target, now)
    if report.released and report.drill:
        return ledger.with_candidate(state, report.released, now)
    if report.released and report.outcome is Outcome.HEALTHY:
        proven = {"proven": report.proven or SURVIVED, "proven_at": now}
        state = ledger.with_good(state, report.released.model_copy(update=proven), now)
    elif report.released and (report.outcome in _WENT_BACK or report.rollback):
        # Also where a stranger's release came in between: it was found bad all the same.
        state = ledger.with_demoted(state, report.released, now, report.reason, blame=report.blamed)
        state = _with_what_helped(state, report, now)
    elif report.released:
        state = ledger.with_candidate(state, report.released, now)
    return state


def _with_what_helped(state: GuardState, report: DeploymentReport, now: datetime) -> GuardState:
    """Where the target did not help and an older good revision did, that one comes first."""
    back = report.rollback
    known = ledger.entry(state, back.to) if back and back.verified else None
    first = next(iter(state.good), None)
    if known is None or known.status != "good" or known.revision == first:
        return state
    return ledger.with_good(state, known.revision, now)


def refuse_rollback(state: GuardState, request: RollbackRequest, running: str) -> str | None:
    """Why what runs is not rolled back outside of a release; None if it is.

    Args:
        state: the memory.
        request: what the operator asked for.
        running: ARN of the service's present task definition.
    """
    last = next((one for one in state.results if not one.drill), None)
    if request.release:
        result = result_by_id(state, request.release)
        brought = result.to_task_definition if result else None
        if brought != running:
            return (
                f"{state.service} no longer runs what release {request.release} brought "
                f"({_label(brought)}), but {_label(running)}: nothing was done."
            )
    elif request.to is None and last and last.rollback and last.rollback.to == running:
        return (
            f"{state.service} went back to {_label(running)} with release {last.release} already. "
            f"To go back further, name where: lastgood rollback {state.service} "
            '--to FAMILY:REVISION --reason "…"'
        )
    return None


def _label(arn: str | None) -> str:
    return arn.rsplit("/", 1)[-1] if arn else "nothing"


def accepted(asked: AskedRollback, state: GuardState) -> str:
    """What an operator is answered whose rollback outside of a release begins."""
    text = f"{state.service} goes back to {asked.target.label}."
    if asked.request.policy or state.policy:
        return text
    return (
        f"{text} Nobody is told of it: this guard has seen no policy yet, which would say whom and "
        "how to verify. The next time, name one: --policy FILE."
    )


def after_rollback(
    state: GuardState,
    asked: AskedRollback,
    result: ReleaseResult,
    notice: Notice,
    now: datetime,
    threads: Iterable[Thread] = (),
) -> GuardState:
    """The memory after an operator's rollback: what it left is no longer good."""
    if result.outcome in (Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED, Outcome.HELD):
        blame = asked.request.group is None
        state = ledger.with_demoted(state, asked.running, now, result.reason, blame=blame)
    if result.outcome is Outcome.ROLLED_BACK:
        state = ledger.with_good(state, ran_in_the_end(asked.target, result), now)
    state = alerts.after(state, result, notice, asked.policy, now)
    state = incidents.after(state, result, notice, asked.policy.notify, threads)
    return _with_result(state, result)


def ran_in_the_end(target: Revision, result: ReleaseResult) -> Revision:
    """The target as it was brought back: the same images, perhaps in a digest-pinned copy."""
    to = result.rollback.to if result.rollback else target.task_definition
    return target.model_copy(update={"task_definition": to})


def _with_result(state: GuardState, result: ReleaseResult) -> GuardState:
    return state.model_copy(update={"results": (result, *state.results)[:KEPT]})


def with_rollback(state: GuardState, record: RollbackRecord) -> GuardState:
    """Remember a rollback; the same one again replaces what was known of it. Not a drill's."""
    if record.drill:
        return state
    others = [one for one in state.limits.rollbacks if one.started_at != record.started_at]
    rollbacks = tuple(sorted((*others, record), key=lambda one: one.started_at))[-KEPT:]
    counted = state.limits.model_copy(update={"rollbacks": rollbacks})
    return state.model_copy(update={"limits": counted})


def with_action(state: GuardState, actor: str, verb: str, reason: str, now: datetime) -> GuardState:
    """Remember what a person asked for."""
    action = Action(at=now, actor=actor, verb=verb, reason=reason)
    return state.model_copy(update={"actions": (action, *state.actions)[:KEPT]})


def overview(
    state: GuardState, current: CurrentRelease | None, held: bool, now: datetime
) -> Overview:
    """What ``status`` and ``history`` show."""
    policy = state.policy.rollback if state.policy else RollbackPolicy()
    shown = current
    if current and held:
        shown = current.model_copy(update={"what": f"{current.what} (held for a person)"})
    return Overview(
        service=str(state.service),
        current=shown,
        queued=tuple(order.id for order in state.queue),
        last_known_good=state.good[0].model_copy(update={"source": {}}) if state.good else None,
        rollbacks_counted=len(limits.counted(state.limits, policy, now)),
        max_rollbacks=policy.max_rollbacks,
        cooldown_until=limits.cooldown_ends(state.limits, policy, now),
        results=state.results,
        rollbacks=state.limits.rollbacks,
        actions=state.actions,
        ledger=tuple(_bare(one) for one in state.ledger),
        quarantine=state.quarantine,
        demoted=tuple(one for one in state.ledger if one.status == "demoted" and one.blamed),
        frozen=frozen_now(state, now),
        alerts=tuple(one.release for one in state.alerts),
        mirror_problem=state.mirror_problem,
        drillable=state.policy.drill.allowed if state.policy else False,
        last_drill=state.last_drill,
        last_passed_drill=state.last_passed_drill,
    )


def _bare(entry: LedgerEntry) -> LedgerEntry:
    revision = entry.revision.model_copy(update={"source": {}})
    return entry.model_copy(update={"revision": revision})


def context_of(asked: AskedRollback, state: GuardState, now: datetime, link: str) -> NoticeContext:
    """What notices about an operator's rollback say."""
    policy = asked.policy.rollback
    return NoticeContext(
        service=str(state.service),
        region=state.service.region,
        release=asked.id,
        what=f"back to {asked.target.label}",
        actor=asked.request.actor,
        from_revision=asked.target,
        to_revision=asked.running,
        rollbacks_counted=len(limits.counted(state.limits, policy, now)),
        max_rollbacks=policy.max_rollbacks,
        per=policy.per,
        link=link,
        at=now,
    )


def context_of_queued(order: ReleaseOrder, now: datetime, link: str) -> NoticeContext:
    """What notices say about a release that tells nothing itself."""
    return NoticeContext(
        service=order.policy.service,
        region=order.policy.region or "",
        release=order.id,
        what=order.what,
        actor=order.actor,
        forced=order.forced,
        drill=drills.begun(order),
        max_rollbacks=order.policy.rollback.max_rollbacks,
        per=order.policy.rollback.per,
        link=link,
        at=now,
    )


def result_of(asked: AskedRollback, report: RollbackReport, service: ServiceRef) -> ReleaseResult:
    """How an operator's rollback ended, in the form of a release's result."""
    return ReleaseResult(
        release=asked.id,
        workflow_id=rollback_id(service),
        run_id=report.run_id,
        service=str(service),
        outcome=report.outcome,
        reason=(
            f"{asked.request.actor} asked for it: {sentence(asked.request.reason)} {report.reason}"
        ),
        from_task_definition=asked.running.task_definition,
        to_task_definition=report.to,
        trigger="manual",
        rollback=RollbackSummary(
            to=report.to,
            started_at=report.started_at,
            finished_at=report.finished_at,
            verified=report.verified,
        ),
        evidence=report.evidence,
        timings={"rollback": (report.finished_at - report.started_at).total_seconds()},
        started_at=report.started_at,
        finished_at=report.finished_at,
        actor=asked.request.actor,
    )
