"""The store: bounded, exact in its sums, and the same through roll-ups as without."""

import random

import pytest

from sandbox.cloud.cloudwatch.reading import points, statistic_of
from sandbox.cloud.cloudwatch.series import (
    MAX_VALUES,
    RETAINED_BUCKETS,
    Bucket,
    MetricKey,
    MetricStore,
    Series,
)

KEY = MetricKey.of("N", "M", {"b": "2", "a": "1"})


def read(store, start, end, period, statistic):
    return points(store.series(KEY), start, end, period, statistic)


def test_dimensions_have_no_order():
    assert MetricKey.of("N", "M", {"a": "1", "b": "2"}) == KEY
    assert MetricKey.of("N", "M", {"a": "1"}) != KEY


def test_many_values_are_thinned_but_sums_stay_exact():
    bucket = Bucket()
    values = [float(n) for n in range(1, 10_001)]
    random.Random(7).shuffle(values)
    for value in values:
        bucket.add_value(value)
    assert len(bucket.values) <= MAX_VALUES
    assert (bucket.count, bucket.total) == (10_000, 50_005_000)
    assert (bucket.minimum, bucket.maximum) == (1, 10_000)
    assert sum(bucket.values.values()) == 10_000
    assert statistic_of(bucket, "p100") == 10_000
    assert statistic_of(bucket, "p50") == pytest.approx(5000, rel=0.05)


def test_the_largest_value_outlives_thinning():
    bucket = Bucket()
    for value in (1.0, 2.0, 3.0, 4.0):
        bucket.add_value(value)
    bucket.thin(2)
    assert bucket.values == {1.5: 2.0, 3.5: 2.0}
    assert statistic_of(bucket, "p100") == 4.0


def test_older_seconds_become_minutes():
    series = Series()
    for second in range(2 * RETAINED_BUCKETS):
        series.bucket_to_change(second).add_value(1.0)
    kept = dict(series.between(0, 10 * RETAINED_BUCKETS))
    assert sum(bucket.count for bucket in kept.values()) == 2 * RETAINED_BUCKETS
    assert len(kept) <= 1.2 * RETAINED_BUCKETS
    assert max(kept) == 2 * RETAINED_BUCKETS - 1
    assert (kept[60].count, 61 in kept) == (60, False)


def test_two_weeks_of_minutes_are_kept_and_what_is_older_is_forgotten():
    series = Series()
    for minute in range(30 * 24 * 60):
        series.bucket_to_change(60 * minute).add_value(1.0)
    kept = sorted(second for second, _ in series.between(0, 30 * 86400))
    assert 14 * 24 * 60 <= len(kept) <= 25 * 24 * 60
    assert kept[-1] == 30 * 86400 - 60
    assert len(kept) == (kept[-1] - kept[0]) // 60 + 1


@pytest.mark.parametrize("period", [1, 5, 10, 30, 60, 120])
@pytest.mark.parametrize("start", [0, 7, 60])
@pytest.mark.parametrize("statistic", ["Sum", "SampleCount", "Average", "Minimum", "p75"])
def test_roll_ups_change_no_answer(period, start, statistic):
    store, lots = MetricStore(), random.Random(period)
    for second in lots.sample(range(400), 300):
        store.put(KEY, "None", second, values=[(float(lots.randrange(9)), 1.0)])
    plain: dict[float, Bucket] = {}
    for second, bucket in store.series(KEY)[0].between(start, 333):
        begin = start + (second - start) // period * period
        plain.setdefault(begin, Bucket()).merge(bucket, with_values=True)
    once = read(store, start, 333, period, statistic)
    assert sorted(once) == sorted(plain)
    assert read(store, start, 333, period, statistic) == once
    one_bucket = Series()
    for begin, bucket in plain.items():
        one_bucket.bucket_to_change(int(begin)).merge(bucket, with_values=True)
        assert points([one_bucket], begin, begin + 1, 1, statistic)[begin] == pytest.approx(
            once[begin]
        )


def test_a_late_value_shows_up_in_periods_already_read():
    store = MetricStore()
    for second in range(120):
        store.put(KEY, "None", second, values=[(1.0, 1.0)])
    assert read(store, 0, 120, 60, "Sum") == {0: 60, 60: 60}
    store.put(KEY, "None", 30.9, values=[(5.0, 2.0)])
    assert read(store, 0, 120, 60, "Sum") == {0: 70, 60: 60}
    assert read(store, 0, 120, 10, "Maximum")[30] == 5


def test_units_are_kept_apart_and_read_together():
    store = MetricStore()
    store.put(KEY, "Seconds", 0, values=[(1.0, 1.0)])
    store.put(KEY, "Count", 0, statistic_set=(2, 6, 3, 3))
    assert read(store, 0, 1, 1, "Sum") == {0: 7}
    assert points(store.series(KEY, "Count"), 0, 1, 1, "p50") == {0: 3}
    assert points(store.series(KEY, "Bytes"), 0, 1, 1, "Sum") == {}
