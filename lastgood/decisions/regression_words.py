"""How the regression trigger speaks: rates, counts and chances as people write them.

The rule. Nothing is claimed that is not certain: "at least" is rounded down, the chance of a false
alarm is never told as smaller than it is, and what a person wrote down is not told as counted.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from lastgood.decisions.regression import Regression, Stream

_MOST_TOLD = 1e9
"""Evidence: more is told as this."""
NAMES = {
    "errors": "5xx",
    "slow": "slower answers",
    "slower": "slowest 5 % of answers",
    "slowest": "very slow answers",
    "probes": "failed probes",
}


def in_words(stream: Stream, regression: Regression) -> str:
    """``5xx 0.4 % before (48,120 requests), 3.1 % since 14:02 (6,310 requests): …``."""
    if stream.is_beside:
        return f"{_side_by_side(stream)}: worse, {_chance(regression)}"
    told = rates(stream, regression, in_run=True)
    return f"{told}: {_worse(stream.certain_rise)}, {_chance(regression)}"


def _side_by_side(stream: Stream) -> str:
    """What new and old tasks answered at the same time."""
    new, new_bad, old, old_bad = stream.sides
    since = datetime.fromtimestamp(stream.first, UTC)
    over = f" over {stream.limit:,.0f} ms" if stream.limit else ""
    return (
        f"{NAMES[stream.name]}{over} {_percent(old_bad / max(old, 1.0))} on the old tasks "
        f"({counted(stream, old)}), {_percent(new_bad / max(new, 1.0))} on the new ones "
        f"({counted(stream, new)}), side by side since {since:%H:%M:%S} UTC"
    )


def _worse(rise: float) -> str:
    tenths = math.floor(rise * 1000 + 1e-6)  # never more than is certain
    if tenths < 1:
        return "worse"
    return f"at least {tenths / 10:.1f} points worse" if tenths != 10 else "at least 1 point worse"


def _chance(regression: Regression) -> str:
    """In round numbers, and never less than what was asked for."""
    value = min(max(regression.value, regression.decides), _MOST_TOLD)
    chance = max(regression.decides, 10 ** math.floor(math.log10(value) + 1e-9))
    return f"chance of a false alarm below 1 in {math.floor(chance + 1e-6):,}"


def rates(stream: Stream, regression: Regression, *, in_run: bool = False) -> str:
    """What was normal, and what is so now."""
    if all(stream.sides[::2]) and (stream.is_beside or not stream.requests):
        return _side_by_side(stream)
    requests, bad = (stream.run[1], stream.run[2]) if in_run else (stream.requests, stream.bad)
    begin = stream.since if in_run else stream.first
    since = f"since {datetime.fromtimestamp(begin, UTC):%H:%M:%S} UTC" if requests else "now"
    known = "by the policy" if regression.baseline.written else "before"
    if not regression.baseline.written:
        known += f" ({counted(stream, stream.normal.requests)})"
    before = f"{_percent(stream.normal.rate)} {known}"
    after = f"{since} ({counted(stream, requests)})"
    if requests:
        after = f"{_percent(bad / requests)} {after}"
    if not stream.limit:
        return f"{NAMES[stream.name]} {before}, {after}"
    return f"answers over {stream.usual:,.0f} ms {before}, over {stream.limit:,.0f} ms {after}"


def counted(stream: Stream, count: float) -> str:
    """``6,310 requests``; ``1 probe``."""
    number = f"{count:,.0f}"
    return f"{number} {stream.unit.removesuffix('s') if number == '1' else stream.unit}"


def _percent(rate: float) -> str:
    """One digit after the point; two that count where it is small: ``12.5 %``, ``0.04 %``."""
    share = rate * 100
    if share in (0, 100):
        return f"{share:.0f} %"
    if share < 0.0001:
        return "under 0.0001 %"
    if share >= 0.995:
        return f"{min(share, 99.9):.1f} %"
    digits = 1 - math.floor(math.log10(share))
    return f"{share:.{digits}f}".rstrip("0") + " %"


def odds(value: float) -> str:
    """``120 to 1``: never more than there is."""
    return f"{math.floor(min(value, _MOST_TOLD)):,} to 1" if value >= 10 else f"{value:.1f} to 1"
