"""boto3 clients, one per service and region, from boto3's own chain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

Clients = Callable[[str, str], Any]
"""(AWS service, region) → boto3 client."""

CONFIG = Config(
    connect_timeout=3,
    read_timeout=5,
    # Temporal retries. An attempt that the server gave up on must be really dead.
    retries={"total_max_attempts": 1, "mode": "standard"},
    max_pool_connections=50,
    user_agent_extra="lastgood",
)


class AwsClients:
    """Hands out clients; safe to call from several threads.

    Credentials are refreshed by boto3's own providers; nothing but the standard environment and
    files selects an endpoint.
    """

    def __init__(self, session: boto3.Session | None = None) -> None:
        self._session = session or boto3.Session()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def __call__(self, service: str, region: str) -> Any:
        """The client of an AWS service, such as ``ecs``, in a region."""
        key = (service, region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._session.client(
                    service,  # type: ignore[call-overload]
                    region_name=region or None,
                    config=CONFIG,
                )
            return self._clients[key]
