"""The evidence about one release: bursts, streams, starts, and the least that it claims."""

import math
import tracemalloc
from random import Random

import pytest

from lastgood.decisions.regression import Regression
from lastgood.decisions.samples import Baseline, Normal, Sample, SlowNormal
from lastgood.decisions.statistics.evidence import cap_of
from lastgood.policy_triggers import RegressionTrigger
from tests.decisions.chances import drawing

ERRORS = Normal(requests=360_000, bad=360)
SLOW = tuple(
    SlowNormal(
        name=name,
        usual=usual,
        limit=1.22 * usual,
        normal=Normal(requests=360_000, bad=share * 360_000),
    )
    for name, usual, share in (
        ("slow", 100.0, 0.25),
        ("slower", 200.0, 0.05),
        ("slowest", 400.0, 0.005),
    )
)
PROBES = Normal(requests=360, bad=0)
EVERYTHING = Baseline(text="the hour before", errors=ERRORS, slow=SLOW, probes=PROBES)


def regression(baseline=EVERYTHING, *, period=10.0, window=1200.0, warm=(), **keys) -> Regression:
    trigger = RegressionTrigger.model_validate(keys)
    return Regression(trigger, baseline, since=0, period=period, window=window, warm=warm)


def sample(at, period=10.0, errors=0.001, slow=(0.2, 0.04, 0.004), failing=0.0) -> Sample:
    """A hundred requests a second, and a probe every ten seconds."""
    requests = 100 * period
    probes = period / 10 if period >= 10 else float(at % 10 == 0)
    return Sample(
        at=at,
        requests=requests,
        errors=requests * errors,
        timed=requests,
        slow=tuple(requests * share for share in slow),
        probes=probes,
        failed=probes * failing,
    )


def highest(judge: Regression, begin: float, lasts: float, *, bad: dict[str, object]) -> float:
    """The most evidence while everything is bad for some time, and fine before and after."""
    period, most = judge.period, 0.0
    for number in range(int(1200 / period)):
        at = number * period
        share = max(0.0, min(at + period, begin + lasts) - max(at, begin)) / period
        fine = sample(at, period)
        mixed = sample(at, period, **bad) if share == 1 else fine
        if 0 < share < 1:
            worst = sample(at, period, **bad)
            mixed = fine._replace(
                errors=(1 - share) * (fine.errors or 0) + share * (worst.errors or 0),
                slow=tuple(
                    (1 - share) * left + share * right
                    for left, right in zip(fine.slow or (), worst.slow or (), strict=True)
                ),
                failed=share * worst.failed,
            )
        judge.feed(mixed)
        most = max(most, judge.value)
    return most


OUTAGE = {"errors": 1.0, "slow": (1.0, 1.0, 1.0), "failing": 1.0}


@pytest.mark.parametrize("begin", [0, 5, 305, 311])
@pytest.mark.parametrize("period", [10, 60])
@pytest.mark.parametrize(
    "bad", [{"errors": 1.0}, {"slow": (1.0, 1.0, 1.0)}, OUTAGE], ids=["errors", "slow", "outage"]
)
def test_twenty_seconds_in_which_all_is_bad_never_trigger(bad, period, begin):
    """All streams at once are one burst: each alone was held back, and their sum was not."""
    judge = regression(period=period)
    assert highest(judge, begin, 20, bad=bad) < judge.decides


def test_twenty_seconds_of_outage_never_trigger_with_a_look_each_second():
    judge = regression(period=1.0)
    assert highest(judge, 305, 20, bad=OUTAGE) < judge.decides


@pytest.mark.parametrize("bad", [{"errors": 1.0}, OUTAGE], ids=["errors", "outage"])
@pytest.mark.parametrize(("period", "lasts"), [(10, 60), (60, 240)])
def test_what_lasts_triggers(bad, period, lasts):
    judge = regression(period=period)
    assert highest(judge, 300, lasts, bad=bad) >= judge.decides


@pytest.mark.parametrize("burst", ["10s", "40s", "60s"])
def test_the_policy_says_how_long_a_burst_is(burst):
    seconds = float(burst.removesuffix("s"))
    judge = regression(burst=burst)
    assert highest(judge, 305, seconds, bad=OUTAGE) < judge.decides
    longer = regression(burst=burst)
    assert highest(longer, 305, 3 * seconds + 20, bad=OUTAGE) >= longer.decides


def test_the_streams_weights_add_up_to_one():
    assert math.fsum(one.weight for one in regression().streams) == pytest.approx(1)
    two = regression(Baseline(text="", errors=ERRORS, probes=PROBES)).streams
    assert {one.name: round(one.weight, 3) for one in two} == {"errors": 0.8, "probes": 0.2}


def test_a_stream_whose_baseline_is_too_small_is_left_out():
    judge = regression(Baseline(text="", errors=ERRORS, probes=Normal(requests=2, bad=0)))
    assert [one.name for one in judge.streams] == ["errors"]
    assert judge.too_small == ("probes",)
    assert judge.streams[0].weight == 1


def test_without_a_baseline_there_is_no_evidence():
    judge = regression(Baseline(text=""))
    judge.feed(sample(0.0, errors=1.0))
    assert (judge.streams, judge.value, judge.strongest) == ([], 0, None)


def test_what_is_slow_in_the_warm_up_does_not_count():
    cold = regression(warm=[(0, 120)])
    for number in range(12):
        fewer = 0.7**number
        cold.feed(sample(10.0 * number, slow=(fewer, fewer, fewer)))
    assert cold.value < 1
    assert next(one for one in cold.streams if one.name == "slow").requests == 0
    cold.feed(sample(120.0, slow=(1.0, 1.0, 1.0)))
    assert next(one for one in cold.streams if one.name == "slow").requests == 1000


def test_what_stays_slow_in_the_warm_up_counts_after_all():
    slow = regression(warm=[(0, 120)])
    for number in range(7):
        slow.feed(sample(10.0 * number, slow=(1.0, 1.0, 1.0)))
    assert next(one for one in slow.streams if one.name == "slow").requests == 7000
    assert slow.value >= slow.decides


@pytest.mark.parametrize(
    "nothing",
    [Sample(0.0), Sample(0.0, requests=100.0), Sample(0.0, errors=5.0), Sample(0.0, requests=0.0)],
)
def test_a_bucket_that_does_not_say_how_requests_ended_is_no_evidence(nothing):
    judge = regression()
    before = judge.value
    for number in range(30):
        judge.feed(nothing._replace(at=10.0 * number))
    assert judge.value == before
    assert all(one.requests == 0 for one in judge.streams)


def test_a_bursty_baseline_makes_evidence_count_for_less():
    plain = regression(Baseline(text="", errors=ERRORS))
    bursty = regression(Baseline(text="", errors=ERRORS.model_copy(update={"dispersion": 4.0})))
    for number in range(4):
        plain.feed(sample(10.0 * number, errors=0.008))
        bursty.feed(sample(10.0 * number, errors=0.008))
    assert plain.value > 10 * bursty.value


def test_a_fault_that_begins_late_is_found():
    judge = regression(Baseline(text="", errors=ERRORS))
    for number in range(60):
        judge.feed(sample(10.0 * number))
    assert judge.value < 1
    for number in range(60, 66):
        judge.feed(sample(10.0 * number, errors=0.05))
    assert judge.value >= judge.decides
    assert judge.strongest is not None
    assert judge.strongest.since >= 590, "what was fine before is not part of the run"


def test_a_long_window_holds_no_more_than_a_short_one():
    judge = regression(period=1.0)
    sizes = []
    tracemalloc.start()
    try:
        for number in range(300):
            judge.feed(sample(float(number), 1.0))
            if number in (99, 299):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 1000, "bytes"


def test_no_stream_decides_in_fewer_blocks_than_its_cap_says():
    """Two blocks from a neutral state: .5 C² of what decides."""
    for weight in (1.0, 0.4, 0.1):
        for blocks in (3, 4, 6):
            cap = cap_of(0.01, weight, blocks)
            assert 0.5 * cap ** (blocks - 1) < 1 / (0.01 * weight)


def claims(before: float, after: float, each: int, runs: int, seed: int) -> list[float]:
    """By how much it is worse at least, as told when a worse release is found."""
    lots = Random(seed)
    old, new = drawing(each, before, lots), drawing(each, after, lots)
    found = []
    for _ in range(runs):
        bad = sum(old() for _ in range(360))
        baseline = Baseline(text="", errors=Normal(requests=360 * each, bad=bad))
        judge = regression(baseline)
        for number in range(120):
            judge.feed(Sample(10.0 * number, each, new()))
            if judge.value >= judge.decides:
                found.append(judge.streams[0].certain_rise)
                break
    return found


@pytest.mark.parametrize(
    ("before", "after", "each"), [(0.005, 0.0125, 100), (0.005, 0.1, 3), (0.02, 0.05, 30)]
)
def test_at_least_so_much_worse_is_true(before, after, each):
    """The run is picked as it looks bad, just then when it does: a plain bound is too bold."""
    found = claims(before, after, each, 90, seed=5)
    assert len(found) > 30
    assert sum(claim > after - before for claim in found) <= 0.01 * len(found)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("before", "after", "each"),
    [(0.005, 0.0125, 100), (0.005, 0.015, 100), (0.005, 0.1, 3), (0.02, 0.04, 30), (0.0, 0.02, 30)],
)
def test_at_least_so_much_worse_is_true_of_thousands(before, after, each):
    found = claims(before, after, each, 2000, seed=6)
    assert sum(claim > after - before for claim in found) <= 0.01 * len(found)
