"""Guards of the plain thresholds against false alarms.

The rule. Unless a trigger is ``raw``, a stretch that is above its threshold counts only if

- its failed requests were counted, and there were enough: ``min_requests`` (30) requests and 5
  failed ones, over the whole breach up to then, however long it is. So a service with few requests
  is judged later, not never. What came before something that was not above is another breach. Where
  the breach is mostly missing data that counts as bad, no requests are asked for.
- the evidence that the release is worse than the service was, where somebody measures that, is at
  least 3 to 1.

A trigger whose metric was near the threshold before the release judges nothing: above half of it
for errors, two thirds for response times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from lastgood.decisions.metrics import (
    MetricTrigger,
    breaches,
    in_words,
    limit_in_words,
    threshold_of,
    volume_of,
)
from lastgood.decisions.stretches import Grid, Span, WarmUp
from lastgood.policy_triggers import ErrorRateTrigger

Evidence = Callable[[datetime], float | None]
"""How much the data speaks for a regression at a moment; None: nobody measures that."""

_EVIDENCE = 3.0


class Known(NamedTuple):
    """What else is known, beside the series."""

    before: float | None = None
    """The metric before the release."""
    evidence: Evidence | None = None
    started: tuple[datetime, ...] = ()
    """When tasks of the release began to serve."""
    warm_up: timedelta = timedelta(0)

    @property
    def warming(self) -> WarmUp:
        """Which buckets are left out."""
        return WarmUp(self.started, self.warm_up)


class Breach(NamedTuple):
    """A breach at one moment: its newest stretch, and where it began."""

    span: Span
    left: int
    """The first bucket of the uninterrupted breach."""
    began: datetime
    doubt: str | None
    """Why it does not count, in words."""
    lacks_requests: bool


class Judged(NamedTuple):
    """What the guards leave of all stretches."""

    fires: Breach | None
    """The first breach that counts."""
    last: Breach | None
    """The newest breach that does not count, even if it is over."""
    lasts: bool
    """Whether that one lasts still."""


def muted(trigger: MetricTrigger, before: float | None) -> str | None:
    """Why the trigger judges nothing, in words; None: it judges."""
    if before is None or trigger.raw or trigger.counted:
        return None
    share = 1 / 2 if isinstance(trigger, ErrorRateTrigger) else 2 / 3
    if before <= share * threshold_of(trigger):
        return None
    return (
        f"not judged by the threshold: it was {in_words(trigger, before)} before the release "
        f"already (threshold {limit_in_words(trigger)})"
    )


def judge(
    grid: Grid, spans: Iterable[Span], known: Known, not_before: datetime | None = None
) -> Judged:
    """Look for the first breach that counts.

    Args:
        grid: the buckets.
        spans: its stretches, the oldest first.
        known: what else is known.
        not_before: only a breach that reaches past this counts.
    """
    left: int | None = None
    right = 0
    last, lasts = None, False
    for span in spans:
        lasts = span.above
        if not span.above or _was_good(grid, right, span.left):
            left = None
        if not span.above:
            continue
        left, right = span.left if left is None else left, span.right
        if not_before is not None and span.end <= not_before:
            continue
        breach = _weigh(grid, span, left, known)
        if breach.doubt is None:
            return Judged(fires=breach, last=last, lasts=True)
        last = breach
    return Judged(fires=None, last=last, lasts=lasts and last is not None)


def _was_good(grid: Grid, left: int, right: int) -> bool:
    """Whether what lies between two stretches that could be judged was fine."""
    mean = grid.mean(left, right) if left < right else None
    return mean is not None and not breaches(grid.trigger, mean)


def _weigh(grid: Grid, span: Span, left: int, known: Known) -> Breach:
    few = _too_few(grid, span, left)
    weak = None if few or grid.trigger.raw else _too_weak(span, known)
    return Breach(
        span=span,
        left=left,
        began=grid.at(left),
        doubt=few or weak,
        lacks_requests=few is not None,
    )


def _too_few(grid: Grid, span: Span, left: int) -> str | None:
    needed, right = volume_of(grid.trigger), span.right
    if needed is None or not grid.counted:
        return None
    known_bad = grid.trigger.missing_data == "breaching"
    if known_bad and grid.gone(left, right) > grid.present(left, right):
        return None
    requests, failed = grid.volume(left, right)
    if requests >= needed[0] and failed >= needed[1]:
        return None
    return (
        f"only {failed:,.0f} of {requests:,.0f} requests failed, and a breach needs "
        f"{needed[0]} requests and {needed[1]} failed ones"
    )


def _too_weak(span: Span, known: Known) -> str | None:
    value = known.evidence(span.end) if known.evidence else None
    if value is None or value >= _EVIDENCE:
        return None
    return (
        f"the evidence that the release made it worse is only {value:.1f} to 1 "
        f"({_EVIDENCE:.0f} to 1 is needed)"
    )
