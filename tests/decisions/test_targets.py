"""What to go back to."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Quarantined, TaskDefinitionState
from lastgood.decisions.targets import (
    STEADY,
    choose,
    choose_for_operator,
    copy_in,
    images_of,
    is_steady,
    revision_of,
    why_not_steady,
)
from lastgood.model import ContainerImage, ServiceState
from tests.decisions.made import ARN, NEW, OLD, T0, deployment, revision, service

CALM = service(deployment(OLD))
BUSY = service(deployment(OLD, rollout_state="IN_PROGRESS", running=1))
FAILED = service(deployment(OLD, rollout_state="FAILED", running=0, reason="tasks died"))
MOVING = service(deployment(OLD), deployment(NEW, id="x", status="ACTIVE", running=1))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (CALM, ""),
        (service(deployment(OLD, rollout_state=None)), ""),
        (service(deployment(OLD), deployment(NEW, id="x", status="INACTIVE", running=0)), ""),
        (service(deployment(OLD, running=3)), ""),
        (service(deployment(OLD), desired=3), "2 of 3 tasks run, 0 are pending"),
        (service(deployment(OLD, pending=1)), "2 of 2 tasks run, 1 are pending"),
        (BUSY, "its last rollout is not complete"),
        (FAILED, "its last rollout failed: tasks died"),
        (MOVING, "a rollout is in progress"),
        (service(), "it has no PRIMARY deployment"),
    ],
)
def test_steady(state: ServiceState, why: str) -> None:
    assert is_steady(state) == (why == "")
    if why:
        assert why_not_steady(state) == why


@pytest.mark.parametrize(
    "state",
    [
        service(deployment(OLD), status="DRAINING"),
        service(deployment(OLD, desired=0, running=0), desired=0),
    ],
)
def test_nothing_that_ends_or_has_no_tasks_is_steady(state: ServiceState) -> None:
    assert not is_steady(state)


@pytest.mark.parametrize(
    ("state", "good", "unproven", "target", "why"),
    [
        (CALM, (), (), 1, "runs steadily before this release"),
        (CALM, (1,), (), 1, "runs and is known to be good."),
        (BUSY, (1,), (), 1, "known to be good, though not steady now: its last rollout is not"),
        (FAILED, (1, 5), (), 1, "though not steady now"),
        (CALM, (5,), (), 1, "runs steadily"),  # what users had, though we know an older good one
        (CALM, (5, 4), (OLD,), 5, "never proved good"),
        (CALM, (), (OLD,), None, "never proved good"),
        (BUSY, (5,), (), 5, "is not steady: its last rollout is not complete"),
        (MOVING, (), (), None, "a rollout is in progress"),
        (FAILED, (), (), None, "its last rollout failed: tasks died"),
        (FAILED, (5,), (OLD,), 5, "never proved good"),
    ],
)
def test_the_target(
    state: ServiceState,
    good: tuple[int, ...],
    unproven: tuple[str, ...],
    target: int | None,
    why: str,
) -> None:
    choice = choose(state, revision(1), tuple(revision(n) for n in good), unproven)
    assert (choice.target.task_definition if choice.target else None) == (
        ARN.format(target) if target else None
    )
    assert why in choice.reason


@pytest.mark.parametrize(
    ("digest", "good", "target"),
    [
        ("sha256:bad", (5,), 5),
        ("sha256:bad", (), None),
        (None, (5,), 5),  # nobody knows what the tag meant
        ("sha256:fixed", (5,), 1),
        ("sha256:bad", (1, 5), 1),  # proven since
    ],
)
def test_an_image_that_was_rolled_back_and_that_somebody_brought_again_is_no_target(
    digest: str | None, good: tuple[int, ...], target: int | None
) -> None:
    image = ContainerImage(container="app", image="app:2", digest=digest)
    bad = Quarantined(image="app:2", digest="sha256:bad", release="r", at=T0, reason="5xx")
    known = tuple(revision(n) for n in good)

    choice = choose(CALM, revision(1, images=(image,)), known, (), (bad,))

    assert (choice.target and choice.target.label) == (f"web:{target}" if target else None)
    assert ("has an image that was rolled back (app:2)" in choice.reason) == (target != 1)


def test_what_ran_steadily_is_marked_as_such() -> None:
    choice = choose(CALM, revision(1), (), ())
    assert choice.target
    assert choice.target.proven == STEADY


numbers = some.integers(1, 6)


@given(
    some.sampled_from([CALM, BUSY, FAILED, MOVING, service()]),
    numbers,
    some.lists(numbers, unique=True),
    some.sets(numbers),
)
def test_never_an_unproven_revision_and_never_a_made_up_one(
    state: ServiceState, running: int, good: list[int], bad: set[int]
) -> None:
    known = tuple(revision(n) for n in good if n not in bad)
    unproven = tuple(ARN.format(n) for n in bad)
    choice = choose(state, revision(running), known, unproven)
    if choice.target:
        assert choice.target.task_definition not in unproven
        assert choice.target.task_definition in {
            ARN.format(running),
            *(one.task_definition for one in known),
        }
        if choice.target.task_definition not in {one.task_definition for one in known}:
            assert is_steady(state)
    else:
        assert not known


@pytest.mark.parametrize(
    ("good", "to", "target", "why"),
    [
        ((1, 2, 3), None, 2, "newest good revision other than"),
        ((2, 1), None, 2, "newest good"),
        ((1,), None, None, "Name one"),
        ((), None, None, "Name one"),
        ((2,), 7, 7, "named by the operator"),
        ((2,), 1, None, "already what the service runs"),
    ],
)
def test_an_operators_target(
    good: tuple[int, ...], to: int | None, target: int | None, why: str
) -> None:
    known = tuple(revision(n) for n in good)
    choice = choose_for_operator(known, ARN.format(1), revision(to) if to else None)
    assert (choice.target and choice.target.task_definition) == (
        ARN.format(target) if target else None
    )
    assert why in choice.reason


def test_a_revision_keeps_all_that_brings_it_back() -> None:
    source = {"family": "web", "containerDefinitions": [{"name": "app", "image": "shop:1"}, {}]}
    read = TaskDefinitionState(task_definition=OLD, active=True, source=source)
    kept = revision_of(read, proven=STEADY, at=T0)
    assert (kept.source, kept.proven, kept.proven_at, kept.label) == (source, STEADY, T0, "web:1")
    assert [(one.container, one.image) for one in kept.images] == [("app", "shop:1"), ("", "")]
    assert revision_of(read, proven=None, at=T0).proven_at is None
    assert images_of({}) == images_of({"containerDefinitions": "x"}) == ()


def test_an_operators_second_rollback_goes_further_back_than_the_copy_that_runs() -> None:
    """What runs may be a copy of a good revision, with its images named by digest."""
    good = (revision(2), revision(1))
    copy = revision(7, copy_of=revision(2).task_definition)
    choice = choose_for_operator(good, copy.task_definition, None, copy_of=copy.copy_of)
    assert choice.target == revision(1)
    again = choose_for_operator((copy, *good), revision(2).task_definition, None)
    assert again.target == revision(1)
    named = choose_for_operator(good, copy.task_definition, revision(2), copy_of=copy.copy_of)
    assert named.target is None


@pytest.mark.parametrize(("cpu", "copy"), [("256", OLD), ("1024", None)])
def test_a_revision_that_somebody_made_from_our_copy_is_no_copy(cpu: str, copy: str | None) -> None:
    def source(image: str, cpu: str) -> dict[str, object]:
        return {"cpu": cpu, "containerDefinitions": [{"name": "app", "image": image}]}

    original = revision(1, source=source("app:1", "256"))
    running = revision(7, source=source("app:1@sha256:1", cpu), copy_of=OLD)

    assert copy_in(running, (original,)) == copy
    assert copy_in(running, ()) == OLD
