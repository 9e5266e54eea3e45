"""The images of a service's newest deployment, with the digests that ECS resolved.

ECS resolves them as the first task starts: after the image's pull, which may take minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls

with workflow.unsafe.imports_passed_through():
    from lastgood.decisions import digests
    from lastgood.model import ContainerImage, ServiceRef

_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=1)


async def newest_revision(service: ServiceRef, before: str | None = None) -> str | None:
    """ARN of the service revision that the newest deployment brings; None if that is the old one.

    Args:
        service: whose deployment is asked for.
        before: ARN of the revision that ran before: a new deployment may not be listed yet.
    """
    newest = await calls.describe_service_deployment(service, None)
    return newest.target if newest and newest.target != before else None


async def images_of(
    service: ServiceRef, revision: str, wanted: tuple[ContainerImage, ...]
) -> tuple[ContainerImage, ...]:
    """The images of a revision, as far as they are known; none if it is somebody else's."""
    images = await calls.describe_service_revision(service.region, revision, briefly=True)
    return images if digests.are_of(images, wanted) else ()


async def resolved_images(
    service: ServiceRef, wanted: tuple[ContainerImage, ...], over: Callable[[], bool]
) -> tuple[ContainerImage, ...]:
    """Ask until every image has its digest, less and less often.

    Args:
        service: whose newest deployment is asked for.
        wanted: the images of the revision that it should be of.
        over: whether its rollout is complete: one more look is made then, the last.

    Returns:
        The images as far as they are known; none where ECS tells of no service deployments, or
        where the newest is not of that revision.
    """
    images: tuple[ContainerImage, ...] = ()
    pause = _PAUSE
    try:
        while True:
            last, revision = over(), await newest_revision(service)
            images = await images_of(service, revision, wanted) if revision else ()
            if revision is None or last or (images and all(one.digest for one in images)):
                return images
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    over, timeout=pause, timeout_summary="ECS does not tell the digests yet"
                )
            pause = min(2 * pause, _LONGEST_PAUSE)
    except ActivityError as error:
        workflow.logger.warning("The image digests cannot be read: %s", calls.why(error))
    return images
