"""How verdicts combine, and what a polled trigger's window says."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Tally, WatchedTrigger, WatchReport
from lastgood.decisions.verdicts import conclude, to_verify, with_keys, worst
from lastgood.model import Status
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger
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


def named(key: str, name: str, *, muted: bool = False) -> WatchedTrigger:
    alarm = AlarmTrigger.model_validate({"alarm": name})
    return WatchedTrigger(key=key, trigger=alarm, muted_until_ok=muted)


HEALTH = WatchedTrigger(key="2 health-check", trigger=HealthCheckTrigger())
TRIGGERS = (named("0 alarm", "a"), named("1 alarm", "b", muted=True), HEALTH)


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("0 alarm", ["0 alarm", "2 health-check"]),
        ("1 alarm", ["1 alarm", "2 health-check"]),  # it was OK meanwhile, or would not have fired
        (None, ["0 alarm", "2 health-check"]),  # which one is not known
    ],
)
def test_what_must_be_good_again(key: str | None, keys: list[str]) -> None:
    fired = verdict(trigger="alarm").model_copy(update={"key": key})
    wanted = to_verify(TRIGGERS, fired)
    assert [one.key for one in wanted] == keys
    assert not any(one.muted_until_ok for one in wanted)
    assert to_verify(TRIGGERS, None) == (HEALTH,)


def test_verdicts_are_named_by_the_trigger_that_said_them() -> None:
    a, b = verdict(moment=1), verdict(moment=2)
    report = WatchReport(
        fired=b,
        verdicts=(a, b),
        tallies=(Tally(key="0 alarm", conclusion=a), Tally(key="1 alarm", failing=b, conclusion=b)),
    )
    told = with_keys(report)
    assert told.fired
    assert told.fired.key == "1 alarm"
    assert [one.key for one in told.verdicts] == ["0 alarm", "1 alarm"]
    assert with_keys(WatchReport(fired=a)).fired == a


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
