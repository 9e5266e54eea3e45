"""Evidence from old and new side by side: is more bad than its share of the requests is new?

The rule. Old and new serve at the same time, so that what hits both hits both alike. Of the bad
requests, then, the new ones' share is at most their share of all requests, if new is no worse than
old: whatever the rates are, and however they change. Against that one bets, as against any limit
(Lindon and Malek 2022). What is drawn from so many requests, without putting back, spreads less
than the binomial that is bet on, so that the evidence is on the safe side.

``conditional_evidence`` is in closed form for one constant share. ``ConcurrentEvidence`` takes the
share as it is at each interval, bets on twelve odds (2 to 200 times as likely to fail), and has the
starts and the cap for bursts of all bets (``bets``).
"""

from __future__ import annotations

import math

from lastgood.decisions.statistics.bets import Bets, cap_of
from lastgood.decisions.statistics.mixture import mixture_evidence, two_sided_evidence

_ODDS = tuple(2 * 100 ** (n / 11) for n in range(12))
"""How many times as likely a new request is bad than an old one, of all bad ones."""


def conditional_evidence(
    treatment_bad: float, control_bad: float, share: float, *, two_sided: bool = False
) -> float:
    """Evidence that new requests fail more often than old ones; 1 without any bad one.

    Args:
        treatment_bad: how many of the new ones were bad.
        control_bad: how many of the old ones.
        share: of all requests, those that were new; strictly between 0 and 1.
        two_sided: that they fail less often counts, too.
    """
    if two_sided:
        return two_sided_evidence(treatment_bad, control_bad, share)
    return mixture_evidence(treatment_bad, treatment_bad + control_bad, share)


class ConcurrentEvidence(Bets):
    """Evidence that the new version is worse than the old one beside it.

    Args:
        false_alarm: 1 over the evidence that decides.
        weight: this stream's share of the evidence.
        eta: tempers the bets, 0 to 1.
        blocks: so many blocks of time, at least, must agree; None: bursts may decide.
    """

    def __init__(
        self,
        *,
        false_alarm: float,
        weight: float = 1.0,
        eta: float = 1.0,
        blocks: int | None = 3,
    ) -> None:
        shares = [1 / len(_ODDS)] * len(_ODDS)
        super().__init__(shares, cap_of(false_alarm, weight, blocks) if blocks else None)
        self._eta = eta
        self.value = 1.0

    def update(
        self, new_requests: float, new_bad: float, old_requests: float, old_bad: float
    ) -> None:
        """Take an interval into account; it says nothing unless both served."""
        if new_requests <= 0 or old_requests <= 0 or not new_bad + old_bad:
            return
        share = new_requests / (new_requests + old_requests)
        self.settle([self._eta * _gain(odds, share, new_bad, old_bad) for odds in _ODDS])
        self.value = self.value_of(0, len(_ODDS))


def _gain(odds: float, share: float, new_bad: float, old_bad: float) -> float:
    # If the odds are so: the new ones' share of the bad requests, and what a bet on that wins.
    whole = share * odds + 1 - share
    return new_bad * math.log(odds / whole) - old_bad * math.log(whole)
