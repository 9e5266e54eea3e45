"""The members of a group: each one's way forward, and its way back, through its own guard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ActivityHandle

from workflows import calls, guard_calls

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        Accepted,
        CancelOrder,
        GroupOrder,
        Member,
        MemberStanding,
        OperatorRequest,
        ReleaseOrder,
        RollbackRequest,
        StandingQuery,
        TakeBackOrder,
    )
    from lastgood.decisions import group_verdicts, groups, standings
    from lastgood.decisions.endings import ENDINGS
    from lastgood.model import Outcome, ReleaseResult

_MOST_TRIES = 8
"""How often a guard is asked for one member's way back, before that is given up."""
_MOST_WAITS = 2
"""How often a rollback's longest time is waited for: a worker's outage may have taken the first."""
_UNANSWERED = timedelta(minutes=5)
"""How long a guard may take to answer for a release that is to go back, before it is let alone."""
_AFTER_REFUSAL = timedelta(seconds=10)
_LOOK_AGAIN = timedelta(minutes=1)
"""When a release that should end does not: what its guard says now may ask for another way."""
_SHORTLY = timedelta(seconds=2)


class Members:
    """Where all members stand, and what happened to them so far."""

    def __init__(self, order: GroupOrder) -> None:
        self._order = order
        self._asking: dict[str, ActivityHandle[Accepted]] = {}
        """The requests for releases."""
        self.state = groups.begin(order)
        self.notes: list[str] = []
        self.changed: Callable[[], None] = lambda: None
        """Called when one more is noted."""
        self.over = False
        """The group's release ends: nothing is begun or followed any more."""

    # --- Forward ---------------------------------------------------------------------------

    async def preflight(self) -> None:
        """Ask all guards whether their releases could begin, before any service is changed."""
        looks = [self._preflight(one) for one in self._order.members]
        await asyncio.gather(*looks)

    async def _preflight(self, order: ReleaseOrder) -> None:
        try:
            await guard_calls.ask_for_preflight(order)
        except ActivityError as error:
            if is_cancelled_exception(error):
                return  # whoever waits for all of them is cancelled, too
            self.ended(standings.refused(order, calls.why(error)))

    async def release(self, order: ReleaseOrder) -> None:
        """Ask for a member's release and follow it to its end, and beyond if that is good."""
        service = order.policy.service
        asking = self._asking[order.id] = guard_calls.ask_to_release(order)
        try:
            accepted = await asking
        except ActivityError as error:
            if not is_cancelled_exception(error):  # else whoever takes it back finds out
                self.ended(standings.refused(order, calls.why(error)))
            return
        if self.over:  # an answer that was waited for takes no notice of being cancelled
            return
        place = f", {accepted.position} before it" if accepted.position else ""
        self.note(f"{service}: release {order.id} of {order.what} accepted{place}")
        await self._until_ended(order)
        result = self._member(order).result
        if result and result.outcome is Outcome.HEALTHY and not self.over:
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
        self.ended(seen.result or standings.lost(self._member(order)))

    async def _notice_undoing(self, order: ReleaseOrder) -> None:
        """An operator may roll a member back after its end: then the group has gone wrong."""
        watch = guard_calls.watch_standing(_query(order, until="undone"))
        await workflow.wait_condition(lambda: watch.done() or self._member(order).leaving)
        if not watch.done():
            await guard_calls.stop(watch)
            return
        self._undoing(order, await watch)

    async def look_at(self, releases: tuple[str, ...]) -> None:
        """Look once more at members that ended well; a guard that is silent hinders nothing."""
        orders = [one for one in self._order.members if one.id in releases]
        seen = await asyncio.gather(*(guard_calls.glance(_query(one)) for one in orders))
        for order, standing in zip(orders, seen, strict=True):
            if standing:
                self._undoing(order, standing)

    def _undoing(self, order: ReleaseOrder, seen: MemberStanding) -> None:
        before = self.state
        self.state = groups.with_undoing(self.state, order.id, seen)
        if self.state is not before:
            self.note(f"{order.policy.service} goes back after its end: {_why(seen)}")

    # --- Backward --------------------------------------------------------------------------

    async def take_back(self, order: ReleaseOrder) -> None:
        """Look where a member stands and take the way back from there, until it is back."""
        self.note(f"{order.policy.service} goes back. {group_verdicts.blame(self.state)}")
        await self._until_answered(order)
        why = "its guard gives no answer."
        try:
            why = await self._bring_back(order)
        except ActivityError as error:
            workflow.logger.warning("%s: %s", order.policy.service, calls.why(error))
        if groups.goes_back(self._member(order)):
            self._stays(order, why)

    async def _until_answered(self, order: ReleaseOrder) -> None:
        """A release must not be accepted any more once its guard was looked at."""
        asking = self._asking[order.id]
        with suppress(TimeoutError):
            await workflow.wait_condition(
                asking.done,
                timeout=_UNANSWERED,
                timeout_summary=f"{order.policy.service}: does its guard answer?",
            )
        if not asking.done():
            asking.cancel()
        with suppress(ActivityError):
            await asking

    async def _bring_back(self, order: ReleaseOrder) -> str:
        """One try after the other; why the last one failed."""
        tries, waits, why = 0, 0, ""
        while True:
            seen = await guard_calls.read_standing(_query(order))
            way = standings.way_back(self._member(order), seen, order.policy.rollback)
            if way.result:
                self.ended(way.result)
            if way.back:
                self._went_back(order, way.back)
            over = tries == _MOST_TRIES or waits == _MOST_WAITS
            if over or not groups.goes_back(self._member(order)):
                return why
            if way.do == "wait":
                waits += 1
                why = "its rollback has not come to an end."
                await self._until_back(order, way, standings.patience(order.policy.rollback))
                continue
            tries += 1
            refusal = await self._ask_back(order, way, tries)
            why = refusal or "it was asked for, and is not back."
            await self._pause(order, way, refused=refusal is not None)

    async def _pause(self, order: ReleaseOrder, way: standings.WayBack, *, refused: bool) -> None:
        """Wait for what was asked for, or until it may be asked for again."""
        if way.result is None:
            await self._until_back(order, way, _LOOK_AGAIN)
        elif refused:
            await workflow.sleep(
                _AFTER_REFUSAL, summary=f"{order.policy.service}: refused, asked again soon"
            )
        else:
            await self._until_back(order, way, standings.patience(order.policy.rollback))

    async def _until_back(
        self, order: ReleaseOrder, way: standings.WayBack, within: timedelta
    ) -> None:
        """Wait for the rollback's end, or that of the release."""
        if way.result:
            await guard_calls.until_back(_query(order, until="back", often=True), within)
            return
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._member(order).result is not None,
                timeout=within,
                timeout_summary=f"{order.policy.service}: its release ends",
            )
        if groups.goes_back(self._member(order)):
            # Its guard may be about to say what it just told us.
            await workflow.sleep(_SHORTLY, summary=f"{order.policy.service}: a moment")

    async def _ask_back(
        self, order: ReleaseOrder, way: standings.WayBack, number: int
    ) -> str | None:
        """Ask the guard; why it refused, if it did, or gave no answer."""
        service = order.policy.ref()
        ident, actor = f"{order.id}/back/{number}", f"group {self._order.group}"
        reason = group_verdicts.blame(self.state)
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
        self.changed()

    def _went_back(self, order: ReleaseOrder, back: ReleaseResult) -> None:
        self.state = groups.changed(self.state, order.id, back=back)
        self.note(f"{order.policy.service} {ENDINGS[back.outcome].title}: {back.reason}")

    def _stays(self, order: ReleaseOrder, why: str) -> None:
        """Others wait to go back: this one is told of, and left."""
        member = self._member(order)
        back = standings.stays(member, why)
        if member.result:
            self._went_back(order, back)
        else:
            self.ended(back)

    def _member(self, order: ReleaseOrder) -> Member:
        return next(one for one in self.state.members if one.release == order.id)


def _why(seen: MemberStanding) -> str:
    """What is known of a rollback after a release's end."""
    if seen.undone:
        return seen.undone.reason
    return f"{seen.undoing.actor} asked for it: {seen.undoing.reason}" if seen.undoing else ""


def _query(
    order: ReleaseOrder,
    *,
    until: Literal["now", "ended", "undone", "back"] = "now",
    often: bool = False,
) -> StandingQuery:
    query = StandingQuery(service=order.policy.ref(), release=order.id, until=until)
    return query.model_copy(update={"interval": _SHORTLY}) if often else query
