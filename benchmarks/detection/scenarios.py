"""What happens in a window: a service, its traffic, and what a release does to it.

Twenty-one classes with known verdicts, 2,060 windows in all. *Keep*: nothing that a rollback would
help, though some of it looks like it. *Tolerate*: worse by less than anybody would roll back for.
*Roll back*: worse, and how much, and since when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from benchmarks.detection.latencies import Latency

Verdict = Literal["keep", "tolerate", "rollback"]

BASELINE_S = 3600
WINDOW_S = 1200
_ALWAYS = 10 * WINDOW_S


@dataclass(frozen=True)
class Fault:
    """What is different after the release. Seconds count from the deployment."""

    spans: tuple[tuple[int, int], ...] = ()
    ramp_s: int = 0
    points: float = 0.0  # of probability, added to that of an error
    factor: float = 1.0  # how much longer slow requests take ...
    slow_share: float = 0.0  # ... and how many are slow
    size: str = ""
    above_minimum: bool = True

    @property
    def start(self) -> int:
        """The second at which it begins."""
        return self.spans[0][0]

    def strength(self, begin: float, end: float) -> float:
        """How much of it there is between two moments, on average: 0 to 1."""
        share = sum(max(0.0, min(end, b) - max(begin, a)) for a, b in self.spans) / (end - begin)
        if share and self.ramp_s:
            share *= min(1.0, ((begin + end) / 2 - self.start) / self.ramp_s)
        return share


@dataclass(frozen=True)
class Scenario:
    """One window: everything about it but the draws of its requests."""

    verdict: Verdict
    kind: str
    number: int
    rate: float  # requests a second
    burstiness: float | None  # shape of the gamma in a negative binomial; none for Poisson
    errors: float
    errors_wander: float  # standard deviation of the logarithm
    errors_burst: float | None  # shape of a gamma by which each minute's error rate is multiplied
    latency: Latency
    latency_drift: float  # of the level; within it nineteen times of twenty
    load_coupling: float
    deep_health_check: bool  # a probe feels what requests feel; a shallow one feels only outages
    fault: Fault = Fault()
    traffic_after: float = 1.0
    lost_minutes: float = 0.0
    cold_factor: float = 1.0
    cold_tau_s: float = 1.0

    @property
    def name(self) -> str:
        """Unique, and the same in a smaller set."""
        return f"{self.verdict}.{self.kind}.{self.number:04}"


Change = Callable[[Random, Scenario], Scenario]


def _begin(rng: Random) -> int:
    """Three of five faults are there at once, the others after one to ten minutes."""
    return 0 if rng.random() < 0.6 else rng.randint(60, 600)


def _since(rng: Random) -> tuple[tuple[int, int], ...]:
    return ((_begin(rng), _ALWAYS),)


def _log_uniform(rng: Random, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _errors_by(rng: Random, points: float, *, ramp_s: int = 0) -> Fault:
    above = points >= 0.0099
    size = f"+{100 * points:.3g}pp"
    return Fault(_since(rng), ramp_s, points=points, size=size, above_minimum=above)


def _slow_by(rng: Random, factor: float, share: float = 1.0) -> Fault:
    size = f"x{factor:.3g}" if share == 1 else f"{share:.0%} x{factor:.3g}"
    above = factor >= 1.5
    return Fault(_since(rng), factor=factor, slow_share=share, size=size, above_minimum=above)


def _clean(_: Random, one: Scenario) -> Scenario:
    return one


def _over_dispersed(rng: Random, one: Scenario) -> Scenario:
    return replace(one, errors=rng.uniform(0.002, 0.02), errors_burst=rng.uniform(0.5, 2))


def _elevated(rng: Random, one: Scenario) -> Scenario:
    """Steadily: a wander of a tenth of so many errors would be a fault of its own."""
    wander = min(one.errors_wander, 0.03)
    return replace(one, errors=rng.uniform(0.03, 0.15), errors_wander=wander)


def _spike(rng: Random, one: Scenario) -> Scenario:
    begin = rng.randint(0, WINDOW_S - 30)
    points = rng.uniform(0.2, 1.0)
    return replace(one, fault=Fault(((begin, begin + rng.randint(4, 20)),), points=points))


def _cold_start(rng: Random, one: Scenario) -> Scenario:
    return replace(one, cold_factor=rng.uniform(2, 6), cold_tau_s=rng.uniform(20, 60))


def _traffic_drop(rng: Random, one: Scenario) -> Scenario:
    return replace(one, fault=Fault(_since(rng)), traffic_after=rng.uniform(0.05, 0.5))


def _gaps(rng: Random, one: Scenario) -> Scenario:
    return replace(one, lost_minutes=rng.uniform(0.15, 0.5))


def _low_traffic(rng: Random, one: Scenario) -> Scenario:
    return replace(one, rate=rng.uniform(1, 5) / 60)


def _tolerable(rng: Random, one: Scenario) -> Scenario:
    if one.number % 2:
        return replace(one, fault=_slow_by(rng, rng.uniform(1.0, 1.1)))
    return replace(one, fault=_errors_by(rng, rng.uniform(0.001, 0.002)))


ERROR_STEPS = (0.005, 0.01, 0.02, 0.05, 0.10, 0.20, 0.50)
SLOWDOWNS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
LOW_STEPS = (0.10, 0.20, 0.50, 0.90)


def _error_step(rng: Random, one: Scenario) -> Scenario:
    return replace(one, fault=_errors_by(rng, ERROR_STEPS[one.number % len(ERROR_STEPS)]))


def _ramp(rng: Random, one: Scenario) -> Scenario:
    return replace(one, fault=_errors_by(rng, _log_uniform(rng, 0.05, 0.5), ramp_s=300))


def _latency(rng: Random, one: Scenario) -> Scenario:
    return replace(one, fault=_slow_by(rng, SLOWDOWNS[one.number % len(SLOWDOWNS)]))


def _tail(rng: Random, one: Scenario) -> Scenario:
    return replace(one, fault=_slow_by(rng, rng.uniform(5, 10), rng.uniform(0.05, 0.2)))


def _outage(rng: Random, one: Scenario) -> Scenario:
    points = rng.uniform(0.95, 1)
    fault = Fault(_since(rng), points=points, size="outage")
    return replace(one, fault=fault, deep_health_check=True)


def _errors_and_latency(rng: Random, one: Scenario) -> Scenario:
    fault = _errors_by(rng, _log_uniform(rng, 0.02, 0.2))
    factor = _log_uniform(rng, 1.5, 5)
    both = replace(fault, factor=factor, slow_share=1.0, size=f"{fault.size} x{factor:.3g}")
    return replace(one, fault=both)


def _worse_on_elevated(rng: Random, one: Scenario) -> Scenario:
    elevated = _elevated(rng, one)
    return replace(elevated, fault=_errors_by(rng, rng.uniform(0.05, 0.3)))


def _partial(rng: Random, one: Scenario) -> Scenario:
    tasks = rng.randint(2, 10)
    if rng.random() < 0.3:
        fault = _slow_by(rng, rng.uniform(3, 10), 1 / tasks)
    else:
        fault = _errors_by(rng, rng.uniform(0.2, 1) / tasks)
    return replace(one, fault=replace(fault, size=f"1 of {tasks}"))


def _gaps_and_fault(rng: Random, one: Scenario) -> Scenario:
    slow = one.number % 2
    fault = (
        _slow_by(rng, _log_uniform(rng, 2, 5))
        if slow
        else _errors_by(rng, _log_uniform(rng, 0.05, 0.5))
    )
    return replace(_gaps(rng, one), fault=fault)


def _drop_and_fault(rng: Random, one: Scenario) -> Scenario:
    fault = _errors_by(rng, _log_uniform(rng, 0.05, 0.5))
    return replace(one, fault=fault, traffic_after=rng.uniform(0.05, 0.5))


def _low_and_fault(rng: Random, one: Scenario) -> Scenario:
    low = _low_traffic(rng, one)
    return replace(low, fault=_errors_by(rng, LOW_STEPS[one.number % len(LOW_STEPS)]))


def _intermittent(rng: Random, one: Scenario) -> Scenario:
    spans, at = [], _begin(rng)
    while at < WINDOW_S:
        spans.append((at, at + rng.randint(20, 60)))
        at = spans[-1][1] + rng.randint(20, 120)
    points = rng.uniform(0.1, 0.5)
    fault = Fault(tuple(spans), points=points, size=f"+{100 * points:.3g}pp at times")
    return replace(one, fault=fault)


CLASSES: dict[tuple[Verdict, str], tuple[int, Change]] = {
    ("keep", "clean"): (250, _clean),
    ("keep", "over-dispersed"): (100, _over_dispersed),
    ("keep", "elevated"): (100, _elevated),
    ("keep", "spike"): (150, _spike),
    ("keep", "cold-start"): (120, _cold_start),
    ("keep", "traffic-drop"): (80, _traffic_drop),
    ("keep", "gaps"): (60, _gaps),
    ("keep", "low-traffic"): (140, _low_traffic),
    ("tolerate", "tolerable"): (60, _tolerable),
    ("rollback", "error-step"): (260, _error_step),
    ("rollback", "ramp"): (60, _ramp),
    ("rollback", "latency"): (150, _latency),
    ("rollback", "tail"): (80, _tail),
    ("rollback", "outage"): (50, _outage),
    ("rollback", "errors-and-latency"): (60, _errors_and_latency),
    ("rollback", "worse-on-elevated"): (60, _worse_on_elevated),
    ("rollback", "partial"): (60, _partial),
    ("rollback", "gaps"): (40, _gaps_and_fault),
    ("rollback", "traffic-drop"): (40, _drop_and_fault),
    ("rollback", "low-traffic"): (100, _low_and_fault),
    ("rollback", "intermittent"): (40, _intermittent),
}
ALL = sum(count for count, _ in CLASSES.values())


def _service(rng: Random, verdict: Verdict, kind: str, number: int) -> Scenario:
    """A service on a usual day."""
    return Scenario(
        verdict=verdict,
        kind=kind,
        number=number,
        rate=_log_uniform(rng, 0.1, 150),
        burstiness=rng.uniform(5, 50) if rng.random() < 0.5 else None,
        errors=0.0 if rng.random() < 0.15 else _log_uniform(rng, 0.0001, 0.02),
        errors_wander=rng.uniform(0.05, 0.2) if rng.random() < 0.5 else 0.0,
        errors_burst=None,
        latency=Latency(
            median_ms=_log_uniform(rng, 20, 500),
            sigma=rng.uniform(0.35, 0.9),
            tail_share=rng.uniform(0.002, 0.02),
            tail_shape=rng.uniform(1.5, 3),
        ),
        latency_drift=rng.uniform(0.01, 0.12),
        load_coupling=rng.uniform(0, 0.15),
        deep_health_check=rng.random() < 0.3,
    )


def scenario(seed: int, verdict: Verdict, kind: str, number: int) -> Scenario:
    """The window of this number of its class."""
    rng = Random(f"{seed} {verdict} {kind} {number} service")
    return CLASSES[verdict, kind][1](rng, _service(rng, verdict, kind, number))


def scenarios(seed: int, count: int | None = None) -> Iterator[Scenario]:
    """All windows, or about ``count`` in the same proportions and at least one of each class.

    A smaller set is a part of the larger one of the same seed.
    """
    scale = 1.0 if count is None else count / ALL
    for (verdict, kind), (full, _) in CLASSES.items():
        for number in range(max(1, round(full * scale))):
            yield scenario(seed, verdict, kind, number)
