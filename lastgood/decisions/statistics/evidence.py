"""Evidence that a rate rose, which may be looked at as often as one likes.

The rule. Evidence is a bet against "nothing got worse". It starts at 1; as long as nothing got
worse, its expectation stays at most 1 however long one plays, so that it ever reaches 1/a with a
probability of at most a (Ville 1939). Whoever looks each second is as safe as who looks once.

``EvidenceProcess`` bets against one known limit: P(bad | past) <= limit for every request. It bets
on ten alternatives at once, from several starts (a fault may begin late: Shiryaev's recursion, as
in Shin, Ramdas and Rinaldo 2024). Within one block of time no bet may win more than a cap: a burst
that touches only one or two blocks can never decide.

``TwoSampleEvidence`` does not know the rate from before, only a sample of it. It cuts the possible
rates into cells. For each it multiplies the evidence that the baseline gives against rates as high
as the cell with that of the release against the cell's upper edge, and counts the least of all
(universal inference: Wasserman, Ramdas and Balakrishnan 2020).

A bad request may count in part (0 to 1): the bets are convex in it. Bets are tempered by ``eta``
(one over the dispersion), where a baseline is burstier than chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_ALTERNATIVES = 10
_CELLS = 20
_FIRST_SHARE = 0.5
"""How much is bet at the first start; the rest in as many further starts as below."""
_STARTS = 20
_BLOCKS = 3
"""So many blocks of time, at least, must agree."""
_BASELINE_BETS = (
    (1.0, 0.40),
    (0.8, 0.12),
    (0.6, 0.12),
    (0.4, 0.12),
    (0.2, 0.10),
    (0.05, 0.07),
    (0.002, 0.07),
)
"""How much lower the true rate may be than the cell's, and how much is bet on it."""


def logit_grid(low: float, high: float, count: int) -> list[float]:
    """Rates that are equally far apart in log odds."""
    first, last = (math.log(p / (1 - p)) for p in (low, high))
    steps = (first + (last - first) * n / (count - 1) for n in range(count))
    return [1 / (1 + math.exp(-step)) for step in steps]


def cap_of(false_alarm: float, weight: float) -> float:
    """By how much a bet may grow in one block: two blocks can never decide."""
    return 0.95 * math.sqrt(1 / (false_alarm * weight * _FIRST_SHARE))


class EvidenceProcess:
    """Bets against limits on a rate; several limits ("cells") at once.

    Args:
        limits: what the rate is at most, if nothing got worse.
        smallest: for each limit the smallest rate that is bet on.
        eta: tempers the bets, 0 to 1.
        cap: how much a bet may win within one block; None for no limit.
        alternatives: how many rates are bet on.
    """

    def __init__(
        self,
        limits: Sequence[float],
        smallest: Sequence[float],
        *,
        eta: float = 1.0,
        cap: float | None = None,
        alternatives: int = _ALTERNATIVES,
    ) -> None:
        self._count = alternatives
        self._cap = cap
        self._bad: list[float] = []
        self._all: list[float] = []
        for limit, least in zip(limits, smallest, strict=True):
            for rate in logit_grid(least, max(0.95, (1 + least) / 2), alternatives):
                fine = eta * math.log((1 - rate) / (1 - limit))
                self._bad.append(eta * math.log(rate / limit) - fine)
                self._all.append(fine)
        self._bets = [0.0] * len(self._bad)
        self._room = [0.0] * len(self._bad)
        self._left = 1.0
        self._started = False

    def start(self) -> None:
        """Bet some of what is left from here on: a fault may begin now."""
        share = min(self._left, (1 - _FIRST_SHARE) / _STARTS if self._started else _FIRST_SHARE)
        self._started = True
        self._left -= share
        each = share / self._count
        self._bets = [bet + each for bet in self._bets]
        self.open_block()

    def open_block(self) -> None:
        """A new block of time: what a bet may win counts from here."""
        cap = math.inf if self._cap is None else self._cap
        self._room = [cap * bet for bet in self._bets]

    def update(self, requests: float, bad: float) -> None:
        """Settle the bets on some requests, ``bad`` of which were bad."""
        exp = math.exp
        self._bets = [
            # A bet that has won all it may in this block waits for the next one.
            bet
            if bet >= room
            else (won if (won := bet * exp(bad * per_bad + requests * per_all)) < room else room)
            for bet, per_bad, per_all, room in zip(
                self._bets, self._bad, self._all, self._room, strict=True
            )
        ]

    @property
    def values(self) -> list[float]:
        """The evidence against each limit."""
        bets, count = self._bets, self._count
        return [self._left + sum(bets[n : n + count]) for n in range(0, len(bets), count)]


def baseline_evidence(rate: float, requests: float, bad: float, eta: float) -> float:
    """The logarithm of a baseline's evidence against its true rate being ``rate`` or more."""
    fine = requests - bad
    terms = [
        math.log(share)
        + eta * (bad * math.log(part) + fine * (math.log1p(-part * rate) - math.log1p(-rate)))
        for part, share in _BASELINE_BETS
    ]
    most = max(terms)
    return most + math.log(math.fsum(math.exp(term - most) for term in terms))


class TwoSampleEvidence:
    """Evidence that a rate is higher than it was in a baseline, by more than a tolerance.

    Args:
        requests: of the baseline.
        bad: how many of them were bad.
        tolerance: a rise by this much never counts as evidence.
        smallest: the smallest rate that is bet on.
        false_alarm: 1 over the evidence that decides.
        weight: this stream's share of the evidence.
        eta: tempers the bets, 0 to 1.
        capped: whether bursts are kept from deciding.
    """

    def __init__(
        self,
        requests: float,
        bad: float,
        *,
        tolerance: float,
        smallest: float,
        false_alarm: float,
        weight: float = 1.0,
        eta: float = 1.0,
        capped: bool = True,
    ) -> None:
        edges = _edges(requests, bad, math.log(1 / (false_alarm * weight)) + 1.5, eta)
        limits = [min(edge + tolerance, 0.98) for edge in edges[1:]]
        self._process = EvidenceProcess(
            limits,
            [min(max(smallest, 1.05 * limit), 0.99) for limit in limits],
            eta=eta,
            cap=cap_of(false_alarm, weight) if capped else None,
        )
        self._before = [1.0] + [
            math.exp(min(700.0, baseline_evidence(edge, requests, bad, eta)))
            for edge in edges[1:-1]
        ]
        self.value = min(self._before)

    def start(self) -> None:
        """A fault may begin now. Opens a block."""
        self._process.start()

    def open_block(self) -> None:
        """A new block of time begins."""
        self._process.open_block()

    def update(self, requests: float, bad: float) -> None:
        """Take some requests into account."""
        if requests <= 0:
            return
        self._process.update(requests, bad)
        pairs = zip(self._before, self._process.values, strict=True)
        self.value = min(before * now for before, now in pairs)


def _edges(requests: float, bad: float, enough: float, eta: float) -> list[float]:
    """The cells' edges: from 0 over the observed rate to one that the baseline excludes."""
    observed = bad / requests
    top = max(observed, 0.25 / requests)
    while top < 0.9 and baseline_evidence(top, requests, bad, eta) < enough:
        top *= 1.05
    top = min(top, 0.9)
    first = max(min(observed, 0.98 * top), top / 50)
    return [0.0, *(first * (top / first) ** (n / (_CELLS - 1)) for n in range(_CELLS))]
