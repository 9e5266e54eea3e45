"""How verdicts combine, and what a polled trigger's window says."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Tally, WatchedTrigger, WatchReport
from lastgood.decisions.verdicts import (
    conclude,
    first_of,
    remembered,
    said_by,
    to_verify,
    with_keys,
    worst,
)
from lastgood.model import Status, Verdict
from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger
from tests.decisions.made import T0, at, error_rate, tally, verdict, watched

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
    fired = b.model_copy(update={"record": "long"})
    told = with_keys(report.model_copy(update={"fired": fired}))
    assert told.fired
    assert (told.fired.key, told.fired.record) == ("1 alarm", "long")


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


@pytest.mark.parametrize(
    ("limit", "error", "status"), [(None, 20, GOOD), (5, 5, GOOD), (5, 6, UNSURE), (0, 1, UNSURE)]
)
def test_too_many_errors_are_inconclusive(limit: int | None, error: int, status: Status) -> None:
    trigger = AlarmTrigger(alarm="x", error_limit=limit)
    seen = tally(latest="denied", healthy=40, error=error)
    verdict = conclude(seen, trigger, 60, T0)
    assert (verdict.status, verdict.trigger) == (status, "alarm")
    if status is UNSURE:
        said = f"{error} measurements of alarm failed, and error_limit is {limit}. Last: denied"
        assert verdict.reason == said


# --- Dry runs ----------------------------------------------------------------------------------


DRY = error_rate(dry_run=True)


def dry(status: Status, moment: float = 0) -> Verdict:
    return said_by(DRY, verdict(status, moment=moment))


def test_a_dry_run_is_never_the_worst() -> None:
    assert worst([dry(BAD), verdict(GOOD), dry(UNSURE)]) == verdict(GOOD)
    assert worst([dry(BAD)]) is None


def test_a_dry_run_ends_no_watch() -> None:
    assert first_of([None, dry(BAD), verdict(BAD, moment=1)]) == verdict(BAD, moment=1)
    assert first_of([None, dry(BAD)]) is None


def test_a_verdict_says_what_its_trigger_does() -> None:
    loud = said_by(error_rate(severity="warning"), verdict(BAD))
    assert (loud.dry_run, loud.severity, loud.reason) == (False, "warning", verdict(BAD).reason)
    once = said_by(DRY, verdict(BAD))
    assert once.reason == f"dry run: {verdict(BAD).reason}"
    assert said_by(DRY, once) == once
    assert said_by(error_rate(), verdict(BAD)) == verdict(BAD)


def looks(*rounds: tuple[Verdict | None, Verdict | None], **keys: float) -> Tally:
    """Looks in a row, each with what is failing and what is concluded."""
    (seen,) = (Tally(key="0"),)
    for n, (failing, conclusion) in enumerate(rounds):
        seen = seen.model_copy(
            update={"failing": failing, "conclusion": conclusion, "latest": "error-rate 1.0 %"}
        )
        (seen,) = remembered(
            (watched(DRY),),
            (seen,),
            now=at(60 * n),
            not_before=at(keys["not_before"]) if "not_before" in keys else None,
        )
    return seen


def test_the_first_time_that_it_would_have_fired_is_its_last_word() -> None:
    good, first, later = verdict(GOOD, moment=180), verdict(BAD, moment=60), verdict(BAD, moment=99)
    seen = looks((None, None), (first, None), (later, None), (None, good))
    assert seen.would
    assert seen.conclusion == seen.would
    assert (seen.would.status, seen.would.dry_run, seen.would.at) == (BAD, True, at(60))
    assert seen.would.reason == (
        "dry run: would have rolled back at 12:01 UTC: error-rate says fail"
    )
    assert seen.latest == ("dry run: would have rolled back at 12:01 UTC; now error-rate 1.0 %")
    assert seen.failing is None
    assert conclude(seen, DRY, 60, T0) == seen.would  # also of a watch that was given up


def test_a_dry_run_that_would_not_have_fired() -> None:
    seen = looks((None, None), (None, verdict(UNSURE)))
    assert seen.would is None
    assert seen.conclusion
    assert (seen.conclusion.dry_run, seen.conclusion.status) == (True, UNSURE)
    assert seen.latest == "dry run: error-rate 1.0 %"


def test_during_a_cooldown_it_would_not_have_fired_yet() -> None:
    assert looks((verdict(BAD), None), not_before=60).would is None
    assert looks((verdict(BAD), None), (verdict(BAD), None), not_before=60).would


def test_other_triggers_remember_nothing() -> None:
    seen = Tally(key="0", failing=verdict(BAD), latest="x")
    assert remembered((watched(error_rate()),), (seen,), now=T0) == (seen,)
    (marked,) = remembered((watched(error_rate(severity="warning")),), (seen,), now=T0)
    assert marked.failing
    assert (marked.failing.severity, marked.would) == ("warning", None)


def test_a_dry_run_that_was_cut_short_is_told() -> None:
    would = dry(BAD)
    cut = Tally(key="0 error-rate", would=would)
    whole = Tally(key="1 error-rate", would=would, conclusion=would)
    told = with_keys(WatchReport(verdicts=(would,), tallies=(cut, whole)))
    assert [one.key for one in told.verdicts] == ["1 error-rate", "0 error-rate"]


def test_a_dry_run_is_not_verified() -> None:
    health = WatchedTrigger(key="2 health-check", trigger=HealthCheckTrigger(dry_run=True))
    assert to_verify((health, *TRIGGERS), None) == (HEALTH,)
