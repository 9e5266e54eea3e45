"""From CloudWatch's series to points."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.decisions.series import (
    ceil_to,
    delay_of,
    floor_to,
    from_counts,
    from_values,
    is_awaited,
    summed,
    worst_of,
)
from tests.decisions.made import T0, at, seconds

moments = some.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001 - bounds are naive by contract
periods = some.sampled_from([1, 5, 10, 20, 30, 60, 300, 3600]).map(seconds)
anything = some.floats(allow_nan=True, allow_infinity=True)
at_times = some.integers(0, 20).map(lambda n: at(60 * n))


@pytest.mark.parametrize(
    ("second", "period", "floor", "ceil"),
    [
        (0, 60, 0, 0),
        (0.001, 60, 0, 60),
        (59.999, 60, 0, 60),
        (60, 60, 60, 60),
        (61, 10, 60, 70),
        (299, 300, 0, 300),
    ],
)
def test_buckets(second: float, period: float, floor: float, ceil: float) -> None:
    assert floor_to(at(second), seconds(period)) == at(floor)
    assert ceil_to(at(second), seconds(period)) == at(ceil)


@given(moments, periods)
def test_a_moment_lies_in_its_bucket(moment: datetime, period: timedelta) -> None:
    floor, ceil = floor_to(moment, period), ceil_to(moment, period)
    assert floor <= moment < floor + period
    assert ceil - period < moment <= ceil
    assert floor_to(floor, period) == floor == ceil_to(floor, period)


def test_buckets_are_the_same_in_every_time_zone() -> None:
    there = at(61).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert floor_to(there, seconds(3600)) == T0


@pytest.mark.parametrize(
    ("raw", "scale", "ratio", "value", "problem"),
    [
        (0.08, 1, True, 0.08, None),
        (8.0, 0.01, True, 0.08, None),
        (1.0, 1, True, 1.0, None),
        (0.0, 1, True, 0.0, None),
        (8.0, 1, True, None, "set unit: percent"),
        (-0.1, 1, True, None, "negative"),
        (math.nan, 1, True, None, "not a finite number"),
        (math.inf, 1, True, None, "not a finite number"),
        (-math.inf, 1, False, None, "not a finite number"),
        (1.5, 1000, False, 1500.0, None),
        (86_400_000.0, 1, False, 86_400_000.0, None),
        (86_400_001.0, 1, False, None, "more than a day"),
        (1e308, 1, False, None, "more than a day"),
        (1e308, 1000, False, None, "not a finite number"),
    ],
)
def test_values(
    raw: float, scale: float, ratio: bool, value: float | None, problem: str | None
) -> None:
    [point] = from_values({T0: raw}, scale=scale, ratio=ratio)
    assert point.value == value
    assert (point.problem is None) == (problem is None)
    assert (problem or "") in (point.problem or "")


@given(some.dictionaries(at_times, anything), some.booleans())
def test_a_point_has_a_sound_value_or_a_problem(raw: dict[datetime, float], ratio: bool) -> None:
    series = from_values(raw, scale=1, ratio=ratio)
    assert [point.start for point in series] == sorted(raw)  # nothing added, nothing dropped
    for point in series:
        assert (point.value is None) != (point.problem is None)
        if point.value is not None:
            assert math.isfinite(point.value)
            assert 0 <= point.value <= (1 if ratio else 86_400_000)


@pytest.mark.parametrize(
    ("requests", "errors", "refused", "rate", "weight"),
    [
        (100.0, 8.0, None, 0.08, 100),
        (100.0, None, None, 0.0, 100),  # no error count is 0 where there were requests
        (100.0, 3.0, 2.0, 0.05, 100),
        (None, 3.0, None, 1.0, 3),  # errors without a request count were requests too
        (2.0, 3.0, None, 1.0, 3),
        (0.0, None, None, None, None),  # no requests, no rate
        (None, None, None, None, None),
        (0.0, 0.0, 0.0, None, None),
    ],
)
def test_counts(
    requests: float | None,
    errors: float | None,
    refused: float | None,
    rate: float | None,
    weight: float | None,
) -> None:
    one, two, three = ({T0: n} if n is not None else {} for n in (requests, errors, refused))
    series = from_counts(one, (two, three))
    assert [(point.value, point.weight) for point in series] == (
        [] if rate is None else [(pytest.approx(rate), weight)]
    )


@pytest.mark.parametrize("broken", [math.nan, math.inf, -1.0, 1e308])
def test_counts_that_cannot_be(broken: float) -> None:
    for series in (
        from_counts({T0: broken}, ({}, {})),
        from_counts({T0: 10.0}, ({T0: broken}, {})),
        from_counts({T0: 10.0}, ({}, {T0: broken})),
    ):
        [point] = series
        assert point.value is None
        assert point.problem


@given(
    some.dictionaries(at_times, anything),
    some.dictionaries(at_times, anything),
    some.dictionaries(at_times, anything),
)
def test_counts_never_make_up_a_bucket(
    requests: dict[datetime, float], errors: dict[datetime, float], refused: dict[datetime, float]
) -> None:
    series = from_counts(requests, (errors, refused))
    starts = [point.start for point in series]
    assert starts == sorted(set(starts))
    assert set(starts) <= {*requests, *errors, *refused}
    for point in series:
        assert point.value is None or (0 <= point.value <= 1 and point.weight > 0)


# --- Counts of a load balancer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "errors", "refused", "own", "rate", "weight"),
    [
        (100.0, 2.0, 3.0, 3.0, 0.05, 100),  # each refused one is a 502, too
        (100.0, 2.0, 3.0, None, 0.05, 100),
        (100.0, 2.0, None, 3.0, 0.05, 100),
        (100.0, 2.0, 1.0, 3.0, 0.05, 100),
        (None, None, None, 7.0, 1.0, 7),  # no target was left to choose
        (100.0, None, None, None, 0.0, 100),
    ],
)
def test_a_refused_request_fails_once(
    requests: float | None,
    errors: float | None,
    refused: float | None,
    own: float | None,
    rate: float,
    weight: float,
) -> None:
    given = (requests, errors, refused, own)
    one, two, three, four = ({T0: n} if n is not None else {} for n in given)
    [point] = from_counts(one, (two,), three, four)
    assert (point.value, point.weight) == (pytest.approx(rate), weight)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -1.0, 1e308])
def test_own_errors_that_cannot_be(broken: float) -> None:
    for refused, own in (({T0: broken}, {}), ({}, {T0: broken})):
        [point] = from_counts({T0: 10.0}, ({},), refused, own)
        assert (point.value, bool(point.problem)) == (None, True)


def test_what_cannot_be_used_of_one_group_is_not_hidden_by_another() -> None:
    broken, good = from_counts({T0: -1.0}, ({},)), from_counts({T0: 10.0}, ({T0: 4.0},))
    for groups in ([broken, good], [good, broken]):
        [point] = worst_of(groups)
        assert (point.value, point.problem) == (0.4, "-1 is negative")


def test_sums_make_up_no_bucket() -> None:
    later = T0 + timedelta(seconds=60)
    assert summed([{T0: 1.0}, {T0: 2.0, later: 3.0}, {}]) == {T0: 3.0, later: 3.0}
    assert summed([]) == {}


# --- Datapoints that come late -----------------------------------------------------------------

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("newest", "since", "until", "awaited"),
    [
        (None, 0, 300, True),
        (180, 0, 300, True),
        (240, 0, 300, False),
        (240, 0, 359, False),  # the bucket that is not over does not belong to the window
        (240, 0, 360, True),
        (300, 0, 300, False),
        (None, 270, 300, False),  # no whole bucket
        (None, 240, 300, True),
    ],
)
def test_the_last_whole_bucket_is_awaited(
    newest: float | None, since: float, until: float, awaited: bool
) -> None:
    begin = floor_to(T0, MINUTE)

    def at(second: float) -> datetime:
        return begin + timedelta(seconds=second)

    seen = None if newest is None else at(newest)
    assert is_awaited(seen, MINUTE, since=at(since), until=at(until)) is awaited


def test_how_late_a_datapoint_may_be() -> None:
    assert delay_of(timedelta(minutes=5)) == delay_of(MINUTE) == timedelta(minutes=3)
    assert (
        delay_of(timedelta(seconds=30)) == delay_of(timedelta(seconds=1)) == timedelta(seconds=10)
    )
