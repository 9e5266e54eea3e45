"""Where a rollout stands, whoever changed the service, and answers that show the past."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Finding, ServiceGlance, ServiceNews
from lastgood.decisions import findings
from lastgood.decisions.rollout import assess, at_the_end, doubt, in_words, is_rolled_out
from lastgood.model import EcsDeployment, ServiceState
from tests.decisions.made import NEW, OLD, OTHER, at, deployment, follow, service

OURS = deployment()
BEFORE = deployment(OLD, id="ecs-svc/1")
LEAVING = deployment(OLD, id="ecs-svc/1", status="ACTIVE", running=1)
STRANGER = deployment(OTHER, id="ecs-svc/3")
MOVING = deployment(rollout_state="IN_PROGRESS", running=1, pending=1)
PUSHED = deployment(status="ACTIVE", rollout_state="IN_PROGRESS", running=1)


def news(
    goal: str, state: ServiceState | None, *, seen: bool = True, now: float = 100, **order: Any
) -> str | None:
    found = assess(follow(goal, **order), state, seen=seen, now=at(now))
    return found.kind if found else None


@pytest.mark.parametrize(
    ("deployments", "rollout", "window", "steady"),
    [
        ((OURS,), "complete", None, "complete"),
        ((OURS, LEAVING), "complete", None, None),  # old tasks still serve
        (
            (OURS, deployment(OLD, id="ecs-svc/1", status="ACTIVE", running=0)),
            "complete",
            None,
            "complete",
        ),
        ((MOVING, LEAVING), None, None, None),
        ((deployment(pending=1),), None, None, None),
        ((deployment(running=1),), None, None, None),
        ((deployment(rollout_state="IN_PROGRESS"),), None, None, None),
        ((deployment(rollout_state=None),), "complete", None, "complete"),  # Classic
        ((deployment(rollout_state=None, desired=0, running=0),), None, None, None),
        ((deployment(rollout_state="FAILED", running=0),), "failed", "failed", "failed"),
        ((BEFORE,), "rolled_back_by_ecs", "rolled_back_by_ecs", "failed"),
        ((BEFORE, PUSHED), "rolled_back_by_ecs", "rolled_back_by_ecs", "failed"),
        ((STRANGER,), "superseded", "superseded", "superseded"),
        ((STRANGER, PUSHED), "superseded", "superseded", "superseded"),
        ((deployment(OLD, id="ecs-svc/9"),), "superseded", "superseded", "failed"),
        # The same revision again, in somebody else's deployment.
        ((deployment(NEW, id="ecs-svc/9"),), "superseded", "superseded", "complete"),
        ((PUSHED,), "gone", "gone", "superseded"),
        ((), "gone", "gone", "superseded"),
    ],
)
def test_what_a_look_means(
    deployments: tuple[EcsDeployment, ...],
    rollout: str | None,
    window: str | None,
    steady: str | None,
) -> None:
    state = service(*deployments)
    assert (news("rollout", state), news("window", state), news("steady", state)) == (
        rollout,
        window,
        steady,
    )


@pytest.mark.parametrize("goal", ["rollout", "window", "steady"])
@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (None, "gone"),
        (service(OURS, status="DRAINING"), "gone"),
        (service(OURS, status="INACTIVE"), "gone"),
        (service(OURS, desired=0), "scaled_to_zero"),
    ],
)
def test_a_service_that_is_not_there(goal: str, state: ServiceState | None, kind: str) -> None:
    assert news(goal, state) == kind
    assert news(goal, state, seen=False, now=0) == kind


@pytest.mark.parametrize("goal", ["rollout", "window", "steady"])
@pytest.mark.parametrize("state", [service(BEFORE), service(STRANGER), service()])
def test_right_after_the_call_answers_may_show_the_past(goal: str, state: ServiceState) -> None:
    assert news(goal, state, seen=False, now=59) is None
    assert news(goal, state, seen=False, now=60) is not None
    assert news(goal, state, seen=True, now=1) is not None


def test_who_waits_for_a_person_is_not_told_that_ecs_gave_up() -> None:
    """Nor who waits for a cooldown's end: it is known, and nothing may be done about it yet."""
    failed = service(deployment(rollout_state="FAILED", running=0))
    assert (news("window", failed), news("standing", failed)) == ("failed", None)
    assert news("standing", service(STRANGER)) == "superseded"
    assert news("standing", service(BEFORE)) == "rolled_back_by_ecs"
    assert news("standing", None) == "gone"


def test_never_complete_on_the_past() -> None:
    """Steady on the old revision is what ECS's own waiter calls success."""
    for now in (0, 30, 59, 60, 299):
        for seen in (True, False):
            assert news("rollout", service(BEFORE), seen=seen, now=now) != "complete"


def test_without_an_id_the_revision_tells() -> None:
    assert news("rollout", service(OURS), deployment=None) == "complete"
    assert news("rollout", service(BEFORE), deployment=None) == "rolled_back_by_ecs"


def test_ecs_may_go_back_past_what_was_primary() -> None:
    """To its last completed deployment, if the one before the release was not."""
    known = {"previous_deployments": ("ecs-svc/1", "ecs-svc/0")}
    older = service(deployment(OTHER, id="ecs-svc/0"))
    found = assess(follow(**known), older, seen=True, now=at(100))
    assert found
    assert (found.kind, found.task_definition) == ("rolled_back_by_ecs", OTHER)
    assert findings.of_service_news(found) == Finding(
        kind="rolled_back_by_ecs", reason=found.reason, to=OTHER
    )


def test_the_reasons() -> None:
    back = BEFORE.model_copy(update={"reason": "circuit breaker"})
    order = follow()
    text = assess(order, service(back), seen=True, now=at(1))
    assert text
    assert text.reason == "ECS itself rolled the service back to web:1: circuit breaker"
    text = assess(order, service(STRANGER), seen=True, now=at(1))
    assert text
    assert "ecs-svc/3 with web:3 became PRIMARY: somebody else" in text.reason


deployments = some.builds(
    deployment,
    task_definition=some.sampled_from([OLD, NEW, OTHER]),
    id=some.sampled_from(["ecs-svc/1", "ecs-svc/2", "ecs-svc/3"]),
    status=some.sampled_from(["PRIMARY", "ACTIVE", "INACTIVE"]),
    rollout_state=some.sampled_from([None, "IN_PROGRESS", "COMPLETED", "FAILED"]),
    desired=some.integers(0, 3),
    running=some.integers(0, 3),
    pending=some.integers(0, 3),
)
states = some.lists(deployments, max_size=3).map(lambda some_: service(*some_))


@given(states, some.booleans(), some.integers(0, 300))
def test_complete_is_our_deployment_and_all_its_tasks(
    state: ServiceState, seen: bool, now: int
) -> None:
    if news("rollout", state, seen=seen, now=now) == "complete":
        mine = state.deployment("ecs-svc/2")
        assert mine
        assert mine.status == "PRIMARY"
        assert mine.running >= max(1, mine.desired)
        assert mine.rollout_state in (None, "COMPLETED")
        assert mine.pending == 0
    assert news("window", state, seen=seen, now=now) != "complete"


@given(states)
def test_a_strangers_release_is_never_ours(state: ServiceState) -> None:
    primary = state.primary
    if primary and primary.id == "ecs-svc/3" and state.deployment("ecs-svc/2") is None:
        assert news("rollout", state) == news("window", state) == "superseded"


@pytest.mark.parametrize(
    ("desired", "failed", "breaker", "kind"),
    [
        (1, 2, False, None),
        (1, 3, False, "failed"),
        (13, 6, False, None),
        (13, 7, False, "failed"),
        (1000, 199, False, None),
        (1000, 200, False, "failed"),
        (1, 99, True, None),  # ECS's own breaker decides
    ],
)
def test_tasks_that_fail_in_a_row(
    desired: int, failed: int, breaker: bool, kind: str | None
) -> None:
    moving = deployment(desired=desired, running=0, failed=failed, rollout_state="IN_PROGRESS")
    state = service(moving, desired=desired, circuit_breaker=breaker)
    assert news("rollout", state) == kind
    assert news("window", state) is None


def test_rolled_out() -> None:
    assert is_rolled_out(OURS)
    assert is_rolled_out(deployment(running=3))
    assert not is_rolled_out(MOVING)
    assert not is_rolled_out(deployment(desired=0, running=0))


# --- Answers from the past, later on -----------------------------------------------------------


def said(kind: str, moment: float, ident: str | None = "ecs-svc/1") -> ServiceNews:
    return ServiceNews.model_validate(
        {"kind": kind, "reason": "x", "at": at(moment), "deployment": ident}
    )


@pytest.mark.parametrize("kind", ["rolled_back_by_ecs", "superseded", "gone", "failed"])
def test_a_displacement_must_last(kind: str) -> None:
    order = follow()
    first = doubt(order, said(kind, 0), None)
    assert first == said(kind, 0)
    second = doubt(order, said(kind, 3), first)
    assert second == first
    assert doubt(order, said(kind, 5), second) is None
    # Seen in between as it was: from the beginning.
    assert doubt(order, None, first) is None
    # Another one than the last time: from the beginning.
    assert doubt(order, said(kind, 5, "ecs-svc/7"), first) == said(kind, 5, "ecs-svc/7")


@pytest.mark.parametrize(
    "told",
    [said("complete", 0), said("scaled_to_zero", 0), said("failed", 0, "ecs-svc/2"), None],
)
def test_what_our_own_deployment_says_is_believed(told: ServiceNews | None) -> None:
    assert doubt(follow(), told, None) is None


# --- The end and the words ---------------------------------------------------------------------


def glance(**keys: Any) -> ServiceGlance:
    counts = {"text": "1 of 2", "running": 1, "desired": 2, "pending": 1, "failed": 0}
    return ServiceGlance.model_validate({**counts, "seen": True, **keys})


@pytest.mark.parametrize(
    ("goal", "kind"),
    [("rollout", "stuck"), ("steady", "stuck"), ("window", "quiet"), ("standing", "quiet")],
)
def test_the_end_without_news(goal: str, kind: str) -> None:
    end = at_the_end(follow(goal), glance(), at(300))
    assert (end.kind, end.at) == (kind, at(300))
    assert "1 of 2" in end.reason
    assert "5m" in end.reason or kind == "quiet"


@pytest.mark.parametrize("goal", ["rollout", "steady", "window"])
def test_an_end_that_cannot_be_read_is_neither_stuck_nor_fine(goal: str) -> None:
    end = at_the_end(follow(goal), glance(text="ECS cannot be read", readable=False), at(300))
    assert end.kind == "unreadable"
    assert "ECS cannot be read" in end.reason


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "the service does not exist"),
        (service(), "no deployment"),
        (service(OURS), "2 of 2 tasks running"),
        (service(MOVING, LEAVING), "1 of 2 tasks running, 1 pending; 1 old ones still serve"),
        (service(deployment(running=0, failed=3)), "0 of 2 tasks running, 3 failed"),
        (service(BEFORE), "2 of 2 tasks running"),
    ],
)
def test_in_words(state: ServiceState | None, text: str) -> None:
    assert in_words(follow(), state) == text


@pytest.mark.parametrize(
    ("desired", "failed", "running", "breaker", "kind"),
    [
        (2, 3, 0, False, "failed"),
        (2, 2, 0, False, None),  # fewer than ECS's own breaker would count
        (10, 4, 0, False, None),
        (10, 5, 0, False, "failed"),
        (800, 200, 0, False, "failed"),
        (2, 3, 1, False, None),  # some task runs: not all of them fail
        (2, 3, 0, True, None),  # ECS acts itself
    ],
)
def test_tasks_that_keep_failing_end_the_rollout_where_ecs_would_not(
    desired: int, failed: int, running: int, breaker: bool, kind: str | None
) -> None:
    failing = deployment(
        rollout_state="IN_PROGRESS", desired=desired, running=running, failed=failed
    )
    state = service(failing, LEAVING).model_copy(update={"circuit_breaker": breaker})
    assert news("rollout", state) == kind
    assert news("window", state) is None
