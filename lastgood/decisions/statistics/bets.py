"""Bets against "nothing got worse": when they begin, and how much they may win.

The rule. Of 1, half is bet at the first start; a fault may begin later, so that the rest is bet at
twenty further ones (Shiryaev's recursion, as in Shin, Ramdas and Rinaldo 2024). Within one block of
time no bet may win more than a cap: a burst that touches fewer blocks than must agree decides
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_FIRST_SHARE = 0.5
"""How much is bet at the first start; the rest in as many further starts as below."""
_STARTS = 20
_MOST = 1e300
"""No bet counts for more: it decided long ago."""
_MOST_POWER = 700.0


def cap_of(false_alarm: float, weight: float, blocks: int = 3) -> float:
    """By how much a bet may grow in one block: fewer than ``blocks`` can never decide."""
    decides = 1 / (false_alarm * weight * _FIRST_SHARE)
    return float(0.95 * decides ** (1 / (blocks - 1)))


class Bets:
    """Several bets at once.

    Args:
        shares: of what is bet at a start, how much on each.
        cap: how much a bet may win within one block; None for no limit.
    """

    def __init__(self, shares: Sequence[float], cap: float | None) -> None:
        self._shares = list(shares)
        self._cap = cap
        self._bets = [0.0] * len(self._shares)
        self._room = [0.0] * len(self._shares)
        # A late start has less to bet: it may win as much as if it were the first one.
        self._least = [0.0 if cap is None else cap * _FIRST_SHARE * part for part in self._shares]
        self._left = 1.0
        self._started = False

    def start(self) -> None:
        """Bet some of what is left from here on: a fault may begin now. Opens a block."""
        share = min(self._left, (1 - _FIRST_SHARE) / _STARTS if self._started else _FIRST_SHARE)
        self._started = True
        self._left -= share
        self._bets = [
            bet + share * part for bet, part in zip(self._bets, self._shares, strict=True)
        ]
        self.open_block()

    def open_block(self) -> None:
        """A new block of time: what a bet may win counts from here."""
        cap = self._cap
        if cap is None:
            self._room = [_MOST] * len(self._bets)
            return
        self._room = [
            room if (room := cap * bet) > least else least
            for bet, least in zip(self._bets, self._least, strict=True)
        ]
        if max(self._room) > _MOST:
            self._room = [min(room, _MOST) for room in self._room]

    def settle(self, powers: Sequence[float]) -> None:
        """Multiply each bet by e to its power, as far as it may win."""
        try:
            self._settle(powers, math.exp)
        except OverflowError:
            self._settle(powers, lambda power: math.exp(min(power, _MOST_POWER)))

    def _settle(self, powers: Sequence[float], exp: Callable[[float], float]) -> None:
        self._bets = [
            # A bet that has won all it may in this block waits for the next one.
            bet if bet >= room else (won if (won := bet * exp(power)) < room else room)
            for bet, power, room in zip(self._bets, powers, self._room, strict=True)
        ]

    def value_of(self, first: int, behind: int) -> float:
        """What some of the bets came to, with what was never bet: 1 at the beginning."""
        return self._left + sum(self._bets[first:behind])
