"""Whether a monitor window may end before its time.

The rule. It is asked at moments of the window: first after ``min_window`` (left out: half of it),
then about ten times more, as long as the window lasts. It ends there if every trigger that counts
would pass, judged over what was seen so far, and either

- each has had ``consecutive_success`` good measurements in a row; or
- with ``good_enough`` each is sure: a regression trigger by proof that no rate rose by as much as
  it looks for, an alarm as it has been OK for ``min_window``, all others as they pass.

The proof holds however often one looks (``statistics.bounds``): the highest rate that the release
can have is below the lowest that the baseline can have had, plus the smallest rise that matters.
That it lets a release pass which is worse has a probability of at most ``false_alarm``. Where a
stream is left out, as its baseline is too small, nothing is proved.

A dry run does not count; where there are only dry runs, no window ends early. Nor does one in which
anything is inconclusive: what comes may still tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from lastgood.contracts import Tally, WatchedTrigger
from lastgood.decisions.regression import Regression, Stream
from lastgood.decisions.statistics.binomial import upper_bound
from lastgood.decisions.statistics.bounds import highest_rate
from lastgood.model import Reading, Status
from lastgood.policy import MonitorPolicy, format_duration
from lastgood.policy_triggers import AlarmTrigger, RegressionTrigger

_LOOKS = 10
_SECOND = timedelta(seconds=1)


def next_moment(
    policy: MonitorPolicy, *, begin: datetime, now: datetime, end: datetime
) -> datetime:
    """When it is asked next whether the window may end; its end if it may not before.

    Args:
        policy: the monitor's.
        begin: of the window.
        now: nothing before this is meant.
        end: of the window.
    """
    if not policy.may_end_early:
        return end
    step = max((policy.window - policy.least) / _LOOKS, 2 * policy.interval)
    step = timedelta(seconds=math.ceil(step.total_seconds()))
    moment = begin + policy.least
    if moment <= now:
        moment += (int((now - moment) / step) + 1) * step
    return moment if moment + policy.interval < end else end


def decide(
    policy: MonitorPolicy,
    triggers: Sequence[WatchedTrigger],
    tallies: Sequence[Tally],
    *,
    begin: datetime,
    now: datetime,
    end: datetime,
) -> str | None:
    """Why the window ends now, in words; None: it goes on.

    Args:
        policy: the monitor's.
        triggers: all that are watched.
        tallies: what their watches remember, with their conclusions up to now.
        begin: of the window.
        now: the moment of which this is asked.
        end: when the window would end else.
    """
    known = {tally.key: tally for tally in tallies}
    counting = [one for one in triggers if not one.trigger.dry_run]
    pairs = [(one, known[one.key]) for one in counting if one.key in known]
    if not policy.may_end_early or not pairs or len(pairs) < len(counting):
        return None
    if now - begin < policy.least or not all(_passes(tally) for _, tally in pairs):
        return None
    needed = policy.consecutive_success
    lasted = f"after {format_duration(now - begin)} of {format_duration(end - begin)}"
    if needed and all(_in_a_row(tally) >= needed for _, tally in pairs):
        each = "" if len(pairs) == 1 else " of each trigger"
        return f"{lasted}: {needed} good measurements in a row{each}"
    if policy.good_enough and all(_is_sure(policy, *pair, now) for pair in pairs):
        proofs = [tally.sure for _, tally in pairs if tally.sure]
        return f"{lasted}: {'; '.join(proofs) or 'all that was seen so far is good'}"
    return None


def _passes(tally: Tally) -> bool:
    concluded = tally.conclusion
    return concluded is not None and concluded.status is Status.PASS and tally.failing is None


def _in_a_row(tally: Tally) -> int:
    return tally.streak if tally.reading is Reading.HEALTHY else 0


def _is_sure(policy: MonitorPolicy, watched: WatchedTrigger, tally: Tally, now: datetime) -> bool:
    if isinstance(watched.trigger, RegressionTrigger):
        return tally.sure is not None
    if not isinstance(watched.trigger, AlarmTrigger):
        return True
    since = tally.alarm.since if tally.alarm else None
    if since:
        return tally.reading is Reading.HEALTHY and now - since >= policy.least
    return _in_a_row(tally) * policy.interval >= policy.least


def no_worse(trigger: RegressionTrigger, regression: Regression) -> str | None:
    """The proof that a release is no worse than before, in words; None: there is none yet."""
    if not regression.streams or regression.too_small:
        return None
    highest = [(one, _highest(one, trigger.false_alarm / 2)) for one in regression.streams]
    if any(rate >= _allowed(one, trigger.false_alarm / 2) for one, rate in highest):
        return None
    stream, rate = max(highest, key=lambda pair: pair[1] / pair[0].smallest)
    certain = 1 - trigger.false_alarm
    what = {"errors": "5xx", "probes": "failed probes"}.get(stream.name, "slow answers")
    return (
        f"no worse than {regression.baseline.text}: {what} at most {rate * 100:.1f} % "
        f"({stream.normal.rate * 100:.1f} % before), {certain:.4g} certain"
    )


def _highest(stream: Stream, miss: float) -> float:
    """The highest rate that the release can have."""
    burst = stream.normal.dispersion
    return highest_rate(stream.bad / burst, stream.requests / burst, miss)


def _allowed(stream: Stream, miss: float) -> float:
    """The lowest rate that the baseline can have had, and the smallest rise that matters."""
    normal, known = stream.normal, stream.normal.requests / stream.normal.dispersion
    lowest = 1 - upper_bound((1 - normal.rate) * known, known, miss)
    return lowest + stream.smallest - normal.rate
