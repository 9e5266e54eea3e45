"""A guard's memory, joined with what its service's tags remember.

What the guard knows by itself comes first: tags are older, and anybody may edit them. A revision
in the tags whose task definition is not there any more is left out; one that cannot be read now is
kept as the tags tell it, since what is left out is removed from the tags, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from lastgood.contracts import GuardState, LedgerEntry, Limits, Quarantined
from lastgood.decisions.mirror import PREFIX, Mirrored, MirroredRevision
from lastgood.model import ContainerImage, Revision, RollbackRecord, ServiceState

REMEMBERED = "remembered by the service's tags"
_LONG_AGO = datetime.fromtimestamp(0, UTC)


def restored(
    state: GuardState,
    told: Mirrored,
    known: Mapping[str, Revision],
    service: ServiceState,
    unread: Collection[str] = (),
) -> GuardState:
    """A guard's memory with what its service's tags remembered.

    Args:
        state: what the guard knows by itself.
        told: what the tags say.
        known: the good task definitions that could be read, by ``family:revision``.
        service: the service with its tags.
        unread: names of those that are there, perhaps, but could not be read.
    """
    arns = service.arn.partition(":service/")[0] + ":task-definition/"
    for name in unread:
        known = {**known, name: Revision(task_definition=arns + name)}
    return compared(state, service).model_copy(
        update={
            "restored": True,
            "ledger": (*state.ledger, *_entries(state, told, known, arns)),
            "limits": _limits(state.limits, told.limits),
            "quarantine": (*state.quarantine, *_further(state.quarantine, told.quarantine)),
            "frozen": state.frozen or told.frozen,
        }
    )


def compared(state: GuardState, service: ServiceState) -> GuardState:
    """A guard's memory that knows which tags there are now: what is missing is written again."""
    return state.model_copy(
        update={
            "service_arn": service.arn,
            "foreign_tags": sum(not key.startswith(PREFIX) for key in service.tags),
            "mirrored": {k: v for k, v in service.tags.items() if k.startswith(PREFIX)},
        }
    )


def _entries(
    state: GuardState, told: Mirrored, known: Mapping[str, Revision], prefix: str
) -> Iterable[LedgerEntry]:
    there = {one.revision.task_definition for one in state.ledger}
    for one in told.good:
        revision = known.get(one.task_definition)
        if revision and revision.task_definition not in there:
            yield _good(one, revision)
    for name in told.unproven:
        if prefix + name not in there:
            yield LedgerEntry(
                status="candidate",
                revision=Revision(task_definition=prefix + name),
                since=_LONG_AGO,
                why=f"{REMEMBERED} as not proven",
            )


def _good(told: MirroredRevision, revision: Revision) -> LedgerEntry:
    unnamed = tuple(ContainerImage(container=name, image="") for name in told.digests)
    images = tuple(
        image.model_copy(update={"digest": told.digests.get(image.container, image.digest)})
        for image in revision.images or unnamed
    )
    since = told.proven_at or _LONG_AGO
    update = {"images": images, "proven": REMEMBERED, "proven_at": since}
    proven = revision.model_copy(update=update)
    return LedgerEntry(status="good", revision=proven, since=since, why=REMEMBERED)


def _limits(own: Limits, told: Limits) -> Limits:
    starts = {one.started_at.replace(microsecond=0) for one in own.rollbacks}
    further = [one for one in told.rollbacks if one.started_at not in starts]
    both = sorted((*further, *own.rollbacks), key=_start)
    resets = [moment for moment in (own.counted_from, told.counted_from) if moment]
    return Limits(rollbacks=tuple(both), counted_from=max(resets, default=None))


def _start(record: RollbackRecord) -> datetime:
    return record.started_at


def _further(
    own: tuple[Quarantined, ...], told: tuple[Quarantined, ...]
) -> tuple[Quarantined, ...]:
    known = {one.digest or one.image for one in own}
    return tuple(one for one in told if (one.digest or one.image) not in known)
