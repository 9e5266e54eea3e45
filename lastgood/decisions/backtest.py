"""A policy run over metrics of the past: when would each trigger have fired, and what then?

The rule. It is the same as for a release: the same decisions judge the same nouns. What lies before
the release is its baseline. A trigger that the recording has no columns for is reported, and
decides nothing; nor does one in dry run. The first trigger to fire rolls the release back;
otherwise the worst verdict counts, and ``on_inconclusive`` says what an inconclusive one means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lastgood.contracts import Tally, WatchedTrigger
from lastgood.decisions import band, thresholds
from lastgood.decisions.comparing import before_in_words
from lastgood.decisions.recording import Recording, Row
from lastgood.decisions.regression_verdicts import Followed
from lastgood.decisions.replaying import (
    band_of,
    baseline_of,
    error_points,
    fixed_baseline,
    resampled,
    samples_of,
    time_points,
)
from lastgood.decisions.verdicts import ENOUGH, said_by, would_have
from lastgood.model import Measurement, Reading, Status, Verdict
from lastgood.policy import Policy
from lastgood.policy_triggers import (
    AlarmTrigger,
    BandTrigger,
    ErrorRateTrigger,
    HealthCheckTrigger,
    MetricTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)

Result = Literal["healthy", "rolled_back", "held"]

_DEFAULT = RegressionTrigger()
_LONGEST = 86_400.0
_FINE = (1, 5, 10, 20, 30)
"""Seconds: periods that CloudWatch knows, beside whole minutes."""
_INCONCLUSIVE: dict[str, tuple[Result, str]] = {
    "hold": ("held", ""),
    "promote": ("healthy", " The policy promotes then."),
    "rollback": ("rolled_back", " The policy rolls back then."),
}
_NEEDS: dict[type[Trigger], tuple[frozenset[str], ...]] = {
    ErrorRateTrigger: (frozenset({"requests", "errors"}),),
    ResponseTimeTrigger: (frozenset({"latency_avg"}),),
    HealthCheckTrigger: (frozenset({"probes", "probes_failed"}),),
    RegressionTrigger: (
        frozenset({"requests", "errors"}),
        frozenset({"requests", "le"}),
        frozenset({"probes", "probes_failed"}),
    ),
    BandTrigger: (frozenset({"requests", "errors"}), frozenset({"latency_avg"})),
}
"""The columns that a trigger needs: one of these sets."""


@dataclass(frozen=True)
class Judged:
    """One trigger's verdict over one release."""

    trigger: Trigger
    verdict: Verdict
    measured: bool = True
    """Whether the recording has what it measures."""

    @property
    def fired_at(self) -> datetime | None:
        """When it would have rolled the release back."""
        return self.verdict.at if self.verdict.status is Status.FAIL else None


@dataclass(frozen=True)
class Replay:
    """How a release would have ended."""

    outcome: Result
    at: datetime | None
    """When it would have been rolled back or held."""
    trigger: str | None
    reason: str
    triggers: tuple[Judged, ...]


def window_of(policy: Policy, recording: Recording, deployed_at: float) -> float:
    """How long a release is watched, in seconds: as the policy says, or to the recording's end.

    Never longer than a policy could say: one wrong time in a file would make it years.
    """
    there = max(0.0, recording.end - deployed_at)
    written = "window" in policy.monitor.model_fields_set
    return min(there, policy.monitor.window.total_seconds() if written else _LONGEST)


def replay(policy: Policy, recording: Recording, deployed_at: float) -> Replay:
    """Judge a release of the past.

    Args:
        policy: whose triggers judge it; ``monitor.window`` counts only if it was written.
        recording: its metrics, from well before it.
        deployed_at: when it was deployed, in seconds since the epoch.
    """
    return _Release(policy, recording, deployed_at).judge()


def evidence_of(
    policy: Policy, recording: Recording, deployed_at: float
) -> tuple[float, list[tuple[float, float]]]:
    """How much spoke for a regression, bucket by bucket: what decides, and when there was how much.

    Args: as for ``replay``. Without a regression trigger it is that of the default one.
    """
    return _Release(policy, recording, deployed_at).curve()


def followed_of(policy: Policy, recording: Recording, deployed_at: float) -> Followed:
    """All evidence of a release's window, as a regression trigger follows it.

    Args: as for ``replay``.
    """
    return _Release(policy, recording, deployed_at).followed()


class _Release:
    """One release of the past, and what its triggers have in common."""

    def __init__(self, policy: Policy, recording: Recording, deployed_at: float) -> None:
        self._policy = policy
        self._recording = recording
        self._since = deployed_at
        self._window = window_of(policy, recording, deployed_at)
        self._rows = recording.between(deployed_at, deployed_at + self._window)
        self._lasts = timedelta(seconds=self._window)
        self._known: dict[RegressionTrigger, Followed] = {}

    def judge(self) -> Replay:
        """All triggers, and what follows."""
        judged = tuple(self._one(trigger) for trigger in self._policy.triggers)
        deciding = [one for one in judged if one.measured and not one.verdict.dry_run]
        fired = min(
            (one for one in deciding if one.fired_at), key=lambda one: one.verdict.at, default=None
        )
        if fired:
            verdict = fired.verdict
            return Replay("rolled_back", verdict.at, verdict.trigger, verdict.reason, judged)
        if not deciding and any(one.measured for one in judged):
            return Replay("healthy", None, None, "All triggers are dry runs: none decides.", judged)
        doubtful = [one.verdict for one in deciding if one.verdict.status is Status.INCONCLUSIVE]
        if doubtful or not deciding:
            return self._inconclusive(doubtful, judged)
        return Replay("healthy", None, None, " ".join(_reasons(deciding)), judged)

    def curve(self) -> tuple[float, list[tuple[float, float]]]:
        """What decides, and the evidence at the end of each bucket."""
        followed = self.followed()
        ends = [row.at + self._recording.period for row in self._rows]
        values = [(end, followed.at(self._at(end))) for end in ends]
        known = [(end, value) for end, value in values if value is not None]
        return followed.regression.decides, known

    def followed(self) -> Followed:
        """The evidence about the whole release, also after it decided."""
        followed = self._new(self._comparing())
        for sample in samples_of(self._recording, self._rows, followed.regression.baseline):
            followed.feed(sample)
        return followed

    def _comparing(self) -> RegressionTrigger:
        triggers = (one for one in self._policy.triggers if isinstance(one, RegressionTrigger))
        return next(triggers, _DEFAULT)

    def _inconclusive(self, doubtful: Sequence[Verdict], judged: tuple[Judged, ...]) -> Replay:
        at = self._at(self._since + self._window)
        reason = _named(doubtful[0]) if doubtful else "No trigger could be judged by these columns."
        outcome, then = _INCONCLUSIVE[self._policy.monitor.on_inconclusive]
        trigger = doubtful[0].trigger if doubtful and outcome == "rolled_back" else None
        return Replay(outcome, None if outcome == "healthy" else at, trigger, reason + then, judged)

    def _one(self, trigger: Trigger) -> Judged:
        lacking = self._lacking(trigger)
        if lacking:
            return Judged(trigger, self._unmeasured(trigger, lacking), measured=False)
        verdict = self._verdict(trigger)
        if trigger.dry_run and verdict.status is Status.FAIL:
            return Judged(trigger, would_have(verdict))
        return Judged(trigger, said_by(trigger, verdict))

    def _lacking(self, trigger: Trigger) -> str | None:
        """What the recording does not have for a trigger."""
        has = self._recording.columns
        if isinstance(trigger, AlarmTrigger):
            return "an alarm's past states are in no file of metrics"
        if isinstance(trigger, BandTrigger) and trigger.metric:
            return f"the file has no column for the gauge {trigger.metric.name}"
        choices = _NEEDS[type(trigger)]
        if any(columns <= has for columns in choices):
            return None
        missing = " or ".join(" and ".join(sorted(columns)) for columns in choices)
        return f"the file has no columns {missing}"

    def _unmeasured(self, trigger: Trigger, why: str) -> Verdict:
        return Verdict(
            trigger=trigger.type,
            status=Status.INCONCLUSIVE,
            at=self._at(self._since + self._window),
            reason=f"{trigger.type} is not measured here: {why}.",
            dry_run=trigger.dry_run,
            severity=trigger.severity,
        )

    def _verdict(self, trigger: Trigger) -> Verdict:
        if isinstance(trigger, MetricTrigger):
            return self._threshold(trigger)
        if isinstance(trigger, HealthCheckTrigger):
            return self._health(trigger)
        if isinstance(trigger, RegressionTrigger):
            return self._regression(trigger)
        if isinstance(trigger, BandTrigger):
            return self._band(trigger)
        raise TypeError(f"{trigger.type} cannot be replayed")

    # --- Plain thresholds ------------------------------------------------------------------

    def _threshold(self, given: ErrorRateTrigger | ResponseTimeTrigger) -> Verdict:
        own: dict[str, Any] = {"period": self._period_of(given), "dry_run": False}
        if not given.counted and own["period"] > given.duration:
            own["duration"] = own["period"]  # a breach is one datapoint long, at least
        trigger = given.model_copy(update=own)
        period = thresholds.period_of(trigger).total_seconds()
        rows = self._resampled(self._rows, period)
        past = self._resampled(self._before(3600.0), period)
        points_of = error_points if isinstance(trigger, ErrorRateTrigger) else time_points
        watched = WatchedTrigger(key=f"0 {trigger.type}", trigger=trigger)
        since, until = self._at(self._since), self._at(self._since + self._window)
        points, before = points_of(rows), thresholds.value_before(points_of(past))
        warm_up = thresholds.warm_up_of(trigger, self._lasts)
        evidence = self._evidence().evidence_for(trigger, period)
        tally = thresholds.look(
            watched,
            Tally(key=watched.key),
            points,
            since=since,
            now=until,
            before=before,
            evidence=evidence,
            started=(since,),
            warm_up=warm_up,
        )
        return tally.failing or thresholds.conclude_metric(
            watched,
            tally,
            points,
            since=since,
            covers_from=since,
            until=until,
            before=before,
            evidence=evidence,
            started=(since,),
            warm_up=warm_up,
        )

    def _period_of(self, trigger: ErrorRateTrigger | ResponseTimeTrigger) -> timedelta:
        """The file's, or the policy's where that is longer: one that a policy could say."""
        known = (one for one in _FINE if one >= self._recording.period)
        own = next(known, math.ceil(self._recording.period / 60) * 60)
        return max(timedelta(seconds=own), trigger.period or timedelta(0))

    def _evidence(self) -> Followed:
        """What the regression trigger knew by then, for the guards of the other triggers."""
        return self._followed(self._comparing())

    # --- Health checks ---------------------------------------------------------------------

    def _health(self, trigger: HealthCheckTrigger) -> Verdict:
        streak, good, bad = 0.0, 0.0, 0.0
        for row in self._rows:
            if row.problem or not row.probes or row.failed is None:
                continue
            bad += row.failed
            good += row.probes - row.failed
            # Within a bucket their order is not known: a good one may have been the last.
            streak = streak + row.probes if row.failed >= row.probes else 0.0
            if streak >= trigger.threshold:
                return self._unhealthy(trigger, row, streak)
        measured = good + bad
        enough = measured > 0 and self._probed() >= ENOUGH
        return Verdict(
            trigger=trigger.type,
            status=Status.PASS if enough else Status.INCONCLUSIVE,
            at=self._at(self._since + self._window),
            reason=(
                f"{bad:,.0f} of {measured:,.0f} health checks failed, "
                f"never {trigger.threshold} in a row."
                if enough
                else f"Too few health checks were made: {measured:,.0f} in the whole window."
            ),
            threshold=float(trigger.threshold),
        )

    def _unhealthy(self, trigger: HealthCheckTrigger, row: Row, streak: float) -> Verdict:
        at = self._at(row.at + self._recording.period)
        text = f"health-check failed {streak:.0f} times in a row (threshold {trigger.threshold})"
        return Verdict(
            trigger=trigger.type,
            status=Status.FAIL,
            reason=f"{trigger.message}: {text}" if trigger.message else text,
            at=at,
            value=streak,
            threshold=float(trigger.threshold),
            message=trigger.message,
            evidence=(Measurement(at=at, reading=Reading.UNHEALTHY, text=text),),
        )

    def _probed(self) -> float:
        """The share of the window's minutes in which there was a health check."""
        minutes = max(1, math.floor(self._window / 60))
        seen = {int((row.at - self._since) // 60) for row in self._rows if row.probes}
        return len(seen) / minutes

    # --- Compared with before --------------------------------------------------------------

    def _regression(self, trigger: RegressionTrigger) -> Verdict:
        return self._followed(trigger).verdict(self._since + self._window)

    def _followed(self, trigger: RegressionTrigger) -> Followed:
        """The evidence about the whole release."""
        known = self._known.get(trigger)
        if known is None:
            known = self._known[trigger] = self._new(trigger)
            for sample in samples_of(self._recording, self._rows, known.regression.baseline):
                known.feed(sample)
                if known.fired:
                    break  # what comes later changes nothing that was decided
        return known

    def _new(self, trigger: RegressionTrigger) -> Followed:
        rows = self._before(trigger.baseline_for.total_seconds())
        text = before_in_words(trigger.baseline_for)
        known = (
            fixed_baseline(trigger.fixed, trigger)
            if trigger.fixed
            else baseline_of(self._recording, rows, trigger, text)
        )
        return Followed(
            trigger,
            known,
            since=self._since,
            started=(self._since,),
            period=self._recording.period,
            window=self._lasts,
            keep=len(self._rows) + 1,
        )

    def _band(self, trigger: BandTrigger) -> Verdict:
        before = self._before(trigger.baseline_for.total_seconds())
        warm_up = thresholds.warm_up_of(trigger, self._lasts).total_seconds()
        warm = ((self._since, self._since + warm_up),)
        followed = []
        for one in band_of(trigger, before, self._rows, self._recording.period):
            gauge = band.Followed(trigger, one.facts, warm, self._evidence().at, self._since)
            for point in one.points:
                gauge.feed(point)
            followed.append(gauge)
        return band.verdict(trigger, followed, until=self._since + self._window)

    # --- Rows ------------------------------------------------------------------------------

    def _before(self, seconds: float) -> list[Row]:
        return self._recording.between(self._since - seconds, self._since)

    def _resampled(self, rows: list[Row], period: float) -> list[Row]:
        return rows if period <= self._recording.period else resampled(rows, period)

    def _at(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)


def _reasons(judged: Sequence[Judged]) -> list[str]:
    return [_named(one.verdict).rstrip(".") + "." for one in judged]


def _named(verdict: Verdict) -> str:
    """Its reason, which tells of which trigger it is."""
    own = verdict.reason.startswith(verdict.trigger)
    return verdict.reason if own else f"{verdict.trigger}: {verdict.reason}"
