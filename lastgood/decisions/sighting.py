"""One look at a service, in the form in which a watch tells of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from lastgood.contracts import ServiceNews
from lastgood.model import EcsDeployment, ServiceState

VISIBLE_WITHIN = timedelta(seconds=60)
"""How long DescribeServices may show the past."""


def news_of(
    kind: str, reason: str, now: datetime, state: ServiceState | None, deployment: str | None
) -> ServiceNews:
    """News of this look, with the service's counts."""
    return ServiceNews.model_validate(
        {
            "kind": kind,
            "reason": reason,
            "at": now,
            "running": state.running if state else 0,
            "desired": state.desired if state else 0,
            "deployment": deployment,
        }
    )


def is_rolled_out(deployment: EcsDeployment) -> bool:
    """COMPLETED (or, behind a Classic Load Balancer, no state at all) with all tasks running."""
    full = deployment.running >= max(1, deployment.desired) and deployment.pending == 0
    return full and deployment.rollout_state in (None, "COMPLETED")


def label(arn: str) -> str:
    """``family:revision`` of an ARN."""
    return arn.rsplit("/", 1)[-1]
