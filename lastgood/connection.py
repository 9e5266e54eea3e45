"""The connection to Temporal, as ``temporalio.envconfig`` says, or a word why there is none."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from lastgood.errors import NoNamespaceError, UnreachableError
from lastgood.fleet import fleet_of

_PATIENCE = 4.0
"""Seconds until we say that Temporal cannot be reached."""


async def connect(runtime: Runtime | None = None) -> Client:
    """Connect to Temporal and see that the namespace exists.

    Raises:
        UnreachableError: within five seconds, naming address and namespace and what to do.
    """
    config: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    config.setdefault("target_host", "localhost:7233")
    config.setdefault("namespace", "default")
    address, namespace = config["target_host"], config["namespace"]
    try:
        async with asyncio.timeout(_PATIENCE):
            client = await Client.connect(
                **config, data_converter=pydantic_data_converter, runtime=runtime
            )
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=namespace)
            )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NoNamespaceError(
                f"Temporal at {address} has no namespace {namespace!r}. "
                "Set TEMPORAL_NAMESPACE, or create it: "
                f"temporal operator namespace create --namespace {namespace}"
            ) from None
        raise _unreachable(address, str(error.message)) from None
    except TimeoutError:
        raise _unreachable(address, "no answer within 4 seconds") from None
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreachable(address, str(error).splitlines()[0]) from None
    return client


def _unreachable(address: str, why: str) -> UnreachableError:
    return UnreachableError(
        f"Temporal cannot be reached at {address}: {why}. "
        "Set TEMPORAL_ADDRESS (and TEMPORAL_TLS_* or TEMPORAL_API_KEY), or start the server."
    )


async def require_worker(client: Client) -> None:
    """See that somebody polls our task queue who would begin a release.

    Raises:
        UnreachableError: if nobody would.
    """
    try:
        fleet = await fleet_of(client)
    except RPCError as error:
        raise UnreachableError(f"Temporal does not tell who works: {error.message}") from None
    why = fleet.why_nobody_begins()
    if why:
        raise UnreachableError(why)
