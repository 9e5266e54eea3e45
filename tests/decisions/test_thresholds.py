"""error-rate and response-time: when they fire, when they are good again, what a window says."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from lastgood.contracts import Tally
from lastgood.decisions import thresholds
from lastgood.decisions.series import Point, from_counts, from_values
from lastgood.decisions.thresholds import MetricTrigger
from lastgood.model import Reading, Status
from lastgood.policy_triggers import AlarmTrigger, ResponseTimeTrigger
from tests.decisions.made import T0, at, error_rate, points, seconds, tally, watched

BAD, GOOD, NONE = 0.4, 0.01, None
FINE = error_rate(duration="60s", period="10s")
"""Six datapoints, in three parts of two."""

Values = list[float | None]
values = some.lists(
    some.sampled_from([BAD, GOOD, 0.05, NONE]) | some.floats(0, 1, allow_nan=False), max_size=40
)


def look(
    series: tuple[Point, ...],
    *,
    trigger: MetricTrigger = FINE,
    since: float = 0,
    now: float = 60,
    not_before: float | None = None,
    before: Tally | None = None,
) -> Tally:
    return thresholds.look(
        watched(trigger),
        before or tally(),
        series,
        since=at(since),
        now=at(now),
        not_before=None if not_before is None else at(not_before),
    )


def conclude(
    series: tuple[Point, ...],
    *,
    trigger: MetricTrigger = FINE,
    since: float = 0,
    begin: float = 0,
    until: float = 600,
) -> Any:
    return thresholds.conclude_metric(
        watched(trigger),
        tally(latest="x"),
        series,
        since=at(since),
        covers_from=at(begin),
        until=at(until),
    )


# --- The length of a datapoint -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "written", "period", "buckets"),
    [
        ("60s", None, 60, 1),
        ("5m", None, 60, 5),
        ("90s", None, 60, 2),
        ("150s", None, 60, 3),  # not rounded to the even number
        ("59s", None, 10, 6),
        ("30s", None, 10, 3),
        ("15s", None, 5, 3),
        ("3s", None, 1, 3),
        ("2s", None, 1, 2),
        ("1s", None, 1, 1),
        ("60s", "10s", 10, 6),
        ("10m", "5m", 300, 2),
    ],
)
def test_the_length_of_a_datapoint(
    duration: str, written: str | None, period: float, buckets: int
) -> None:
    trigger = error_rate(duration=duration, period=written, raw=True)
    assert thresholds.period_of(trigger) == seconds(period)
    assert thresholds.buckets_of(trigger) == buckets
    assert buckets * seconds(period) >= trigger.duration
    guarded = error_rate(duration=duration, period=written)
    assert thresholds.period_of(guarded) == seconds(period)
    assert thresholds.buckets_of(guarded) == max(3, buckets)


# --- Firing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "fires"),
    [
        ([BAD] * 6, True),
        ([BAD, NONE] * 3, True),  # half of the data, some in each third
        ([NONE, BAD] * 3, True),
        ([BAD, GOOD, BAD, GOOD, BAD, GOOD], True),  # each third is above by its mean
        ([BAD] * 4 + [GOOD] * 2, False),
        ([GOOD] * 2 + [BAD] * 4, False),
        ([BAD] * 5, True),  # one late datapoint changes nothing
        ([BAD, BAD, BAD, GOOD, GOOD, GOOD], False),
        ([BAD] * 4 + [NONE] * 2, False),  # a third without data
        ([BAD, NONE, BAD, NONE, NONE, NONE], False),
        ([BAD, NONE, BAD, NONE, NONE], False),
        ([NONE] * 6, False),
        ([0.05] * 6, False),  # equal is not above
        ([0.0500001] * 6, True),
        ([], False),
    ],
)
def test_what_fires(series: Values, fires: bool) -> None:
    seen = look(points(*series))
    assert bool(seen.failing) == fires


def test_half_of_the_data_is_needed_also_where_each_third_has_some() -> None:
    trigger = error_rate(duration="120s", period="10s")
    thin = [BAD, BAD, NONE, NONE] * 2 + [BAD, NONE, NONE, NONE]
    assert not look(points(*thin), trigger=trigger, now=120).failing
    assert look(points(*thin[:-1], BAD), trigger=trigger, now=120).failing


def test_the_verdict_tells_the_numbers() -> None:
    trigger = error_rate(duration="60s", period="10s", message="Too many errors")
    failing = look(points(*[0.08] * 6), trigger=trigger).failing
    assert failing
    assert failing.reason == "Too many errors: error-rate 8.0 % over 1m (threshold 5.0 %)"
    assert (failing.status, failing.trigger, failing.at) == (Status.FAIL, "error-rate", at(60))
    assert (failing.value, failing.threshold, failing.message) == (0.08, 0.05, "Too many errors")
    assert [(one.at, one.reading, one.text) for one in failing.evidence] == [
        (at(10 * n), Reading.UNHEALTHY, "8.0 %") for n in range(6)
    ]


def test_response_times_are_milliseconds() -> None:
    trigger = ResponseTimeTrigger.model_validate({"threshold": "1000ms", "duration": "30s"})
    failing = look(points(3012, 3012, 3012), trigger=trigger, now=30).failing
    assert failing
    assert failing.reason == "response-time 3,012 ms over 30s (threshold 1,000 ms)"
    assert not look(points(1000, 1000, 1000), trigger=trigger, now=30).failing


def test_counts_weigh() -> None:
    one_of_three = points(1 / 3, weight=3)
    busy = points(0.0, weight=1000, start=at(10))
    quiet = points(*[1 / 3] * 4, weight=3, start=at(20))
    assert not look((*one_of_three, *busy, *quiet)).failing
    assert look((*one_of_three, *points(0.0, weight=1, start=at(10)), *quiet)).failing


def test_the_first_stretch_that_fired_is_the_one_reported() -> None:
    failing = look(points(*[0.1] * 6, *[0.9] * 6), now=120).failing
    assert failing
    assert (failing.at, failing.value) == (at(60), pytest.approx(0.1))


@given(values, some.integers(0, 400), some.integers(0, 400))
def test_what_fires_has_data_and_every_part_above(series: Values, since: float, now: float) -> None:
    seen = look(points(*series), since=since, now=now)
    if not seen.failing:
        return
    end = seen.failing.at
    inside = [
        value
        for n, value in enumerate(series)
        if value is not None and end - seconds(60) <= at(10 * n) < end
    ]
    assert len(inside) >= 3
    assert max(inside) > 0.05
    assert seen.failing.value is not None
    assert seen.failing.value > 0.05
    assert end <= at(now)
    assert end - seconds(60) >= at(since)


@given(
    some.floats(0.0001, 0.9999),
    some.integers(1, 60),
    some.sampled_from([1.0, 3.0, 7.0, 12345.0]),
)
def test_a_value_equal_to_the_threshold_never_fires(
    threshold: float, count: int, weight: float
) -> None:
    trigger = error_rate(threshold=threshold, duration="3s", period="1s")
    series = points(*[threshold] * count, period=1, weight=weight)
    seen = look(series, trigger=trigger, now=count)
    assert not seen.failing
    assert seen.recovered == (count >= 3)


@pytest.mark.parametrize("percent", range(1, 100))
def test_percent_of_a_metric_and_of_the_policy_are_the_same(percent: int) -> None:
    trigger = error_rate(threshold=f"{percent}%", duration="3s", period="1s")
    raw = {at(n): float(percent) for n in range(3)}
    series = from_values(raw, scale=0.01, ratio=True)
    assert not look(series, trigger=trigger, now=3).failing
    above = from_values({k: v + 0.001 for k, v in raw.items()}, scale=0.01, ratio=True)
    assert look(above, trigger=trigger, now=3).failing


@given(
    some.sampled_from(["1s", "7s", "30s", "60s", "90s", "150s", "5m"]),
    some.sampled_from([None, "1s", "10s", "60s"]),
    some.integers(0, 1000),
)
def test_a_breach_of_duration_and_two_periods_always_fires(
    duration: str, written: str | None, begins: int
) -> None:
    free = error_rate(duration=duration)
    assume(written is None or error_rate(duration="1d", period=written).period <= free.duration)
    trigger = error_rate(duration=duration, period=written)
    period = thresholds.period_of(trigger).total_seconds()
    ends = begins + thresholds.lasts_of(trigger).total_seconds() + 2 * period
    size = int((ends + 2 * period) // period)
    # A bucket is bad if it lies wholly within the breach.
    series = [
        BAD if begins <= n * period and (n + 1) * period <= ends else GOOD for n in range(size)
    ]
    assert look(points(*series, period=period), trigger=trigger, now=size * period).failing


@given(some.integers(0, 5))
def test_a_breach_shorter_than_the_duration_never_fires(length: int) -> None:
    series = [GOOD] * 6 + [0.051] * length + [GOOD] * 12
    assert not look(points(*series), now=240).failing


@given(values, values, some.integers(0, 200), some.integers(0, 400))
def test_points_before_since_never_matter(one: Values, other: Values, since: int, now: int) -> None:
    after = tuple(p for p in points(*one) if p.start >= at(since))
    past = tuple(p for p in points(*other) if p.start < at(since))
    broken = Point(start=at(since - 10), value=None, problem="it is negative")
    assert look((*past, broken, *after), since=since, now=now) == look(after, since=since, now=now)


@given(values, some.integers(0, 5000), some.integers(0, 300), some.integers(0, 400))
def test_when_it_happens_changes_nothing(series: Values, hours: int, since: int, now: int) -> None:
    shift = timedelta(hours=hours)
    here = look(points(*series), since=since, now=now)
    there = thresholds.look(
        watched(FINE),
        tally(),
        points(*series, start=T0 + shift),
        since=at(since) + shift,
        now=at(now) + shift,
    )
    assert here.model_dump(exclude={"measured_at", "failing"}) == there.model_dump(
        exclude={"measured_at", "failing"}
    )
    assert (here.failing and here.failing.reason) == (there.failing and there.failing.reason)
    assert (here.failing and here.failing.at + shift) == (there.failing and there.failing.at)


@given(some.floats(0.06, 1), some.lists(some.booleans(), max_size=40), some.integers(0, 400))
def test_missing_is_never_zero(value: float, present: list[bool], now: int) -> None:
    """A rate that is constant where it was measured is that rate, whatever is missing."""
    seen = look(points(*[value if one else None for one in present]), now=now)
    assert seen.reading in (Reading.UNHEALTHY, Reading.NO_DATA)
    assert not seen.recovered
    for said in (seen.value, seen.failing and seen.failing.value):
        assert said is None or said == pytest.approx(value)


def test_errors_only_fire_where_there_were_requests() -> None:
    requests = {at(10 * n): 10.0 for n in range(6)}
    failed = {at(10 * n): 5.0 for n in range(6)}
    assert look(from_counts(requests, (failed, {}))).failing
    assert not look(from_counts(requests, ({}, {}))).failing
    assert look(from_counts({}, (failed, {}))).failing  # errors are requests too


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1.5, 1e308])
def test_numbers_that_cannot_be_are_errors(value: float) -> None:
    raw = {at(10 * n): value for n in range(6)}
    seen = look(from_values(raw, scale=1, ratio=True))
    assert seen.reading is Reading.ERROR
    assert not seen.failing
    assert not seen.recovered
    assert seen.latest.startswith("error-rate cannot be used: ")
    assert conclude(from_values(raw, scale=1, ratio=True)).status is Status.INCONCLUSIVE


def test_incomplete_buckets_do_not_count() -> None:
    assert not look(points(*[BAD] * 6), now=59).failing
    assert not look(points(*[BAD] * 6), since=1).failing
    assert look(points(*[BAD] * 7), since=1, now=70).failing


# --- Cooldown ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "fires"), [(11, False), (12, True), (20, True)])
def test_a_breach_counts_if_it_reaches_past_the_cooldown(bad: int, fires: bool) -> None:
    series = points(*[BAD] * bad, *[GOOD] * (30 - bad))
    assert bool(look(series, now=300, not_before=120).failing) == fires


# --- Good again --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "good"),
    [
        ([GOOD] * 6, True),
        ([0.05] * 6, True),
        ([GOOD] * 5, True),
        ([GOOD] * 3, False),  # the last third is not known
        ([GOOD] * 4 + [BAD] * 2, False),
        ([BAD] * 2 + [GOOD] * 4, False),
        ([GOOD, NONE] * 3, True),
        ([GOOD, NONE, NONE, NONE, GOOD, NONE], False),
        ([], False),
    ],
)
def test_good_again(series: Values, good: bool) -> None:
    assert look(points(*series)).recovered == good


@given(values, some.integers(0, 300))
def test_good_again_needs_a_whole_duration_after_since(series: Values, since: int) -> None:
    seen = look(points(*series), since=since, now=400)
    if seen.recovered:
        assert since + 60 <= 400
        after = [v for n, v in enumerate(series) if 10 * n >= since and v is not None]
        assert len(after) >= 3
        assert min(after) <= 0.05
        assert not (seen.failing and seen.failing.at == at(400))


def test_good_again_though_datapoints_come_minutes_late() -> None:
    trigger = error_rate(duration="60s")
    series = points(GOOD, GOOD, period=60)
    assert look(series, trigger=trigger, now=120 + 230).recovered
    assert not look(series, trigger=trigger, now=120 + 600).recovered  # that is the past


# --- The latest value --------------------------------------------------------------------------


def test_the_latest_value_in_words() -> None:
    seen = look(points(*[0.02] * 6))
    assert (seen.reading, seen.latest) == (Reading.HEALTHY, "error-rate 2.0 % (threshold 5.0 %)")
    assert seen.value == pytest.approx(0.02)
    one = look(points(0.4), now=10)
    assert (one.reading, one.latest) == (Reading.UNHEALTHY, "error-rate 40.0 % (threshold 5.0 %)")
    old = look(points(*[0.02] * 6), now=3600)
    assert (old.reading, old.value) == (Reading.NO_DATA, None)


def test_measurements_are_counted() -> None:
    seen = look(points(*[GOOD] * 6), before=tally(reading=Reading.HEALTHY, healthy=4, streak=2))
    assert (seen.healthy, seen.streak, seen.measured_at) == (5, 3, at(60))
    seen = look((), before=seen)
    assert (seen.healthy, seen.no_data, seen.streak) == (5, 1, 1)


# --- The end of a window -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "passes"),
    [
        ([GOOD] * 60, True),
        ([GOOD] * 30, True),
        ([NONE] * 30 + [GOOD] * 30, True),
        ([GOOD] * 29, False),
        ([GOOD, NONE] * 30, True),
        ([GOOD, NONE, NONE] * 20, False),
        ([], False),
    ],
)
def test_what_a_window_needs(series: Values, passes: bool) -> None:
    verdict = conclude(points(*series))
    assert (verdict.status is Status.PASS) == passes
    assert verdict.at == at(600)
    if passes:
        assert "never above 5.0 % for 1m" in verdict.reason
    else:
        assert "of the window" in verdict.reason


def test_a_metric_too_sparse_to_fire_proves_nothing() -> None:
    """A datapoint every two minutes can never fill two parts of a minute each."""
    trigger = error_rate(duration="2m", raw=True)
    series = points(BAD, NONE, BAD, NONE, BAD, NONE, BAD, NONE, BAD, NONE, period=60)
    assert not look(series, trigger=trigger, now=600).failing
    verdict = conclude(series, trigger=trigger)
    assert verdict.status is Status.INCONCLUSIVE
    assert "too few datapoints in any 2m" in verdict.reason
    assert conclude(points(*[GOOD] * 10, period=60), trigger=trigger).status is Status.PASS


def test_a_window_shorter_than_a_datapoint_says_what_to_do() -> None:
    trigger = error_rate(duration="60s")
    verdict = conclude(points(GOOD, GOOD, GOOD, period=60), trigger=trigger, begin=30, until=90)
    assert verdict.status is Status.INCONCLUSIVE
    assert "make monitor.window longer" in verdict.reason


def test_what_was_before_the_window_does_not_fill_it() -> None:
    assert conclude(points(*[GOOD] * 60), begin=600, until=1200).status is Status.INCONCLUSIVE
    assert conclude(points(*[GOOD] * 60), begin=300, until=900).status is Status.PASS


def test_the_reason_names_numbers_that_cannot_be() -> None:
    series = from_values({at(n * 10): 8.0 for n in range(60)}, scale=1, ratio=True)
    assert "set unit: percent" in conclude(series).reason


@given(values)
def test_a_window_that_passes_could_have_fired(series: Values) -> None:
    """Whatever passes: were every datapoint of it bad, it would have fired."""
    if conclude(points(*series), until=len(series) * 10).status is Status.PASS:
        bad = [None if v is None else 1.0 for v in series]
        assert look(points(*bad), now=len(series) * 10).failing


def test_three_hours_of_seconds() -> None:
    trigger = error_rate(duration="60s", period="1s")
    series = points(*[0.01 * (n % 4) for n in range(10_800)], period=1)
    assert not look(series, trigger=trigger, now=10_800).failing
    assert conclude(series, trigger=trigger, until=10_800).status is Status.PASS
    assert look((*series, *points(*[BAD] * 60, period=1, start=at(10_800))), now=10_860).failing


def test_only_metric_triggers() -> None:
    alarm = watched(AlarmTrigger(alarm="x"))
    with pytest.raises(TypeError, match="alarm is not judged"):
        thresholds.look(alarm, tally(), (), since=T0, now=T0)
    with pytest.raises(TypeError, match="alarm is not judged"):
        thresholds.conclude_metric(alarm, tally(), (), since=T0, covers_from=T0, until=T0)
