"""What a whole window of a plain threshold says, in which it did not fire.

The rule. It passes if at least half of the window's buckets have data, and at least half of them
belong to a stretch that could be judged: datapoints too sparse to fire prove nothing. With
``missing_data: ignore`` it passes without. A breach that lasts still, on too few requests, is
inconclusive; so is a window in which more measurements failed than ``error_limit`` allows.
"""

from __future__ import annotations

from lastgood.contracts import Tally
from lastgood.decisions.false_alarms import Judged
from lastgood.decisions.metrics import MetricTrigger, above_in_words, lasts_in_words
from lastgood.decisions.stretches import Grid, Span, judged_share
from lastgood.decisions.verdicts import ENOUGH
from lastgood.model import Status
from lastgood.policy import format_duration


def over_the_window(
    trigger: MetricTrigger, tally: Tally, window: Grid, spans: tuple[Span, ...], judged: Judged
) -> tuple[Status, str]:
    """Its status, and why.

    Args:
        trigger: an error-rate or response-time trigger that did not fire.
        tally: what was remembered.
        window: the window's buckets.
        spans: all stretches since the release.
        judged: what the guards left of them.
    """
    above, lasts = above_in_words(trigger), lasts_in_words(trigger)
    doubtful = judged.last
    if doubtful and doubtful.lacks_requests and judged.lasts:
        began = f"{doubtful.began:%H:%M:%S} UTC"
        text = f"{trigger.type} is {above} since {began}, but {doubtful.doubt}."
        return Status.INCONCLUSIVE, text
    share = window.coverage()
    ignores = trigger.missing_data == "ignore" and bool(window.points or not window.broken)
    enough = share >= ENOUGH and judged_share(window, spans) >= ENOUGH
    if not enough and not ignores:
        why = _why_unjudged(window, share)
        return Status.INCONCLUSIVE, f"{why} Last: {tally.latest}"
    text = f"{trigger.type} was never {above} for {lasts}"
    if doubtful:
        text = f"{trigger.type} was {above} for {lasts}, but {doubtful.doubt}"
    told = "" if enough else "; the policy ignores missing data"
    return Status.PASS, f"{text}; data for {share:.0%} of the window{told}"


def _why_unjudged(window: Grid, share: float) -> str:
    trigger, period = window.trigger, window.period
    if not window.size:
        return (
            f"The window holds no whole datapoint of {trigger.type} ({format_duration(period)} "
            "each): make monitor.window longer."
        )
    if share >= ENOUGH:
        return (
            f"{trigger.type} has too few datapoints in any {lasts_in_words(trigger)} to "
            f"be judged (a datapoint is {format_duration(period)}): make duration or period longer."
        )
    note = f" ({window.broken[0]})" if window.broken else ""
    return f"{trigger.type} had data for only {share:.0%} of the window{note}."
