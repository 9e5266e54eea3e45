"""What watches are to watch, and what they saw."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from lastgood.model import Measurement, Model, Reading, ServiceRef, Verdict
from lastgood.policy_triggers import Trigger


class MetricSource(Model):
    """Where a metric trigger reads, resolved: never a guess at watching time."""

    kind: Literal["metric", "load-balancer", "counts"]
    namespace: str
    dimensions: dict[str, str]
    name: str = ""
    """Of a custom metric."""
    load_balancer: dict[str, str] = {}
    """The load balancer's own dimensions, for counts that exist only there; given only if all its
    target groups are the service's."""
    statistic: str = "Average"
    further: tuple[dict[str, str], ...] = ()
    """Dimensions of the target groups that traffic shifts to and from; the worse one counts."""
    scale: float = 1.0
    """Multiply a datapoint by this to get a ratio, or milliseconds."""
    delay: timedelta = timedelta(0)
    """How late CloudWatch may show a datapoint, at most."""
    limits: tuple[float, ...] = ()
    """Milliseconds: how many answers took longer than each of these is counted, too."""
    counts: dict[str, MetricSource] = {}
    """Of the kind ``counts``: the metrics of ``requests``, ``errors`` and ``response_time``."""


class WatchedTrigger(Model):
    """A trigger of the policy, resolved against the service as preflight found it."""

    key: str
    """Position and type: ``0 error-rate``; names the trigger in reports."""
    trigger: Trigger
    source: MetricSource | None = None
    url: str | None = None
    muted_until_ok: bool = False
    """An alarm that was red before the release: ignored until it has been OK once."""


class AlarmSeen(Model):
    """An alarm as the latest look found it."""

    state: str
    since: datetime | None = None


class Tally(Model):
    """What a watch remembers of one trigger: enough to go on after a crash, and small."""

    key: str
    latest: str = "nothing measured yet"
    reading: Reading | None = None
    value: float | None = None
    measured_at: datetime | None = None
    healthy: int = 0
    unhealthy: int = 0
    no_data: int = 0
    error: int = 0
    streak: int = 0
    """Consecutive measurements with the same reading as the latest."""
    recent: tuple[Measurement, ...] = ()
    """The newest of a streak of failed health checks."""
    seen_ok: bool = False
    """An alarm has been OK since the release began."""
    alarm: AlarmSeen | None = None
    awaiting: bool = False
    """At the window's end: its last datapoint is not readable yet."""
    failing: Verdict | None = None
    """Set while the trigger is firing."""
    recovered: bool = False
    """In verification: good again for as long as the trigger asks."""
    sure: str | None = None
    """Of a regression trigger whose window may end early: proof that nothing got worse."""
    conclusion: Verdict | None = None
    """Set by the last look: what the whole window says."""
    breach_since: datetime | None = None
    """When a breach began that lasts, and that a guard does not let count yet."""
    would: Verdict | None = None
    """Of a trigger with dry_run: the first time that it would have fired."""


class Stretch(Model):
    """From one moment to another."""

    begin: datetime
    end: datetime


class WatchOrder(Model):
    """What a watch watches, from when, until when."""

    service: ServiceRef
    triggers: tuple[WatchedTrigger, ...]
    since: datetime
    """Nothing before this counts."""
    covers_from: datetime
    """From here to ``until`` there must be data, or the window is inconclusive."""
    until: datetime
    """Absolute: a watch that was interrupted ends when it would have ended."""
    not_before: datetime | None = None
    """A cooldown's end: what fires earlier is reported only if it still fires then."""
    interval: timedelta
    goal: Literal["breach", "recovery"] = "breach"
    """Return as soon as something fires, or as soon as everything is good."""
    carry: tuple[Tally, ...] = ()
    """What an earlier watch of the same release remembered."""
    goes_on: bool = False
    """The window goes on after ``until``, unless it may end there: nothing is waited for."""
    patient: bool = True
    """At the window's end, wait for datapoints that CloudWatch shows late."""
    released_at: datetime | None = None
    """When the release was deployed: its baseline ends there. None: at ``since``."""
    started: tuple[datetime, ...] = ()
    """When tasks of the release began to serve: they may be slow at first."""
    window: timedelta = timedelta(0)
    """How long the release is watched in all, after its rollout."""
    troubled: tuple[Stretch, ...] = ()
    """When releases ran that did not become good: that is not what is normal."""
    rolling: str | None = None
    """ARN of the task definition whose tasks replace the old ones one by one, while they do."""
    previous: datetime | None = None
    """When the last good release began its monitor window."""

    @property
    def patience(self) -> timedelta:
        """How long after its end the window's last datapoints are waited for."""
        if not self.patient or self.goes_on or self.goal == "recovery":
            return timedelta(0)
        delays = (one.source.delay for one in self.triggers if one.source)
        return max(delays, default=timedelta(0))


class WatchReport(Model):
    """What a watch saw."""

    fired: Verdict | None = None
    verdicts: tuple[Verdict, ...] = ()
    tallies: tuple[Tally, ...] = ()


class CheckReport(Model):
    """What ``check`` found: one verdict for each trigger."""

    service: str
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...] = ()


class ServiceWatchOrder(Model):
    """Follow one ECS deployment of ours."""

    service: ServiceRef
    task_definition: str
    deployment: str | None
    wrong: tuple[str, ...] = ()
    """With ``steady``: ARNs of what is to be left; ECS may put one of them back."""
    previous_deployments: tuple[str, ...] = ()
    """Ids of the deployments that there were before: only ECS itself goes back to one of them."""
    deployed_at: datetime
    until: datetime
    interval: timedelta
    goal: Literal["rollout", "traffic", "window", "standing", "steady"]
    """``rollout``: until complete. ``traffic``: until all production traffic has shifted, or a
    PAUSE hook waits for an answer. ``window``: as long as it stays ours and ECS does not give it
    up. ``standing``: as long as it stays ours, though ECS gave it up: somebody waits, for a person
    or a cooldown's end. ``steady``: until the service is steady on ``task_definition``, whoever's
    deployment that is."""
    service_deployment: str | None = None
    """ARN: read at each look too, where traffic shifts or ECS was told to go back."""
    forward: bool = False
    """With ``steady``: the target is brought by a deployment of its own, whose stages count and
    whose PAUSE hooks are news; not by ECS's going back."""
    left_service_deployment: str | None = None
    """ARN of the service deployment before that one, which answers may still tell of."""


class ServiceNews(Model):
    """Why a service watch ended."""

    kind: Literal[
        "complete",
        "paused",
        "failed",
        "stuck",
        "rolled_back_by_ecs",
        "superseded",
        "gone",
        "scaled_to_zero",
        "quiet",
        "unreadable",
    ]
    reason: str
    at: datetime
    running: int = 0
    desired: int = 0
    deployment: str | None = None
    hook: str | None = None
    """Id of the PAUSE hook that waits."""
    service_deployment: str | None = None
    """ARN of the service deployment that waits at it."""
    stage: str | None = None
    task_definition: str | None = None
    """ARN of what ECS went back to."""


class ServiceGlance(Model):
    """A service watch's heartbeat: the rollout's counts."""

    text: str
    running: int
    desired: int
    pending: int
    failed: int
    seen: bool
    """Whether our deployment has been visible at least once."""
    readable: bool = True
    """False if the last look failed: then the counts say nothing."""
