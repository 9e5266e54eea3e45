"""How a service and its load balancer are set up: where health is asked, how long shifts last."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any


def health_url(
    group: Mapping[str, Any], dns: str, listeners: Iterable[Mapping[str, Any]]
) -> str | None:
    """A target group's health check, asked through a listener that leads to it by default.

    None where the answer could differ from the one that the load balancer itself gets: behind
    HTTPS (the certificate is not for the load balancer's own name), on another port than the
    traffic's, or where not 200 is the good answer.

    Args:
        group: as DescribeTargetGroups gives it.
        dns: the load balancer's name.
        listeners: as DescribeListeners gives them.
    """
    if not is_plain(group):
        return None
    for listener in listeners:
        if listener.get("Protocol") == "HTTP" and _leads_to(listener, group["TargetGroupArn"]):
            return f"http://{dns}:{listener['Port']}{group.get('HealthCheckPath') or '/'}"
    return None


def is_plain(group: Mapping[str, Any]) -> bool:
    """Whether a health check is on the traffic's port, and 200 a good answer."""
    port = str(group.get("HealthCheckPort") or "traffic-port")
    codes = str(group.get("Matcher", {}).get("HttpCode") or "200")
    ranges = [code.strip().partition("-") for code in codes.split(",")]
    on_traffic_port = port in ("traffic-port", str(group.get("Port")))
    return on_traffic_port and any(low <= "200" <= (high or low) for low, _, high in ranges)


def _leads_to(listener: Mapping[str, Any], target_group: str) -> bool:
    for action in listener.get("DefaultActions", []):
        forward = action.get("ForwardConfig", {}).get("TargetGroups", [])
        if target_group in (
            action.get("TargetGroupArn"),
            *(g.get("TargetGroupArn") for g in forward),
        ):
            return True
    return False


def shift_of(configuration: Mapping[str, Any]) -> timedelta:
    """How long the steps of LINEAR or CANARY last, added up; ECS's defaults where none is given.

    Args:
        configuration: a service's ``deploymentConfiguration``.
    """
    strategy = configuration.get("strategy")
    if strategy == "LINEAR":
        linear = configuration.get("linearConfiguration", {})
        steps = math.ceil(100 / max(1.0, float(linear.get("stepPercent", 10))))
        return timedelta(minutes=linear.get("stepBakeTimeInMinutes", 6) * (steps - 1))
    if strategy == "CANARY":
        canary = configuration.get("canaryConfiguration", {})
        return timedelta(minutes=canary.get("canaryBakeTimeInMinutes", 10))
    return timedelta(0)
