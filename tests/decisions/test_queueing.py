"""Which releases are let into a guard's queue, and which end what is before them."""

from typing import Any

import pytest

from lastgood.contracts import ReleaseOrder
from lastgood.decisions import queueing
from tests.decisions.made import T0
from tests.decisions.test_guarding import EMPTY, current, order, result


@pytest.mark.parametrize(
    ("on_busy", "known", "busy", "refused"),
    [
        ("queue", None, True, False),
        ("supersede", None, True, False),
        ("reject", None, True, True),
        ("reject", None, False, False),
        ("reject", result("b"), True, False),  # the same release is the same release
    ],
)
def test_what_is_refused(on_busy: str, known: Any, busy: bool, refused: bool) -> None:
    why = queueing.refuse_release(
        order("b", on_busy), known=known, busy="a" if busy else None, frozen=None, now=T0
    )
    assert bool(why) == refused
    assert not why or "Release a is under way" in why


HEAVY = order("f").model_copy(update={"task_definition_source": {"family": "w" * 256_000}})


@pytest.mark.parametrize(
    ("queue", "release", "room"),
    [
        ((order("a"),) * (queueing.LONGEST_QUEUE - 1), order("b"), True),
        ((order("a"),) * queueing.LONGEST_QUEUE, order("b"), False),
        ((), HEAVY, True),
        ((HEAVY,), HEAVY, True),
        ((HEAVY, HEAVY), order("b"), True),
        ((HEAVY, HEAVY), HEAVY, False),
    ],
)
def test_a_queue_has_an_end(
    queue: tuple[ReleaseOrder, ...], release: ReleaseOrder, room: bool
) -> None:
    asked = {"busy": "a", "frozen": None, "now": T0, "queue": queue}

    why = queueing.refuse_release(release, known=None, **asked)

    assert (why is None) is room
    assert why is None or f"{len(queue)} releases wait already" in why
    known = current(release.id)
    assert queueing.refuse_release(release, known=known, **asked) is None


@pytest.mark.parametrize(
    ("queue", "under_way", "held", "looked_at", "found"),
    [
        ("q q", True, False, "", None),
        ("q q", True, True, "", "0"),
        ("q q", True, True, "0", None),  # it is told already
        ("q s", True, False, "", "1"),
        ("s s", True, False, "0", "1"),
        ("s", True, False, "", "0"),
        ("s", False, False, "", None),  # there is nothing before it
        ("q s", False, False, "", "1"),
    ],
)
def test_who_in_the_queue_would_end_what_is_before_it(
    queue: str, under_way: bool, held: bool, looked_at: str, found: str | None
) -> None:
    on_busy = {"q": "queue", "s": "supersede"}
    orders = [order(str(n), on_busy[one]) for n, one in enumerate(queue.split())]
    state = EMPTY.model_copy(update={"queue": tuple(orders)})

    who = queueing.newcomer(state, under_way=under_way, held=held, looked_at=looked_at)

    assert (who.id if who else None) == found
    if who:
        assert queueing.before(state, who) == orders[: int(who.id)]
