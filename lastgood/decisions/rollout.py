"""Where a rollout stands, and whether the service still runs our release.

A release is rolled out when the service's PRIMARY deployment has our task definition *and* our
deployment id, ECS calls it COMPLETED, and all wanted tasks run. ECS calling the service "stable"
is never enough: it is also stable after ECS has put the old version back.

If our deployment is no longer PRIMARY, its id tells who did it. A deployment that there was before
the release is PRIMARY again: ECS rolled back, to the last one that it had completed. Any other:
somebody else's release, which is not ours to judge. Right after UpdateService, answers may still
show the past; until our deployment has been visible once, or a minute has gone by, its absence
means nothing. Later answers may show the past too, for moments: that our deployment was displaced,
or the service is gone, must still be so some seconds later. What could not be read at the end is
unknown: neither complete nor stuck.

Where traffic shifts (blue/green, linear, canary), the window begins as soon as all production
traffic is on the new tasks, while ECS still keeps the old ones; the rollout is complete when ECS
has carried out the whole service deployment. A PAUSE hook that waits is news.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from lastgood.contracts import ServiceGlance, ServiceNews, ServiceWatchOrder, UpdateOrder
from lastgood.decisions import ladder, returning, stages
from lastgood.decisions.sighting import VISIBLE_WITHIN, label, news_of
from lastgood.decisions.sighting import is_rolled_out as is_rolled_out
from lastgood.decisions.stages import has_all_traffic as has_all_traffic
from lastgood.decisions.stages import has_stages as has_stages
from lastgood.model import EcsDeployment, Model, ServiceDeploymentState, ServiceState
from lastgood.policy import format_duration

CONFIRMED_AFTER = timedelta(seconds=5)
"""For how long a displacement must show before it is believed."""


def ours(order: ServiceWatchOrder, state: ServiceState) -> EcsDeployment | None:
    """Our deployment among the service's; by task definition where its id is not known."""
    if order.deployment:
        return state.deployment(order.deployment)
    primary = state.primary
    return primary if primary and primary.task_definition == order.task_definition else None


def keeps_failing(deployment: EcsDeployment) -> bool:
    """As many tasks have failed in a row as ECS's circuit breaker would count by default.

    Where that breaker is on, ECS acts itself; where it is off, nobody would before the deadline.
    """
    limit = min(200, max(3, math.ceil(deployment.desired / 2)))
    return deployment.running == 0 and deployment.failed >= limit


def _existence(state: ServiceState | None, now: datetime) -> ServiceNews | None:
    if state is None:
        return news_of("gone", "The service no longer exists.", now, None, None)
    if state.status != "ACTIVE":
        text = f"The service was deleted: its status is {state.status}."
        return news_of("gone", text, now, state, None)
    if state.desired == 0:
        text = "The service was scaled to 0 tasks: there is nothing to judge."
        return news_of("scaled_to_zero", text, now, state, None)
    return None


def _displaced(
    order: ServiceWatchOrder,
    state: ServiceState,
    going: ServiceDeploymentState | None,
    now: datetime,
) -> ServiceNews:
    primary, by_ecs = state.primary, going is not None and ladder.is_undone(going)
    if primary is None:
        return news_of("gone", "The service has no PRIMARY deployment.", now, state, None)
    if primary.id in order.previous_deployments or by_ecs:
        why = primary.reason or "its own deployment ran before this release"
        text = f"ECS itself rolled the service back to {label(primary.task_definition)}: {why}"
        news = news_of("rolled_back_by_ecs", text, now, state, primary.id)
        return news.model_copy(update={"task_definition": primary.task_definition})
    text = (
        f"Deployment {primary.id} with {label(primary.task_definition)} became PRIMARY: "
        "somebody else changed the service."
    )
    return news_of("superseded", text, now, state, primary.id)


def assess(
    order: ServiceWatchOrder,
    state: ServiceState | None,
    service_deployment: ServiceDeploymentState | None = None,
    *,
    seen: bool,
    now: datetime,
) -> ServiceNews | None:
    """What a look at the service means; None: go on watching.

    Args:
        order: which deployment is ours, and what the watch is for.
        state: the service now; None if ECS does not know it.
        service_deployment: the one that the order names, if it names one and ECS tells of it.
        seen: our deployment has been visible at least once.
        now: the time of the look.
    """
    news = _existence(state, now)
    if news or state is None:
        return news
    if order.goal == "steady":
        return returning.steady(order, state, service_deployment, seen=seen, now=now)
    mine = ours(order, state)
    if mine is None or mine.status != "PRIMARY":
        early = not seen and now < order.deployed_at + VISIBLE_WITHIN
        return None if early else _displaced(order, state, service_deployment, now)
    if order.goal == "standing":
        return None
    if mine.rollout_state == "FAILED":
        text = f"ECS gave the rollout up: {mine.reason or 'no reason given'}"
        return news_of("failed", text, now, state, mine.id)
    if order.goal == "window":
        return None
    if keeps_failing(mine) and not state.circuit_breaker:
        text = f"{mine.failed} tasks in a row failed to start or to pass their health check."
        return news_of("failed", text, now, state, mine.id)
    return _forward(order, state, mine, service_deployment, now)


def _forward(
    order: ServiceWatchOrder,
    state: ServiceState,
    mine: EcsDeployment,
    going: ServiceDeploymentState | None,
    now: datetime,
) -> ServiceNews | None:
    """Our deployment is PRIMARY and has not failed: is it where it should be, or held up?"""
    if going and order.goal == "traffic" and has_all_traffic(going):
        return stages.shifted(going, mine, state, now)
    waits = stages.paused(going, mine, state, now) if going else None
    if waits:
        return waits
    if is_rolled_out(mine) and (going is None or going.status == "SUCCESSFUL"):
        text = f"{mine.running} of {mine.desired} tasks run."
        return news_of("complete", text, now, state, mine.id)
    return None


def follows(order: ServiceWatchOrder, state: ServiceState | None) -> str | None:
    """ARN of the service deployment that a watch reads at this look, if any."""
    if order.service_deployment or state is None:
        return order.service_deployment
    if order.goal == "steady":
        return returning.follows(order, state)
    if order.goal not in ("traffic", "rollout"):
        return None
    mine = ours(order, state)
    primary = mine is not None and mine.status == "PRIMARY"
    return state.service_deployment if primary and has_stages(state) else None


def was_undone(order: UpdateOrder, state: ServiceState, attempt: int) -> bool:
    """Whether ECS has gone back already from what an earlier attempt sent: not to be sent again.

    Args:
        order: the update.
        state: the service, which does not run what was ordered.
        attempt: the number of this attempt; the first one has nothing before it.
    """
    another = state.service_deployment not in (None, order.newest)
    return order.once and attempt > 1 and another


def doubt(
    order: ServiceWatchOrder, news: ServiceNews | None, before: ServiceNews | None
) -> ServiceNews | None:
    """News that may be an answer from the past, to be handed to the next look; None: believe it.

    Args:
        order: which deployment is ours.
        news: what this look says.
        before: what this function gave for the look before.
    """
    if news is None:
        return None
    put_back = news.kind == "failed" and news.deployment != order.deployment
    if news.kind not in ("rolled_back_by_ecs", "superseded", "gone") and not put_back:
        return None
    if before is None or (before.kind, before.deployment) != (news.kind, news.deployment):
        return news
    return before if news.at - before.at < CONFIRMED_AFTER else None


def in_words(order: ServiceWatchOrder, state: ServiceState | None) -> str:
    """The rollout's counts for people who watch."""
    if state is None:
        return "the service does not exist"
    one = ours(order, state) or state.primary
    if one is None:
        return "no deployment"
    text = f"{one.running} of {one.desired} tasks running"
    if one.pending:
        text += f", {one.pending} pending"
    if one.failed:
        text += f", {one.failed} failed"
    old = sum(other.running for other in state.deployments if other.id != one.id)
    return f"{text}; {old} old ones still serve" if old else text


def at_the_end(order: ServiceWatchOrder, glance: Model | None, now: datetime) -> ServiceNews:
    """What it means that a service watch came to its end without news."""
    text = glance.text if isinstance(glance, ServiceGlance) else "nothing was seen"
    if isinstance(glance, ServiceGlance) and not glance.readable:
        return news_of(
            "unreadable", f"Where the service stands is unknown: {text}.", now, None, None
        )
    if order.goal in ("window", "standing"):
        return news_of("quiet", f"The service still runs the release: {text}.", now, None, None)
    took = format_duration(order.until - order.deployed_at)
    return news_of("stuck", f"Not complete after {took}: {text}.", now, None, order.deployment)
