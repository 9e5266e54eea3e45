"""The registry: tags that move, digests that stay, images that are gone."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.cloud.images import Digests
from sandbox.running import SandboxError
from sandbox.scenarios.stack import Stack, is_steady
from tests.aws.sandbox.conftest import eventually, get

Client = Callable[[str], Any]
Make = Callable[..., Stack]
pytestmark = pytest.mark.usefixtures("quiet")


def test_a_tag_moves_and_its_digest_stays() -> None:
    digests = Digests()
    first = digests.digest_of("shop:1.0")
    second = digests.move("shop:1.0", "1.1-errors-1")
    third = digests.move("shop:1.0", "1.2")
    assert len({first, second, third}) == 3
    assert (digests.digest_of("shop:1.0"), digests.tag_of("shop:1.0")) == (third, "1.2")
    assert digests.tag_of(f"shop@{first}") == "1.0"
    assert digests.tag_of(f"shop:1.0@{second}") == "1.1-errors-1"
    assert digests.move("shop:1.0", first) == first == digests.digest_of("shop:1.0")
    with pytest.raises(ValueError, match="there is no"):
        digests.move("cart:1.0", first)


def test_what_cannot_be_pulled() -> None:
    digests = Digests()
    digest = digests.digest_of("shop:1.0")
    assert digests.find(f"cart@{digest}") is None
    assert digests.find("shop@sha256:" + "0" * 64) is None
    assert digests.find("shop:1.0@sha256:" + "0" * 64) is None
    assert digests.find("shop:9") is not None
    fresh = Digests()
    assert fresh.find(f"shop:1.0@{digest}") is not None  # the same in every run
    digests.remove(f"shop@{digest}")
    assert digests.find(f"shop:1.0@{digest}") is None
    assert digests.find("shop:1.0") is None
    assert digests.move("shop:1.0", "1.0") != digest
    assert digests.find("shop:1.0") is not None


def _revision(client: Client, stack: Stack) -> dict[str, Any]:
    [counts] = stack.describe()["currentServiceRevisions"]
    answer = client("ecs").describe_service_revisions(serviceRevisionArns=[counts["arn"]])
    found: dict[str, Any] = answer["serviceRevisions"][0]["containerImages"][0]
    return found


def test_a_digest_brings_the_old_code_back(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(image="moved:live")
    old = _revision(client, stack)["imageDigest"]
    assert old == aws.digest("moved:live")
    new = aws.move_tag("moved:live", "2.0")
    assert aws.digest("moved:live") == new
    ecs = client("ecs")
    where = {"cluster": stack.cluster, "service": stack.service}
    ecs.update_service(**where, taskDefinition=stack.task_definition, forceNewDeployment=True)
    stack.wait_until_steady()
    assert _revision(client, stack)["imageDigest"] == new
    assert get(stack.url or "")[1]["X-App-Version"] == "2.0"
    for reference in (f"moved@{old}", f"moved:live@{old}"):
        stack.deploy(reference)
        stack.wait_until_steady()
        assert get(stack.url or "")[1]["X-App-Version"] == "live"
        image = _revision(client, stack)
        assert (image["image"], image["imageDigest"]) == (reference, old)


def test_inside_a_deployment_the_digest_stays(aws: Sandbox, make: Make) -> None:
    stack = make(image="pinned:live", load_balancer=False)
    [task] = aws.truth(stack.cluster, stack.service)["tasks"]
    aws.move_tag("pinned:live", "2.0")
    aws.kill_task(task["arn"])

    def replaced() -> Any:
        tasks = aws.truth(stack.cluster, stack.service)["tasks"]
        return [t for t in tasks if t["arn"] != task["arn"] and t["healthy"]]

    [new] = eventually(replaced)
    assert (new["version"], new["digest"]) == ("live", task["digest"])


def test_an_unknown_digest_cannot_be_pulled(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(load_balancer=False, circuit_breaker=True)
    reference = "shop@sha256:" + "0" * 64
    stack.deploy(reference)
    stack.wait_until(lambda s: is_steady(s) and s["taskDefinition"] == stack.task_definition)
    [arn, *_] = [t["arn"] for t in aws.truth(stack.cluster, stack.service)["stopped"]]
    task = client("ecs").describe_tasks(cluster=stack.cluster, tasks=[arn])["tasks"][0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert reference in task["stoppedReason"]
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["1.0"]


def test_an_image_that_is_gone(aws: Sandbox, make: Make) -> None:
    stack = make(image="expired:1.0", load_balancer=False)
    digest = aws.digest("expired:1.0")
    aws.remove_image(f"expired@{digest}")
    stack.deploy(f"expired@{digest}")
    service = stack.wait_until(lambda s: s["deployments"][0]["failedTasks"] >= 3)
    assert service["deployments"][1]["runningCount"] == 1
    with pytest.raises(SandboxError, match="there is no"):
        aws.remove_image("expired@sha256:1")


def test_ecr_describes_the_images(aws: Sandbox, make: Make, client: Client) -> None:
    make(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/described:1.0", load_balancer=False)
    ecr = client("ecr")
    [image] = ecr.describe_images(repositoryName="described")["imageDetails"]
    assert image["imageTags"] == ["1.0"]
    digest = image["imageDigest"]
    found = ecr.describe_images(repositoryName="described", imageIds=[{"imageDigest": digest}])
    assert [i["imageDigest"] for i in found["imageDetails"]] == [digest]
    aws.move_tag("123456789012.dkr.ecr.us-east-1.amazonaws.com/described:1.0", "1.0b")
    found = ecr.describe_images(repositoryName="described", imageIds=[{"imageDigest": digest}])
    assert "imageTags" not in found["imageDetails"][0]
    for repository, wanted, error in (
        ("described", {"imageDigest": "sha256:" + "0" * 64}, "ImageNotFoundException"),
        ("nobody", {"imageTag": "1.0"}, "RepositoryNotFoundException"),
    ):
        with pytest.raises(ClientError) as caught:
            ecr.describe_images(repositoryName=repository, imageIds=[wanted])
        assert caught.value.response["Error"]["Code"] == error
