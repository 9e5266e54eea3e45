"""What compose/try.sh does inside the compose file's network: a service on the sandbox, releases.

`prepare` makes the service, `release IMAGE STATUS` releases an image and expects that exit status
of `lastgood deploy`, `serves IMAGE` asks ECS itself what runs.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3

CLUSTER, SERVICE = "shop", "web"
POLICY = "/compose/lastgood.yaml"


def prepare(image: str) -> None:
    """Create cluster, task definition and service, and wait until two tasks run."""
    ecs: Any = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    container = {"name": "app", "image": image, "essential": True, "memory": 128}
    family = ecs.register_task_definition(family=SERVICE, containerDefinitions=[container])
    ecs.create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition=family["taskDefinition"]["taskDefinitionArn"],
        desiredCount=2,
    )
    deadline = time.monotonic() + 60
    while _service(ecs)["runningCount"] < 2:
        if time.monotonic() > deadline:
            raise SystemExit("the service's tasks did not come up within 60 s")
        time.sleep(1)


def release(image: str, expected: str) -> None:
    """Release an image with the command line and compare its exit status.

    When Temporal was lost meanwhile the command line may end with 1, which says nothing about the
    release: the same release id again is the same release.
    """
    name = image.replace(":", "-")
    command = ["lastgood", "deploy", "--policy", POLICY, "--image", image, "--release", name]
    for _ in range(3):
        status = subprocess.run(command, check=False, timeout=300).returncode
        if status != 1:
            break
        time.sleep(10)
    if status != int(expected):
        raise SystemExit(f"the release of {image} ended with {status}, not {expected}")


def serves(image: str) -> None:
    """Compare the image that ECS runs, read from ECS alone."""
    ecs: Any = boto3.client("ecs")
    service = _service(ecs)
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
    running = definition["taskDefinition"]["containerDefinitions"][0]["image"]
    if running != image or service["runningCount"] != service["desiredCount"]:
        raise SystemExit(f"ECS runs {service['runningCount']} of {running}, not {image}")


def _service(ecs: Any) -> Any:
    return ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]


VERBS: dict[str, Callable[..., None]] = {
    "prepare": prepare,
    "release": release,
    "serves": serves,
}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
