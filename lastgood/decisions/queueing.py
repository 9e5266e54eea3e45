"""A guard's queue: which releases are let in, and which end what is before them.

One release at a time. One more waits, is refused, or supersedes what is under way and what waits
before it, as its policy says; a held release stands in nobody's way. Whoever ends another must be
allowed to begin itself, which its own preflight tells. The queue has an end, as the guard hands it
over whole at continue-as-new.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lastgood.contracts import Freeze, GuardState, ReleaseOrder
from lastgood.decisions import preflight

LONGEST_QUEUE = 100
LARGEST_QUEUE = 512 * 1024
"""A guard hands its whole state over at continue-as-new: at most 2 MiB, and a release may bring a
task definition's JSON. Characters, of which most are bytes."""


def refuse_release(
    release: ReleaseOrder,
    *,
    known: Any,
    busy: str | None,
    frozen: Freeze | None,
    now: datetime,
    queue: tuple[ReleaseOrder, ...] = (),
) -> str | None:
    """Why a release is not accepted; None if it is."""
    if known is None and queue and not _has_room(queue, release):
        return (
            f"{len(queue)} releases wait already, and no more are let in. Cancel some: "
            'lastgood cancel SERVICE --release ID --reason "…"'
        )
    drill = release.drill is not None
    freeze = preflight.of_freeze(frozen, release.policy, now, drill=drill).refusals
    if known is None and freeze and not release.force:
        return freeze[0]
    if known is None and busy and release.policy.deploy.on_busy == "reject":
        return (
            f"Release {busy} is under way, and the policy says on_busy: reject. "
            "Try again when it has ended, or set on_busy: queue."
        )
    return None


def _has_room(queue: tuple[ReleaseOrder, ...], release: ReleaseOrder) -> bool:
    size = sum(len(one.model_dump_json()) for one in (*queue, release))
    return len(queue) < LONGEST_QUEUE and size <= LARGEST_QUEUE


def newcomer(
    state: GuardState, *, under_way: bool, held: bool, looked_at: Iterable[str] = ()
) -> ReleaseOrder | None:
    """A release in the queue that ends what is before it, if it may begin itself.

    Args:
        state: the memory.
        under_way: a release runs.
        held: it waits for a person, and stands in nobody's way.
        looked_at: ids of releases that were found to be allowed to begin.
    """
    for place, order in enumerate(state.queue):
        supersedes = order.policy.deploy.on_busy == "supersede" and (under_way or place > 0)
        if order.id not in looked_at and (supersedes or (held and place == 0)):
            return order
    return None


def before(state: GuardState, newcomer: ReleaseOrder) -> list[ReleaseOrder]:
    """The releases in the queue that a newer one supersedes."""
    ids = [one.id for one in state.queue]
    return list(state.queue[: ids.index(newcomer.id)]) if newcomer.id in ids else []
