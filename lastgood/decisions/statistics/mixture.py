"""Evidence that a rate is above a known one, in closed form: a mixture over all higher rates.

The rule. The likelihood of the counts is averaged over a Beta distribution of rates above the known
one, and divided by their likelihood at it (Robbins 1970). Looked at as often as one likes, it
reaches 1/a with a probability of at most a, if the rate is the known one or less.
"""

from __future__ import annotations

import math

from lastgood.decisions.statistics.binomial import beta_log, beta_share_log

_MOST_LOG = 690.0


def mixture_evidence(
    errors: float, requests: float, rate: float, a: float = 1.0, b: float = 1.0
) -> float:
    """Evidence that requests fail more often than at ``rate``; 1 without any.

    Args:
        errors: how many failed.
        requests: of how many.
        rate: strictly between 0 and 1.
        a: of the Beta distribution whose part above ``rate`` is bet on.
        b: likewise.
    """
    fine = requests - errors
    averaged = _above(errors + a, fine + b, rate) - _above(a, b, rate)
    return from_log(averaged - _likelihood(errors, fine, rate))


def two_sided_evidence(bad: float, good: float, rate: float) -> float:
    """Evidence that a rate is another one than ``rate``, higher or lower; 1 without counts."""
    return from_log(beta_log(bad + 1, good + 1) - _likelihood(bad, good, rate))


def from_log(power: float) -> float:
    """e to a power, as far as it is worth telling apart."""
    return math.exp(min(power, _MOST_LOG))


def _likelihood(bad: float, good: float, rate: float) -> float:
    return bad * math.log(rate) + good * math.log1p(-rate)


def _above(a: float, b: float, rate: float) -> float:
    """The logarithm of the incomplete Beta integral from ``rate`` to 1."""
    return beta_log(a, b) + beta_share_log(b, a, 1 - rate)
