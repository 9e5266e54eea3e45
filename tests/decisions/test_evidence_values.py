"""Reference values: a prototype's, which agree with scipy's where scipy has them."""

import math

import pytest

from lastgood.decisions.statistics.binomial import (
    beta_share,
    beta_share_log,
    dispersion,
    divergence,
    requests_needed,
    upper_bound,
)
from lastgood.decisions.statistics.conditional import ConcurrentEvidence, conditional_evidence
from lastgood.decisions.statistics.evidence import (
    EvidenceProcess,
    TwoSampleEvidence,
    cap_of,
    logit_grid,
)
from lastgood.decisions.statistics.mixture import mixture_evidence

LIKE_THE_PROTOTYPE = 2e-4
"""The search for the highest rate that the baseline does not exclude goes in steps of 5 %, and ours
begins elsewhere than the prototype's: all cells are a little further up or down."""


def settled(process, counts, *, blocks=False):
    """The evidence after each of some counts, from a start before the first."""
    process.start()
    found = []
    for number, count in enumerate(counts):
        if number and blocks:
            process.open_block()
        process.update(*count)
        found.append(process.values[0] if isinstance(process, EvidenceProcess) else process.value)
    return found


@pytest.mark.parametrize(
    ("errors", "requests", "miss", "bound"),
    [
        (0, 500, 0.001, 0.0137205144),
        (0, 60, 0.005, 0.0845186527),
        (50, 10000, 0.01, 0.0069001352),
        (0, 1, 0.05, 0.95),
        (5, 5, 0.01, 1.0),
    ],
)
def test_the_upper_bound_of_a_rate(errors, requests, miss, bound):
    assert upper_bound(errors, requests, miss) == pytest.approx(bound, rel=1e-8)


@pytest.mark.parametrize(
    ("bad", "normal", "apart", "needed"),
    [
        (0.051, 0.001, 0.1517957722, 30.338),
        (0.01, 0.005, 0.0019440557, 2368.847),
        (0.5, 0.02, 1.2729656758, 3.618),
    ],
)
def test_the_information_in_a_request(bad, normal, apart, needed):
    assert divergence(bad, normal) == pytest.approx(apart, abs=5e-11)
    assert requests_needed(bad, normal, 0.01) == pytest.approx(needed, abs=5e-4)


@pytest.mark.parametrize("normal", [0, 1, -0.1, 1.1])
def test_there_is_no_distance_from_certainty(normal):
    with pytest.raises(ValueError, match="between 0 and 1"):
        divergence(0.5, normal)


def test_dispersion_is_pearsons_over_its_degrees_of_freedom():
    assert dispersion([100] * 6, [1, 0, 2, 1, 3, 5]) == pytest.approx(1.632653061, abs=5e-10)


@pytest.mark.parametrize(
    ("requests", "errors"), [([], []), ([100], [5]), ([10, 10], [0, 0]), ([5, 5], [5, 5])]
)
def test_dispersion_is_one_where_nothing_can_be_said(requests, errors):
    assert dispersion(requests, errors) == 1


def test_dispersion_is_never_below_one_and_leaves_empty_blocks_out():
    assert dispersion([100, 100, 100], [5, 5, 5]) == 1
    assert dispersion([100, 0, 100], [1, 0, 9]) == dispersion([100, 100], [1, 9]) > 1


def test_a_grid_of_rates():
    expected = [0.01, 0.0623723908, 0.3046312111, 0.7426044011, 0.95]
    assert logit_grid(0.01, 0.95, 5) == pytest.approx(expected, abs=5e-11)


@pytest.mark.parametrize("x", [0.001, 0.2, 0.5, 0.9])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 40), (40, 3), (0.5, 0.5)])
def test_the_incomplete_beta_function_and_its_logarithm_agree(a, b, x):
    assert pytest.approx(1, abs=1e-12) == beta_share(a, b, x) + beta_share(b, a, 1 - x)
    assert math.exp(beta_share_log(a, b, x)) == pytest.approx(beta_share(a, b, x), rel=1e-9)


def test_evidence_against_a_limit():
    process = EvidenceProcess([0.01], [0.02], alternatives=3)
    found = settled(process, [(100, 1), (100, 5), (100, 8)])
    assert found == pytest.approx([0.6220045349, 1.9881943659, 150.2134030129], rel=1e-9)


def test_a_cap_for_each_block():
    cap = cap_of(0.01, 1.0, 3)
    assert cap == pytest.approx(13.4350288425, rel=1e-11)
    found = settled(EvidenceProcess([0.01], [0.02], cap=cap), [(100, 100)] * 4, blocks=True)
    assert found == pytest.approx([7.2175144213, 90.75, 1213.011353, 16290.625], rel=1e-9)


def test_evidence_against_limits_is_that_against_each():
    together = EvidenceProcess([0.01, 0.05], [0.02, 0.1], cap=5.0, tilt=0.5)
    alone = [
        EvidenceProcess([limit], [least], cap=5.0, tilt=0.5)
        for limit, least in ((0.01, 0.02), (0.05, 0.1))
    ]
    for process in (together, *alone):
        settled(process, [(40, 2), (40, 9), (40, 1)], blocks=True)
    assert together.values == [one.values[0] for one in alone]


@pytest.mark.parametrize(
    ("before", "smallest", "counts", "at_first", "then"),
    [
        ((500, 0), 0.005, (20, 1), 1, [1.509461, 3.480441, 7.405207, 14.921198, 28.152529]),
        (
            (10000, 50),
            0.01,
            (100, 1),
            0.437997,
            [0.257591, 0.251773, 0.249200, 0.247903, 0.247381, 0.247366],
        ),
    ],
)
def test_evidence_against_a_baseline(before, smallest, counts, at_first, then):
    requests, bad = before
    evidence = TwoSampleEvidence(
        requests, bad, tolerance=0.0025, smallest=smallest, false_alarm=0.01
    )
    assert evidence.value == pytest.approx(at_first, abs=5e-7)
    found = settled(evidence, [counts] * len(then), blocks=True)
    assert found == pytest.approx(then, rel=LIKE_THE_PROTOTYPE)


def test_errors_that_were_there_before_are_no_evidence():
    evidence = TwoSampleEvidence(2000, 100, tolerance=0.0025, smallest=0.055, false_alarm=0.01)
    assert evidence.value == pytest.approx(0.410684, abs=5e-7)
    found = settled(evidence, [(100, 5)] * 6, blocks=True)
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(0.222974, rel=LIKE_THE_PROTOTYPE)


@pytest.mark.parametrize(
    ("new", "old", "share", "two_sided", "expected"),
    [
        (10, 2, 0.5, False, 9.440559441),
        (10, 2, 0.5, True, 4.773892774),
        (5, 0, 0.2, False, 651.0),
        (3, 30, 0.1, False, 0.0782516819),
        (20, 40, 0.1, False, 29398.286370),
        (0, 0, 0.1, False, 1.0),
        (0, 0, 0.1, True, 1.0),
    ],
)
def test_evidence_from_old_and_new_side_by_side(new, old, share, two_sided, expected):
    found = conditional_evidence(new, old, share, two_sided=two_sided)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("errors", "requests", "rate", "a", "b", "expected"),
    [
        (5, 100, 0.01, 1, 1, 3.449309417),
        (10, 200, 0.02, 0.5, 0.5, 1.593950212),
        (3, 3, 0.05, 1, 1, 2105.25),
        (0, 100, 0.01, 1, 1, 0.009900990),
        (0, 0, 0.3, 1, 1, 1.0),
    ],
)
def test_evidence_of_a_mixture_of_rates(errors, requests, rate, a, b, expected):
    assert mixture_evidence(errors, requests, rate, a, b) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("bad", [0, 1, 999_999, 10**6])
def test_no_count_is_too_large(bad):
    good = 10**6 - bad
    for share in (0.001, 0.5, 0.999):
        for two_sided in (False, True):
            assert 0 <= conditional_evidence(bad, good, share, two_sided=two_sided) < math.inf
        evidence = ConcurrentEvidence(false_alarm=0.01, blocks=None)
        evidence.start()
        evidence.update(1e9 * share, bad, 1e9 * (1 - share), good)
        assert 0 <= evidence.value < math.inf


def test_the_mixture_is_the_mean_of_the_likelihoods():
    """Against a sum over a fine grid, as no library is here to ask."""
    steps = 200_000
    rates = [0.1 + 0.9 * (n + 0.5) / steps for n in range(steps)]
    summed = math.fsum(rate**4 * (1 - rate) ** 6 for rate in rates) / steps
    assert mixture_evidence(4, 10, 0.1) == pytest.approx(summed / (0.1**4 * 0.9**6), rel=1e-8)


def concurrently(counts, *, blocks=None, restart=False):
    evidence = ConcurrentEvidence(false_alarm=0.01, blocks=blocks)
    evidence.start()
    for number, count in enumerate(counts):
        if number:
            evidence.start() if restart else evidence.open_block()
        evidence.update(*count)
    return evidence.value


def test_old_and_new_at_shares_that_change():
    """The formula, written out: twelve odds from 2 to 200; half of 1 is bet at the first start."""
    counts = [(100, 4, 900, 3), (500, 9, 500, 1)]
    sums = []
    for n in range(12):
        odds, power = math.exp(math.log(2) + n / 11 * math.log(100)), 0.0
        for new, new_bad, old, old_bad in counts:
            rho = new / (new + old)
            p = rho * odds / (rho * odds + 1 - rho)
            power += new_bad * math.log(p / rho) + old_bad * math.log((1 - p) / (1 - rho))
        sums.append(math.exp(power))
    expected = 0.5 + 0.5 * math.fsum(sums) / 12
    assert concurrently(counts) == pytest.approx(expected, rel=1e-12)


def test_old_and_new_say_nothing_unless_both_served_and_one_failed():
    assert concurrently([(0, 0, 100, 5), (100, 5, 0, 0), (100, 0, 100, 0)]) == 1


def test_what_hits_old_and_new_alike_is_no_evidence():
    assert concurrently([(100, 60, 300, 180)] * 20) < 1


def test_a_later_fault_of_the_new_one_is_found_by_a_later_start():
    counts = [(100, 1, 100, 1)] * 30 + [(100, 6, 100, 1)] * 5
    assert concurrently(counts, restart=True) > 2 * concurrently(counts)


def test_two_blocks_never_decide_between_old_and_new():
    worst = (1000, 1000, 1000, 0)
    assert 90 < concurrently([worst] * 2, blocks=3) < 100
    assert concurrently([worst] * 3, blocks=3) > 100
    assert concurrently([worst], blocks=None) > 1e9
