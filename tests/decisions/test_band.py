"""Has a gauge left the band in which it was before?"""

import math

import pytest

from lastgood.decisions.band import (
    Followed,
    Gauge,
    Kind,
    facts_of,
    in_words,
    limits,
    period_for,
    verdict,
)
from lastgood.model import Status
from lastgood.policy_triggers import BandTrigger, Metric
from tests.decisions.made import T0, at

ZERO = T0.timestamp()
CPU = Metric(namespace="Shop", name="CPU")
BEFORE = (48.0, 52.0) * 30
"""A mean of 50, a deviation of 2."""


def band(**keys) -> BandTrigger:
    return BandTrigger.model_validate({"metric": CPU, **keys})


def gauges(*values: float | None, period: float = 60, requests: float | None = None, begin=0.0):
    """A series from T0 on; None is a gap."""
    return [
        Gauge(ZERO + begin + period * number, value, requests)
        for number, value in enumerate(values)
        if value is not None
    ]


def followed(
    trigger: BandTrigger,
    points,
    *,
    before=BEFORE,
    kind: Kind = "gauge",
    period: float = 60,
    requests: float | None = None,
    **keys,
) -> Followed:
    past = gauges(*before, period=period, requests=requests, begin=-3600.0)
    found = Followed(trigger, facts_of(trigger, kind, past, period), **keys)
    for point in points:
        found.feed(point)
    return found


def said(trigger: BandTrigger, points, *, minutes: float = 20, **keys):
    return verdict(trigger, [followed(trigger, points, **keys)], until=ZERO + 60 * minutes)


def test_a_gauge_that_stays_is_fine():
    found = said(band(), gauges(*[50, 56, 44, 59.9] * 5))
    assert (found.status, found.reason) == (Status.PASS, "CPU never left 40 to 60 for 3m")


def test_one_that_leaves_for_as_long_as_the_policy_says_fires():
    found = said(band(), gauges(*[50] * 5, 70, 80, 90, 90))
    assert (found.status, found.at) == (Status.FAIL, at(480))
    assert found.reason == (
        "CPU was 80 for 3m, outside of its band 40 to 60 (before: 50 on average)"
    )
    assert (found.value, found.threshold) == (80, 60)


@pytest.mark.parametrize(
    ("direction", "values", "fires"),
    [
        ("above", [90] * 5, True),
        ("above", [10] * 5, False),
        ("below", [10] * 5, True),
        ("below", [90] * 5, False),
        ("both", [90] * 5, True),
        ("both", [10] * 5, True),
        ("both", [10, 90] * 5, False),
    ],
)
def test_the_side_on_which_it_is_bad(direction, values, fires):
    found = said(band(direction=direction), gauges(*values), minutes=len(values))
    assert (found.status is Status.FAIL) is fires


def test_what_is_too_low_is_told_with_the_lower_edge():
    found = said(band(direction="below"), gauges(*[20] * 5))
    assert found.threshold == 40
    assert "CPU was 20 for 3m, outside of its band 40 to 60" in found.reason


@pytest.mark.parametrize(("outside", "fires"), [(2, False), (3, True)])
def test_all_datapoints_of_the_duration_must_be_outside(outside, fires):
    values = ([90] * outside + [50]) * 5
    found = said(band(), gauges(*values), minutes=len(values))
    assert (found.status is Status.FAIL) is fires


@pytest.mark.parametrize(
    ("duration", "period", "needed"),
    [(None, 60, 3), ("5m", 60, 5), ("1m", 60, 3), (None, 10, 6), ("2m", 10, 12), ("250s", 60, 5)],
)
def test_how_many_datapoints_that_are(duration, period, needed):
    trigger = band(duration=duration) if duration else band()
    short = gauges(*[99] * (needed - 1), period=period)
    assert followed(trigger, short, period=period).first is None
    enough = gauges(*[99] * needed, period=period)
    assert followed(trigger, enough, period=period).first is not None


@pytest.mark.parametrize(
    ("keys", "low", "high"),
    [
        ({}, 40, 60),  # a fifth of 50, more than three deviations of 2
        ({"margin": 0.04}, 43.9, 56.1),
        ({"margin": 0.04, "deviations": 5}, 39.9, 60.1),
        ({"margin": 0.5}, 25, 75),
    ],
)
def test_the_band_is_as_wide_as_chance_and_what_matters(keys, low, high):
    trigger = band(**keys)
    facts = facts_of(trigger, "gauge", gauges(*BEFORE), 60)
    assert limits(trigger, facts, None) == pytest.approx((low, high), abs=0.1)


def test_fine_data_have_a_wider_band():
    trigger = band(margin=0.01)
    facts = facts_of(trigger, "gauge", gauges(*BEFORE, period=10), 10)
    assert facts.deviations == 4
    assert limits(trigger, facts, None)[1] == pytest.approx(50 + 4 * facts.deviation)


def test_a_rise_of_errors_within_the_tolerance_does_not_matter():
    trigger = BandTrigger()
    facts = facts_of(trigger, "error-rate", gauges(*[0.001] * 60, requests=1e6), 60)
    assert limits(trigger, facts, 1e6)[1] == pytest.approx(0.006)
    wider = BandTrigger(tolerance=0.02)
    assert limits(wider, facts, 1e6)[1] == pytest.approx(0.021)


@pytest.mark.parametrize("requests", [20, 100, 10_000])
def test_few_requests_make_a_rate_uncertain(requests):
    """However even the baseline was: three binomial deviations at least."""
    trigger = BandTrigger(tolerance=0.0001)
    facts = facts_of(trigger, "error-rate", gauges(*[0.005] * 60, requests=1e6), 60)
    rate = max(0.005, 0.25 / requests)
    expected = 0.005 + 3 * math.sqrt(rate * (1 - rate) / requests)
    assert limits(trigger, facts, requests)[1] == pytest.approx(expected)


def test_a_slowdown_below_its_root_does_not_matter():
    trigger = BandTrigger()
    facts = facts_of(trigger, "response-time", gauges(*[100.0] * 60, requests=10), 60)
    assert limits(trigger, facts, 10)[1] == pytest.approx(100 * math.sqrt(1.5))


def test_the_mean_before_is_by_requests():
    busy = gauges(0.5, requests=1) + gauges(0.0, requests=99, begin=60.0)
    assert facts_of(BandTrigger(), "error-rate", busy, 60).mean == pytest.approx(0.005)
    empty = [*busy, Gauge(ZERO + 120, 1.0, 0.0)]
    assert facts_of(BandTrigger(), "error-rate", empty, 60).datapoints == 2


def test_datapoints_with_few_requests_are_left_out():
    points = gauges(*[0.5] * 10, requests=19)
    keys = {"kind": "error-rate", "before": [0.001] * 60, "requests": 1000}
    assert followed(BandTrigger(), points, **keys).first is None
    assert followed(BandTrigger(min_requests=19), points, **keys).first is not None


def test_left_out_ones_between_do_not_interrupt_a_run():
    points = gauges(0.5, 0.5, requests=100)
    points += gauges(0.0, requests=5, begin=120.0) + gauges(0.5, requests=100, begin=180.0)
    keys = {"kind": "error-rate", "before": [0.001] * 60, "requests": 1000}
    assert followed(BandTrigger(), points, **keys).first is not None


@pytest.mark.parametrize(("gap", "fires"), [(1, True), (2, True), (3, False)])
def test_a_gap_as_long_as_the_duration_begins_the_run_anew(gap, fires):
    points = gauges(90, 90, *[None] * gap, 90, 50)
    assert (followed(band(), points).first is not None) is fires


def test_response_times_in_the_warm_up_are_left_out_and_nothing_else():
    warm = [(ZERO, ZERO + 180)]
    slow = gauges(*[500.0] * 5, requests=100)
    keys = {"before": [100.0] * 60, "requests": 100, "warm": warm}
    times = followed(BandTrigger(), slow, kind="response-time", **keys)
    assert times.first is None
    later = followed(
        BandTrigger(), gauges(*[500.0] * 6, requests=100), kind="response-time", **keys
    )
    assert later.first is not None
    assert later.first.begin == ZERO + 180
    assert followed(band(), gauges(*[90] * 3), warm=warm).first is not None


@pytest.mark.parametrize(("before", "passes"), [([50.0] * 4, False), ([50.0] * 5, True)])
def test_too_few_datapoints_before_are_said(before, passes):
    found = said(band(), gauges(*[90] * 20), before=before)
    if passes:
        assert found.status is Status.FAIL
    else:
        assert (found.status, found.reason) == (
            Status.INCONCLUSIVE,
            "Too few datapoints before (5 are needed).",
        )


@pytest.mark.parametrize(
    ("values", "since", "status"),
    [
        ([50] * 10, ZERO, Status.PASS),
        ([50] * 9, ZERO, Status.INCONCLUSIVE),
        ([None] * 15 + [50] * 5, ZERO, Status.INCONCLUSIVE),
        ([], ZERO, Status.INCONCLUSIVE),
        ([], None, Status.INCONCLUSIVE),
    ],
)
def test_half_of_the_window_must_have_data(values, since, status):
    found = said(band(), gauges(*values), since=since)
    assert found.status is status
    if status is Status.INCONCLUSIVE:
        assert found.reason == "band had data for less than half of the window."


@pytest.mark.parametrize(
    ("kind", "evidence", "fires"),
    [
        ("error-rate", 0.9, False),
        ("error-rate", 1.0, True),
        ("error-rate", None, True),
        ("response-time", 0.5, False),
        ("gauge", 0.0, True),
    ],
)
def test_requests_that_leave_their_band_need_some_evidence_beside_it(kind, evidence, fires):
    found = followed(
        BandTrigger() if kind != "gauge" else band(),
        gauges(*[90.0] * 4, requests=None if kind == "gauge" else 100),
        kind=kind,
        requests=None if kind == "gauge" else 100,
        evidence=lambda moment: evidence,
    )
    assert (found.first is not None) is fires


def test_what_was_outside_and_is_back_counts_as_one_asks():
    gauge = followed(band(), gauges(*[90] * 3, *[50] * 17))
    assert verdict(band(), [gauge], until=ZERO + 1200).status is Status.FAIL
    assert verdict(band(), [gauge], until=ZERO + 1200, ever=False).status is Status.PASS


def test_of_several_gauges_the_first_to_leave_is_told():
    rate = followed(
        BandTrigger(),
        gauges(*[0.001] * 5, *[0.2] * 5, requests=100),
        kind="error-rate",
        before=[0.001] * 60,
        requests=1000,
    )
    times = followed(
        BandTrigger(),
        gauges(*[100.0] * 3, *[900.0] * 5, requests=100),
        kind="response-time",
        before=[100.0] * 60,
        requests=1000,
    )
    found = verdict(BandTrigger(message="Look"), [rate, times], until=ZERO + 600)
    assert found.at == at(360)
    assert found.reason == (
        "Look: response-time was 900 ms for 3m, outside of its band 78 ms to 122 ms "
        "(before: 100 ms on average)"
    )


def test_the_length_of_a_datapoint():
    assert [period_for(band(), period) for period in (1, 10, 20, 60, 300)] == [10, 10, 60, 60, 300]
    assert period_for(band(period="5m"), 60) == 300
    assert period_for(band(period="10s"), 60) == 60


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("error-rate", 0.0421, "4.2 %"),
        ("response-time", 1234.4, "1,234 ms"),
        ("gauge", 1234.56, "1,235"),
        ("gauge", 0.01234, "0.01234"),
    ],
)
def test_values_as_people_write_them(kind, value, words):
    assert in_words(facts_of(band(), kind, [], 60), value) == words
