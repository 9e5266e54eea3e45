"""The members of a group: each one's way forward, and its way back, through its own guard."""

from __future__ import annotations

import itertools
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls, guard_calls

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        CancelOrder,
        GroupOrder,
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


class Members:
    """Where all members stand, and what happened to them so far."""

    def __init__(self, order: GroupOrder) -> None:
        self._order = order
        self._answered: set[str] = set()
        """Releases whose guards have answered the request for them."""
        self.state = groups.begin(order)
        self.notes: list[str] = []

    # --- Forward ---------------------------------------------------------------------------

    async def release(self, order: ReleaseOrder) -> None:
        """Ask for a member's release and follow it to its end, and beyond if that is good."""
        service = order.policy.service
        try:
            accepted = await guard_calls.ask_to_release(order)
        except ActivityError as error:
            self.ended(groups.refused(order, calls.why(error)))
            return
        finally:
            self._answered.add(order.id)
        place = f", {accepted.position} before it" if accepted.position else ""
        self.note(f"{service}: release {order.id} of {order.what} accepted{place}")
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
        self.ended(seen.result or groups.lost(self._member(order)))

    async def _notice_undoing(self, order: ReleaseOrder) -> None:
        """An operator may roll a member back after its end: then the group has gone wrong."""
        watch = guard_calls.watch_standing(_query(order, until="undone"))
        await workflow.wait_condition(lambda: watch.done() or self._member(order).leaving)
        if not watch.done():
            await guard_calls.stop(watch)
            return
        undone = (await watch).undone
        if undone and not self._member(order).leaving:
            self.note(f"{order.policy.service} was rolled back after its end: {undone.reason}")
            self.state = groups.with_undoing(self.state, order.id, undone)

    # --- Backward --------------------------------------------------------------------------

    async def take_back(self, order: ReleaseOrder) -> None:
        """Look where a member stands and take the way back from there, until it is back."""
        self.note(f"{order.policy.service} goes back. {group_verdicts.blame(self.state)}")
        await workflow.wait_condition(lambda: order.id in self._answered)
        refusals = 0
        for number in itertools.count(1):
            seen = await guard_calls.read_standing(_query(order))
            way = groups.way_back(self._member(order), seen)
            if way.result:
                self.ended(way.result)
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
        reason = f"group {self._order.group}: {group_verdicts.blame(self.state)}"
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

    def ended(self, result: ReleaseResult) -> None:
        """A member's release has ended."""
        before = self.state
        self.state = groups.with_end(self.state, result)
        if self.state is not before:
            self.note(f"{result.service} {ENDINGS[result.outcome].title}: {result.reason}")

    def held(self, result: ReleaseResult) -> None:
        """A member waits for a person."""
        before = self.state
        self.state = groups.with_hold(self.state, result)
        if self.state is not before:
            self.note(f"{result.service} waits for a person: {result.reason}")

    def resumed(self, release: str) -> None:
        """A member that waited for a person is judged again."""
        member = groups.find(self.state, release)
        if member and member.held and member.result is None:
            self.state = groups.changed(self.state, release, held=None)
            self.note(f"{member.service} is judged again.")

    def note(self, text: str) -> None:
        """Say what happened, also in the Temporal UI."""
        self.notes.append(text)
        workflow.set_current_details("\n".join(f"- {note}" for note in self.notes))

    def _went_back(self, order: ReleaseOrder, back: ReleaseResult) -> None:
        self.state = groups.changed(self.state, order.id, back=back)
        self.note(f"{order.policy.service} {ENDINGS[back.outcome].title}: {back.reason}")

    def _member(self, order: ReleaseOrder) -> Member:
        return next(one for one in self.state.members if one.release == order.id)


def _query(
    order: ReleaseOrder,
    *,
    until: Literal["now", "ended", "undone"] = "now",
    often: bool = False,
) -> StandingQuery:
    query = StandingQuery(service=order.policy.ref(), release=order.id, until=until)
    return query.model_copy(update={"interval": _SHORTLY}) if often else query
