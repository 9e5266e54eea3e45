"""Whether a revision's tags still mean the images that ran.

UpdateService resolves a tag anew. Before it, a registry that can be asked is asked; afterwards the
digests that ECS resolved are compared with those that ran. A tag that has moved is answered with a
copy of the task definition that names its images by digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from lastgood.model import ContainerImage

Tags = Literal["same", "moved", "unknown"]


def by_tag(images: Iterable[ContainerImage]) -> tuple[ContainerImage, ...]:
    """Images named by a tag, whose digest is known."""
    return tuple(one for one in images if one.digest and "@" not in one.image)


def completed(
    images: Iterable[ContainerImage], told: Iterable[ContainerImage]
) -> tuple[ContainerImage, ...]:
    """Images with the digests that are known of the same ones; a digest they have is kept.

    Tags remember containers without the names of their images: these are taken, too.
    """
    told = tuple(told)
    names = {one.container: one.image for one in told}
    known = {(one.container, one.image): one.digest for one in told}
    return tuple(
        ContainerImage(
            container=one.container,
            image=(name := one.image or names.get(one.container, "")),
            digest=one.digest or known.get((one.container, name)),
        )
        for one in images
    )


def by_digest(image: ContainerImage) -> str | None:
    """The reference that names this very image; None if its digest is not known."""
    name, _, digest = image.image.partition("@")
    head, colon, tail = name.rpartition(":")
    repository = head if colon and "/" not in tail else name
    known = image.digest or digest
    return f"{repository}@{known}" if known else None


def are_known(images: Iterable[ContainerImage]) -> bool:
    """Whether it is known of all images which they are, whatever their tags mean later."""
    return all(one.digest or "@" in one.image for one in images)


def are_of(brought: Iterable[ContainerImage], wanted: Iterable[ContainerImage]) -> bool:
    """Whether images as ECS tells them are those of a revision: by name, whatever their digests.

    The newest deployment of a service may be somebody else's, or still the one before ours.
    """
    names = {(one.container, one.image) for one in wanted}
    return names >= {(one.container, one.image) for one in brought}


def run_in(wanted: Iterable[ContainerImage], running: Iterable[ContainerImage]) -> bool:
    """Whether what runs are the very images of a revision, as far as its digests are known."""
    digests = {one.container: one.digest for one in running}
    return all(one.digest in (None, digests.get(one.container)) for one in wanted)


def tags_now(ran: Iterable[ContainerImage], now: Mapping[str, str | None]) -> Tags:
    """What the tags mean now.

    Args:
        ran: images as they ran, with digests; of one without, nobody can say what its tag meant.
        now: the digest of each reference, as its registry says; None where it cannot be asked.
    """
    ran = tuple(ran)
    known = [(one.digest, now.get(one.image)) for one in by_tag(ran)]
    if any(digest and digest != before for before, digest in known):
        return "moved"
    return "same" if are_known(ran) and all(digest for _, digest in known) else "unknown"


def resolved(ran: Iterable[ContainerImage], brought: Iterable[ContainerImage]) -> Tags:
    """What ECS made of the tags: ``unknown`` until it has resolved them all."""
    ran, by_container = tuple(ran), {one.container: one.digest for one in brought}
    return tags_now(ran, {one.image: by_container.get(one.container) for one in by_tag(ran)})
