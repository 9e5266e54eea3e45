"""What missing data means to the rule of a duration, and what is above."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import Tally
from lastgood.decisions import thresholds
from lastgood.decisions.series import Point
from lastgood.model import Reading, Status, Verdict
from tests.decisions.made import T0, at, error_rate, points, tally, watched

BAD, GOOD, NONE = 0.4, 0.01, None
TREATMENTS = ("inconclusive", "breaching", "not_breaching", "ignore")


def rule(missing_data: str, **keys: Any) -> Any:
    return error_rate(**{"duration": "6m", "missing_data": missing_data, **keys})


def look(
    *values: float | None, trigger: Any, now: float | None = None, extra: tuple[Point, ...] = ()
) -> Tally:
    series = (*points(*values, period=60), *extra)
    end = 60 * len(values) if now is None else now
    return thresholds.look(watched(trigger), tally(), series, since=T0, now=at(end))


def conclude(*values: float | None, trigger: Any, until: float = 1200, **keys: Any) -> Verdict:
    series = (*points(*values, period=60), *keys.pop("extra", ()))
    return thresholds.conclude_metric(
        watched(trigger),
        tally(latest="x", **keys),
        series,
        since=T0,
        covers_from=T0,
        until=at(until),
    )


@pytest.mark.parametrize(
    ("values", "fires"),
    [
        # inconclusive, breaching, not_breaching, ignore
        ([BAD, BAD, BAD, BAD, BAD, BAD], (True, True, True, True)),
        ([GOOD, GOOD, GOOD, GOOD, GOOD, GOOD], (False, False, False, False)),
        ([BAD, NONE, BAD, NONE, BAD, BAD], (True, True, True, True)),
        ([BAD, BAD, NONE, NONE, BAD, BAD], (False, True, False, True)),
        ([NONE, NONE, NONE, NONE, BAD, BAD], (False, True, False, False)),  # two datapoints
        ([NONE, NONE, NONE, NONE, GOOD, GOOD], (False, False, False, False)),
        ([GOOD, NONE, BAD, BAD, BAD, BAD], (False, False, False, False)),
    ],
)
def test_what_fires(values: list[float | None], fires: tuple[bool, ...]) -> None:
    seen = [bool(look(*values, trigger=rule(treatment)).failing) for treatment in TREATMENTS]
    assert tuple(seen) == fires


def test_a_release_that_never_has_data() -> None:
    seen = {treatment: look(trigger=rule(treatment), now=900) for treatment in TREATMENTS}
    assert [bool(one.failing) for one in seen.values()] == [False, True, False, False]
    assert [one.reading for one in seen.values()] == [
        Reading.NO_DATA,
        Reading.UNHEALTHY,
        Reading.HEALTHY,
        Reading.NO_DATA,
    ]
    assert [one.recovered for one in seen.values()] == [False, False, True, False]
    failing = seen["breaching"].failing
    assert failing
    assert failing.reason == (
        "error-rate has had no data for 6m, which counts as a breach (threshold 5.0 %)"
    )
    assert failing.value is None
    assert seen["not_breaching"].latest == "error-rate has no data now, which counts as fine"


def test_some_missing_are_told() -> None:
    failing = look(BAD, BAD, NONE, NONE, BAD, BAD, trigger=rule("breaching")).failing
    assert failing
    assert failing.reason == (
        "error-rate 40.0 % over 6m (threshold 5.0 %); 2 of 6 datapoints are missing, "
        "which counts as bad"
    )


def test_cloudwatch_has_three_minutes_before_a_bucket_is_missing() -> None:
    trigger = rule("breaching", duration="60s")
    assert not look(GOOD, trigger=trigger, now=60 * 6.9).failing
    assert look(GOOD, trigger=trigger, now=60 * 7).failing


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_a_number_that_cannot_be_is_neither_bad_nor_fine(treatment: str) -> None:
    broken = tuple(Point(start=at(60 * n), value=None, problem="it is negative") for n in range(20))
    seen = look(trigger=rule(treatment), now=1200, extra=broken)
    assert (seen.reading, seen.failing, seen.recovered) == (Reading.ERROR, None, False)
    assert conclude(trigger=rule(treatment), extra=broken).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("values", "passes"),
    [
        ([GOOD] * 20, (True, True, True, True)),
        ([], (False, True, True, True)),  # breaching: it has fired long before
        ([GOOD] * 9, (False, True, True, True)),
        ([GOOD, NONE, NONE] * 6, (False, True, True, True)),
    ],
)
def test_what_a_window_needs(values: list[float | None], passes: tuple[bool, ...]) -> None:
    said = [conclude(*values, trigger=rule(treatment)) for treatment in TREATMENTS]
    assert tuple(one.status is Status.PASS for one in said) == passes
    assert ("the policy ignores missing data" in said[3].reason) == (len(values) < 20)


@given(some.lists(some.sampled_from([BAD, GOOD, NONE]), max_size=20), some.sampled_from(TREATMENTS))
def test_no_data_is_good_only_where_the_policy_says_so(
    values: list[float | None], treatment: str
) -> None:
    trigger = rule(treatment, duration="3m")
    seen, verdict = look(*values, trigger=trigger, now=1200), conclude(*values, trigger=trigger)
    if all(value is NONE for value in values):
        assert seen.recovered == (treatment == "not_breaching")
        assert bool(seen.failing) == (treatment == "breaching")
        if treatment == "inconclusive":
            assert verdict.status is Status.INCONCLUSIVE
    if treatment != "breaching" and BAD not in values:
        assert not seen.failing


@given(some.lists(some.sampled_from([BAD, GOOD]), min_size=6, max_size=20))
def test_where_nothing_is_missing_all_treatments_say_the_same(values: list[float]) -> None:
    seen = {str(look(*values, trigger=rule(treatment)).failing) for treatment in TREATMENTS}
    assert len(seen) == 1


# --- What is above -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compare", "value", "fires"),
    [(">", 0.05, False), (">", 0.051, True), (">=", 0.05, True), (">=", 0.049, False)],
)
def test_what_equals_the_threshold_is_the_policys(compare: str, value: float, fires: bool) -> None:
    trigger = error_rate(duration="3m", compare=compare)
    seen = look(value, value, value, trigger=trigger)
    assert bool(seen.failing) == fires
    assert seen.recovered == (not fires)


def test_it_is_said_in_words() -> None:
    trigger = error_rate(duration="3m", compare=">=")
    assert "was never at or above 5.0 % for 3m" in conclude(*[GOOD] * 20, trigger=trigger).reason


# --- Errors of the monitoring ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "errors", "passes"), [(None, 99, True), (5, 5, True), (5, 6, False), (0, 1, False)]
)
def test_too_many_errors_are_inconclusive(limit: int | None, errors: int, passes: bool) -> None:
    verdict = conclude(*[GOOD] * 20, trigger=rule("ignore", error_limit=limit), error=errors)
    assert (verdict.status is Status.PASS) == passes
    if not passes:
        said = f"{errors} measurements of error-rate failed, and error_limit is {limit}. Last: x"
        assert verdict.reason == said
