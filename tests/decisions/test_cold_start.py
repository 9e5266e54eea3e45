"""Whether new tasks are only cold."""

import math
import random

import pytest

from lastgood.decisions.cold_start import ColdStart

PERIOD = 10


def excluded_at(
    slow: list[float], requests: int = 200, share: float = 1.0, seed: int = 1
) -> int | None:
    """After how many seconds it is no cold start; None: never."""
    chance, found = random.Random(seed), ColdStart(1000)
    for number, rate in enumerate(slow):
        bad = sum(chance.random() < rate for _ in range(requests))
        found.take(1000 + PERIOD * number, requests, bad, share)
        if found.excluded:
            return PERIOD * (number + 1)
    return None


def cooling(tau: float, high: float = 0.9) -> list[float]:
    """A share of slow requests that falls to what is normal."""
    return [max(0.05, high * math.exp(-PERIOD * n / tau)) for n in range(12)]


def test_what_stays_as_slow_is_no_cold_start() -> None:
    assert excluded_at([0.6] * 12) == 70


def test_nor_is_what_gets_slower() -> None:
    assert excluded_at([0.05] * 4 + [0.6] * 8) == 70


def test_nor_is_what_was_never_slow() -> None:
    assert excluded_at([0.05] * 12, requests=1000) == 80


@pytest.mark.parametrize("tau", [20, 40, 60])
def test_what_gets_faster_is_one(tau: float) -> None:
    found = [excluded_at(cooling(tau)[:9], seed=seed) for seed in range(200)]
    assert found.count(None) >= 198


def test_on_few_requests_nobody_can_tell() -> None:
    assert excluded_at([0.6] * 12, requests=20) is None


def test_while_tasks_are_replaced_others_start_cold_all_the_time() -> None:
    assert excluded_at([0.6] * 12, share=0.5) is None


def test_what_was_before_it_began_says_nothing() -> None:
    found = ColdStart(1000)
    for number in range(60):
        found.take(400 + PERIOD * number, 200, 120)
    assert not found.excluded


def test_coarse_data_cannot_tell() -> None:
    found = ColdStart(0)
    for minute in range(10):
        found.take(60 * minute, 5000, 3000)
    assert not found.excluded
