"""What tests of deployments that shift traffic look at."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from tests.aws.sandbox.conftest import eventually, get

Client = Callable[[str], Any]
LONG = 1440  # minutes: more than any test waits


def weights(record: dict[str, Any]) -> tuple[float, float]:
    """Source's and target's production weights."""
    [source] = record["sourceServiceRevisions"]
    name = "requestedProductionTrafficWeight"
    return source[name], record["targetServiceRevision"][name]


def production(aws: Sandbox, stack: Stack) -> dict[str, float]:
    """The versions that really get traffic, with their shares in percent."""
    shares = aws.truth(stack.cluster, stack.service)["production"]
    return {version: s["weight"] for s in shares for version in s["versions"] if s["weight"]}


def version(url: str | None) -> str:
    status, headers, _ = get(url or "")
    return str(headers["X-App-Version"]) if status == 200 else f"status {status}"


def at_stage(stack: Stack, stage: str, status: str = "IN_PROGRESS") -> dict[str, Any]:
    """Wait until the newest service deployment is at a stage."""

    def look() -> dict[str, Any] | None:
        record = stack.service_deployment()
        assert record["status"] == status, record
        return record if record.get("lifecycleStage") == stage else None

    found: dict[str, Any] = eventually(look)
    return found


def ended(stack: Stack) -> dict[str, Any]:
    """Wait until the newest service deployment is at its end."""

    def look() -> dict[str, Any] | None:
        record = stack.service_deployment()
        return record if "finishedAt" in record else None

    found: dict[str, Any] = eventually(look)
    return found


def waiting(stack: Stack, stage: str) -> dict[str, Any]:
    """Wait until a hook at that stage awaits action, and does so for a while."""

    def look() -> dict[str, Any] | None:
        record = stack.service_deployment()
        assert record["status"] == "IN_PROGRESS", record
        states = [hook["status"] for hook in record.get("lifecycleHookDetails", [])]
        here = record.get("lifecycleStage") == stage and "AWAITING_ACTION" in states
        return record if here else None

    found: dict[str, Any] = eventually(look)
    time.sleep(0.5)  # some ticks of the scheduler
    assert look()
    return found


def go_on(client: Client, record: dict[str, Any], **more: str) -> None:
    """Continue or roll back what the newest hook holds."""
    client("ecs").continue_service_deployment(
        serviceDeploymentArn=record["serviceDeploymentArn"],
        hookId=record["lifecycleHookDetails"][-1]["hookId"],
        **more,
    )


def stop(client: Client, stack: Stack) -> None:
    arn = stack.describe()["currentServiceDeployment"]
    client("ecs").stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")


def code(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])
