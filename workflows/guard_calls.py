"""A group's questions to its members' guards, as its workflow asks them: one line each."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityHandle

from workflows.options import ASK, ASK_BRIEFLY, FOLLOW, GLANCE

with workflow.unsafe.imports_passed_through():
    from activities.guards import GuardActivities
    from lastgood.contracts import (
        Accepted,
        Answer,
        CancelOrder,
        MemberStanding,
        ReleaseOrder,
        RollbackAccepted,
        StandingQuery,
        TakeBackOrder,
    )
    from lastgood.decisions.rendering.temporal_ui.markdown import summary


def ask_to_release(order: ReleaseOrder) -> ActivityHandle[Accepted]:
    """Ask for a release, once."""
    return workflow.start_activity_method(
        GuardActivities.ask_to_release,
        order,
        summary=summary(f"{order.what} → {order.policy.service}"),
        **ASK,
    )


async def ask_for_preflight(order: ReleaseOrder) -> Answer:
    """Ask whether a release could begin, once."""
    return await workflow.execute_activity_method(
        GuardActivities.ask_for_preflight,
        order,
        summary=f"May {order.policy.service} begin?",
        **ASK_BRIEFLY,
    )


async def ask_to_roll_back(order: TakeBackOrder) -> RollbackAccepted:
    """Ask for a rollback, once."""
    return await workflow.execute_activity_method(
        GuardActivities.ask_to_roll_back,
        order,
        summary=f"{order.service} goes back",
        **ASK_BRIEFLY,
    )


async def ask_to_cancel(order: CancelOrder) -> Answer:
    """Ask to take a release out of the queue, once."""
    return await workflow.execute_activity_method(
        GuardActivities.ask_to_cancel,
        order,
        summary=f"{order.service} is not begun",
        **ASK_BRIEFLY,
    )


async def read_standing(query: StandingQuery) -> MemberStanding:
    """Read where a release stands that goes back."""
    return await workflow.execute_activity_method(
        GuardActivities.read_standing,
        query,
        summary=f"Read {query.service}",
        **ASK_BRIEFLY,
    )


async def glance(query: StandingQuery) -> MemberStanding | None:
    """Look once more where a release stands; None without an answer."""
    try:
        return await workflow.execute_activity_method(
            GuardActivities.read_standing, query, summary=f"Look at {query.service}", **GLANCE
        )
    except ActivityError:
        return None


def watch_standing(query: StandingQuery) -> ActivityHandle[MemberStanding]:
    """Wait until a release has ended, or was rolled back after that."""
    return workflow.start_activity_method(
        GuardActivities.watch_standing,
        query,
        summary=f"{query.service} until {query.until}",
        **FOLLOW,
    )


async def until_back(query: StandingQuery, within: timedelta) -> None:
    """Wait until a member is back, or not ours to bring back; not for ever."""
    watch = watch_standing(query)
    with suppress(TimeoutError):
        await workflow.wait_condition(
            watch.done, timeout=within, timeout_summary=f"{query.service} until it is back"
        )
    await stop(watch)


async def stop(watch: ActivityHandle[MemberStanding]) -> None:
    """End a watch that is not needed any more."""
    watch.cancel()
    with suppress(ActivityError):
        await watch
