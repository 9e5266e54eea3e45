"""Services that shift traffic, and ECS on its way back: what a look at both answers means."""

from typing import Any

import pytest

from lastgood.contracts import UpdateOrder
from lastgood.decisions import returning
from lastgood.decisions.rollout import assess, follows, has_all_traffic, was_undone
from lastgood.decisions.series import Point, worst_of
from lastgood.decisions.task_definitions import original_of, pin_id, pinned
from lastgood.model import AwaitingHook, ContainerImage, Hook, ServiceDeploymentState, ServiceState
from tests.decisions.made import (
    NEW,
    OLD,
    OTHER,
    REF,
    at,
    deployment,
    follow,
    points,
    seconds,
    service,
)

SHIFTED = "POST_PRODUCTION_TRAFFIC_SHIFT"
MOVING = deployment(rollout_state="IN_PROGRESS")
BEFORE = deployment(OLD, id="ecs-svc/1", status="ACTIVE")


def going(status: str = "IN_PROGRESS", **keys: Any) -> ServiceDeploymentState:
    return ServiceDeploymentState.model_validate({"arn": "sd/2", "status": status, **keys})


def shifting(*deployments: Any, **keys: Any) -> ServiceState:
    return service(*(deployments or (MOVING, BEFORE)), strategy="BLUE_GREEN", **keys)


# --- Forward -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "weight", "there"),
    [
        ("SCALE_UP", 0, False),
        ("PRODUCTION_TRAFFIC_SHIFT", 10, False),
        ("PRODUCTION_TRAFFIC_SHIFT", 100, False),
        (SHIFTED, 100, True),
        (SHIFTED, None, True),
        (SHIFTED, 50, False),
        ("BAKE_TIME", 100, True),
        ("CLEAN_UP", 100, True),
        ("A_NEW_STAGE", 100, False),
        (None, None, False),
    ],
)
def test_when_all_traffic_is_on_the_new_tasks(
    stage: str | None, weight: float | None, there: bool
) -> None:
    state = going(stage=stage, production_weight=weight)
    assert has_all_traffic(state) == there
    news = assess(follow("traffic"), shifting(), state, seen=True, now=at(60))
    assert (news.kind if news else None) == ("complete" if there else None)
    assert assess(follow("rollout"), shifting(), state, seen=True, now=at(60)) is None
    back = state.model_copy(update={"status": "ROLLBACK_IN_PROGRESS"})
    assert not has_all_traffic(back)


@pytest.mark.parametrize("goal", ["traffic", "rollout"])
@pytest.mark.parametrize(
    ("state", "kind"),
    [(going("SUCCESSFUL"), "complete"), (None, "complete"), (going(stage="CLEAN_UP"), None)],
)
def test_the_rollout_is_complete_when_ecs_is_through(
    goal: str, state: ServiceDeploymentState | None, kind: str | None
) -> None:
    news = assess(follow(goal), shifting(deployment()), state, seen=True, now=at(60))
    expected = "complete" if goal == "traffic" and state and state.stage else kind
    assert (news.kind if news else None) == expected


@pytest.mark.parametrize(("stage", "goal"), [("POST_SCALE_UP", "traffic"), (SHIFTED, "rollout")])
def test_a_hook_that_waits_is_news(stage: str, goal: str) -> None:
    state = going(stage=stage, awaiting=(AwaitingHook(id="h"),))
    news = assess(follow(goal), shifting(), state, seen=True, now=at(60))
    assert news
    assert (news.kind, news.hook, news.stage) == ("paused", "h", stage)
    assert news.service_deployment == "sd/2"
    assert assess(follow("window"), shifting(), state, seen=True, now=at(60)) is None


def test_which_service_deployment_a_watch_reads() -> None:
    known = {"service_deployment": "sd/2"}
    assert follows(follow("traffic"), shifting(**known)) == "sd/2"
    assert follows(follow("rollout"), shifting(**known)) == "sd/2"
    assert follows(follow("window"), shifting(**known)) is None
    assert follows(follow("rollout"), service(MOVING, **known)) is None
    hook = Hook(stages=("POST_SCALE_UP",), pauses=True)
    assert follows(follow("rollout"), service(MOVING, hooks=(hook,), **known)) == "sd/2"
    theirs = deployment(OTHER, id="ecs-svc/3")
    assert follows(follow("traffic"), shifting(theirs, **known)) is None
    assert follows(follow("steady", service_deployment="sd/1"), shifting(**known)) == "sd/1"


# --- Back --------------------------------------------------------------------------------------


def back(**keys: Any) -> Any:
    """We wait for OLD; NEW went wrong."""
    usual = {"task_definition": OLD, "wrong": (NEW,), "deployment": None}
    return follow("steady", **{**usual, "previous_deployments": ("ecs-svc/1",), **keys})


@pytest.mark.parametrize(
    ("status", "moment", "kind"),
    [
        ("IN_PROGRESS", 10, None),
        ("IN_PROGRESS", 61, "failed"),
        ("STOP_REQUESTED", 200, None),
        ("ROLLBACK_REQUESTED", 200, None),
        ("ROLLBACK_IN_PROGRESS", 200, None),
        ("ROLLBACK_FAILED", 10, "failed"),
        ("STOPPED", 10, "failed"),
    ],
)
def test_while_ecs_goes_back_what_went_wrong_is_still_primary(
    status: str, moment: float, kind: str | None
) -> None:
    news = assess(back(), service(deployment()), going(status), seen=False, now=at(moment))
    assert (news.kind if news else None) == kind


def test_back_is_only_when_ecs_is_through() -> None:
    there = service(deployment(OLD, id="ecs-svc/1"))
    assert assess(back(), there, going("ROLLBACK_IN_PROGRESS"), seen=True, now=at(60)) is None
    news = assess(back(), there, going("ROLLBACK_SUCCESSFUL"), seen=True, now=at(60))
    assert news
    assert news.kind == "complete"


def test_ecs_that_went_elsewhere_has_failed_and_a_stranger_has_not() -> None:
    elsewhere = service(deployment(OTHER, id="ecs-svc/1"))
    news = assess(back(), elsewhere, going("ROLLBACK_SUCCESSFUL"), seen=False, now=at(90))
    assert news
    assert news.kind == "failed"
    stranger = service(deployment(OTHER, id="ecs-svc/9"))
    news = assess(back(), stranger, going("ROLLBACK_FAILED"), seen=False, now=at(90))
    assert news
    assert news.kind == "superseded"


# --- Back by a deployment of our own -----------------------------------------------------------

RETURNING = deployment(OLD, id="ecs-svc/3", rollout_state="IN_PROGRESS")
LEAVING = deployment(NEW, status="ACTIVE")
HOOKED = Hook(stages=("PRE_SCALE_UP",), pauses=True)


def anew(**keys: Any) -> Any:
    """UpdateService was sent; its service deployment is sd/3, and that of what we left sd/2."""
    return back(deployment="ecs-svc/3", forward=True, left_service_deployment="sd/2", **keys)


@pytest.mark.parametrize(
    ("stage", "hook", "kind"),
    [
        ("POST_SCALE_UP", False, None),
        ("POST_SCALE_UP", True, "paused"),
        ("PRODUCTION_TRAFFIC_SHIFT", False, None),
        (SHIFTED, False, "complete"),
        (SHIFTED, True, "complete"),  # verified first, then answered
        ("BAKE_TIME", False, "complete"),
    ],
)
def test_a_way_back_has_arrived_when_it_has_all_traffic(
    stage: str, hook: bool, kind: str | None
) -> None:
    awaiting = (AwaitingHook(id="h"),) if hook else ()
    way = going(arn="sd/3", stage=stage, awaiting=awaiting)
    news = assess(anew(), shifting(RETURNING, LEAVING), way, seen=True, now=at(300))
    assert (news.kind if news else None) == kind
    assert news is None or news.service_deployment == "sd/3"


def test_what_ecs_carries_out_after_our_stop_is_not_taken_for_a_way_back_of_ours() -> None:
    """Its answers may be of the past: it is what went wrong that has all traffic there."""
    hook = (AwaitingHook(id="h"),)
    wrong = going(stage=SHIFTED, awaiting=hook)
    told = back(service_deployment="sd/2")
    assert assess(told, shifting(RETURNING, LEAVING), wrong, seen=True, now=at(30)) is None


@pytest.mark.parametrize(
    ("status", "hook", "kind"),
    [
        ("IN_PROGRESS", True, "paused"),
        ("IN_PROGRESS", False, None),
        ("SUCCESSFUL", False, "complete"),
    ],
)
def test_a_rolling_way_back_with_hooks_has_arrived_when_ecs_is_through(
    status: str, hook: bool, kind: str | None
) -> None:
    """All its tasks run: a hook may come after that."""
    awaiting = (AwaitingHook(id="h"),) if hook else ()
    way = going(status, arn="sd/3", stage=SHIFTED, awaiting=awaiting)
    there = service(deployment(OLD, id="ecs-svc/3"), hooks=(HOOKED,))
    news = assess(anew(), there, way, seen=True, now=at(60))
    assert (news.kind if news else None) == kind


def test_which_service_deployment_a_way_back_reads() -> None:
    there = {"service_deployment": "sd/3"}
    assert follows(anew(), shifting(RETURNING, **there)) == "sd/3"
    assert follows(anew(), shifting(RETURNING, service_deployment="sd/2")) is None, "not shown yet"
    assert follows(anew(), shifting(MOVING, **there)) is None, "the target is not PRIMARY"
    assert follows(back(), shifting(RETURNING, **there)) is None, "ECS goes back by itself"
    assert follows(anew(), service(RETURNING, **there)) is None, "no stages"


@pytest.mark.parametrize(
    ("keys", "followed", "minutes"),
    [
        ({}, True, 10),
        ({"strategy": "BLUE_GREEN", "bake": seconds(1800)}, True, 10),
        ({"strategy": "BLUE_GREEN", "bake": seconds(1800)}, False, 40),
        ({"strategy": "LINEAR", "bake": seconds(1800), "shift": seconds(600)}, True, 20),
        ({"bake": seconds(300)}, True, 15),  # alarms of a rolling service
    ],
)
def test_what_ecs_waits_for_by_itself_is_no_lateness(
    keys: Any, followed: bool, minutes: int
) -> None:
    state = service(RETURNING, **keys)
    assert returning.takes(seconds(600), state, followed=followed) == seconds(minutes * 60)


def test_ecs_that_undoes_a_way_back_is_told_from_a_stranger() -> None:
    order = anew(service_deployment="sd/3").model_copy(update={"goal": "window"})
    undone = service(deployment(NEW, id="ecs-svc/9"))
    news = assess(order, undone, going("ROLLBACK_IN_PROGRESS"), seen=True, now=at(90))
    assert news
    assert news.kind == "rolled_back_by_ecs"
    news = assess(order, undone, going("STOPPED"), seen=True, now=at(90))
    assert news
    assert news.kind == "superseded"


@pytest.mark.parametrize("there", [NEW, OTHER])
def test_whichever_of_ours_ecs_puts_back_it_is_ecss_doing(there: str) -> None:
    news = assess(
        anew(wrong=(OTHER, NEW)), service(deployment(there, id="x")), None, seen=True, now=at(90)
    )
    assert news
    assert news.kind == "failed"


@pytest.mark.parametrize(
    ("attempt", "newest", "now", "undone"),
    [
        (1, "sd/1", "sd/2", False),  # whoever did that: our first attempt is still to come
        (2, "sd/1", "sd/1", False),
        (2, "sd/1", "sd/2", True),
        (2, None, "sd/2", True),
        (2, "sd/1", None, False),
    ],
)
def test_an_update_whose_answer_was_lost_may_have_been_undone(
    attempt: int, newest: str | None, now: str | None, undone: bool
) -> None:
    order = UpdateOrder(service=REF, task_definition=NEW, expected=(OLD,), newest=newest)
    state = service(deployment(OLD), service_deployment=now)
    forth = order.model_copy(update={"once": True})
    assert was_undone(forth, state, attempt) == undone
    assert not was_undone(order, state, attempt), "a way back is sent until it is there"


# --- Two target groups -------------------------------------------------------------------------


def test_of_two_groups_the_worse_one_counts_and_silence_says_nothing() -> None:
    old, new = points(0.0, 0.1, None, 0.2), points(None, 0.4, 0.3, 0.0)
    assert [one.value for one in worst_of([old, new])] == [0.0, 0.4, 0.3, 0.2]
    assert worst_of([new, old]) == worst_of([old, new])
    assert worst_of([old]) == old
    wrong = (Point(start=at(0), value=None, problem="it is negative"),)
    assert worst_of([old, wrong])[0].value == 0.0
    assert worst_of([(), wrong]) == wrong


# --- Copies with digests -----------------------------------------------------------------------

SOURCE = {
    "taskDefinitionArn": OLD,
    "family": "web",
    "containerDefinitions": [
        {"name": "app", "image": "shop:1.0"},
        {"name": "log", "image": "log@sha256:2"},
    ],
}
RAN = (
    ContainerImage(container="app", image="shop:1.0", digest="sha256:1"),
    ContainerImage(container="log", image="log@sha256:2", digest="sha256:2"),
)


def test_a_copy_names_the_images_that_ran_and_its_original() -> None:
    copy = pinned(SOURCE, RAN)
    assert copy
    images = [one["image"] for one in copy["containerDefinitions"]]
    assert images == ["shop:1.0@sha256:1", "log@sha256:2"]
    assert "taskDefinitionArn" not in copy
    assert (original_of(copy), original_of(SOURCE)) == (OLD, None)
    assert pin_id(copy) == pin_id(pinned(SOURCE, RAN) or {})
    other = (RAN[0].model_copy(update={"digest": "sha256:3"}),)
    assert pin_id(copy) != pin_id(pinned(SOURCE, other) or {})


@pytest.mark.parametrize(
    "images",
    [
        (),
        (RAN[1],),
        (RAN[0].model_copy(update={"digest": None}),),
        (RAN[0].model_copy(update={"image": "shop:0.9"}),),  # of another task definition
    ],
)
def test_without_digests_of_its_tags_there_is_no_copy(images: tuple[ContainerImage, ...]) -> None:
    assert pinned(SOURCE, images) is None
