"""What ECR is asked about an image, and what is made of its answers."""

from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.ecr import EcrActivities
from lastgood.contracts import ImageQuery

SHOP = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web"
A = "sha256:" + "a" * 64


class Registry:
    """Answers every question with the same digest, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, service: str, region: str) -> "Registry":
        assert (service, region) == ("ecr", "eu-west-1")
        return self

    def describe_images(self, **question: Any) -> dict[str, Any]:
        self.asked.append(question)
        return {"imageDetails": [{"imageDigest": A}]}


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        (f"{SHOP}:1.0", {"imageTag": "1.0"}),
        (SHOP, {"imageTag": "latest"}),
        (f"{SHOP}@{A}", {"imageDigest": A}),  # it may have expired since
        (f"{SHOP}:1.0@{A}", {"imageDigest": A}),
    ],
)
async def test_an_image_is_asked_for_by_its_digest_or_else_by_its_tag(
    image: str, wanted: dict[str, str]
) -> None:
    registry = Registry()
    query = ImageQuery(region="eu-central-1", image=image)

    found = await ActivityEnvironment().run(EcrActivities(registry).describe_images, query)

    assert found == A
    assert registry.asked == [
        {"registryId": "123456789012", "repositoryName": "shop/web", "imageIds": [wanted]}
    ]


async def test_another_registry_is_not_asked() -> None:
    registry = Registry()
    query = ImageQuery(region="eu-west-1", image=f"docker.io/shop/web:1.0@{A}")

    assert await ActivityEnvironment().run(EcrActivities(registry).describe_images, query) is None
    assert registry.asked == []
