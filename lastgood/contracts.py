"""What workflows and activities are handed and give back: one frozen model each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from lastgood.model import (
    Action,
    ChannelFailure,
    Model,
    Outcome,
    Reading,
    ReleaseResult,
    Revision,
    RollbackRecord,
    ServiceRef,
    Verdict,
)
from lastgood.policy import (
    EmailChannel,
    NotifyPolicy,
    Policy,
    SlackChannel,
    SmokeCheck,
    SnsChannel,
    Trigger,
    WebhookChannel,
)

# --- From the command line to the guard --------------------------------------------------------


class ReleaseOrder(Model):
    """One request to run a new image (or a whole task definition)."""

    id: str
    image: str | None = None
    task_definition: str | None = None
    """ARN or family:revision of a registered task definition to release as it is."""
    task_definition_source: dict[str, Any] | None = None
    """A task definition's JSON, to be registered and released."""
    policy: Policy
    actor: str
    ci_url: str | None = None

    @property
    def what(self) -> str:
        """What is released, in a few words."""
        if self.image:
            return self.image
        return self.task_definition or "a task definition from a file"


class Accepted(Model):
    """The guard's answer to ``deploy``."""

    release: str
    workflow_id: str
    position: int
    """0: it runs now or has ended; n: n releases are before it."""
    already_known: bool = False


class RollbackRequest(Model):
    """An operator's rollback."""

    actor: str
    reason: str
    to: str | None = None
    """Task definition: ARN or family:revision. Left out: last known good."""
    policy: Policy | None = None
    """How to verify and whom to tell. Left out: as the last release's policy says."""
    service: ServiceRef


class RollbackAccepted(Model):
    """The guard's answer to ``rollback``."""

    release: str
    """The release that is rolled back, or the id of the rollback itself."""
    during_release: bool
    text: str


class ResetRequest(Model):
    """An operator lifts cooldown and rollback limit."""

    actor: str
    reason: str


class ReleaseView(Model):
    """Where a release stands, as the guard knows it."""

    release: str
    state: Literal["unknown", "queued", "running", "ended"]
    position: int = 0
    workflow_id: str | None = None
    run_id: str | None = None
    result: ReleaseResult | None = None


class Limits(Model):
    """Rollbacks so far, and from when on they count."""

    rollbacks: tuple[RollbackRecord, ...] = ()
    counted_from: datetime | None = None
    """Set by an operator's reset; rollbacks before it no longer count."""


class GuardState(Model):
    """All that a guard remembers; handed over at continue-as-new."""

    service: ServiceRef
    queue: tuple[ReleaseOrder, ...] = ()
    good: tuple[Revision, ...] = ()
    """Revisions known to be good, newest first."""
    unproven: tuple[str, ...] = ()
    """ARNs that we released and that did not turn out good, newest first."""
    limits: Limits = Limits()
    results: tuple[ReleaseResult, ...] = ()
    """Ended releases and rollbacks, newest first."""
    actions: tuple[Action, ...] = ()
    """Operators' actions, newest first."""
    policy: Policy | None = None
    """The policy of the newest release."""


class CurrentRelease(Model):
    """The release that is under way."""

    release: str
    what: str
    workflow_id: str
    run_id: str | None
    actor: str
    since: datetime


class Overview(Model):
    """What the guard says of its service."""

    service: str
    current: CurrentRelease | None
    queued: tuple[str, ...]
    last_known_good: Revision | None
    rollbacks_counted: int
    max_rollbacks: int
    cooldown_until: datetime | None
    results: tuple[ReleaseResult, ...]
    rollbacks: tuple[RollbackRecord, ...]
    actions: tuple[Action, ...]


# --- A release ---------------------------------------------------------------------------------


class DeploymentOrder(Model):
    """What the guard hands to a ``Deployment``."""

    release: ReleaseOrder
    service: ServiceRef
    good: tuple[Revision, ...] = ()
    unproven: tuple[str, ...] = ()
    limits: Limits = Limits()
    guard_id: str | None = None


class Begun(Model):
    """What a release is about to do: told to the guard before the service is touched."""

    release: str
    released: Revision
    target: Revision | None = None


class Step(Model):
    """One step of the pipeline, as it went."""

    name: str
    started_at: datetime
    finished_at: datetime | None = None
    text: str = ""


class Progress(Model):
    """Where a release is; answers the query ``progress``."""

    release: str
    service: str
    what: str
    step: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    """What was said to people so far, oldest first."""
    from_task_definition: str | None = None
    to_task_definition: str | None = None
    rollback_target: str | None = None
    window_ends_at: datetime | None = None
    held: bool = False
    result: ReleaseResult | None = None
    """Set once the release has ended, or is held: then ``outcome`` is ``held`` for now."""
    notification_failures: tuple[ChannelFailure, ...] = ()


class Finding(Model):
    """Why a release does not simply go on; what a decision made of what was seen."""

    kind: Literal[
        "refused",
        "trigger",
        "operator",
        "rollout",
        "smoke",
        "inconclusive",
        "rolled_back_by_ecs",
        "displaced",
        "superseded",
        "lost",
        "cancelled",
    ]
    """``displaced``: somebody else's deployment; ``superseded``: a newer release of ours;
    ``lost``: the service is gone or scaled to 0, or its state cannot be told."""
    reason: str
    verdict: Verdict | None = None
    """The trigger's verdict, if one fired."""
    actor: str = "lastgood"
    to: str | None = None
    """The task definition that an operator named."""


class DeploymentReport(ReleaseResult):
    """What a ``Deployment`` gives back: the result, and what the guard should remember."""

    released: Revision | None = None
    """Set once the service was moved to it."""
    target: Revision | None = None
    """The revision that was good before."""


class RollbackOrder(Model):
    """What a ``Rollback`` is to bring back, from what, and how to prove that it helped."""

    service: ServiceRef
    release: str
    target: Revision
    from_task_definition: str
    from_deployment: str | None = None
    target_deployment: str | None = None
    """Id of the ECS deployment that ran before the release; ECS's own rollback returns to it."""
    policy: Policy
    fired: Verdict | None = None
    """The trigger that fired; it must be good again."""
    smoke_failed: bool = False
    adopt: bool = False
    """ECS already went back by itself: wait and verify only."""
    triggers: tuple[WatchedTrigger, ...] = ()
    """The triggers, resolved."""


class RollbackReport(Model):
    """How a rollback went."""

    run_id: str = ""
    outcome: Outcome
    reason: str
    to: str
    started_at: datetime
    called_at: datetime | None = None
    steady_at: datetime | None = None
    finished_at: datetime
    verified: bool
    evidence: tuple[Verdict, ...] = ()


# --- Watching ----------------------------------------------------------------------------------


class MetricSource(Model):
    """Where a metric trigger reads, resolved: never a guess at watching time."""

    kind: Literal["metric", "load-balancer"]
    namespace: str
    dimensions: dict[str, str]
    name: str = ""
    """Of a custom metric."""
    load_balancer: dict[str, str] = {}
    """The load balancer's own dimensions, for counts that exist only there."""
    statistic: str = "Average"
    scale: float = 1.0
    """Multiply a datapoint by this to get a ratio, or milliseconds."""


class WatchedTrigger(Model):
    """A trigger of the policy, resolved against the service as preflight found it."""

    key: str
    """Position and type: ``0 error-rate``; names the trigger in reports."""
    trigger: Trigger
    source: MetricSource | None = None
    url: str | None = None
    muted_until_ok: bool = False
    """An alarm that was red before the release: ignored until it has been OK once."""


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
    seen_ok: bool = False
    """An alarm has been OK since the release began."""
    failing: Verdict | None = None
    """Set while the trigger is firing."""
    recovered: bool = False
    """In verification: good again for as long as the trigger asks."""
    conclusion: Verdict | None = None
    """Set by the last look: what the whole window says."""


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
    previous_task_definition: str | None
    previous_deployment: str | None
    deployed_at: datetime
    until: datetime
    interval: timedelta
    goal: Literal["rollout", "window", "steady"]
    """``rollout``: until complete. ``window``: as long as it stays ours. ``steady``: until the
    service is steady on ``task_definition``, whoever's deployment that is."""


class ServiceNews(Model):
    """Why a service watch ended."""

    kind: Literal[
        "complete",
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


# --- Calls -------------------------------------------------------------------------------------


class ServiceQuery(Model):
    """Which service to describe."""

    service: ServiceRef


class TaskDefinitionQuery(Model):
    """Which task definition to describe."""

    region: str
    task_definition: str


class TaskDefinitionState(Model):
    """A task definition as it is registered."""

    task_definition: str
    active: bool
    source: dict[str, Any]


class ServiceRevisionQuery(Model):
    """Which service revision to describe."""

    region: str
    service_revision: str


class RegisterOrder(Model):
    """A task definition to register, once."""

    region: str
    source: dict[str, Any]
    release: str
    """The tag's value by which an earlier attempt is found."""


class UpdateOrder(Model):
    """Move a service to a task definition, if it still runs what we think it runs."""

    service: ServiceRef
    task_definition: str
    expected: tuple[str, ...]
    """ARNs from which this write is right; anything else is somebody else's release."""


class Updated(Model):
    """The deployment that an UpdateService made, or that was there already."""

    deployment: str
    called: bool
    """False: the service was already on its way there; nothing was sent."""
    at: datetime


class ResolveOrder(Model):
    """Load balancer and target group by name, ARN or ARN's ending; or by the service's own."""

    region: str
    load_balancer: str | None = None
    target_group: str | None = None


class LoadBalancerFacts(Model):
    """What a metric or health check needs of a load balancer."""

    load_balancer: str
    """``app/NAME/ID``"""
    target_group: str
    """``targetgroup/NAME/ID``"""
    health_url: str | None
    """The target group's health check, asked through the load balancer."""


class AlarmQuery(Model):
    """Alarms by name."""

    region: str
    names: tuple[str, ...]


class AlarmState(Model):
    """An alarm at one moment."""

    name: str
    state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    since: datetime | None = None
    reason: str = ""


class MetricProbe(Model):
    """Read a trigger's metric once: is it readable at all?"""

    region: str
    trigger: WatchedTrigger


class MetricFacts(Model):
    """What a trigger's metric is like before a release."""

    datapoints: int
    """In the last three hours, nearly."""
    above: str | None = None
    """In words, if it is above its threshold now."""


class SmokeOrder(Model):
    """One smoke check."""

    check: SmokeCheck


class ProbeAnswer(Model):
    """What one HTTP check found."""

    ok: bool
    text: str
    status: int | None = None
    milliseconds: float


# --- Telling people ----------------------------------------------------------------------------


class Notice(Model):
    """What people are told, before any channel's form. All text is plain."""

    dedup: str
    """The same for each retry: ``RELEASE/KIND``."""
    kind: Literal["rollback_started", "cooldown", "held", "ended"]
    severity: Literal["healthy", "warning", "critical"]
    title: str
    """One line: service, release, what happened."""
    summary: str
    """One or two sentences: why, with numbers, and what to do if something is to be done."""
    facts: tuple[tuple[str, str], ...]
    """Label and value: service, release, trigger, measured, threshold, from, to, rollbacks…"""
    link: str | None = None
    """The workflow in the Temporal UI."""
    outcome: Outcome | None = None
    service: str
    release: str
    at: datetime


class SlackOrder(Model):
    """A notice for a Slack webhook."""

    notice: Notice
    channel: SlackChannel


class EmailOrder(Model):
    """A notice by mail."""

    notice: Notice
    channel: EmailChannel
    region: str


class SnsOrder(Model):
    """A notice for an SNS topic."""

    notice: Notice
    channel: SnsChannel


class WebhookOrder(Model):
    """A notice for a webhook."""

    notice: Notice
    channel: WebhookChannel


class Telling(Model):
    """A notice and whom to tell."""

    notice: Notice
    notify: NotifyPolicy
    region: str


RollbackOrder.model_rebuild()
