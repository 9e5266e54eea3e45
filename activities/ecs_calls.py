"""What all activities on ECS share: the call itself, two looks, and the guard before a write."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients import Clients
from activities.ecs_answers import parse_service, parse_service_deployment
from activities.failures import UNSUPPORTED, aws_call
from activities.watch import now
from lastgood import errors
from lastgood.model import ServiceDeploymentState, ServiceRef, ServiceState

NOT_THERE = (UNSUPPORTED, "UnsupportedFeatureException")
"""Codes of an endpoint, or of a kind of service, that knows no service deployments."""


class EcsCalls:
    """Calls to ECS through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def _call(self, region: str, operation: str, **arguments: Any) -> dict[str, Any]:
        client = self._clients("ecs", region)
        with aws_call("ecs:" + operation.title().replace("_", "")):
            method = getattr(client, operation)
            answer: dict[str, Any] = await asyncio.to_thread(method, **arguments)
        return answer

    async def _describe(self, service: ServiceRef, **more: Any) -> ServiceState | None:
        where = {"cluster": service.cluster, "services": [service.name]}
        answer = await self._call(service.region, "describe_services", **where, **more)
        found = answer.get("services", [])
        return parse_service(found[0]) if found else None

    async def _describe_deployment(
        self, service: ServiceRef, arn: str | None
    ) -> ServiceDeploymentState | None:
        """One service deployment, else the newest; None if there is none, or no such thing."""
        try:
            arn = arn or await self._newest_deployment(service)
            if arn is None:
                return None
            answer = await self._call(
                service.region, "describe_service_deployments", serviceDeploymentArns=[arn]
            )
        except ApplicationError as error:
            if error.type in NOT_THERE:
                return None
            raise
        found = answer.get("serviceDeployments", [])
        return parse_service_deployment(found[0]) if found else None

    async def _newest_deployment(self, service: ServiceRef) -> str | None:
        answer = await self._call(
            service.region,
            "list_service_deployments",
            cluster=service.cluster,
            service=service.name,
            maxResults=100,
        )
        found = answer.get("serviceDeployments", [])
        newest = max(found, key=lambda one: one["createdAt"], default=None)
        return str(newest["serviceDeploymentArn"]) if newest else None


def still_in_time() -> None:
    """Refuse to write in an attempt that Temporal has given up on (a process that was stopped)."""
    info = activity.info()
    limit = info.start_to_close_timeout or timedelta(days=1)
    if now() > info.started_time + limit:
        raise ApplicationError("This attempt is too old to write.", type=errors.OUTCOME_UNKNOWN)
