"""The release of a group: its services in order or at once, and all of them back if one is bad."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls, guard_calls

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        CancelOrder,
        GroupOrder,
        GroupProgress,
        GroupResult,
        Member,
        OperatorRequest,
        ReleaseOrder,
        RollbackRequest,
        StandingQuery,
        TakeBackOrder,
    )
    from lastgood.decisions import group_verdicts, groups
    from lastgood.decisions.endings import ENDINGS
    from lastgood.model import Outcome, ReleaseResult

_MOST_REFUSALS = 6
"""How often a guard may refuse to take an ended release back, before that is given up."""
_AFTER_REFUSAL = timedelta(seconds=10)
_LOOK_AGAIN = timedelta(minutes=1)
"""When a release that should end does not: what its guard says now may ask for another way."""
_SHORTLY = timedelta(seconds=2)


@workflow.defn(name=messages.GROUP)
class GroupRelease:
    """Asks each member's guard, never around it, and ends in one verdict."""

    @workflow.init
    def __init__(self, order: GroupOrder) -> None:
        self._order = order
        self._state = groups.begin(order)
        self._started_at = workflow.now()
        self._notes: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._answered: set[str] = set()
        """Releases whose guards have answered the request for them."""
        self._result: GroupResult | None = None

    @workflow.run
    async def run(self, _: GroupOrder) -> GroupResult:
        """Begin what may begin; once one went wrong, take back what was changed."""
        while not groups.is_over(self._state):
            for move in groups.next_moves(self._state):
                self._make(move)
            try:
                await self._until_news()
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise  # this run only leaves the worker's memory
                if self._state.wrong is None:
                    return self._finish(
                        group_verdicts.cancelled(self._order, self._state, self._run())
                    )
                self._note("Cancelled while members go back: that goes on to its end.")
        return self._finish(group_verdicts.result_of(self._order, self._state, self._run()))

    def _make(self, move: groups.Move) -> None:
        """Begin to do what was decided; the state says so at once."""
        if move.do == "begin":
            self._state = groups.changed(self._state, move.release, asked=True)
            work = self._release(self._order_of(move.release))
        else:
            self._state = groups.changed(self._state, move.release, leaving=True)
            work = self._take_back(self._order_of(move.release))
        self._tasks.append(asyncio.create_task(work))

    async def _until_news(self) -> None:
        """Wait until the state has changed; a bug in what runs beside it must not go unseen."""
        before = self._state
        await workflow.wait_condition(
            lambda: self._state is not before or any(task.done() for task in self._tasks)
        )
        ended = [task for task in self._tasks if task.done()]
        self._tasks = [task for task in self._tasks if task not in ended]
        for task in ended:
            task.result()

    # --- Forward ---------------------------------------------------------------------------

    async def _release(self, order: ReleaseOrder) -> None:
        """Ask for a member's release and follow it to its end, and beyond if that is good."""
        service = order.policy.service
        try:
            accepted = await guard_calls.ask_to_release(order)
        except ActivityError as error:
            self._ended(groups.refused(order, calls.why(error)))
            return
        finally:
            self._answered.add(order.id)
        place = f", {accepted.position} before it" if accepted.position else ""
        self._note(f"{service}: release {order.id} of {order.what} accepted{place}")
        await self._until_ended(order)
        result = self._member(order).result
        if result and result.outcome is Outcome.HEALTHY:
            await self._notice_undoing(order)

    async def _until_ended(self, order: ReleaseOrder) -> None:
        """Wait for the guard's word, by signal; and ask now and then, should that get lost."""
        watch = guard_calls.watch_standing(_query(order, until="ended"))
        await workflow.wait_condition(
            lambda: watch.done() or self._member(order).result is not None
        )
        if not watch.done():
            await guard_calls.stop(watch)
            return
        seen = await watch
        self._ended(seen.result or groups.lost(self._member(order)))

    async def _notice_undoing(self, order: ReleaseOrder) -> None:
        """An operator may roll a member back after its end: then the group has gone wrong."""
        watch = guard_calls.watch_standing(_query(order, until="undone"))
        await workflow.wait_condition(lambda: watch.done() or self._member(order).leaving)
        if not watch.done():
            await guard_calls.stop(watch)
            return
        undone = (await watch).undone
        if undone and not self._member(order).leaving:
            self._note(f"{order.policy.service} was rolled back after its end: {undone.reason}")
            self._state = groups.with_undoing(self._state, order.id, undone)

    # --- Backward --------------------------------------------------------------------------

    async def _take_back(self, order: ReleaseOrder) -> None:
        """Look where a member stands and take the way back from there, until it is back."""
        self._note(f"{order.policy.service} goes back. {group_verdicts.blame(self._state)}")
        await workflow.wait_condition(lambda: order.id in self._answered)
        refusals = 0
        for number in itertools.count(1):
            seen = await guard_calls.read_standing(_query(order))
            way = groups.way_back(self._member(order), seen)
            if way.result:
                self._ended(way.result)
            if way.back:
                self._went_back(order, way.back)
            if not groups.goes_back(self._member(order)):
                return
            refusal = await self._ask_back(order, way, number)
            if refusal and way.result:
                refusals += 1
                if refusals == _MOST_REFUSALS:
                    self._went_back(order, groups.stays(way.result, refusal))
                    return
                await workflow.sleep(_AFTER_REFUSAL)
            else:
                await self._until_back(order, way)

    async def _until_back(self, order: ReleaseOrder, way: groups.WayBack) -> None:
        """Wait for what was asked for: the rollback's end, or that of the release."""
        if way.result:
            await guard_calls.watch_standing(_query(order, until="undone", often=True))
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._member(order).result is not None, timeout=_LOOK_AGAIN
            )
        if groups.goes_back(self._member(order)):
            await workflow.sleep(_SHORTLY)  # its guard may be about to say what it just told us

    async def _ask_back(self, order: ReleaseOrder, way: groups.WayBack, number: int) -> str | None:
        """Ask the guard, unless somebody else has; why it refused, if it did."""
        service = order.policy.ref()
        ident, actor = f"{order.id}/back/{number}", "lastgood"
        reason = f"group {self._order.group}: {group_verdicts.blame(self._state)}"
        if way.do == "wait":
            return None
        try:
            if way.do == "cancel":
                ask = OperatorRequest(id=ident, actor=actor, reason=reason, release=order.id)
                await guard_calls.ask_to_cancel(CancelOrder(service=service, request=ask))
                return None
            request = RollbackRequest(
                id=ident,
                actor=actor,
                reason=reason,
                service=service,
                policy=order.policy,
                release=order.id,
                group=order.group,
            )
            await guard_calls.ask_to_roll_back(TakeBackOrder(service=service, request=request))
        except ActivityError as error:
            return calls.why(error)
        return None

    # --- What is known ---------------------------------------------------------------------

    @workflow.signal(name=messages.MEMBER_ENDED)
    def member_ended(self, result: ReleaseResult) -> None:
        """A member's guard says that its release has ended, or waits for a person."""
        member = groups.find(self._state, result.release)
        if member is None or member.result:
            return
        if result.outcome is not Outcome.HELD:
            self._ended(result)
        elif member.held is None:
            self._state = groups.with_hold(self._state, result)
            self._note(f"{result.service} waits for a person: {result.reason}")

    @workflow.signal(name=messages.MEMBER_RESUMED)
    def member_resumed(self, release: str) -> None:
        """A member that waited for a person is judged again."""
        member = groups.find(self._state, release)
        if member and member.held and member.result is None:
            self._state = groups.changed(self._state, release, held=None)
            self._note(f"{member.service} is judged again.")

    @workflow.query(name=messages.PROGRESS)
    def progress(self) -> GroupProgress:
        """Where the group's release is."""
        result = self._result
        if result is None and groups.waits_for_a_person(self._state):
            result = group_verdicts.result_of(self._order, self._state, self._run())
        return GroupProgress(
            release=self._order.id,
            group=self._order.group,
            members=self._state.members,
            notes=tuple(self._notes),
            started_at=self._started_at,
            result=result,
        )

    def _ended(self, result: ReleaseResult) -> None:
        before = self._state
        self._state = groups.with_end(self._state, result)
        if self._state is not before:
            self._note(f"{result.service} {ENDINGS[result.outcome].title}: {result.reason}")

    def _went_back(self, order: ReleaseOrder, back: ReleaseResult) -> None:
        self._state = groups.changed(self._state, order.id, back=back)
        self._note(f"{order.policy.service} {ENDINGS[back.outcome].title}: {back.reason}")

    def _finish(self, result: GroupResult) -> GroupResult:
        self._result = result
        self._note(f"Ended: {result.outcome.value}. {result.reason}")
        return result

    def _note(self, text: str) -> None:
        self._notes.append(text)
        workflow.set_current_details("\n".join(f"- {note}" for note in self._notes))

    def _order_of(self, release: str) -> ReleaseOrder:
        return next(one for one in self._order.members if one.id == release)

    def _member(self, order: ReleaseOrder) -> Member:
        return next(one for one in self._state.members if one.release == order.id)

    def _run(self) -> group_verdicts.Run:
        info = workflow.info()
        return group_verdicts.Run(
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            started_at=self._started_at,
            now=workflow.now(),
        )


def _query(
    order: ReleaseOrder,
    *,
    until: Literal["now", "ended", "undone"] = "now",
    often: bool = False,
) -> StandingQuery:
    query = StandingQuery(service=order.policy.ref(), release=order.id, until=until)
    return query.model_copy(update={"interval": _SHORTLY}) if often else query
