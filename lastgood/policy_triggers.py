"""The triggers of a policy file: what may end a release in a rollback.

Docstrings and examples are used as in ``policy``. What each rule means exactly stands at the top of
the module that decides it: ``decisions.thresholds``, ``decisions.datapoints``,
``decisions.regression``, ``decisions.band``, ``decisions.health``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lastgood.policy_part import Part, refuse
from lastgood.values import (
    Datapoints,
    Interval,
    Name,
    Pause,
    Period,
    Ratio,
    ResponseTimeLimit,
    Statistic,
    Text,
    Timeout,
    Url,
    Window,
    format_duration,
)

MissingData = Literal["breaching", "not_breaching", "ignore", "inconclusive"]
Baseline = Literal["before", "previous", "same-time", "fixed"]


class Expectation(Part):
    """What a good answer looks like."""

    status: Annotated[int, Field(ge=100, le=599)] = 200
    """The status code."""
    contains: Annotated[Text | None, Field(examples=["ok"])] = None
    """Text that must stand in the first 64 KiB of the body."""


class Metric(Part):
    """A CloudWatch metric that the application publishes itself."""

    namespace: Annotated[Name, Field(examples=["MyApp/Production"])]
    """The metric's namespace."""
    name: Annotated[Name, Field(examples=["MyMetric"])]
    """The metric's name."""
    dimensions: Annotated[
        dict[Name, Name], Field(max_length=30, examples=[{"Service": "my-service"}])
    ] = {}
    """All of the metric's dimensions."""
    statistic: Statistic = "Average"
    """Average, Sum, Minimum, Maximum or a percentile such as p99."""
    unit: Annotated[
        Literal["ratio", "percent", "ms", "s"] | None, Field(examples=["ratio", "ms"])
    ] = None
    """What the numbers mean: ratio (default) or percent; ms (default) or s."""


class _Trigger(Part):
    dry_run: bool = False
    """True: what it says is reported and never acted on."""
    severity: Literal["warning", "critical"] = "critical"
    """How loudly people are told when it fires."""
    error_limit: Annotated[int | None, Field(ge=0, le=100000, examples=[5])] = None
    """So many measurements may fail; one more, and it is inconclusive. Left out: half of them."""
    message: Annotated[Text | None, Field(examples=["Threshold exceeded"])] = None
    """Your own words for the notification."""


class _FromLoadBalancer(_Trigger):
    load_balancer: Annotated[Name | None, Field(examples=["my-load-balancer"])] = None
    """Its name, ARN, or ARN's ending app/NAME/ID. Left out: the service's own."""
    target_group: Annotated[Name | None, Field(examples=["my-targets"])] = None
    """Its name, ARN, or ARN's ending targetgroup/NAME/ID. Left out: the service's own."""
    period: Annotated[Period | None, Field(examples=["60s"])] = None
    """Length of a datapoint. Left out: 60s, or a third of a shorter duration."""

    @model_validator(mode="after")
    def _whole_source(self) -> Self:
        if self.load_balancer and not self.target_group:
            refuse(("load_balancer", "goes with target_group: add target_group"))
        if self.target_group and not self.load_balancer:
            refuse(("target_group", "goes with load_balancer: add load_balancer"))
        return self

    @model_validator(mode="after")
    def _known_period(self) -> Self:
        if self.period:
            seconds = self.period.total_seconds()
            if seconds not in (1, 5, 10, 20, 30) and seconds % 60:
                refuse(("period", "CloudWatch knows 1s, 5s, 10s, 20s, 30s and multiples of 60s"))
        return self


class MetricTrigger(_FromLoadBalancer):
    """What error-rate and response-time have in common."""

    duration: Window = timedelta(seconds=60)
    """A breach must last this long, and for three datapoints at least."""
    compare: Literal[">", ">="] = ">"
    """Whether a value that equals the threshold is a breach."""
    datapoints: Annotated[Datapoints | None, Field(examples=["3 of 5"])] = None
    """M of N, as a CloudWatch alarm counts them, in place of duration."""
    consecutive: Annotated[int | None, Field(ge=1, le=100, examples=[3])] = None
    """So many datapoints in a row, in place of duration."""
    min_requests: Annotated[int | None, Field(ge=0, le=1000000, examples=[30])] = None
    """With fewer requests nothing is judged. Left out: 30 in a duration, none for datapoints."""
    missing_data: MissingData = "inconclusive"
    """What datapoints that do not come mean."""
    raw: bool = False
    """True: the threshold alone, without the guards against false alarms."""
    metric: Metric | None = None
    """A metric of your own. Left out: the load balancer's raw counts."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.metric and (self.load_balancer or self.target_group):
            refuse(("metric", "name either metric, or load_balancer and target_group, not both"))
        return self

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.datapoints and self.consecutive:
            refuse(("consecutive", "is not used, as datapoints says it: leave one of them out"))
        counted = "datapoints" if self.datapoints else "consecutive" if self.consecutive else None
        # Not what was written: a trigger that came over the wire has all of its keys.
        if counted and self.duration != type(self).model_fields["duration"].default:
            refuse(("duration", f"is not used, as {counted} says it: leave one of them out"))
        if counted and self.raw:
            refuse(("raw", f"is not used: {counted} has no guards. Leave raw out"))
        if self.raw and self.min_requests is not None:
            refuse(("min_requests", "is not used, as raw has no guards: leave one of them out"))
        if self.period and not counted and self.period > self.duration:
            limit = format_duration(self.duration)
            refuse(("period", f"must not be longer than duration ({limit})"))
        return self

    @property
    def counted(self) -> tuple[int, int] | None:
        """M and N of ``datapoints``; N and N of ``consecutive``; None where a duration counts."""
        if self.consecutive:
            return self.consecutive, self.consecutive
        if not self.datapoints:
            return None
        most, of = self.datapoints.split(" of ")
        return int(most), int(of)


class ErrorRateTrigger(MetricTrigger):
    """Fires when the share of failed requests stays above a threshold."""

    type: Literal["error-rate"] = "error-rate"
    """Fires when the share of failed requests stays above the threshold."""
    threshold: Annotated[Ratio, Field(examples=["5%"])] = 0.05
    """The share of failed requests; 5% is the same as 0.05."""

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if self.metric and self.metric.unit not in (None, "ratio", "percent"):
            refuse(("metric.unit", "an error rate is measured in ratio or percent"))
        return self


class ResponseTimeTrigger(MetricTrigger):
    """Fires when the response time stays above a threshold."""

    type: Literal["response-time"] = "response-time"
    """Fires when the response time stays above the threshold."""
    threshold: Annotated[ResponseTimeLimit, Field(examples=["1000ms"])] = timedelta(seconds=1)
    """The time of an answer."""
    warm_up: Annotated[Pause | None, Field(examples=["2m"])] = None
    """How long new tasks may be slow at first. Left out: a tenth of the window, at most 2m."""

    @model_validator(mode="after")
    def _warm_up(self) -> Self:
        if self.raw and self.warm_up is not None:
            refuse(("warm_up", "is not used, as raw has no guards: leave one of them out"))
        return self

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if self.metric and self.metric.unit not in (None, "ms", "s"):
            refuse(("metric.unit", "a response time is measured in ms or s"))
        return self


class HealthCheckTrigger(_Trigger):
    """Fires after consecutive failed HTTP checks, one every monitor.interval."""

    type: Literal["health-check"] = "health-check"
    """Fires after consecutive failed HTTP checks, one every monitor.interval."""
    url: Annotated[Url | None, Field(examples=["https://api.example.com/health"])] = None
    """Left out: the health check of the service's own load balancer, asked through it."""
    threshold: Annotated[int, Field(ge=1, le=100)] = 3
    """Consecutive failures."""
    expect: Expectation = Expectation()
    """What a good answer looks like."""
    timeout: Timeout = timedelta(seconds=5)
    """For the whole answer, not for each read."""


class AlarmTrigger(_Trigger):
    """Fires when a CloudWatch alarm, metric or composite, is in ALARM."""

    type: Literal["alarm"] = "alarm"
    """Fires when a CloudWatch alarm, metric or composite, is in ALARM."""
    alarm: Annotated[Name, Field(examples=["my-alarm"])]
    """The alarm's name."""
    already_in_alarm: Literal["refuse", "ignore-until-ok", "arm"] = "ignore-until-ok"
    """What to do with an alarm that is red before the release."""
    missing_data: MissingData = "inconclusive"
    """What INSUFFICIENT_DATA means."""


class FixedBaseline(Part):
    """What is normal for the service, written down."""

    error_rate: Annotated[Ratio | None, Field(examples=["0.5%"])] = None
    """The share of requests that fail."""
    p75: Annotated[ResponseTimeLimit | None, Field(examples=["200ms"])] = None
    """Three quarters of the answers take at most this."""
    p95: Annotated[ResponseTimeLimit | None, Field(examples=["600ms"])] = None
    """95 of 100 answers take at most this."""


class Counts(Part):
    """Metrics of your own that count: each datapoint of each is a number of requests."""

    requests: Metric
    """All requests. Its statistic is Sum."""
    errors: Metric | None = None
    """Failed requests; a datapoint that is missing is none, if there is one of requests."""
    response_time: Metric | None = None
    """Response times, one value for each request, so that CloudWatch can count the slow ones."""


class _Compared(_FromLoadBalancer):
    baseline: Baseline = "before"
    """What it is compared with."""
    baseline_for: Window = timedelta(hours=1)
    """How much of the past is compared with."""
    warm_up: Annotated[Pause | None, Field(examples=["2m"])] = None
    """How long new tasks may be slow at first. Left out: a tenth of the window, at most 2m."""


class RegressionTrigger(_Compared):
    """Fires when the release is worse than the service was before, beyond chance."""

    type: Literal["regression"] = "regression"
    """Fires when the release is worse than the service was before, beyond chance."""
    tolerance: Annotated[Ratio, Field(examples=["0.5%"])] = 0.005
    """The smallest rise of the error rate that is worth a rollback."""
    slowdown: Annotated[float, Field(gt=1, le=100)] = 1.5
    """The smallest factor of the response time that is worth a rollback."""
    false_alarm: Annotated[Ratio, Field(examples=["1%"])] = 0.01
    """At most so likely is a good release rolled back by it, over the whole window."""
    burst: Interval = timedelta(seconds=20)
    """Troubles shorter than this never trigger."""
    fixed: FixedBaseline | None = None
    """With baseline: fixed, what is normal."""
    metrics: Counts | None = None
    """Metrics of your own. Left out: the load balancer's raw counts."""

    @model_validator(mode="after")
    def _baseline_is_there(self) -> Self:
        if self.baseline == "fixed" and not self.fixed:
            refuse(("fixed", "missing: baseline is fixed, so write what is normal"))
        if self.fixed and self.baseline != "fixed":
            refuse(("fixed", f"is not used, as baseline is {self.baseline}: leave it out"))
        if self.metrics and self.load_balancer:
            refuse(("metrics", "name either metrics, or load_balancer and target_group, not both"))
        return self


class BandTrigger(_Compared):
    """Fires when a gauge leaves the band in which it was before."""

    type: Literal["band"] = "band"
    """Fires when a gauge leaves the band in which it was before."""
    metric: Metric | None = None
    """A gauge: CPU, memory, a queue. Left out: error rate and response time."""
    direction: Literal["above", "below", "both"] = "above"
    """On which side it is bad."""
    deviations: Annotated[float | None, Field(ge=1, le=100, examples=[3.0])] = None
    """Half the band's width, in the baseline's deviations. Left out: 3; 4 for fine data."""
    margin: Annotated[Ratio, Field(examples=["20%"])] = 0.2
    """The smallest change of a gauge that matters, as a share of its mean."""
    duration: Annotated[Window | None, Field(examples=["3m"])] = None
    """It must stay outside for so long. Left out: 3m; 1m for data of 10s or finer."""
    min_requests: Annotated[int, Field(ge=0, le=1000000)] = 20
    """Datapoints with fewer requests are not judged, where requests are counted."""
    tolerance: Annotated[Ratio, Field(examples=["0.5%"])] = 0.005
    """The smallest rise of the error rate that is worth a rollback."""
    slowdown: Annotated[float, Field(gt=1, le=100)] = 1.5
    """The smallest factor of the response time that is worth a rollback."""

    @model_validator(mode="after")
    def _source_and_baseline(self) -> Self:
        if self.baseline == "fixed":
            refuse(("baseline", "a band needs a past: write before, previous or same-time"))
        if self.metric and self.load_balancer:
            refuse(("metric", "name either metric, or load_balancer and target_group, not both"))
        return self


Trigger = Annotated[
    ErrorRateTrigger
    | ResponseTimeTrigger
    | HealthCheckTrigger
    | AlarmTrigger
    | RegressionTrigger
    | BandTrigger,
    Field(discriminator="type"),
]
