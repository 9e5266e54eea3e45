"""Recordings of releases at T0, made stretch by stretch; and what a policy says of them."""

import math
from typing import Any, NamedTuple

from lastgood.decisions.backtest import Replay, replay
from lastgood.decisions.recording import Recording, Row
from lastgood.policy import MonitorPolicy, Policy
from lastgood.policy_triggers import Trigger
from tests.decisions.made import T0

DEPLOYED = T0.timestamp()
BOUNDS = (50.0, 100.0, 200.0, 400.0, 800.0, 1600.0)
ALL = frozenset({"requests", "errors", "latency_avg", "le", "probes", "probes_failed"})
COUNTS = frozenset({"requests", "errors"})


class Stretch(NamedTuple):
    """Some time in which a service was always the same."""

    lasts: float
    """Seconds."""
    errors: float = 0.005
    """The share of requests that fail."""
    each_second: float = 10.0
    """Requests."""
    slower: float = 1.0
    """By which factor answers are slower than 100 ms in the median."""
    failing: bool = False
    """Whether probes fail; there is one every ten seconds."""
    missing: bool = False
    """Whether there are no lines at all."""


HOUR = Stretch(3600)
"""As it was before, unless said otherwise."""


class Counter:
    """Whole numbers whose sums are as close to the exact ones as they can be."""

    def __init__(self) -> None:
        self._exact = 0.0
        self._told = 0

    def __call__(self, number: float) -> float:
        self._exact += number
        whole = math.floor(self._exact + 1e-6) - self._told
        self._told += whole
        return float(whole)


def recorded(
    *after: Stretch,
    before: Stretch = HOUR,
    period: float = 10,
    columns: frozenset[str] = ALL,
) -> Recording:
    """A release at T0, with one stretch before it."""
    rows: list[Row] = []
    failed, asked = Counter(), Counter()
    at = DEPLOYED - before.lasts
    for stretch in (before, *after):
        for _ in range(round(stretch.lasts / period)):
            requests = stretch.each_second * period
            probes = asked(period / 10)
            errors = min(failed(requests * stretch.errors), requests)
            row = Row(
                at,
                requests,
                errors,
                100 * stretch.slower * math.exp(0.125) if requests else None,
                tuple(requests * _share(bound / stretch.slower) for bound in BOUNDS),
                probes,
                probes if stretch.failing else 0.0,
            )
            at += period
            if not stretch.missing:
                rows.append(_with(row, columns))
    return Recording(period, rows, BOUNDS if "le" in columns else (), columns)


def _share(bound: float) -> float:
    """How many of the answers take at most so long: log-normal, 100 ms in the median."""
    return 0.5 * (1 + math.erf(math.log(bound / 100) / 0.5 / math.sqrt(2)))


def _with(row: Row, columns: frozenset[str]) -> Row:
    names = {"latency_avg": "average", "le": "upto", "probes_failed": "failed"}
    kept = {names.get(name, name) for name in columns}
    gone = {name for name in Row.__slots__ if name not in {"at", "problem", *kept}}
    for name in gone:
        setattr(row, name, None)
    return row


def judged(recording: Recording, *triggers: Trigger, **monitor: Any) -> Replay:
    """What a policy with these triggers says; ``window`` and all counts only if it is given."""
    policy = Policy(
        service="shop/web", triggers=list(triggers), monitor=MonitorPolicy.model_validate(monitor)
    )
    return replay(policy, recording, DEPLOYED)
