"""ECR's DescribeImages, for the repositories that images of tasks come from."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.exceptions import ImageNotFoundException
from moto.ecr.responses import ECRResponse

from sandbox.cloud.ecs.describe import when
from sandbox.cloud.identifiers import Account
from sandbox.cloud.images import Digests, Pushed, short

Shape = dict[str, Any]


def install_ecr(digests: Digests, account: Account) -> None:
    """Tell of the images that tasks were started from; repositories made by hand stay moto's."""
    theirs = ECRResponse.describe_images

    def describe_images(self: Any) -> Any:
        name, wanted = self._get_param("repositoryName"), self._get_param("imageIds")
        if name in self.ecr_backend.repositories or not digests.list(name):
            return theirs(self)
        found = [_find(digests, name, account, one) for one in wanted or []]
        images = found if wanted else digests.list(name)
        return ActionResult({"imageDetails": [_shape(digests, i, account) for i in images]})

    setattr(ECRResponse, "describe_images", describe_images)  # noqa: B010 - mypy


def _find(digests: Digests, name: str, account: Account, wanted: Shape) -> Pushed:
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    for pushed in digests.list(name):
        if digest in (None, pushed.digest) and (tag is None or tag in digests.tags(pushed)):
            return pushed
    image = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
    raise ImageNotFoundException(image_id=image, repository_name=name, registry_id=account.id)


def _shape(digests: Digests, pushed: Pushed, account: Account) -> Shape:
    tags = digests.tags(pushed)
    return {
        "registryId": account.id,
        "repositoryName": short(pushed.repository),
        "imageDigest": pushed.digest,
        **({"imageTags": tags} if tags else {}),
        "imagePushedAt": when(pushed.pushed),
    }
