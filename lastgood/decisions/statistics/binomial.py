"""Binomial counts: how far two rates are apart, how certain a rate is, how bursty a series is."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EPSILON = 1e-300


def divergence(a: float, b: float) -> float:
    """Kullback-Leibler divergence of a Bernoulli rate ``a`` from ``b``, in nats for each request.

    Raises:
        ValueError: if ``b`` is not strictly between 0 and 1.
    """
    if not 0 < b < 1:
        raise ValueError(f"the rate must be between 0 and 1, not {b}")
    failed = a * math.log(a / b) if a > 0 else 0.0
    fine = (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    return failed + fine


def requests_needed(bad: float, normal: float, false_alarm: float) -> float:
    """How many requests any test needs on average to tell ``bad`` from ``normal`` (Wald 1945)."""
    return math.log(1 / false_alarm) / divergence(bad, normal)


def dispersion(requests: Sequence[float], errors: Sequence[float]) -> float:
    """Pearson's X² over its degrees of freedom, at least 1: how much burstier than chance.

    Args:
        requests: of each block.
        errors: of each block, in the same order.
    """
    total, failed = math.fsum(requests), math.fsum(errors)
    rate = failed / total if total else 0.0
    blocks = [(n, k) for n, k in zip(requests, errors, strict=True) if n > 0]
    if len(blocks) < 2 or not 0 < rate < 1:
        return 1.0
    spread = math.fsum((k - n * rate) ** 2 / (n * rate * (1 - rate)) for n, k in blocks)
    return max(1.0, spread / (len(blocks) - 1))


def upper_bound(errors: float, requests: float, miss: float) -> float:
    """Clopper and Pearson's one-sided upper limit of a rate (1934).

    Args:
        errors: how many failed.
        requests: of how many.
        miss: how likely the true rate may lie above it.
    """
    if errors >= requests:
        return 1.0
    low, high = errors / requests, 1.0
    for _ in range(45):
        middle = (low + high) / 2
        above = beta_share(errors + 1, requests - errors, middle)
        low, high = (middle, high) if above < 1 - miss else (low, middle)
    return (low + high) / 2


def beta_log(a: float, b: float) -> float:
    """The logarithm of the Beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete Beta function: the share of Beta(a, b) below ``x``."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(b, a, 1 - x)
    return math.exp(_front_log(a, b, x)) / a * _continued(a, b, x)


def beta_share_log(a: float, b: float, x: float) -> float:
    """The logarithm of that share, exact also where it is as good as nothing; 0 < ``x`` < 1."""
    if x > (a + 1) / (a + b + 2):
        return math.log1p(-beta_share(b, a, 1 - x))
    return _front_log(a, b, x) - math.log(a) + math.log(_continued(a, b, x))


def _front_log(a: float, b: float, x: float) -> float:
    return a * math.log(x) + b * math.log1p(-x) - beta_log(a, b)


def _continued(a: float, b: float, x: float) -> float:
    """Lentz's continued fraction for it."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > _EPSILON else _EPSILON
