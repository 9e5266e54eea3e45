"""How high a rate can be, as far as counts can tell that are looked at as often as one likes.

The rule. It is the lowest rate against which there is enough evidence: that requests succeed more
often than they would with it (``mixture``). That the true rate is above it at any look at all has
a probability of at most ``miss`` (a confidence sequence).
"""

from __future__ import annotations

from lastgood.decisions.statistics.mixture import mixture_evidence

_STEPS = 40


def highest_rate(bad: float, requests: float, miss: float) -> float:
    """The upper end of a confidence sequence for a rate; 1 without requests.

    Args:
        bad: how many were bad.
        requests: of how many.
        miss: how likely the true rate may ever lie above it.
    """
    if requests <= 0 or bad >= requests:
        return 1.0
    low, high = bad / requests, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if not 0 < middle < 1:
            break
        excluded = mixture_evidence(requests - bad, requests, 1 - middle) >= 1 / miss
        low, high = (low, middle) if excluded else (middle, high)
    return high
