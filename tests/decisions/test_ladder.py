"""Which call brings a service back: every state, and what must never happen in any."""

from itertools import product
from typing import Any

import pytest

from lastgood.contracts import ServiceNews
from lastgood.decisions.ladder import (
    Goal,
    Rung,
    Tried,
    choose,
    goes_on,
    is_going_back,
    is_under_way,
)
from lastgood.model import AwaitingHook, ServiceDeploymentState, ServiceState
from tests.decisions.made import ARN, NEW, OLD, OTHER, at, deployment, service

PINNED = ARN.format(4)
ELSEWHERE = ARN.format(5)
"""Ran before the release, and is not the target: a release that was held, say."""
BEFORE, HELD = "revision/1", "revision/5"
STATUSES = [
    "PENDING",
    "IN_PROGRESS",
    "STOP_REQUESTED",
    "STOPPED",
    "SUCCESSFUL",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
    "ROLLBACK_RESTING",  # not known today
    "RESTING",
]
GOING_BACK = ["STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_RESTING"]
FORWARD = ["PENDING", "IN_PROGRESS", "RESTING"]
WRITES = ["stop_service_deployment", "continue_service_deployment", "update_service"]


def goal(**keys: Any) -> Goal:
    usual = {"targets": (OLD, PINNED), "wrong": (NEW,), "before": BEFORE}
    return Goal.model_validate({**usual, "before_deployments": ("ecs-svc/0", "ecs-svc/1"), **keys})


def under(status: str, *, hook: bool = False, sources: Any = (BEFORE,)) -> ServiceDeploymentState:
    awaiting = (AwaitingHook(id="hook-1"),) if hook else ()
    return ServiceDeploymentState(
        arn="sd/2", status=status, awaiting=awaiting, sources=sources, target="revision/2"
    )


def runs(task_definition: str, **keys: Any) -> ServiceState:
    ident = "ecs-svc/1" if task_definition in (OLD, ELSEWHERE) else "ecs-svc/2"
    return service(deployment(task_definition, **{"id": ident, **keys}))


# --- The table: our release is PRIMARY ---------------------------------------------------------

TABLE = [
    # service deployment      hook   not tried yet                  steered  waited    undone
    ("PENDING", False, "stop_service_deployment", "wait", "update_service", "update_service"),
    ("PENDING", True, "continue_service_deployment", "wait", "update_service", "update_service"),
    ("IN_PROGRESS", False, "stop_service_deployment", "wait", "update_service", "update_service"),
    (
        "IN_PROGRESS",
        True,
        "continue_service_deployment",
        "wait",
        "update_service",
        "update_service",
    ),
    ("RESTING", False, "stop_service_deployment", "wait", "update_service", "update_service"),
    ("STOP_REQUESTED", False, "wait", "wait", "give_up", "update_service"),
    ("ROLLBACK_REQUESTED", False, "wait", "wait", "give_up", "update_service"),
    ("ROLLBACK_IN_PROGRESS", False, "wait", "wait", "give_up", "update_service"),
    ("ROLLBACK_RESTING", False, "wait", "wait", "give_up", "update_service"),
    ("ROLLBACK_SUCCESSFUL", False, "wait", "wait", "update_service", "update_service"),
    ("ROLLBACK_FAILED", False, *["update_service"] * 3, "update_service"),
    ("STOPPED", False, *["update_service"] * 3, "update_service"),
    ("SUCCESSFUL", False, *["update_service"] * 3, "update_service"),
    (None, False, *["update_service"] * 3, "update_service"),
]


@pytest.mark.parametrize(("status", "hook", "first", "steered", "waited", "undone"), TABLE)
def test_our_release_is_brought_back_by_what_its_deployment_allows(
    status: str | None, hook: bool, first: str, steered: str, waited: str, undone: str
) -> None:
    now = under(status, hook=hook) if status else None
    tries = [Tried(), Tried(steered=True), Tried(steered=True, waited=True)]
    tries += [Tried(updates=1, waited=True), Tried(updates=2, waited=True)]
    rungs = [choose(runs(NEW), now, goal(), tried) for tried in tries]
    assert [rung.do for rung in rungs] == [first, steered, waited, undone, "give_up"]
    assert all(rung.reason for rung in rungs)


def test_the_table_names_every_status() -> None:
    assert {row[0] for row in TABLE} == {*STATUSES, None}


def test_a_call_says_what_it_is_about() -> None:
    stop = choose(runs(NEW), under("IN_PROGRESS"), goal(), Tried())
    assert (stop.service_deployment, stop.hook) == ("sd/2", None)
    answer = choose(runs(NEW), under("IN_PROGRESS", hook=True), goal(), Tried())
    assert (answer.service_deployment, answer.hook) == ("sd/2", "hook-1")
    update = choose(runs(NEW), under("SUCCESSFUL"), goal(), Tried())
    assert update.expected == NEW


def test_more_than_one_of_ours_may_have_to_be_left() -> None:
    """A way back that failed, and the release that it did not lead away from."""
    aim = goal(targets=(ELSEWHERE,), wrong=(OLD, NEW), before=None, before_deployments=())
    for there in (OLD, NEW):
        rung = choose(runs(there), under("SUCCESSFUL"), aim, Tried())
        assert (rung.do, rung.expected) == ("update_service", there)
    assert choose(runs(OTHER), under("SUCCESSFUL"), aim, Tried()).do == "leave"


def test_after_a_refusal_update_service_is_left() -> None:
    for status in FORWARD:
        rung = choose(runs(NEW), under(status), goal(), Tried(refused=True))
        assert rung.do == "update_service"


@pytest.mark.parametrize("sources", [(), (HELD,), (BEFORE, HELD), (HELD, BEFORE)])
@pytest.mark.parametrize("hook", [True, False])
def test_ecs_is_not_told_to_go_back_if_it_would_go_elsewhere(sources: Any, hook: bool) -> None:
    """It goes to its own last completed revision, which may be one that we hold."""
    rung = choose(runs(NEW), under("IN_PROGRESS", hook=hook, sources=sources), goal(), Tried())
    assert rung.do == "update_service"
    nowhere = goal(before=None)
    assert choose(runs(NEW), under("IN_PROGRESS", hook=hook), nowhere, Tried()).do == (
        "update_service"
    )


def test_ecs_that_went_back_elsewhere_is_corrected_once() -> None:
    state, over = runs(ELSEWHERE), under("ROLLBACK_SUCCESSFUL", sources=(HELD,))
    rung = choose(state, over, goal(before=None), Tried(waited=True))
    assert (rung.do, rung.expected) == ("update_service", ELSEWHERE)
    assert choose(state, over, goal(before=None), Tried(updates=2)).do == "give_up"
    older = runs(ELSEWHERE, id="ecs-svc/0")  # the last completed one, before an unfinished one
    assert choose(older, over, goal(before=None), Tried()).do == "update_service"


def test_outside_of_a_release_what_ecs_went_back_from_is_nothing_to_wait_for() -> None:
    """What is rolled back by an operator is what ECS went back to; it has arrived long ago."""
    over, aim = under("ROLLBACK_SUCCESSFUL"), goal(before=None, before_deployments=())
    assert choose(runs(NEW), over, aim, Tried()).do == "update_service"
    assert choose(runs(NEW), over, goal(), Tried()).do == "wait"


def told(kind: str, ident: str) -> ServiceNews:
    return ServiceNews.model_validate(
        {"kind": kind, "reason": "", "at": at(0), "deployment": ident}
    )


@pytest.mark.parametrize(
    ("kind", "ident", "tried", "more"),
    [
        ("failed", "ecs-svc/2", Tried(steered=True), True),
        ("failed", "ecs-svc/2", Tried(steered=True, waited=True), False),
        ("stuck", "ecs-svc/2", Tried(steered=True), False),
        ("superseded", "ecs-svc/9", Tried(steered=True), False),
        ("failed", "ecs-svc/2", Tried(updates=1), True),  # what went wrong is PRIMARY again
        ("failed", "ecs-svc/3", Tried(updates=1), False),  # our own, and ECS gave it up
        ("failed", "ecs-svc/2", Tried(updates=1, waited=True), True),
        ("failed", "ecs-svc/2", Tried(updates=2), False),
        ("stuck", "ecs-svc/3", Tried(updates=1), False),
    ],
)
def test_whether_there_is_something_left_to_try(
    kind: str, ident: str, tried: Tried, more: bool
) -> None:
    news = told(kind, ident)
    assert goes_on(news, "ecs-svc/3", tried, adopt=False) == more
    assert not goes_on(news, "ecs-svc/3", tried, adopt=True)
    assert not goes_on(None, "ecs-svc/3", tried, adopt=False)


# --- Whose it is -------------------------------------------------------------------------------

GONE = [None, runs(NEW, status="PRIMARY").model_copy(update={"status": "DRAINING"})]


@pytest.mark.parametrize("state", GONE)
@pytest.mark.parametrize("status", [*STATUSES, None])
def test_a_service_that_is_gone_is_told_from_one_that_is_given_up(
    state: ServiceState | None, status: str | None
) -> None:
    now = under(status) if status else None
    assert choose(state, now, goal(), Tried()).do == "gone"


@pytest.mark.parametrize("target", [OLD, PINNED])
@pytest.mark.parametrize("status", [*STATUSES, None])
def test_on_its_way_to_the_target_nothing_is_sent(target: str, status: str | None) -> None:
    now = under(status) if status else None
    assert choose(runs(target), now, goal(), Tried()).do == "wait"


def test_ecs_on_its_way_to_the_target_is_followed_by_its_deployment() -> None:
    assert choose(runs(OLD), under("ROLLBACK_IN_PROGRESS"), goal(), Tried()).service_deployment
    assert choose(runs(OLD), under("SUCCESSFUL"), goal(), Tried()).service_deployment is None


def test_a_target_that_ecs_gave_up_is_not_waited_for_twice() -> None:
    given_up = runs(OLD, rollout_state="FAILED")
    assert choose(given_up, under("ROLLBACK_FAILED"), goal(), Tried()).do == "wait"
    rung = choose(given_up, under("ROLLBACK_FAILED"), goal(), Tried(waited=True))
    assert rung.do == "give_up"


@pytest.mark.parametrize("status", [*STATUSES, None])
def test_somebody_elses_release_is_left(status: str | None) -> None:
    now = under(status) if status else None
    rung = choose(runs(OTHER, id="ecs-svc/9"), now, goal(), Tried())
    assert (rung.do, rung.reason) == ("leave", "The service runs web:3: somebody else's.")
    nothing = service(deployment(NEW, status="ACTIVE"))  # no PRIMARY at all
    assert choose(nothing, now, goal(), Tried()).do == "leave"


@pytest.mark.parametrize(
    ("status", "does"),
    [
        ("ROLLBACK_IN_PROGRESS", "wait"),
        ("ROLLBACK_SUCCESSFUL", "wait"),
        (None, "wait"),
        ("ROLLBACK_FAILED", "give_up"),
        ("STOPPED", "give_up"),
    ],
)
def test_a_way_back_that_is_ecss_own_is_adopted(status: str | None, does: str) -> None:
    now = under(status) if status else None
    assert choose(runs(NEW), now, goal(adopt=True), Tried()).do == does
    assert choose(runs(OLD), now, goal(adopt=True), Tried()).do == "wait"


# --- In no state -------------------------------------------------------------------------------


def everything() -> list[tuple[ServiceState, ServiceDeploymentState | None, Goal, Tried, Rung]]:
    """Every combination of what runs, its rollout, the deployment, the goal and what was tried."""
    states = [
        runs(arn, rollout_state=rollout, **({"id": "ecs-svc/9"} if arn == OTHER else {}))
        for arn in (OLD, PINNED, NEW, OTHER, ELSEWHERE)
        for rollout in (None, "IN_PROGRESS", "COMPLETED", "FAILED")
    ]
    deployments = [None] + [
        under(status, hook=hook, sources=sources)
        for status, hook, sources in product(
            STATUSES, (True, False), ((), (BEFORE,), (HELD,), (BEFORE, HELD))
        )
    ]
    goals = [goal(before=b, adopt=a) for b, a in product((BEFORE, None), (True, False))]
    flags = product((True, False), (True, False), (True, False), (0, 1, 2))
    tries = [Tried(steered=s, refused=r, waited=w, updates=u) for s, r, w, u in flags]
    return [
        (state, now, aim, tried, choose(state, now, aim, tried))
        for state, now, aim, tried in product(states, deployments, goals, tries)
    ]


def test_what_must_never_happen_in_any_state() -> None:
    for state, now, aim, tried, rung in everything():
        there = state.primary.task_definition if state.primary else ""
        case = (there, now, aim, tried, rung)
        writes = rung.do in WRITES
        if there == OTHER:
            assert rung.do == "leave", case
        if there in aim.targets or aim.adopt:
            assert not writes, case
        if now and is_going_back(now) and not tried.updates:
            assert not writes, case
        if rung.do in ("stop_service_deployment", "continue_service_deployment"):
            assert now, case
            assert is_under_way(now), case
            assert (there, now.sources, aim.before) == (NEW, (BEFORE,), BEFORE), case
            assert not any((tried.steered, tried.refused, tried.updates)), case
        if rung.do == "update_service":
            assert tried.updates < 2, case
            assert rung.expected == there, case


def test_every_status_is_of_one_kind() -> None:
    for status in STATUSES:
        state = under(status)
        assert is_under_way(state) == (status in FORWARD)
        assert is_going_back(state) == (status in GOING_BACK)
