"""What a guard thinks of each revision: candidate → good → demoted.

A revision that we release is a candidate until its release ends. It becomes good by surviving its
monitor window, by a person's word (promote, approve, adopt), or by having run steadily before a
release. It is demoted by being rolled back, by us, by ECS or by an operator. A release that ends
undecided (held, superseded, cancelled) leaves a candidate: it is not gone back to, and nothing is
said against it.

The image of a demoted revision is quarantined by its digest (by its reference where no digest is
known) until a forced release of it proves good. The revision itself is not released again either,
whatever was wrong with it: its image may be as good as that of others.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lastgood.contracts import GuardState, LedgerEntry, Quarantined
from lastgood.decisions import digests
from lastgood.model import ContainerImage, Revision

KEPT_GOOD = 10
KEPT_OTHERS = 50
KEPT_QUARANTINED = 20


def entry(state: GuardState, task_definition: str) -> LedgerEntry | None:
    """What is known of a revision."""
    found = (one for one in state.ledger if one.revision.task_definition == task_definition)
    return next(found, None)


def with_candidate(state: GuardState, revision: Revision, now: datetime) -> GuardState:
    """The service is moved to this revision: a good one has to prove itself anew."""
    why = f"released by {revision.release}" if revision.release else "released by us"
    bare = revision.model_copy(update={"source": {}})
    return _with(state, LedgerEntry(status="candidate", revision=bare, since=now, why=why))


def with_good(
    state: GuardState, revision: Revision, now: datetime, *, lift: bool = True
) -> GuardState:
    """The revision proved good: it comes first, once, and its images leave the quarantine.

    Unless ``lift`` is false: that it ran steadily proves nothing of what was found bad before.
    """
    known = entry(state, revision.task_definition)
    revision = completed(revision, known.revision) if known else revision
    proven_at = revision.proven_at or now
    revision = revision.model_copy(update={"proven_at": proven_at})
    why = revision.proven or "known to be good"
    state = _with(state, LedgerEntry(status="good", revision=revision, since=now, why=why))
    cleared = revision.images if lift else ()
    left = tuple(one for one in state.quarantine if not _is_among(one, cleared))
    return state.model_copy(update={"quarantine": left})


def with_digests(state: GuardState, told: Revision) -> GuardState:
    """Digests of a revision that were not known yet; nothing else is thought of it."""
    known = tuple(
        one.model_copy(update={"revision": completed(one.revision, told)})
        if one.revision.task_definition == told.task_definition
        else one
        for one in state.ledger
    )
    return state.model_copy(update={"ledger": known})


def completed(revision: Revision, told: Revision) -> Revision:
    """A revision with what is known of the same one: digests of its images, and its JSON."""
    images = digests.completed(revision.images, told.images)
    source = revision.source or told.source
    return revision.model_copy(update={"images": images, "source": source})


def as_before(state: GuardState, task_definition: str, earlier: LedgerEntry | None) -> GuardState:
    """The service was not moved to a revision after all: what was thought of it is thought again.

    Args:
        state: the memory.
        task_definition: ARN of the revision.
        earlier: what was known of it before; None if nothing was.
    """
    others = [one for one in state.ledger if one.revision.task_definition != task_definition]
    if earlier:
        newer = sum(1 for one in others if one.since > earlier.since)
        others.insert(newer, earlier)
    return state.model_copy(update={"ledger": tuple(others)})


def as_known(revision: Revision, known: Iterable[Revision]) -> Revision:
    """A revision that was read by its name, with what is known of it: the images that it ran."""
    for one in known:
        if one.task_definition == revision.task_definition:
            revision = completed(revision, one)
    return revision


def with_demoted(
    state: GuardState, revision: Revision, now: datetime, why: str, *, blame: bool = True
) -> GuardState:
    """The revision was rolled back: never gone back to; if it is to blame, it is quarantined."""
    bare = revision.model_copy(update={"source": {}})
    entry = LedgerEntry(status="demoted", revision=bare, since=now, why=why, blamed=blame)
    state = _with(state, entry)
    blamed = images_to_blame(state, revision) if blame else ()
    fresh = tuple(
        Quarantined(
            image=one.image, digest=one.digest, release=revision.release, at=now, reason=why
        )
        for one in blamed
    )
    others = tuple(one for one in state.quarantine if not _is_among(one, blamed))
    return state.model_copy(update={"quarantine": (*fresh, *others)[:KEPT_QUARANTINED]})


def images_to_blame(state: GuardState, revision: Revision) -> tuple[ContainerImage, ...]:
    """The images that no good revision runs too: a sidecar is not to blame."""
    innocent = [image for good in state.good for image in good.images]
    return tuple(
        image for image in revision.images if not any(same(image, other) for other in innocent)
    )


def images_released(
    images: tuple[ContainerImage, ...], image: str | None
) -> tuple[ContainerImage, ...]:
    """The images that a release brings anew: the one it names, or all of a task definition."""
    return tuple(one for one in images if image is None or one.image == image)


def same(one: ContainerImage, other: ContainerImage) -> bool:
    """Whether two references are one image: by digest where both are known, else by name."""
    left, right = digest_of(one), digest_of(other)
    if left and right:
        return left == right
    return one.image == other.image


def digest_of(image: ContainerImage) -> str | None:
    """``sha256:…``, as ECS told it or as the reference itself names it."""
    if image.digest:
        return image.digest
    _, at, digest = image.image.rpartition("@")
    return digest if at else None


def refuse_quarantined(
    quarantine: tuple[Quarantined, ...], images: tuple[ContainerImage, ...]
) -> str | None:
    """Why images may not be released again; None if they may."""
    one = quarantined(quarantine, images)
    if one:
        by = f" of release {one.release}" if one.release else ""
        which = one.digest or one.image
        # The tags that a memory is read back from do not tell when.
        when = f" at {one.at:%Y-%m-%d %H:%M} UTC" if one.at.timestamp() else ""
        return (
            f"{which}{by} was rolled back{when} ({one.reason.rstrip('.')})"
            " and is quarantined. Release a fixed image, or the same one with --force --reason."
        )
    return None


def refuse_demoted(demoted: Iterable[LedgerEntry], task_definition: str) -> str | None:
    """Why a registered task definition may not be released again; None if it may."""
    for one in demoted:
        if one.revision.task_definition == task_definition:
            return (
                f"{one.revision.label} was rolled back at {one.since:%Y-%m-%d %H:%M} UTC "
                f"({one.why.rstrip('.')}). Release a fixed one, or this with --force --reason."
            )
    return None


def quarantined(
    quarantine: tuple[Quarantined, ...], images: tuple[ContainerImage, ...]
) -> Quarantined | None:
    """The first of the quarantine that is among images."""
    return next((one for one in quarantine if _is_among(one, images)), None)


def _is_among(one: Quarantined, images: tuple[ContainerImage, ...]) -> bool:
    blamed = ContainerImage(container="", image=one.image, digest=one.digest)
    return any(same(blamed, image) for image in images)


def _with(state: GuardState, new: LedgerEntry) -> GuardState:
    arn = new.revision.task_definition
    others = [one for one in state.ledger if one.revision.task_definition != arn]
    kept: list[LedgerEntry] = []
    room = {True: KEPT_GOOD, False: KEPT_OTHERS}
    for one in (new, *others):
        good = one.status == "good"
        if room[good]:
            room[good] -= 1
            kept.append(one)
    return state.model_copy(update={"ledger": tuple(kept)})
