"""Windows as metrics show them: an hour of baseline, twenty minutes of release, and the truth.

One way to make them for any resolution. Requests are drawn in steps of 10 s, or of 1 s if the
resolution asked for is finer than 10 s, and summed up to the resolution. So 10 s and 60 s of one
seed are the same requests; 1 s is another draw of the same service, traffic and fault, with bursts
that last ten seconds as there. Within a step everything is even: a fault that begins in the middle
of one is there by half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from random import Random
from typing import NamedTuple

from benchmarks.detection.information import Information
from benchmarks.detection.latencies import BOUNDS, Histograms, mean_ms
from benchmarks.detection.lots import binomial, multinomial, poisson
from benchmarks.detection.scenarios import BASELINE_S, WINDOW_S, Scenario, Verdict
from benchmarks.detection.shapes import SLOT_S, Shape, shape_of

DEPLOYED_AT = 1_700_003_640
"""Seconds since the epoch; at a full minute, as are CloudWatch's datapoints."""
_PROBE_FAILS = 0.002
TRAFFIC = (("1-5/min", 0.1), (".1-.5/s", 0.5), (".5-5/s", 5.0), ("5-40/s", 40.0), ("40-150/s", 1e9))


class Bucket(NamedTuple):
    """One datapoint: what happened from ``time`` on for as long as the window's resolution."""

    time: int
    requests: int
    errors: int
    latency_avg: float | None
    at_most: tuple[int, ...]
    probes: int
    probes_failed: int


@dataclass(frozen=True)
class Truth:
    """What is known of a window, and what no rule may look at."""

    name: str
    verdict: Verdict
    kind: str
    fault_at: int | None
    size: str
    rate: float
    above_minimum: bool
    information: float  # after the fault, in multiples of ln(1/alpha)
    limit_s: float | None  # seconds after the fault until there is enough of it

    @property
    def traffic(self) -> str:
        """The name of the range that its rate is in."""
        return next(name for name, below in TRAFFIC if self.rate < below)


@dataclass(frozen=True)
class Window:
    """A release as its metrics show it. A bucket that is missing was lost."""

    truth: Truth
    resolution: int
    buckets: tuple[Bucket, ...]
    deployed_at: int = DEPLOYED_AT

    @property
    def bounds(self) -> tuple[int, ...]:
        """Milliseconds, of ``Bucket.at_most``."""
        return BOUNDS

    @property
    def since(self) -> int:
        """When the baseline begins."""
        return self.deployed_at - BASELINE_S

    @property
    def until(self) -> int:
        """When the window ends."""
        return self.deployed_at + WINDOW_S

    @property
    def baseline(self) -> tuple[Bucket, ...]:
        """Before the deployment."""
        return tuple(one for one in self.buckets if one.time < self.deployed_at)

    @property
    def release(self) -> tuple[Bucket, ...]:
        """From the deployment on."""
        return tuple(one for one in self.buckets if one.time >= self.deployed_at)

    def resampled(self, resolution: int) -> Window:
        """The same with longer datapoints."""
        if resolution % self.resolution:
            raise ValueError(f"{resolution} s is no multiple of {self.resolution} s")
        if resolution == self.resolution:
            return self
        groups = groupby(self.buckets, key=lambda one: one.time // resolution * resolution)
        buckets = tuple(_summed(time, list(parts)) for time, parts in groups)
        return Window(self.truth, resolution, buckets, self.deployed_at)


def _summed(time: int, parts: Sequence[Bucket]) -> Bucket:
    requests = sum(one.requests for one in parts)
    spent = sum(one.requests * one.latency_avg for one in parts if one.latency_avg is not None)
    return Bucket(
        time,
        requests,
        sum(one.errors for one in parts),
        round(spent / requests, 3) if requests else None,
        tuple(map(sum, zip(*(one.at_most for one in parts), strict=True))),
        sum(one.probes for one in parts),
        sum(one.probes_failed for one in parts),
    )


@dataclass(frozen=True)
class _Step:
    """What holds for the requests of one step."""

    rate: float
    errors: float
    level: float
    strength: float
    probe_fails: float


def _step(one: Scenario, shape: Shape, at: int, step: int) -> _Step:
    """From second ``at`` after the deployment on, or before it."""
    slot = (at + BASELINE_S) // SLOT_S
    strength = one.fault.strength(at, at + step) if at + step > 0 else 0.0
    level = shape.level[slot]
    if at >= 0 and one.cold_factor > 1:
        age = (at + step / 2) / one.cold_tau_s
        level += math.log(1 + (one.cold_factor - 1) * math.exp(-age))
    felt = one.fault.strength(at, at + 1) if strength and one.deep_health_check else 0.0
    return _Step(
        rate=one.rate * shape.traffic[slot] * (1 - strength * (1 - one.traffic_after)),
        errors=min(1.0, one.errors * shape.errors[slot] + one.fault.points * strength),
        level=level,
        strength=strength,
        probe_fails=min(1.0, _PROBE_FAILS + felt * one.fault.points),
    )


def generate(seed: int, one: Scenario, resolution: int = 10) -> Window:
    """The window of a scenario, and its truth."""
    step = SLOT_S if resolution >= SLOT_S else 1
    shape = shape_of(Random(f"{seed} {one.name} shape"), one)
    rng = Random(f"{seed} {one.name} requests {step}")
    histograms = Histograms(one.latency, one.fault.factor)
    buckets, told = [], Information(one, histograms)
    for at in range(-BASELINE_S, WINDOW_S, step):
        if (at + BASELINE_S) // 60 in shape.lost:
            continue
        now = _step(one, shape, at, step)
        requests = poisson(rng, now.rate * step)
        slow = round(one.fault.slow_share * now.strength, 2)
        counts = multinomial(rng, requests, histograms.cells(now.level, slow))
        probes = 1 if at % SLOT_S == 0 else 0
        buckets.append(
            Bucket(
                DEPLOYED_AT + at,
                requests,
                binomial(rng, requests, now.errors),
                mean_ms(counts),
                tuple(accumulate(counts[:-1])),
                probes,
                binomial(rng, probes, now.probe_fails),
            )
        )
        if now.strength:
            told.grow(requests, now.strength, at + step)
    return Window(_truth(one, told), step, tuple(buckets)).resampled(resolution)


def _truth(one: Scenario, told: Information) -> Truth:
    keep = one.verdict == "keep"
    return Truth(
        name=one.name,
        verdict=one.verdict,
        kind=one.kind,
        fault_at=None if keep else DEPLOYED_AT + one.fault.start,
        size=one.fault.size,
        rate=round(one.rate, 4),
        above_minimum=one.verdict == "rollback" and one.fault.above_minimum,
        information=0.0 if keep else told.multiple,
        limit_s=None if keep else told.enough_s,
    )
