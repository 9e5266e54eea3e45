"""Image references, and the digests that a registry would give them."""

import hashlib
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


class Digests:
    """Gives each `repo:tag` its digest, the same in every run, and finds the tag again."""

    def __init__(self) -> None:
        self._tags: dict[str, str] = {}

    def digest_of(self, reference: str) -> str:
        """Return the digest that a reference resolves to, and remember its tag."""
        image = parse_image(reference)
        digest = image.digest or digest_of(image.repository, image.tag or "latest")
        if image.tag:
            self._tags[digest] = image.tag
        return digest

    def tag_of(self, reference: str) -> str:
        """Return the tag a reference means, also for one that names a digest alone.

        A digest that was never seen with a tag stands for a fine version named by the digest.
        """
        image = parse_image(reference)
        if image.tag:
            self.digest_of(reference)
            return image.tag
        if image.digest is None:
            self.digest_of(f"{image.repository}:latest")
            return "latest"
        return self._tags.get(image.digest, image.digest.removeprefix("sha256:")[:12])


def digest_of(repository: str, tag: str) -> str:
    """Return the digest of an image by its name alone."""
    return "sha256:" + hashlib.sha256(f"{repository}:{tag}".encode()).hexdigest()
