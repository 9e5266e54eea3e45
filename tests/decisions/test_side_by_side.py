"""New and old tasks that serve at the same time are compared with each other."""

import random

from lastgood.decisions.comparing import share_of
from lastgood.decisions.regression import Regression
from lastgood.decisions.regression_verdicts import verdict
from lastgood.decisions.samples import Baseline, Normal, Sample, Side
from lastgood.model import Status
from lastgood.policy_triggers import RegressionTrigger
from tests.decisions.made import NEW, OLD, deployment, service

TRIGGER = RegressionTrigger()
NORMAL = Baseline(text="before", errors=Normal(requests=36000, bad=180), buckets=360, beside=True)


def followed(baseline: Baseline = NORMAL) -> Regression:
    return Regression(TRIGGER, baseline, since=0, period=10, window=1200)


def bucket(number: int, new: tuple[int, int], old: tuple[int, int]) -> Sample:
    (n, k), (m, j) = new, old
    sides = (Side(n, k), Side(m, j))
    return Sample(at=10.0 * number, requests=n + m, errors=k + j, beside=sides)


def errors(chance: random.Random, requests: int, rate: float) -> int:
    return sum(chance.random() < rate for _ in range(requests))


def test_what_hits_both_is_no_regression() -> None:
    """A neighbour's outage in the middle of a canary: a quarter of all requests fail."""
    chance, regression = random.Random(5), followed()
    for n in range(120):
        rate = 0.25 if 30 <= n < 90 else 0.005
        pair = errors(chance, 10, rate), errors(chance, 90, rate)
        regression.feed(bucket(n, (10, pair[0]), (90, pair[1])))
        assert regression.value < regression.decides, n


def test_counted_together_it_would_be_blamed_on_the_release() -> None:
    """That the test above can fail."""
    chance = random.Random(5)
    regression = followed(NORMAL.model_copy(update={"beside": False}))
    for n in range(120):
        rate = 0.25 if 30 <= n < 90 else 0.005
        bad = errors(chance, 100, rate)
        regression.feed(Sample(at=10.0 * n, requests=100, errors=bad))
    assert regression.value >= regression.decides


def test_a_canary_that_is_worse_is_found_and_told_side_by_side() -> None:
    chance, regression = random.Random(5), followed()
    for n in range(120):
        pair = errors(chance, 10, 0.3), errors(chance, 90, 0.005)
        regression.feed(bucket(n, (10, pair[0]), (90, pair[1])))
        if regression.value >= regression.decides:
            break
    assert n < 15, "far sooner than in the sum of both, where 3 % fail"
    said = verdict(TRIGGER, regression, until=10.0 * (n + 1))
    assert said.status is Status.FAIL
    assert "on the old tasks" in said.reason
    assert "on the new ones" in said.reason
    assert "side by side since 00:00" in said.reason


def test_a_canary_that_is_no_worse_says_so_and_how_much_it_would_have_seen() -> None:
    """No request is counted but side by side; they are counted all the same."""
    regression = followed()
    for n in range(120):
        regression.feed(bucket(n, (20, int(n % 10 == 0)), (80, int(n % 3 == 0))))
    said = verdict(TRIGGER, regression, until=1200.0)
    assert said.status is Status.PASS
    assert "5xx 0.42 % on the old tasks (9,600 requests), 0.5 % on the new ones" in said.reason
    assert "points would have been seen" in said.reason
    assert "not measured" not in said.reason


def test_after_the_shift_the_new_tasks_are_compared_with_before() -> None:
    chance, regression = random.Random(5), followed()
    for n in range(20):
        regression.feed(bucket(n, (10, 0), (90, errors(chance, 90, 0.005))))
    for n in range(20, 60):
        bad = errors(chance, 100, 0.1)
        regression.feed(Sample(at=10.0 * n, requests=100, errors=bad))
    assert regression.value >= regression.decides
    assert "before (36,000 requests)" in verdict(TRIGGER, regression, until=600).reason


def test_a_share_of_new_tasks_makes_a_diluted_fault_found_sooner() -> None:
    """One task of ten is new and fails half of its requests: five in a hundred of all."""
    ended = {}
    for share in (0.1, 1.0):
        chance, regression = random.Random(7), followed(NORMAL.model_copy(update={"beside": False}))
        for n in range(120):
            bad = errors(chance, 90, 0.005) + errors(chance, 10, 0.1)
            regression.feed(Sample(at=10.0 * n, requests=100, errors=bad, share=share))
            if regression.value >= regression.decides:
                break
        ended[share] = n
    assert ended[0.1] < ended[1.0]


def test_the_share_of_new_tasks_is_that_of_the_running_ones() -> None:
    old = deployment(OLD, id="ecs-svc/1", status="ACTIVE", running=3)
    rolling = service(deployment(NEW, running=1), old)
    assert share_of(rolling, NEW) == 0.25
    assert share_of(service(deployment(NEW, running=0)), NEW) == 1.0
