"""Cooldown and rollback limit."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Limits
from lastgood.decisions.limits import Remedy, cooldown_ends, counted, decide
from lastgood.policy import RollbackPolicy
from tests.decisions.made import at, record, seconds

HOUR = 3600


def policy(**keys: Any) -> RollbackPolicy:
    return RollbackPolicy.model_validate({"cooldown": "5m", "per": "24h", **keys})


def limits(*started_and_finished: tuple[float, float | None], reset: float | None = None) -> Limits:
    return Limits(
        rollbacks=tuple(record(*one) for one in started_and_finished),
        counted_from=None if reset is None else at(reset),
    )


def remedy(
    done: Limits, now: float, *, by_operator: bool = False, target: bool = True, **keys: Any
) -> Remedy:
    return decide(done, policy(**keys), by_operator=by_operator, has_target=target, now=at(now))


THREE = limits((0, 60), (HOUR, HOUR + 60), (2 * HOUR, 2 * HOUR + 60))


@pytest.mark.parametrize(
    ("done", "now", "keys", "do"),
    [
        (limits(), 0, {}, "roll_back"),
        (limits((0, 60)), 61, {}, "wait"),
        (limits((0, 60)), 359.9, {}, "wait"),
        (limits((0, 60)), 360, {}, "roll_back"),  # five minutes after its end, not its begin
        (limits((0, None)), 299, {}, "wait"),
        (limits((0, None)), 300, {}, "roll_back"),
        (limits((0, 60)), 61, {"cooldown_then": "hold"}, "hold"),
        (limits((0, 60)), 61, {"cooldown": "0s"}, "roll_back"),
        (limits((0, 60)), 61, {"enabled": False}, "hold"),
        (limits(), 0, {"max_rollbacks": 0}, "hold"),
        (THREE, 3 * HOUR, {}, "hold"),
        (THREE, 3 * HOUR, {"max_rollbacks": 4}, "roll_back"),
        (THREE, 24 * HOUR - 1, {}, "hold"),
        (THREE, 24 * HOUR, {}, "roll_back"),  # the first one no longer counts
        (THREE, 2 * HOUR + 61, {}, "hold"),  # the limit is said before the cooldown
        (limits((0, 60), reset=30), 61, {}, "roll_back"),
        (limits((0, 60), reset=0), 61, {}, "roll_back"),
        (limits((0, 60), (100, 160), reset=50), 161, {}, "wait"),
    ],
)
def test_automatic_rollbacks(done: Limits, now: float, keys: dict[str, Any], do: str) -> None:
    assert remedy(done, now, **keys).do == do


def test_words() -> None:
    wait = remedy(limits((0, 60)), 61)
    assert (wait.until, "4m59s more" in wait.reason) == (at(360), True)
    assert "3 rollbacks within 24h (at most 3)" in remedy(THREE, 3 * HOUR).reason
    assert "1s more" in remedy(limits((0, 60)), 359.9).reason
    assert "forbids" in remedy(limits(), 0, enabled=False).reason
    assert "nothing to go back" in remedy(limits(), 0, target=False).reason.replace(
        "no revision", "nothing"
    )


@pytest.mark.parametrize("target", [True, False])
@pytest.mark.parametrize("keys", [{}, {"enabled": False}, {"max_rollbacks": 0}])
def test_an_operator_is_never_limited(keys: dict[str, Any], target: bool) -> None:
    do = "roll_back" if target else "hold"
    assert remedy(THREE, 2 * HOUR + 61, by_operator=True, target=target, **keys).do == do


def test_an_operators_rollback_is_counted() -> None:
    done = Limits(rollbacks=(record(0, 60, actor="ada", trigger="manual"),))
    assert len(counted(done, policy(), at(61))) == 1
    assert remedy(done, 61).do == "wait"


def test_a_reset_lifts_both() -> None:
    lifted = THREE.model_copy(update={"counted_from": at(2 * HOUR + 30)})
    assert counted(lifted, policy(), at(3 * HOUR)) == ()
    assert cooldown_ends(lifted, policy(), at(2 * HOUR + 61)) is None


@given(
    some.lists(some.tuples(some.integers(0, 4000), some.integers(0, 600)), max_size=60),
    some.integers(0, 3),
    some.integers(0, 400),
    some.integers(400, 3000),
    some.integers(0, 4000),
)
def test_following_the_remedy_keeps_both_limits(
    wishes: list[tuple[int, int]], most: int, cooldown: int, per: int, reset: int
) -> None:
    """I3: at most so many in a period, and at least the cooldown apart; without a reset."""
    rules = policy(max_rollbacks=most, cooldown=f"{cooldown}s", per=f"{per}s")
    done = Limits()
    free = 0
    for moment, takes in sorted(wishes):
        now = max(moment, free)
        wanted = decide(done, rules, by_operator=False, has_target=True, now=at(now))
        if wanted.do == "wait":
            assert wanted.until
            assert wanted.until > at(now)
            assert decide(done, rules, by_operator=False, has_target=True, now=wanted.until).do in (
                "roll_back",
                "hold",
            )
        if wanted.do == "roll_back":
            done = Limits(rollbacks=(*done.rollbacks, record(now, now + takes)))
            free = now + takes
    for one, other in zip(done.rollbacks, done.rollbacks[1:], strict=False):
        assert one.finished_at
        assert other.started_at - one.finished_at >= seconds(cooldown)
    for last in done.rollbacks:
        within = [
            r
            for r in done.rollbacks
            if last.started_at - seconds(per) < r.started_at <= last.started_at
        ]
        assert len(within) <= most
