"""How often nothing at all rolls a release back, with a look each second, 10 seconds, or minute.

Baseline and window come from the same chance. The seeds are fixed, so that no run is unlucky. So
many alarms are allowed as a chance of ``false_alarm`` would exceed once in a thousand times.
"""

from random import Random
from typing import NamedTuple

import pytest

from lastgood.decisions.regression import Regression
from lastgood.decisions.samples import Baseline, Count, Sample, normal_of
from lastgood.policy_triggers import RegressionTrigger
from tests.decisions.chances import at_most, drawing


class Service(NamedTuple):
    rate: float
    """Errors."""
    each_second: float
    """Requests."""
    burstiness: float = 0.0
    """By how much the rate of a minute is above or below the mean, at most; as a share of it."""


QUIET = Service(0.002, 2)
BUSY = Service(0.01, 20)
BAD = Service(0.08, 5)
# Were it not for the measured dispersion, four of five of its windows would be rolled back.
BURSTY = Service(0.05, 100, burstiness=0.9)
BEFORE = 3600
PARTS = 20


class Errors:
    """Draws a service's errors; of a bursty one each minute has a rate of its own."""

    def __init__(self, service: Service, period: int, lots: Random) -> None:
        self.requests = max(1, round(service.each_second * period))
        self._period, self._lots, self._minute = period, lots, -1
        shares = [
            1 + service.burstiness * (2 * part / (PARTS - 1) - 1) if service.burstiness else 1.0
            for part in range(PARTS if service.burstiness else 1)
        ]
        self._draws = [drawing(self.requests, service.rate * share, lots) for share in shares]
        self._draw = self._draws[0]

    def at(self, moment: int) -> int:
        if moment // 60 != self._minute:
            self._minute = moment // 60
            self._draw = self._lots.choice(self._draws)
        return self._draw()


def alarms(
    service: Service, period: int, window: int, trigger: RegressionTrigger, runs: int, seed: int
) -> int:
    """In how many windows it would have rolled back."""
    lots = Random(seed)
    errors, coarse = Errors(service, period, lots), Errors(service, 60, lots)
    fired = 0
    for _ in range(runs):
        counts: list[Count] = [
            (float(at), coarse.requests, coarse.at(at)) for at in range(-BEFORE, 0, 60)
        ]
        baseline = Baseline(text="the hour before", errors=normal_of(counts, 60))
        regression = Regression(trigger, baseline, since=0, period=period, window=window)
        for at in range(0, window, period):
            regression.feed(Sample(float(at), errors.requests, errors.at(at)))
            if regression.value >= regression.decides:
                fired += 1
                break
    return fired


@pytest.mark.parametrize(
    ("service", "period", "window"),
    [(BAD, 1, 150), (BURSTY, 10, 600), (QUIET, 60, 2400)],
    ids=["bad each second", "bursty each 10 s", "quiet each minute"],
)
def test_false_alarms_are_rarer_than_was_asked_for(service, period, window):
    trigger = RegressionTrigger(false_alarm=0.2)
    runs = 200
    fired = alarms(service, period, window, trigger, runs, seed=period)
    assert fired <= at_most(runs, trigger.false_alarm)


@pytest.mark.campaign
@pytest.mark.parametrize(("period", "window"), [(1, 300), (10, 1200), (60, 3600)])
@pytest.mark.parametrize("false_alarm", [0.05, 0.01])
@pytest.mark.parametrize(
    "service", [QUIET, BUSY, BAD, BURSTY], ids=["quiet", "busy", "bad", "bursty"]
)
def test_false_alarms_over_thousands_of_windows(service, false_alarm, period, window):
    trigger = RegressionTrigger(false_alarm=false_alarm)
    runs = 2000
    assert alarms(service, period, window, trigger, runs, seed=1) <= at_most(runs, false_alarm)
