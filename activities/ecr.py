"""Amazon ECR: which image a tag means now."""

from __future__ import annotations

import asyncio
import re

from temporalio import activity

from activities.clients import Clients
from activities.failures import aws_call
from lastgood.contracts import ImageQuery

REFERENCE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr[a-z-]*\.(?P<region>[a-z0-9-]+)\.[a-z.]+/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class EcrActivities:
    """Calls to ECR through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @activity.defn
    async def describe_images(self, query: ImageQuery) -> str | None:
        """Read an image's digest, by its tag or to see whether a digest is still there.

        Returns:
            None for a registry that is not ECR, which we cannot ask.
        """
        found = REFERENCE.fullmatch(query.image)
        if found is None:
            return None
        wanted = {"imageTag": found["tag"] or "latest"}
        if found["digest"]:
            wanted = {"imageDigest": found["digest"]}
        client = self._clients("ecr", found["region"])
        with aws_call("ecr:DescribeImages"):
            answer = await asyncio.to_thread(
                client.describe_images,
                registryId=found["account"],
                repositoryName=found["repository"],
                imageIds=[wanted],
            )
        details = answer.get("imageDetails", [])
        return str(details[0]["imageDigest"]) if details else None
