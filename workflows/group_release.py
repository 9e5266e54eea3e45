"""The release of a group: its services in order or at once, and all of them back if one is bad."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from workflows.desk import refuse
from workflows.group_members import Members
from workflows.listed import Listed

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        Answer,
        GroupOrder,
        GroupProgress,
        GroupResult,
        GroupState,
        OperatorRequest,
    )
    from lastgood.decisions import attributes, group_verdicts, groups
    from lastgood.decisions.rendering.temporal_ui.group import GroupNow, group_now
    from lastgood.model import Outcome, ReleaseResult


@workflow.defn(name=messages.GROUP)
class GroupRelease:
    """Asks each member's guard, never around it, and ends in one verdict."""

    @workflow.init
    def __init__(self, order: GroupOrder) -> None:
        self._order = order
        self._members = Members(order)
        self._started_at = workflow.now()
        self._tasks: list[asyncio.Task[None]] = []
        self._result: GroupResult | None = None
        self._stop: groups.Stop | None = None
        self._looked = False
        self._listed = Listed(wanted=order.listed, show=self._show)
        self._members.changed = self._show

    @workflow.run
    async def run(self, _: GroupOrder) -> GroupResult:
        """Begin what may begin, if all may; once one went wrong, take back what was changed."""
        self._listed.put(attributes.of_group(self._order))
        while True:
            try:
                await self._preflight()
                if await self._over():
                    break
                for move in groups.next_moves(self._state):
                    self._make(move)
                self._show()
                await self._until_news()
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise  # this run only leaves the worker's memory
                self._stop = groups.Stop(outcome=Outcome.CANCELLED, why="Cancelled.")
                if self._state.wrong:
                    self._members.note("Cancelled while members go back: that goes on to its end.")
        return await self._finish()

    async def _preflight(self) -> None:
        """Once, before any service is changed."""
        if not (self._looked or self._stops):
            await self._members.preflight()
            self._looked = True

    async def _over(self) -> bool:
        """Whether nothing is left; what ended well is looked at before others build on it."""
        if self._stops:
            return True
        await self._members.look_at(groups.to_look_at(self._state))
        return groups.is_over(self._state)

    @property
    def _stops(self) -> groups.Stop | None:
        """What ends it now; what goes back goes on to its end."""
        return self._stop if self._state.wrong is None else None

    @property
    def _state(self) -> GroupState:
        return self._members.state

    def _make(self, move: groups.Move) -> None:
        """Begin to do what was decided; the state says so at once."""
        order = next(one for one in self._order.members if one.id == move.release)
        if move.do == "begin":
            self._members.state = groups.changed(self._state, order.id, asked=True)
            work = self._members.release(order)
        else:
            self._members.state = groups.changed(self._state, order.id, leaving=True)
            work = self._members.take_back(order)
        self._tasks.append(asyncio.create_task(work))

    async def _until_news(self) -> None:
        """Wait until the state has changed; a bug in what runs beside it must not go unseen."""
        before = self._state
        await workflow.wait_condition(
            lambda: (
                self._state is not before
                or self._stops is not None
                or any(task.done() for task in self._tasks)
            )
        )
        ended = [task for task in self._tasks if task.done()]
        self._tasks = [task for task in self._tasks if task not in ended]
        for task in ended:
            task.result()

    @workflow.signal(name=messages.MEMBER_ENDED)
    def member_ended(self, result: ReleaseResult) -> None:
        """A member's guard says that its release has ended, or waits for a person."""
        if result.outcome is Outcome.HELD:
            self._members.held(result)
        else:
            self._members.ended(result)

    @workflow.signal(name=messages.MEMBER_RESUMED)
    def member_resumed(self, release: str) -> None:
        """A member's guard says that its release is judged again."""
        self._members.resumed(release)

    @workflow.update(name=messages.SUPERSEDE)
    def supersede(self, request: OperatorRequest) -> Answer:
        """A newer release: one that only waits for a person ends, and changes nothing."""
        self._stop = groups.superseded(request)
        return Answer(text=self._stop.why, release=self._order.id)

    @supersede.validator
    def _validate_supersede(self, request: OperatorRequest) -> None:
        refuse(groups.refuse_to_stand_aside(self._state, request))

    @workflow.update(name=messages.CANCEL)
    def cancel(self, request: OperatorRequest) -> Answer:
        """Begin no further member; those under way go on by themselves, none goes back."""
        self._stop = groups.cancelled(request)
        self._members.note(self._stop.why)
        return Answer(text=f"Release {self._order.id} begins no more.", release=self._order.id)

    @cancel.validator
    def _validate_cancel(self, request: OperatorRequest) -> None:
        refuse(groups.refuse_cancel(self._state, request, self._order.id))

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
            notes=tuple(self._members.notes),
            started_at=self._started_at,
            result=result,
        )

    async def _finish(self) -> GroupResult:
        """End, and nothing is begun any more: a command after the end is refused by Temporal."""
        stop = self._stops  # decided now: what is heard from here on changes nothing
        self._members.over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        order, state, run = self._order, self._state, self._run()
        if stop:
            result = group_verdicts.stopped(order, state, run, stop)
        else:
            result = group_verdicts.result_of(order, state, run)
        self._result = result
        self._members.note(f"Ended: {result.outcome.value}. {result.reason}")
        self._listed.put(attributes.of_outcome(result.outcome))
        await self._listed.settled()
        return result

    def _show(self) -> None:
        """Bring the Temporal UI's details up to date."""
        now = GroupNow(place=self._listed.place, progress=self.progress())
        workflow.set_current_details(group_now(now))

    def _run(self) -> group_verdicts.Run:
        info = workflow.info()
        return group_verdicts.Run(
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            started_at=self._started_at,
            now=workflow.now(),
        )
