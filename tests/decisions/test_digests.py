"""Whether a revision's tags still mean what ran."""

import pytest

from lastgood.decisions import digests
from lastgood.model import ContainerImage


def image(name: str, digest: str | None = None, container: str = "app") -> ContainerImage:
    return ContainerImage(container=container, image=name, digest=digest)


RAN = (image("shop:1.0", "sha256:1"), image("log@sha256:9", "sha256:9", "log"))


@pytest.mark.parametrize(
    ("now", "tags"),
    [
        ("sha256:1", "same"),
        ("sha256:2", "moved"),
        (None, "unknown"),
    ],
)
def test_only_what_is_named_by_a_tag_can_move(now: str | None, tags: str) -> None:
    assert digests.tags_now(RAN, {"shop:1.0": now}) == tags
    assert digests.resolved(RAN, (image("shop:1.0", now),)) == tags


def test_without_tags_nothing_moves() -> None:
    assert digests.tags_now(RAN[1:], {}) == "same"


def test_what_a_tag_meant_that_was_never_resolved_nobody_knows() -> None:
    ran = (*RAN, image("proxy:1", None, "proxy"))

    assert digests.tags_now(ran, {"shop:1.0": "sha256:1", "proxy:1": "sha256:3"}) == "unknown"
    assert digests.tags_now(ran, {"shop:1.0": "sha256:2"}) == "moved"
    assert not digests.are_known(ran)
    assert digests.are_known((*RAN, image("proxy@sha256:3", None, "proxy")))


def test_digests_are_taken_from_the_same_images_and_those_known_are_kept() -> None:
    told = (image("shop:1.0", "sha256:7"), image("proxy:1", "sha256:3", "proxy"))
    images = (RAN[0], image("proxy:1", None, "proxy"), image("proxy:2", None, "other"))

    found = digests.completed(images, told)

    assert [one.digest for one in found] == ["sha256:1", "sha256:3", None]


@pytest.mark.parametrize(
    ("brought", "ours"),
    [
        ((image("shop:1.0", "sha256:2"),), True),  # the tag has moved, or the sidecar is not told
        ((), True),
        ((image("shop:9.9", "sha256:1"),), False),  # somebody else's deployment
        ((image("shop:1.0", "sha256:1", "other"),), False),
    ],
)
def test_images_of_somebody_elses_deployment_say_nothing_of_ours(
    brought: tuple[ContainerImage, ...], ours: bool
) -> None:
    assert digests.are_of(brought, RAN) is ours


@pytest.mark.parametrize(
    ("running", "very"),
    [
        ("sha256:1", True),
        ("sha256:2", False),
        (None, False),
    ],
)
def test_whether_the_very_images_run(running: str | None, very: bool) -> None:
    there = (image("shop:1.0", running), RAN[1])

    assert digests.run_in(RAN, there) is very
    assert digests.run_in((image("shop:1.0"),), there), "nothing else is known"


@pytest.mark.parametrize(
    ("named", "digest", "reference"),
    [
        ("shop/web:1.0", "sha256:1", "shop/web@sha256:1"),
        ("localhost:5000/web", "sha256:1", "localhost:5000/web@sha256:1"),
        ("localhost:5000/web:2@sha256:2", None, "localhost:5000/web@sha256:2"),
        ("shop/web:1.0", None, None),
    ],
)
def test_the_reference_that_names_the_very_image(
    named: str, digest: str | None, reference: str | None
) -> None:
    assert digests.by_digest(image(named, digest)) == reference
