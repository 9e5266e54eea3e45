"""The stages of a service deployment: where traffic is, and where a PAUSE hook waits."""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import ServiceNews
from lastgood.decisions import ladder
from lastgood.decisions.sighting import news_of
from lastgood.model import EcsDeployment, ServiceDeploymentState, ServiceState

_ALL_SHIFTED = ("POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP")
"""Lifecycle stages in which the new tasks have all production traffic."""


def has_stages(state: ServiceState) -> bool:
    """Whether a service deployment must be followed too: traffic shifts, or a hook may wait."""
    return state.shifts_traffic or any(hook.pauses for hook in state.hooks)


def has_all_traffic(going: ServiceDeploymentState) -> bool:
    """Whether a deployment under way has brought all production traffic to the new tasks."""
    weight = going.production_weight
    everything = weight is None or weight >= 100
    return ladder.is_under_way(going) and going.stage in _ALL_SHIFTED and everything


def shifted(
    going: ServiceDeploymentState, mine: EcsDeployment, state: ServiceState, now: datetime
) -> ServiceNews:
    """News that all traffic is on the new tasks; ECS may go on with them, or wait at a hook."""
    text = f"All production traffic is on the new tasks ({going.stage})."
    news = news_of("complete", text, now, state, mine.id)
    return news.model_copy(update={"stage": going.stage, "service_deployment": going.arn})


def paused(
    going: ServiceDeploymentState, mine: EcsDeployment, state: ServiceState, now: datetime
) -> ServiceNews | None:
    """News that a PAUSE hook waits for an answer, if one does."""
    hook = next(iter(going.awaiting), None) if ladder.is_under_way(going) else None
    if hook is None:
        return None
    text = f"A PAUSE hook waits for an answer ({going.stage})."
    news = news_of("paused", text, now, state, mine.id)
    about = {"hook": hook.id, "stage": going.stage, "service_deployment": going.arn}
    return news.model_copy(update=about)
