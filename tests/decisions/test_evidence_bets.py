"""No bet is worth more than it costs while nothing got worse: summed over all that can happen.

By this the evidence ever reaches 1/a with a probability of at most a, however often one looks.
"""

import math
from copy import deepcopy
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lastgood.decisions.statistics.conditional import ConcurrentEvidence, conditional_evidence
from lastgood.decisions.statistics.evidence import EvidenceProcess, TwoSampleEvidence
from lastgood.decisions.statistics.mixture import mixture_evidence
from tests.decisions.chances import chances

ONE = 1 + 1e-9
"""What rounding leaves of it."""
SHARES = st.floats(0, 1)
LIMITS = st.floats(0.001, 0.9)
ETAS = st.sampled_from([1.0, 0.9, 0.5, 0.1])
CAPS = st.sampled_from([None, 1.01, 3.0, 13.4])
ALONE = 100.0
"""A tilt by which all is bet on the smallest rate, so that a single bet can be seen."""


def between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def expected(process, outcomes, share: float = 1.0) -> float:
    """The mean evidence after one step, over counts and their chances."""
    total = 0.0
    for requests, bad, chance in outcomes:
        after = deepcopy(process)
        after.update(requests, bad, share)
        total += chance * (after.values[0] if isinstance(after, EvidenceProcess) else after.value)
    return total


def a_bet(limit: float, alternative: float, eta: float, cap: float | None) -> EvidenceProcess:
    """Against a limit, on one rate above it."""
    rate = between(limit * 1.0001, 0.99, alternative)
    process = EvidenceProcess([limit], [rate], eta=eta, cap=cap, alternatives=2, tilt=ALONE)
    process.start()
    return process


@given(LIMITS, SHARES, SHARES, st.integers(1, 40), ETAS, CAPS)
@example(0.5, 0.5, 1.0, 1, 1.0, None)
def test_a_bet_wins_nothing_on_average(limit, alternative, part, requests, eta, cap):
    process = a_bet(limit, alternative, eta, cap)
    before = process.values[0]
    outcomes = [
        (requests, bad, chance) for bad, chance in enumerate(chances(requests, part * limit))
    ]
    assert expected(process, outcomes) <= before * ONE


@given(LIMITS, SHARES, st.integers(1, 40), st.sampled_from([1.0, 0.5, 0.1, 0.0]))
def test_a_bet_at_the_limit_is_fair_also_on_a_share_of_new_tasks(limit, alternative, requests, new):
    process = a_bet(limit, alternative, 1.0, None)
    outcomes = [(requests, bad, chance) for bad, chance in enumerate(chances(requests, limit))]
    assert expected(process, outcomes, new) == pytest.approx(process.values[0], rel=1e-9)


PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)


@given(
    LIMITS,
    SHARES,
    st.lists(st.integers(0, 10), min_size=5, max_size=5).filter(any),
    st.integers(1, 4),
    ETAS,
    CAPS,
)
def test_requests_that_are_bad_in_part_win_nothing_either(
    limit, alternative, weights, requests, eta, cap
):
    """A histogram counts slow requests in parts: any parts with a mean up to the limit."""
    whole = sum(weights)
    mean = sum(p * w for p, w in zip(PARTS, weights, strict=True)) / whole
    shrink = min(1.0, limit / mean) if mean else 1.0
    of_one = [(part * shrink, weight / whole) for part, weight in zip(PARTS, weights, strict=True)]
    outcomes = [
        (requests, sum(part for part, _ in each), math.prod(chance for _, chance in each))
        for each in product(of_one, repeat=requests)
    ]
    process = a_bet(limit, alternative, eta, cap)
    assert expected(process, outcomes) <= process.values[0] * ONE


@given(
    LIMITS, SHARES, st.lists(st.tuples(SHARES, st.integers(1, 12)), min_size=1, max_size=3), CAPS
)
def test_all_bets_together_over_several_looks(limit, least, looks, cap):
    """Rates may change from look to look; starts and blocks in between cost nothing."""
    smallest = between(limit * 1.0001, 0.99, least)
    process = EvidenceProcess([limit], [smallest], cap=cap, tilt=0.5)
    process.start()
    states = [(process, 1.0)]
    for number, (part, requests) in enumerate(looks):
        grown = []
        for state, chance in states:
            state.start() if number % 2 else state.open_block()
            for bad, likely in enumerate(chances(requests, part * limit)):
                after = deepcopy(state)
                after.update(requests, bad)
                grown.append((after, chance * likely))
        states = sorted(grown, key=lambda pair: -pair[1])[:40]
        rest = sum(chance for _, chance in grown) - sum(chance for _, chance in states)
        if rest > 1e-12:
            break  # too many to go on: what there is so far is judged
    assert sum(chance * state.values[0] for state, chance in grown) <= ONE


@pytest.mark.parametrize("blocks", [None, 2, 3])
@pytest.mark.parametrize("eta", [1.0, 0.6])
@pytest.mark.parametrize(("old", "tolerance"), [(0.02, 0.05), (0.1, 0.01), (0.5, 0.0), (0.9, 0.02)])
def test_the_baseline_is_drawn_too(old, tolerance, eta, blocks):
    """Whatever it shows: on average over it and over the release there is nothing to win."""
    requests, looks, each = 6, 2, 4
    new = chances(each, min(old + tolerance, 0.98))
    total = at_first = 0.0
    for bad_before, chance in enumerate(chances(requests, old)):
        evidence = TwoSampleEvidence(
            requests,
            bad_before,
            tolerance=tolerance,
            smallest=min(0.95, old + 2 * tolerance),
            false_alarm=0.2,
            eta=eta,
            blocks=blocks,
            tilt=0.5,
        )
        at_first += chance * evidence.value
        states = [(evidence, chance)]
        for _ in range(looks):
            grown = []
            for state, so_far in states:
                state.start()
                for bad, likely in enumerate(new):
                    after = deepcopy(state)
                    after.update(each, bad)
                    grown.append((after, so_far * likely))
            states = grown
        total += sum(so_far * state.value for state, so_far in states)
    assert at_first <= ONE
    assert total <= ONE


@given(SHARES, SHARES, st.integers(1, 12), st.integers(1, 12), ETAS, CAPS)
@example(0.001, 1.0, 12, 12, 1.0, None)
def test_old_and_new_alike_win_nothing(old, part, new_requests, old_requests, eta, cap):
    """Exact, of two binomials: what is bet on is a share of the bad ones, which spreads more."""
    blocks = None if cap is None else 3
    evidence = ConcurrentEvidence(false_alarm=0.3, eta=eta, blocks=blocks)
    evidence.start()
    total = 0.0
    for (new_bad, one), (old_bad, other) in product(
        enumerate(chances(new_requests, part * old)), enumerate(chances(old_requests, old))
    ):
        after = deepcopy(evidence)
        after.update(new_requests, new_bad, old_requests, old_bad)
        total += one * other * after.value
    assert total <= ONE


@given(LIMITS, SHARES, st.integers(0, 40))
def test_the_mixtures_win_nothing(rate, part, requests):
    likely = list(enumerate(chances(requests, part * rate)))
    assert sum(c * mixture_evidence(k, requests, rate) for k, c in likely) <= ONE
    assert sum(c * conditional_evidence(k, requests - k, rate) for k, c in likely) <= ONE


@given(LIMITS, st.integers(0, 40))
def test_the_two_sided_mixture_is_fair(rate, requests):
    total = sum(
        chance * conditional_evidence(bad, requests - bad, rate, two_sided=True)
        for bad, chance in enumerate(chances(requests, rate))
    )
    assert total == pytest.approx(1, rel=1e-9)
