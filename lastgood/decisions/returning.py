"""Whether a service is back on the revision that it is brought back to.

It is when that revision is PRIMARY, all its tasks run, nobody else's do, and ECS, where it was
told to go back, is through with it. While ECS goes back, what went wrong is still PRIMARY: that is
no news until ECS gives up, or has not begun a minute after it was told. Somebody else's revision
ends it.

A way back by UpdateService is a deployment like any other: where traffic shifts, the service is
back as soon as all of it is on the target, and what ECS waits for by itself is no lateness; a PAUSE
hook that waits before that is news. A rolling service with such hooks is back when ECS is through.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lastgood.contracts import ServiceNews, ServiceWatchOrder
from lastgood.decisions import ladder, stages
from lastgood.decisions.sighting import VISIBLE_WITHIN, is_rolled_out, label, news_of
from lastgood.model import ServiceDeploymentState, ServiceState


def steady(
    order: ServiceWatchOrder,
    state: ServiceState,
    going: ServiceDeploymentState | None,
    *,
    seen: bool,
    now: datetime,
) -> ServiceNews | None:
    """What a look at a service on its way back means; None: go on watching."""
    primary = state.primary
    if primary is None or primary.task_definition != order.task_definition:
        return _not_there(order, state, going, seen=seen, now=now)
    if primary.rollout_state == "FAILED":
        text = f"ECS gave up: {primary.reason or 'no reason given'}"
        return news_of("failed", text, now, state, primary.id)
    if order.forward and going is not None and ladder.is_under_way(going):
        if state.shifts_traffic and stages.has_all_traffic(going):
            return stages.shifted(going, primary, state, now)
        return stages.paused(going, primary, state, now)
    alone = all(one.running + one.pending == 0 for one in state.deployments if one is not primary)
    shifting = going is not None and ladder.is_going_back(going)
    if is_rolled_out(primary) and alone and not shifting:
        text = f"{primary.running} of {primary.desired} tasks run {label(primary.task_definition)}."
        return news_of("complete", text, now, state, primary.id)
    return None


def follows(order: ServiceWatchOrder, state: ServiceState) -> str | None:
    """ARN of the service deployment that brings the target, where its stages count."""
    primary, newest = state.primary, state.service_deployment
    there = primary is not None and primary.task_definition == order.task_definition
    wanted = order.forward and there and stages.has_stages(state)
    return newest if wanted and newest != order.left_service_deployment else None


def takes(timeout: timedelta, state: ServiceState, *, followed: bool) -> timedelta:
    """How long a way back by UpdateService may take until the service is back.

    Args:
        timeout: what the policy allows for all that is not ECS's own waiting.
        state: the service as it was before.
        followed: its service deployments can be read: where traffic shifts, the bake comes after.
    """
    bakes = timedelta(0) if followed and state.shifts_traffic else state.bake
    return timeout + state.shift + bakes


def _not_there(
    order: ServiceWatchOrder,
    state: ServiceState,
    going: ServiceDeploymentState | None,
    *,
    seen: bool,
    now: datetime,
) -> ServiceNews | None:
    """The target is not PRIMARY: not yet, not any more, or somebody else's release is."""
    primary, early = state.primary, now < order.deployed_at + VISIBLE_WITHIN
    there = primary.task_definition if primary else ""
    before = primary is not None and primary.id in order.previous_deployments
    if there and (there in order.wrong or before):
        news = _of_ecs_way_back(order, state, going, early=early, now=now) if going else None
        if news or (early and not seen) or (going and ladder.is_going_back(going)):
            return news
        text = f"ECS put {label(there)} back: {primary.reason if primary else ''}"
        return news_of("failed", text, now, state, primary.id if primary else None)
    if early and not seen:
        return None
    text = f"{label(there) if there else 'Nothing'} is PRIMARY instead."
    return news_of("superseded", text, now, state, primary.id if primary else None)


def _of_ecs_way_back(
    order: ServiceWatchOrder,
    state: ServiceState,
    going: ServiceDeploymentState,
    *,
    early: bool,
    now: datetime,
) -> ServiceNews | None:
    """ECS was told to go back, and what went wrong is still PRIMARY: has ECS given up?"""
    if going.status in ("ROLLBACK_FAILED", "STOPPED"):
        text = f"ECS's rollback failed: {going.reason or going.status}"
        return news_of("failed", text, now, state, order.deployment)
    if not ladder.is_going_back(going) and not early:
        text = f"ECS does not go back, though it was told to: it is {going.status}."
        return news_of("failed", text, now, state, order.deployment)
    return None
