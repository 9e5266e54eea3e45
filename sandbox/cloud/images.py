"""Image references, and the registry that they are pulled from."""

import hashlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Image(NamedTuple):
    """An image reference taken apart."""

    repository: str
    tag: str | None
    digest: str | None


def parse_image(reference: str) -> Image:
    """Take `repo:tag`, `host:port/repo:tag`, `repo:tag@sha256:…` or `repo@sha256:…` apart."""
    name, _, digest = reference.partition("@")
    head, colon, tail = name.rpartition(":")
    if colon and "/" not in tail:
        return Image(head, tail, digest or None)
    return Image(name, None, digest or None)


@dataclass
class Pushed:
    """An image that the registry has or had; its words say how its tasks behave."""

    repository: str
    digest: str
    words: str
    pushed: float
    there: bool = True


class Digests:
    """The registry. Every `repo:tag` is in it, with the same digest in every run, until it moves.

    A digest is in it once a tag was seen that had it; an image keeps the behaviour that it had
    when it was pushed, whatever becomes of its tag.
    """

    def __init__(self) -> None:
        self._tags: dict[tuple[str, str], str] = {}
        self._images: dict[tuple[str, str], Pushed] = {}
        self._pushes = itertools.count(1)

    def digest_of(self, reference: str) -> str:
        """Return the digest that a reference resolves to; one that names a digest keeps it."""
        image = parse_image(reference)
        tag = image.tag or "latest"
        if image.digest is not None and (
            image.tag is None or image.digest != digest_of(image.repository, tag)
        ):
            return image.digest
        first = digest_of(image.repository, tag)
        if (image.repository, first) not in self._images:
            self._push(image.repository, tag, first, tag)
        return image.digest or self._tags[image.repository, tag]

    def tag_of(self, reference: str) -> str:
        """Return the words that say how an image behaves; without fault when it is unknown."""
        pushed = self.find(reference)
        return pushed.words if pushed else self.digest_of(reference).removeprefix("sha256:")[:12]

    def find(self, reference: str) -> Pushed | None:
        """Return the image that a reference means, None when it cannot be pulled."""
        pushed = self._images.get((parse_image(reference).repository, self.digest_of(reference)))
        return pushed if pushed is not None and pushed.there else None

    def pin(self, reference: str, digest: str) -> str:
        """Return a reference to the image of that digest in the same repository."""
        return f"{parse_image(reference).repository}@{digest}"

    def move(self, reference: str, words: str) -> str:
        """Let a `repo:tag` mean another image from now on; return that image's digest.

        The words are how it behaves, for a new image, or the digest of one that is there.
        """
        image = parse_image(reference)
        tag = image.tag or "latest"
        if image.digest is not None:
            raise ValueError("a digest does not move")
        self.digest_of(reference)
        if words.startswith("sha256:"):
            if (image.repository, words) not in self._images:
                raise ValueError(f"there is no {image.repository}@{words}")
            self._tags[image.repository, tag] = words
            return words
        build = f"{tag}:{words}:{next(self._pushes)}"
        return self._push(image.repository, tag, digest_of(image.repository, build), words)

    def remove(self, reference: str) -> str:
        """Let an image be gone, as a lifecycle policy would; return its digest."""
        pushed = self.find(reference)
        if pushed is None:
            raise ValueError(f"there is no {reference}")
        pushed.there = False
        return pushed.digest

    def list(self, repository: str | None = None) -> Sequence[Pushed]:
        """Return the images that are there, oldest first."""
        return [
            pushed
            for pushed in self._images.values()
            if pushed.there and repository in (None, pushed.repository, short(pushed.repository))
        ]

    def tags(self, pushed: Pushed) -> Sequence[str]:
        """Return the tags that mean an image now."""
        return [
            tag
            for (repository, tag), digest in self._tags.items()
            if (repository, digest) == (pushed.repository, pushed.digest)
        ]

    def _push(self, repository: str, tag: str, digest: str, words: str) -> str:
        self._images[repository, digest] = Pushed(repository, digest, words, time.time())
        self._tags[repository, tag] = digest
        return digest


def short(repository: str) -> str:
    """Return a repository's name without the registry's host, as ECR has it."""
    host, slash, rest = repository.partition("/")
    return rest if slash and ("." in host or ":" in host) else repository


def digest_of(repository: str, tag: str) -> str:
    """Return the digest of an image by its name alone."""
    return "sha256:" + hashlib.sha256(f"{repository}:{tag}".encode()).hexdigest()
