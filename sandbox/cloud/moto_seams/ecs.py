"""ECS's actions on services and tasks, answered by our scheduler."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from moto.core.responses import ActionResult, EmptyResult
from moto.ecs.exceptions import ECSException
from moto.ecs.responses import EC2ContainerServiceResponse

from sandbox.cloud.errors import AwsError

Shape = dict[str, Any]
Operation = Callable[[Shape], Shape]


class TaggableServices(Protocol):
    """Tagging of services, which our scheduler keeps."""

    def tag(self, arn: str, given: Iterable[Shape]) -> None:
        """TagResource."""

    def untag(self, arn: str, keys: Sequence[str]) -> None:
        """UntagResource."""

    def tags(self, arn: str) -> Shape:
        """ListTagsForResource."""


def install_ecs(operations: dict[str, Operation], services: TaggableServices) -> None:
    """Answer these ECS actions (by moto's method names) ourselves."""
    for name, operation in operations.items():
        setattr(EC2ContainerServiceResponse, name, _method(operation))
    _install_tags(services)


def _method(operation: Operation) -> Callable[[Any], ActionResult]:
    def method(self: Any) -> ActionResult:
        try:
            return ActionResult(operation(dict(self._get_params())))
        except AwsError as error:
            raise ECSException(error.code, error.message) from error

    return method


def _install_tags(services: TaggableServices) -> None:
    def guarded(own: Callable[[str, Shape], ActionResult], theirs: Any) -> Callable[..., Any]:
        def method(self: Any) -> Any:
            p = dict(self._get_params())
            if ":service/" not in p["resourceArn"]:
                return theirs(self)
            try:
                return own(p["resourceArn"], p)
            except AwsError as error:
                raise ECSException(error.code, error.message) from error

        return method

    def tag(arn: str, p: Shape) -> ActionResult:
        services.tag(arn, p.get("tags") or [])
        return EmptyResult()

    def untag(arn: str, p: Shape) -> ActionResult:
        services.untag(arn, p["tagKeys"])
        return EmptyResult()

    def tags(arn: str, _p: Shape) -> ActionResult:
        return ActionResult(services.tags(arn))

    for name, own in (
        ("tag_resource", tag),
        ("untag_resource", untag),
        ("list_tags_for_resource", tags),
    ):
        theirs = getattr(EC2ContainerServiceResponse, name)
        setattr(EC2ContainerServiceResponse, name, guarded(own, theirs))
