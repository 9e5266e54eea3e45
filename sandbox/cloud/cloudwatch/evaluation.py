"""Which state an alarm should be in: M breaching datapoints out of N, and what gaps mean.

The rule, from AWS's "Configuring how CloudWatch alarms treat missing data":

1. CloudWatch looks at more periods than N (the evaluation range), and uses missing
   datapoints as few times as possible.
2. With N real datapoints or more in the range, the newest N decide; gaps do not matter.
3. With fewer, the gaps are filled up to N: `breaching` and `notBreaching` fill with that.
   `missing` and `ignore` fill with nothing: M real breaching ones alarm, and any real one
   that does not breach makes it OK.
4. Where every real datapoint breaches but there are fewer than M, `ignore` keeps the state.
   `missing` alarms once the oldest of them is at least M periods old (the rule against
   premature alarms); until then, and with no datapoint at all, the data is insufficient.

The length of the evaluation range is not documented but for one example (5 for N = 3).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
TreatMissing = Literal["missing", "ignore", "breaching", "notBreaching"]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


@dataclass(frozen=True)
class Verdict:
    """The state to be in (None: stay as it is) and the counts that led there."""

    state: State | None
    breaching: int
    real: int
    filled: int


def evaluation_range(evaluation_periods: int) -> int:
    """How many of the newest periods are looked at."""
    return evaluation_periods + max(2, math.ceil(evaluation_periods / 3))


def evaluate(
    breaches: Sequence[bool | None], *, m: int, n: int, treat_missing: TreatMissing
) -> Verdict:
    """Judge the evaluation range, oldest first; None is a missing datapoint."""
    real = [breach for breach in breaches if breach is not None][-n:]
    breaching, filled = sum(real), n - len(real)
    state: State | None
    if treat_missing == "breaching":
        state = "ALARM" if breaching + filled >= m else "OK"
    elif breaching >= m:
        state = "ALARM"
    elif not filled or treat_missing == "notBreaching" or breaching < len(real):
        state = "OK"
    elif treat_missing == "ignore":
        state = None
    else:
        state = "ALARM" if _age_of_oldest_breach(breaches) >= m else "INSUFFICIENT_DATA"
    return Verdict(state, breaching, len(real), filled)


def _age_of_oldest_breach(breaches: Sequence[bool | None]) -> int:
    """In periods, where the newest period is 1 old; 0 without a breach."""
    return next((len(breaches) - i for i, breach in enumerate(breaches) if breach), 0)
