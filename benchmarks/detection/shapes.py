"""How a service's traffic, errors and latency wander: from hour to hour, minute to minute."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from benchmarks.detection.lots import poisson
from benchmarks.detection.scenarios import BASELINE_S, WINDOW_S, Scenario

SLOT_S = 10
"""Nothing wanders faster than from one ten seconds to the next."""

SLOTS = (BASELINE_S + WINDOW_S) // SLOT_S


@dataclass(frozen=True)
class Shape:
    """How a service wanders, slot by slot: the same for every resolution."""

    traffic: list[float]
    errors: list[float]
    level: list[float]
    lost: frozenset[int]


def _wander(rng: Random, spread: float, minutes: float) -> Iterator[float]:
    """AR(1) with this standard deviation; what it was fades within so many minutes."""
    keep = math.exp(-SLOT_S / (60 * minutes))
    fresh = spread * math.sqrt(1 - keep * keep)
    value = spread * rng.gauss(0, 1)
    for _ in range(SLOTS):
        yield value
        value = keep * value + fresh * rng.gauss(0, 1)


def _bursts(rng: Random) -> list[float]:
    """Up to three times the traffic, for some twenty seconds to three minutes, now and then."""
    factors = [1.0] * SLOTS
    for _ in range(poisson(rng, rng.choice((0.0, 1.0, 3.0)))):
        begin, factor = rng.randrange(SLOTS), rng.uniform(1.3, 3)
        for slot in range(begin, min(SLOTS, begin + rng.randint(2, 18))):
            factors[slot] = factor
    return factors


def shape_of(rng: Random, one: Scenario) -> Shape:
    """How this service wanders today."""
    amplitude, phase = rng.uniform(0.1, 0.6), rng.uniform(0, 2 * math.pi)
    wander = _wander(rng, rng.uniform(0.03, 0.15), rng.uniform(5, 20))
    load = [
        amplitude * (math.sin(phase + 2 * math.pi * slot * SLOT_S / 86_400) - math.sin(phase)) + x
        for slot, x in enumerate(wander)
    ]
    load = [x + math.log(factor) for x, factor in zip(load, _bursts(rng), strict=True)]
    traffic = [math.exp(x) for x in load]
    if one.burstiness:
        traffic = [x * rng.gammavariate(one.burstiness, 1 / one.burstiness) for x in traffic]
    errors = [math.exp(x) for x in _wander(rng, one.errors_wander, 10)]
    if one.errors_burst:
        minutes = [
            rng.gammavariate(one.errors_burst, 1 / one.errors_burst) for _ in range(SLOTS // 6)
        ]
        errors = [x * minutes[slot // 6] for slot, x in enumerate(errors)]
    drift = _wander(rng, one.latency_drift / 2, 15)
    level = [x + one.load_coupling * y for x, y in zip(drift, load, strict=True)]
    lost = frozenset(minute for minute in range(SLOTS // 6) if rng.random() < one.lost_minutes)
    return Shape(traffic, errors, level, lost)
