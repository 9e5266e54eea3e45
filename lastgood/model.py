"""The nouns, frozen. Times are aware datetimes in UTC; durations are seconds unless named."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Model(BaseModel):
    """Frozen, without surplus fields in our own code, lenient towards newer senders."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class ServiceRef(Model):
    """Which ECS service."""

    region: str
    cluster: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"


class Outcome(StrEnum):
    """How a release ended; exactly one for each."""

    HEALTHY = "healthy"
    ROLLED_BACK = "rolled_back"
    ROLLED_BACK_BY_ECS = "rolled_back_by_ecs"
    ROLLBACK_FAILED = "rollback_failed"
    HELD = "held"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    CANCELLED = "cancelled"


EXIT_CODES = {
    Outcome.HEALTHY: 0,
    Outcome.ROLLED_BACK: 10,
    Outcome.ROLLED_BACK_BY_ECS: 11,
    Outcome.ROLLBACK_FAILED: 12,
    Outcome.HELD: 13,
    Outcome.SUPERSEDED: 14,
    Outcome.REFUSED: 15,
    Outcome.CANCELLED: 16,
}


# --- What ECS says -----------------------------------------------------------------------------


class ContainerImage(Model):
    """An image as a container runs it. ``digest`` is ``sha256:…`` where ECS resolved one."""

    container: str
    image: str
    digest: str | None = None


class Revision(Model):
    """A task definition, with all that is needed to bring it back."""

    task_definition: str
    """ARN."""
    images: tuple[ContainerImage, ...] = ()
    source: dict[str, Any] = {}
    """The task definition's JSON as DescribeTaskDefinition gave it; registered again from this
    if the original has become INACTIVE."""
    release: str | None = None
    """The release that brought it, if it was one of ours."""
    proven: str | None = None
    """How it was proven: ``survived its monitor window`` or ``ran steadily before a release``."""
    proven_at: datetime | None = None
    copy_of: str | None = None
    """ARN of the task definition of which this one is a copy, with its images named by digest."""

    @property
    def label(self) -> str:
        """``family:revision``."""
        return self.task_definition.rsplit("/", 1)[-1]


class EcsDeployment(Model):
    """One of ``Service.deployments[]``."""

    id: str
    status: str
    """PRIMARY, ACTIVE or INACTIVE."""
    task_definition: str
    desired: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    """Consecutive failed tasks, as ECS counts them."""
    rollout_state: str | None = None
    """IN_PROGRESS, COMPLETED, FAILED; None behind a Classic Load Balancer."""
    reason: str = ""


class Hook(Model):
    """A lifecycle hook that a service's deployments stop at."""

    stages: tuple[str, ...]
    """``POST_PRODUCTION_TRAFFIC_SHIFT``, say."""
    pauses: bool
    """Waits for ContinueServiceDeployment; else it is a Lambda function's to answer."""
    timeout: timedelta | None = None
    on_timeout: str = "ROLLBACK"
    """ROLLBACK or CONTINUE."""


class ServiceState(Model):
    """An ECS service at one moment, from DescribeServices."""

    arn: str
    status: str
    """ACTIVE, DRAINING or INACTIVE."""
    task_definition: str
    desired: int
    running: int
    pending: int
    deployments: tuple[EcsDeployment, ...] = ()
    controller: str = "ECS"
    scheduling: str = "REPLICA"
    strategy: str = "ROLLING"
    """ROLLING, BLUE_GREEN, LINEAR or CANARY."""
    bake: timedelta = timedelta(0)
    """How long ECS keeps the old tasks after all traffic has shifted."""
    shift: timedelta = timedelta(0)
    """How long the steps of LINEAR or CANARY last, added up."""
    hooks: tuple[Hook, ...] = ()
    service_deployment: str | None = None
    """ARN of the service deployment that is the newest, where ECS tells."""
    tags: dict[str, str] = {}
    """Only if they were asked for."""
    target_groups: tuple[str, ...] = ()
    alternate_target_groups: tuple[str, ...] = ()
    """Where traffic shifts: the groups that the first load balancer's group alternates with."""
    circuit_breaker: bool = False
    breaker_rolls_back: bool = False
    deployment_alarms: tuple[str, ...] = ()
    """Names of the alarms that ECS itself watches during a deployment."""
    alarms_roll_back: bool = False
    """These are enabled, and roll a deployment back."""
    service_revision: str | None = None
    """ARN of the service revision that runs, where ECS tells; None while there are several."""

    @property
    def shifts_traffic(self) -> bool:
        """New tasks run beside the old ones, and traffic moves from these to those."""
        return self.strategy != "ROLLING"

    @property
    def primary(self) -> EcsDeployment | None:
        """The deployment that ECS is moving towards, or has reached."""
        return next((one for one in self.deployments if one.status == "PRIMARY"), None)

    @property
    def deployment_ids(self) -> tuple[str, ...]:
        """Ids of all deployments that the service lists."""
        return tuple(one.id for one in self.deployments)

    def deployment(self, deployment_id: str) -> EcsDeployment | None:
        """The deployment with this id, if the service still lists it."""
        return next((one for one in self.deployments if one.id == deployment_id), None)


class AwaitingHook(Model):
    """A PAUSE hook at which a service deployment waits for an answer."""

    id: str
    expires_at: datetime | None = None
    on_timeout: str = "ROLLBACK"


class ServiceDeploymentState(Model):
    """An ECS service deployment at one moment, from DescribeServiceDeployments."""

    arn: str
    status: str
    """PENDING, IN_PROGRESS, STOP_REQUESTED, STOPPED, SUCCESSFUL, ROLLBACK_REQUESTED,
    ROLLBACK_IN_PROGRESS, ROLLBACK_SUCCESSFUL or ROLLBACK_FAILED; newer ones may come."""
    stage: str | None = None
    """``lifecycleStage``; None where ECS tells none, as for rolling deployments."""
    awaiting: tuple[AwaitingHook, ...] = ()
    sources: tuple[str, ...] = ()
    """ARNs of the service revisions that ran before."""
    target: str | None = None
    """ARN of the service revision that it brings."""
    production_weight: float | None = None
    """Percent of production traffic that goes to the target; None where nothing shifts."""
    rollback_to: str | None = None
    """ARN of the service revision that ECS goes back to, once it does."""
    reason: str = ""


# --- What is measured --------------------------------------------------------------------------


class Reading(StrEnum):
    """What one measurement says."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NO_DATA = "no_data"
    ERROR = "error"


class Measurement(Model):
    """One dated answer of one trigger."""

    at: datetime
    reading: Reading
    text: str
    """The numbers in words: ``8.0 % of requests failed (threshold 5 %)``."""
    value: float | None = None
    """In the trigger's unit: a ratio, milliseconds, or consecutive failures."""


class Status(StrEnum):
    """What a trigger concludes."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Verdict(Model):
    """What a trigger concludes, why, and from which numbers."""

    trigger: str
    """``error-rate``, ``response-time``, ``health-check``, ``alarm``, ``manual``."""
    key: str | None = None
    """Which of the policy's triggers it is, of several of one type: ``2 alarm``."""
    status: Status
    reason: str
    at: datetime
    value: float | None = None
    threshold: float | None = None
    message: str | None = None
    """The policy's own words for this trigger."""
    evidence: tuple[Measurement, ...] = ()
    dry_run: bool = False
    """It is told, and decides nothing."""
    severity: Literal["warning", "critical"] = "critical"
    """How loudly people are told of it."""
    record: str | None = None
    """What it was decided from, compressed: see ``lastgood.decisions.records``."""

    @model_serializer(mode="wrap")
    def _without_an_empty_record(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Where there is no record, nothing says so: results look as they always did."""
        written: dict[str, Any] = write(self)
        if self.record is None:
            written.pop("record", None)
        return written

    @property
    def bare(self) -> Verdict:
        """Without its record, which is long: for what is sent often, or remembered."""
        return self.model_copy(update={"record": None}) if self.record else self


class RollbackRecord(Model):
    """A rollback that was begun, as the guard remembers it."""

    release: str | None
    started_at: datetime
    finished_at: datetime | None = None
    trigger: str | None
    reason: str
    actor: str
    """Who decided: ``lastgood`` or an operator."""
    to: str
    """ARN of the task definition that was brought back."""
    verified: bool | None = None
    drill: bool = False
    """It was rehearsed: neither cooldown nor limit know of it."""


class Action(Model):
    """Something that a person asked for."""

    at: datetime
    actor: str
    verb: str
    reason: str


class RollbackSummary(Model):
    """The ``rollback`` of a release's result."""

    to: str
    started_at: datetime
    finished_at: datetime | None = None
    verified: bool = False


class DrillSummary(Model):
    """The ``drill`` of a release's result: what a rehearsed rollback has proved."""

    passed: bool = False
    """Marked bad as ordered, rolled back, and verified."""
    why_not: str | None = None
    """What keeps it from having passed."""
    alarm: str | None = None
    """The alarm that was to be set to ALARM. None: the release was marked bad by itself."""
    marked_at: datetime | None = None
    """When it was marked bad."""
    seconds: dict[str, float] = {}
    """``detection``: from the mark to the rollback's beginning; ``rollback``: until the service was
    steady again; ``verify``: until that was proved; ``all``: from the mark to the proof."""


class ChannelFailure(Model):
    """A notification that did not arrive."""

    channel: str
    error: str
    at: datetime


class ReleaseResult(Model):
    """How a release ended: the JSON that ``deploy`` prints, and what the guard remembers."""

    release: str
    workflow_id: str
    run_id: str
    service: str
    outcome: Outcome
    reason: str
    from_task_definition: str | None = None
    to_task_definition: str | None = None
    trigger: str | None = None
    rollback: RollbackSummary | None = None
    evidence: tuple[Verdict, ...] = ()
    timings: dict[str, float] = {}
    """Seconds by step."""
    notification_failures: tuple[ChannelFailure, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    image: str | None = None
    actor: str | None = None
    drill: DrillSummary | None = None
    """Set for a drill: nothing was wrong with what was released."""


def exit_code(result: ReleaseResult) -> int:
    """What a command ends with: a drill that has passed ends well, though it was rolled back."""
    return 0 if result.drill and result.drill.passed else EXIT_CODES[result.outcome]
