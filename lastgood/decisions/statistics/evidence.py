"""Evidence that a rate rose, which may be looked at as often as one likes.

The rule. Evidence is a bet against "nothing got worse". It starts at 1; as long as nothing got
worse, its expectation stays at most 1 however long one plays, so that it ever reaches 1/a with a
probability of at most a (Ville 1939). Whoever looks each second is as safe as who looks once.

``EvidenceProcess`` bets against one known limit: P(bad | past) <= limit for every request. It bets
on ten alternatives at once, from several starts and with a cap for each block of time (``bets``).

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

from lastgood.decisions.statistics.bets import Bets, cap_of

_ALTERNATIVES = 10
_CELLS = 20
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


_LEAST_SHARE = 0.01


def logit_grid(low: float, high: float, count: int) -> list[float]:
    """Rates that are equally far apart in log odds."""
    first, last = (math.log(p / (1 - p)) for p in (low, high))
    steps = (first + (last - first) * n / (count - 1) for n in range(count))
    return [1 / (1 + math.exp(-step)) for step in steps]


class EvidenceProcess(Bets):
    """Bets against limits on a rate; several limits ("cells") at once.

    Args:
        limits: what the rate is at most, if nothing got worse.
        smallest: for each limit the smallest rate that is bet on.
        eta: tempers the bets, 0 to 1.
        cap: how much a bet may win within one block; None for no limit.
        alternatives: how many rates are bet on.
        tilt: how much more is bet on small rises than on large ones; 0 for the same on all.
    """

    def __init__(
        self,
        limits: Sequence[float],
        smallest: Sequence[float],
        *,
        eta: float = 1.0,
        cap: float | None = None,
        alternatives: int = _ALTERNATIVES,
        tilt: float = 0.0,
    ) -> None:
        self._count = alternatives
        shares = [(n + 1) ** -tilt for n in range(alternatives)]
        super().__init__([share / math.fsum(shares) for share in shares] * len(limits), cap)
        self._eta = eta
        self._pairs = [
            (limit, rate)
            for limit, least in zip(limits, smallest, strict=True)
            for rate in logit_grid(least, max(0.95, (1 + least) / 2), alternatives)
        ]
        self._dilute(1.0)

    def _dilute(self, share: float) -> None:
        """What is won by one bad request, and lost by any, if so many requests meet the fault."""
        self._share = share
        self._bad: list[float] = []
        self._all: list[float] = []
        for limit, undiluted in self._pairs:
            rate = limit + share * (undiluted - limit)
            fine = self._eta * math.log((1 - rate) / (1 - limit))
            self._bad.append(self._eta * math.log(rate / limit) - fine)
            self._all.append(fine)

    def update(self, requests: float, bad: float, share: float = 1.0) -> None:
        """Settle the bets on some requests, ``bad`` of which were bad.

        Args:
            requests: how many.
            bad: how many of them were bad.
            share: of these, those that new tasks answered: only they can have become worse.
        """
        share = max(share, _LEAST_SHARE)
        if share != self._share:
            self._dilute(share)
        if not bad:
            self.settle([requests * per_all for per_all in self._all])
            return
        pairs = zip(self._bad, self._all, strict=True)
        self.settle([bad * per_bad + requests * per_all for per_bad, per_all in pairs])

    @property
    def values(self) -> list[float]:
        """The evidence against each limit."""
        count = self._count
        return [self.value_of(n, n + count) for n in range(0, len(self._bad), count)]


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
        blocks: so many blocks of time, at least, must agree; None: bursts may decide.
        tilt: how much more is bet on small rises than on large ones; 0 for the same on all.
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
        blocks: int | None = 3,
        tilt: float = 0.0,
    ) -> None:
        edges = _edges(requests, bad, math.log(1 / (false_alarm * weight)) + 1.5, eta)
        limits = [min(edge + tolerance, 0.98) for edge in edges[1:]]
        self._process = EvidenceProcess(
            limits,
            [min(max(smallest, 1.05 * limit), 0.99) for limit in limits],
            eta=eta,
            cap=cap_of(false_alarm, weight, blocks) if blocks else None,
            tilt=tilt,
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

    def update(self, requests: float, bad: float, share: float = 1.0) -> None:
        """Take some requests into account; ``share`` of them were answered by new tasks."""
        if requests <= 0:
            return
        self._process.update(requests, bad, share)
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
