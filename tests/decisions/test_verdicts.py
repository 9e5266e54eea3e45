"""How verdicts combine, and what a polled trigger's window says."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.decisions.verdicts import conclude, worst
from lastgood.model import Status
from tests.decisions.made import T0, tally, verdict

GOOD, BAD, UNSURE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE
RANK = [GOOD, UNSURE, BAD]


def test_nothing_is_no_verdict() -> None:
    assert worst([]) is None


@given(some.lists(some.tuples(some.sampled_from(RANK), some.integers(0, 9)), min_size=1))
def test_the_worst_counts_then_the_earliest(given: list[tuple[Status, int]]) -> None:
    result = worst(verdict(status, moment=moment) for status, moment in given)
    assert result
    assert result.status == max((status for status, _ in given), key=RANK.index)
    same = [moment for status, moment in given if status == result.status]
    assert result.at == verdict(GOOD, moment=min(same)).at


def test_the_order_changes_nothing() -> None:
    three = [verdict(GOOD, moment=0), verdict(BAD, moment=2), verdict(UNSURE, moment=1)]
    assert {str(worst(order)) for order in permutations(three)} == {str(three[1])}


@pytest.mark.parametrize(
    ("healthy", "unhealthy", "no_data", "error", "expected", "status"),
    [
        (60, 0, 0, 0, 60, GOOD),
        (30, 0, 30, 0, 60, GOOD),
        (30, 0, 0, 30, 60, GOOD),
        (29, 0, 31, 0, 60, UNSURE),
        (0, 0, 60, 0, 60, UNSURE),
        (0, 0, 0, 60, 60, UNSURE),
        (0, 0, 0, 0, 60, UNSURE),
        (0, 0, 0, 0, 0, UNSURE),
        (1, 0, 0, 0, 0.5, GOOD),
        (58, 2, 0, 0, 60, GOOD),
        (30, 30, 0, 0, 60, GOOD),
        (20, 40, 0, 0, 60, UNSURE),  # two of three failed, though never three in a row
    ],
)
def test_what_a_window_says(
    healthy: int, unhealthy: int, no_data: int, error: int, expected: float, status: Status
) -> None:
    seen = tally(
        latest="answered 200",
        healthy=healthy,
        unhealthy=unhealthy,
        no_data=no_data,
        error=error,
    )
    verdict = conclude(seen, "health-check", expected, T0)
    assert (verdict.status, verdict.trigger, verdict.at) == (status, "health-check", T0)
    assert "answered 200" in verdict.reason


@given(some.integers(0, 99), some.integers(0, 99), some.integers(0, 99))
def test_no_data_and_errors_never_help(healthy: int, no_data: int, error: int) -> None:
    full = conclude(tally(healthy=healthy), "alarm", 60, T0)
    less = conclude(tally(healthy=healthy, no_data=no_data, error=error), "alarm", 60, T0)
    assert less.status is full.status is not BAD
