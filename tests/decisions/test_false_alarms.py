"""The guards of plain thresholds: volume, three datapoints, a high past, evidence, warm-up."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastgood.contracts import MetricSource, Tally
from lastgood.decisions import thresholds
from lastgood.decisions.series import Point
from lastgood.model import Reading, Status, Verdict
from lastgood.policy_triggers import (
    BandTrigger,
    ErrorRateTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)
from tests.decisions.made import T0, at, error_rate, points, seconds, tally, watched

MINUTES = error_rate(duration="60s")
"""A datapoint a minute."""
RAW = error_rate(duration="60s", raw=True)
SLOW = ResponseTimeTrigger.model_validate({"threshold": "1000ms", "duration": "60s"})


def counted(*pairs: tuple[float, float] | None, start: datetime = T0) -> tuple[Point, ...]:
    """Requests and failed ones, a minute each; None is a minute without requests."""
    return tuple(
        Point(start=start + n * seconds(60), value=one[1] / one[0], weight=one[0], counted=True)
        for n, one in enumerate(pairs)
        if one
    )


def look(series: tuple[Point, ...], trigger: Any = MINUTES, *, now: float, **keys: Any) -> Tally:
    return thresholds.look(watched(trigger), tally(), series, since=T0, now=at(now), **keys)


def conclude(
    series: tuple[Point, ...], trigger: Any = MINUTES, *, until: float = 600, **keys: Any
) -> Verdict:
    return thresholds.conclude_metric(
        watched(trigger),
        tally(latest="x"),
        series,
        since=T0,
        covers_from=T0,
        until=at(until),
        **keys,
    )


# --- Volume ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("each", "minutes", "fires"),
    [
        ((10, 2), 3, True),
        ((10, 1), 3, False),  # three failed
        ((10, 1), 5, True),
        ((9, 9), 3, False),  # 27 requests
        ((9, 9), 4, True),
        ((1, 1), 29, False),
        ((1, 1), 30, True),  # later, not never
        ((1000, 60), 2, False),  # two datapoints
        ((1000, 60), 3, True),
    ],
)
def test_a_breach_needs_requests(each: tuple[float, float], minutes: int, fires: bool) -> None:
    seen = look(counted(*[each] * minutes), now=60 * minutes)
    assert bool(seen.failing) == fires
    assert seen.reading is Reading.UNHEALTHY


def test_the_requests_are_those_of_one_breach() -> None:
    bad, good = (9.0, 9.0), (9.0, 0.0)
    assert not look(counted(bad, bad, bad, good, bad, bad, bad), now=420).failing
    assert look(counted(good, bad, bad, bad, bad), now=300).failing
    between = counted(bad, bad, bad, None, (500.0, 0.0), None, bad, bad, bad)
    assert not look(between, now=540).failing, "what was good in between is not forgotten"


def test_the_numbers_are_told() -> None:
    failing = look(counted(*[(8, 4)] * 4), now=240).failing
    assert failing
    assert failing.reason == (
        "error-rate 50.0 % over 3m (threshold 5.0 %); 16 of 32 requests failed in 4m"
    )
    latest = look(counted(*[(8, 4)] * 3), now=180).latest
    assert latest == (
        "error-rate 50.0 % (threshold 5.0 %): only 12 of 24 requests failed, and a breach needs "
        "30 requests and 5 failed ones"
    )


@pytest.mark.parametrize(
    ("keys", "each", "fires"),
    [
        ({"min_requests": 100}, (33, 33), False),
        ({"min_requests": 100}, (34, 34), True),
        ({"min_requests": 0}, (1, 1), True),
        ({"min_requests": 2}, (1, 1), True),  # nor are five failed ones asked for
        ({"raw": True}, (1, 1), True),
    ],
)
def test_the_policy_says_how_many(
    keys: dict[str, Any], each: tuple[float, float], fires: bool
) -> None:
    trigger = error_rate(duration="60s", **keys)
    assert bool(look(counted(*[each] * 3), trigger, now=180).failing) == fires


def test_what_is_not_counted_has_no_volume() -> None:
    assert look(points(*[0.4] * 3, period=60), now=180).failing


def test_missing_data_that_counts_as_bad_needs_no_requests() -> None:
    trigger = error_rate(duration="60s", missing_data="breaching")
    assert look(counted((100, 0)), trigger, now=3600).failing
    assert not look(counted((1, 1), (1, 1), (1, 1)), trigger, now=180).failing


def test_a_breach_that_lasts_still_on_few_requests_is_no_good_window() -> None:
    verdict = conclude(counted(*[(2, 0)] * 5, *[(2, 2)] * 5))
    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.reason == (
        "error-rate is above 5.0 % since 12:05:00 UTC, but only 10 of 10 requests failed, and a "
        "breach needs 30 requests and 5 failed ones."
    )
    over = conclude(counted(*[(2, 2)] * 5, *[(2, 0)] * 5))
    assert over.status is Status.PASS
    assert "was above 5.0 % for 3m, but only 10 of 10 requests failed" in over.reason


# --- Three datapoints --------------------------------------------------------------------------


def test_a_breach_is_three_datapoints() -> None:
    series = points(0.01, 0.4, 0.4, period=60)
    assert not look(series, now=180).failing
    assert look(series, RAW, now=180).failing
    assert look(points(*[0.4] * 3, period=60), now=180).failing
    assert "over 3m" in str(look(points(*[0.4] * 3, period=60), now=180).failing)


def test_good_again_needs_no_more_than_the_duration() -> None:
    """The verification after a rollback is not made longer: no alarm can be false there."""
    assert look(points(0.01, period=60), now=60).recovered
    assert not look(points(0.01, 0.4, period=60), now=120).recovered


# --- The past ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "value", "before", "fires"),
    [
        (MINUTES, 0.4, None, True),
        (MINUTES, 0.4, 0.025, True),
        (MINUTES, 0.4, 0.0251, False),
        (MINUTES, 0.4, 0.2, False),
        (RAW, 0.4, 0.2, True),
        (ErrorRateTrigger(consecutive=3), 0.4, 0.2, True),
        (SLOW, 3000, 660, True),
        (SLOW, 3000, 670, False),
    ],
)
def test_what_was_near_the_threshold_before_judges_nothing(
    trigger: Trigger, value: float, before: float | None, fires: bool
) -> None:
    series = points(*[value] * 3, period=60)
    assert bool(look(series, trigger, now=180, before=before).failing) == fires


def test_a_muted_threshold_says_so_and_decides_nothing() -> None:
    verdict = conclude(points(*[0.4] * 10, period=60), before=0.041)
    said = "not judged by the threshold: it was 4.1 % before the release already (threshold 5.0 %)"
    assert (verdict.status, verdict.reason) == (Status.PASS, f"error-rate is {said}")
    assert conclude((), before=0.041).status is Status.PASS
    counting = ErrorRateTrigger(consecutive=3)
    assert conclude((), counting, before=0.041).status is Status.INCONCLUSIVE
    assert look(points(*[0.4] * 3, period=60), now=180, before=0.041).latest.endswith(said)


# --- Evidence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "fires"), [(None, True), (3.0, True), (2.9, False), (99, True)])
def test_a_breach_needs_evidence_where_it_is_measured(value: float | None, fires: bool) -> None:
    asked = []

    def evidence(moment: datetime) -> float | None:
        asked.append(moment)
        return value

    seen = look(points(*[0.4] * 3, period=60), now=180, evidence=evidence)
    assert bool(seen.failing) == fires
    assert asked == [at(180)]


def test_the_first_stretch_with_evidence_counts() -> None:
    def evidence(moment: datetime) -> float:
        return 5.0 if moment >= at(300) else 1.0

    failing = look(points(*[0.4] * 6, period=60), now=360, evidence=evidence).failing
    assert failing
    assert failing.at == at(300)
    trigger = error_rate(duration="60s", raw=True)
    failing = look(points(*[0.4] * 6, period=60), trigger, now=360, evidence=evidence).failing
    assert failing
    assert failing.at == at(60)


def test_a_breach_without_evidence_is_none_and_is_told() -> None:
    verdict = conclude(points(*[0.4] * 10, period=60), evidence=lambda _: 1.2)
    assert verdict.status is Status.PASS
    assert "but the evidence that the release made it worse is only 1.2 to 1" in verdict.reason


# --- Warm-up -----------------------------------------------------------------------------------


def test_response_times_do_not_count_while_new_tasks_warm_up() -> None:
    series = points(*[3000.0] * 3, *[100.0] * 7, period=60)
    assert look(series, SLOW, now=600).failing
    keys: dict[str, Any] = {"started": (T0,), "warm_up": seconds(120)}
    assert not look(series, SLOW, now=600, **keys).failing
    later = {**keys, "started": (T0, at(90))}  # the buckets of 90 to 210 s
    assert not look(points(*[3000.0] * 6, period=60), SLOW, now=360, **later).failing
    assert look(points(*[3000.0] * 7, period=60), SLOW, now=420, **later).failing
    assert conclude(series, SLOW, **keys).status is Status.PASS


def test_errors_count_from_the_first() -> None:
    series = points(*[0.4] * 3, period=60)
    assert look(series, now=180, started=(T0,), warm_up=seconds(120)).failing


def test_what_is_left_out_is_not_missing() -> None:
    keys: dict[str, Any] = {"started": (T0,), "warm_up": seconds(540)}
    one = points(*[3000.0] * 9, 100.0, period=60)
    bad = ResponseTimeTrigger.model_validate({"duration": "60s", "missing_data": "breaching"})
    assert not look(one, bad, now=600, **keys).failing
    assert conclude(one, SLOW, **keys).status is Status.INCONCLUSIVE  # one bucket is no stretch
    raw = ResponseTimeTrigger.model_validate({"duration": "60s", "raw": True})
    assert conclude(one, raw, **keys).status is Status.PASS


TEN = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("trigger", "window", "expected"),
    [
        (SLOW, TEN, 60),
        (SLOW, timedelta(hours=2), 120),
        (ResponseTimeTrigger(warm_up=seconds(5)), TEN, 5),
        (ResponseTimeTrigger(raw=True), TEN, 0),
        (ResponseTimeTrigger(consecutive=3), TEN, 0),
        (ResponseTimeTrigger(consecutive=3, warm_up=seconds(5)), TEN, 5),
        (MINUTES, TEN, 0),
        (RegressionTrigger(), TEN, 60),
        (BandTrigger(warm_up=timedelta(0)), TEN, 0),
    ],
)
def test_how_long_the_warm_up_is(trigger: Any, window: timedelta, expected: float) -> None:
    assert thresholds.warm_up_of(trigger, window) == seconds(expected)


# --- Together ----------------------------------------------------------------------------------


@given(
    some.lists(some.sampled_from([(20.0, 5.0), (20.0, 0.0), (2.0, 2.0), None]), max_size=15),
    some.sampled_from([None, 0.01, 0.04]),
    some.sampled_from([None, 1.0, 4.0]),
)
def test_guards_only_ever_hold_back(
    pairs: list[Any], before: float | None, value: float | None
) -> None:
    """Whatever fires with guards fires without them, and no later."""
    series, now = counted(*pairs), 60 * len(pairs)
    guarded = look(series, now=now, before=before, evidence=lambda _: value).failing
    if guarded:
        free = look(series, error_rate(duration="3m", raw=True), now=now).failing
        assert free
        assert free.at <= guarded.at


@pytest.mark.parametrize(
    ("trigger", "kind", "reach"),
    [
        (MINUTES, "metric", 180),
        (MINUTES, "load-balancer", 180),
        (RAW, "load-balancer", 60),
        (SLOW, "load-balancer", 180),
        (error_rate(missing_data="breaching"), "metric", None),
        (error_rate(missing_data="ignore"), "metric", 180),
        (ErrorRateTrigger(consecutive=3), "metric", None),
    ],
)
def test_how_far_back_a_look_must_read(trigger: Trigger, kind: Any, reach: float | None) -> None:
    source = MetricSource(kind=kind, namespace="x", dimensions={})
    one = watched(trigger).model_copy(update={"source": source})
    assert thresholds.reach_of(one) == (None if reach is None else seconds(reach))


@given(pairs=some.lists(some.tuples(some.integers(1, 12), some.integers(0, 12)), max_size=40))
def test_looks_that_read_only_what_they_must_fire_when_one_that_reads_all_does(
    pairs: list[tuple[int, int]],
) -> None:
    """A breach on few requests may have begun long before what a look reads by itself."""
    series = counted(*((n, min(k, n)) for n, k in pairs))
    one = watched(MINUTES)
    reach = thresholds.reach_of(one)
    assert reach is not None
    partly, first = tally(), None
    for minute in range(1, len(pairs) + 1):
        now = at(60 * minute)
        start = max(T0, min(now - reach - seconds(60), partly.breach_since or now))
        read = tuple(point for point in series if start <= point.start < now)
        partly = thresholds.look(one, partly, read, since=start, now=now)
        first = first or (partly.failing and partly.failing.at)
    whole = look(series, now=60 * len(pairs)).failing
    assert first == (whole and whole.at)


@pytest.mark.parametrize(("period", "late"), [(1, 30), (5, 30), (10, 50), (60, 300), (300, 300)])
def test_how_late_a_datapoint_may_be_and_be_read_by_the_next_look(
    period: float, late: float
) -> None:
    assert thresholds.late_of(seconds(period)) == seconds(late)
