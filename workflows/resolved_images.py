"""The images of a service's newest deployment, with the digests that ECS resolved."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls

with workflow.unsafe.imports_passed_through():
    from lastgood.decisions import digests
    from lastgood.model import ContainerImage, ServiceRef

_LOOKS = 6
_PAUSE = timedelta(seconds=5)


async def resolved_images(
    service: ServiceRef, wanted: tuple[ContainerImage, ...]
) -> tuple[ContainerImage, ...]:
    """Ask until every image has its digest: ECS resolves them as the first task starts.

    Args:
        service: whose newest deployment is asked for.
        wanted: the images of the revision that it should be of.

    Returns:
        The images as far as they are known; none where ECS tells of no service deployments, or
        where the newest is not of that revision.
    """
    images: tuple[ContainerImage, ...] = ()
    try:
        newest = await calls.describe_service_deployment(service, None)
        if newest is None or newest.target is None:
            return ()
        for look in range(_LOOKS):
            if look:
                await workflow.sleep(_PAUSE)
            images = await calls.describe_service_revision(service.region, newest.target)
            if not digests.are_of(images, wanted):
                return ()
            if images and all(one.digest for one in images):
                break
    except ActivityError as error:
        workflow.logger.warning("The image digests cannot be read: %s", calls.why(error))
    return images
