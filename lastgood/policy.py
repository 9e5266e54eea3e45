"""What an operator decides about a service: the policy file, as frozen models.

Read a file with ``lastgood.policy_file.load``; it adds lines to the errors. Every key has a
default but ``service``. The docstring under each key is its description everywhere: in the JSON
Schema, in the file that ``lastgood policy init`` writes, in the reference. Its first sentence must
stand alone. ``examples`` are written as in the file, for keys without a telling default.

Longer than other files, on purpose: it is the list of all keys, to be read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, Field, model_validator

from lastgood.model import ServiceRef
from lastgood.policy_notify import EmailChannel as EmailChannel
from lastgood.policy_notify import NotifyPolicy
from lastgood.policy_notify import SlackChannel as SlackChannel
from lastgood.policy_notify import SmtpServer as SmtpServer
from lastgood.policy_notify import SnsChannel as SnsChannel
from lastgood.policy_notify import WebhookChannel as WebhookChannel
from lastgood.policy_part import Part, refuse
from lastgood.policy_triggers import (
    AlarmTrigger,
    ErrorRateTrigger,
    Expectation,
    HealthCheckTrigger,
    MetricTrigger,
    RegressionTrigger,
    ResponseTimeTrigger,
    Trigger,
)
from lastgood.values import (
    ContainerName,
    Deadline,
    EndTime,
    Interval,
    Long,
    Name,
    Pause,
    Region,
    ServiceName,
    Text,
    TimeOfDay,
    Timeout,
    Url,
    Window,
    Zone,
)
from lastgood.values import format_duration as format_duration
from lastgood.values import parse_duration as parse_duration
from lastgood.values import parse_ratio as parse_ratio

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class FreezeWindow(Part):
    """Hours in which no release may begin, in a named time zone. Rollbacks may at any time."""

    days: Annotated[list[Day], Field(min_length=1, max_length=7)] = list(get_args(Day))
    """The days on which it begins. Left out: every day."""
    from_: Annotated[TimeOfDay, Field(alias="from", examples=["16:00"])] = "00:00"
    """When it begins, as the clocks of the zone show. Left out: as the day begins."""
    to: Annotated[EndTime, Field(examples=["08:00"])] = "24:00"
    """When it ends; on the next day, if that is earlier than from. Left out: as the day ends."""
    zone: Annotated[Zone, Field(examples=["Europe/Berlin"])]
    """The IANA name of the time zone."""
    reason: Annotated[Text | None, Field(examples=["Weekend"])] = None
    """Your own words for whoever is refused."""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.from_ == self.to:
            refuse(("to", "is the same as from: leave both out for the whole day"))
        return self


class DeployPolicy(Part):
    """How a new revision is rolled out."""

    timeout: Deadline = timedelta(minutes=5)
    """The rollout must be complete by then."""
    on_busy: Literal["queue", "supersede", "reject"] = "queue"
    """What becomes of a release that arrives while another is under way."""
    freeze: Annotated[list[FreezeWindow], Field(max_length=20)] = []
    """Hours in which no release may begin, but with --force. Rollbacks may at any time."""


class SmokeCheck(Part):
    """One HTTP check made once, after the rollout and before the window."""

    url: Annotated[Url, Field(examples=["https://api.example.com/health"])]
    """What is asked, with GET."""
    expect: Expectation = Expectation()
    """What a good answer looks like."""
    timeout: Timeout = timedelta(seconds=5)
    """For the whole answer, not for each read."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often it is asked before the check has failed."""
    every: Interval = timedelta(seconds=2)
    """The pause between attempts."""


class MonitorPolicy(Part):
    """The monitor window."""

    window: Window = timedelta(minutes=10)
    """How long the triggers watch after the rollout."""
    interval: Interval = timedelta(seconds=10)
    """The time from one measurement to the next."""
    on_inconclusive: Literal["hold", "promote", "rollback"] = "hold"
    """What happens when the window ends without enough data to judge."""
    consecutive_success: Annotated[int | None, Field(ge=1, le=10000, examples=[30])] = None
    """So many good measurements of every trigger in a row end the window early."""
    good_enough: bool = False
    """True: proof that the release is no worse than before ends the window early."""
    min_window: Annotated[Window | None, Field(examples=["5m"])] = None
    """The window never ends earlier than this. Left out: half of the window."""

    @model_validator(mode="after")
    def _early_end(self) -> Self:
        if self.min_window is None:
            return self
        if not self.may_end_early:
            refuse(
                (
                    "min_window",
                    "is not used, as nothing ends the window early: add consecutive_success or "
                    "good_enough, or leave it out",
                )
            )
        if self.min_window > self.window:
            limit = format_duration(self.window)
            refuse(("min_window", f"must not be longer than window ({limit})"))
        return self

    @property
    def may_end_early(self) -> bool:
        """Whether the window may end before its time."""
        return self.good_enough or self.consecutive_success is not None

    @property
    def least(self) -> timedelta:
        """The window never ends earlier than this."""
        return self.window / 2 if self.min_window is None else self.min_window


class RollbackPolicy(Part):
    """When the service is brought back, and how often."""

    enabled: bool = True
    """False: a trigger that fires holds the release for a person."""
    cooldown: Pause = timedelta(minutes=5)
    """For so long after a rollback no other one is begun."""
    cooldown_then: Literal["rollback", "hold"] = "rollback"
    """What happens when a trigger still fires as the cooldown ends."""
    max_rollbacks: Annotated[int, Field(ge=0, le=50)] = 3
    """As many in the period below; then releases are held for a person."""
    per: Long = timedelta(hours=24)
    """The rolling period in which max_rollbacks counts."""
    hold_for: Long = timedelta(hours=24)
    """How long a held release waits for a person."""
    timeout: Deadline = timedelta(minutes=10)
    """The service must be steady on the target by then."""
    verify_timeout: Deadline = timedelta(minutes=10)
    """What fired must be good again by then."""
    try_next_good: bool = False
    """When a rollback fails: go back once more, to the next older revision that was good."""
    remind_every: Deadline = timedelta(minutes=15)
    """People are told of a failed rollback again so often, until somebody acknowledges it."""


class DrillPolicy(Part):
    """Rollbacks that are rehearsed with lastgood drill, before one is needed."""

    allowed: bool = False
    """True: a drill may release here once more what runs, and roll it back."""
    alarms: Annotated[list[Name], Field(max_length=20, examples=[["my-alarm"]])] = []
    """Alarms among the triggers that a drill may set to ALARM. What they do on ALARM, they do."""


class Policy(Part):
    """Everything that an operator decides about one service."""

    service: Annotated[ServiceName, Field(examples=["my-cluster/my-service"])]
    """CLUSTER/SERVICE."""
    region: Annotated[Region | None, Field(examples=["us-east-1"])] = None
    """The AWS region. Left out: what AWS's own configuration says."""
    container: Annotated[ContainerName | None, Field(examples=["app"])] = None
    """Whose image a release replaces. May be left out when there is one."""
    deploy: DeployPolicy = DeployPolicy()
    """How a new revision is rolled out."""
    smoke: Annotated[list[SmokeCheck], Field(max_length=20)] = []
    """HTTP checks made once, after the rollout and before the window."""
    monitor: MonitorPolicy = MonitorPolicy()
    """The monitor window."""
    triggers: Annotated[list[Trigger], Field(min_length=1, max_length=20)] = [
        ErrorRateTrigger(),
        ResponseTimeTrigger(),
        HealthCheckTrigger(),
        RegressionTrigger(dry_run=True),
    ]
    """What may end a release in a rollback. Left out: these three, and regression as a dry run."""
    rollback: RollbackPolicy = RollbackPolicy()
    """When the service is brought back, and how often."""
    drill: DrillPolicy = DrillPolicy()
    """Rollbacks that are rehearsed with lastgood drill, before one is needed."""
    notify: NotifyPolicy = NotifyPolicy()
    """Who is told. Each channel is tried by itself; none can change an outcome."""

    @model_validator(mode="after")
    def _window_holds_the_triggers(self) -> Self:
        window = self.monitor.window
        problems = []
        if self.monitor.interval > window:
            problems.append(("monitor.interval", "must not be longer than monitor.window"))
        for number, trigger in enumerate(self.triggers):
            if not isinstance(trigger, MetricTrigger):
                continue
            key, needed = self._needs(trigger)
            if needed <= window:
                continue
            written = "triggers" in self.model_fields_set and key in trigger.model_fields_set
            key = f"triggers.{number}.{key}"
            problems.append(
                (
                    key if written else "monitor.window",
                    f"{key} ({format_duration(needed)}) is longer than monitor.window "
                    f"({format_duration(window)}): the trigger {trigger.type} could never fire",
                )
            )
        if problems:
            refuse(*problems)
        return self

    @model_validator(mode="after")
    def _drilled_alarms_are_triggers(self) -> Self:
        alarms = (one for one in self.triggers if isinstance(one, AlarmTrigger))
        known = {one.alarm for one in alarms if not one.dry_run}
        problems = [
            (
                f"drill.alarms.{number}",
                f"{name} is no alarm that can roll a release back: add a trigger of type alarm "
                "for it, without dry_run, or leave it out",
            )
            for number, name in enumerate(self.drill.alarms)
            if name not in known
        ]
        if problems:
            refuse(*problems)
        return self

    @staticmethod
    def _needs(trigger: MetricTrigger) -> tuple[str, timedelta]:
        """How long a breach must be at the least, and which key says so."""
        if not trigger.counted:
            return "duration", trigger.duration
        period = trigger.period or timedelta(minutes=1)
        return "datapoints" if trigger.datapoints else "consecutive", trigger.counted[0] * period

    def ref(self) -> ServiceRef:
        """The service, as a noun. ``region`` must be known by now."""
        cluster, name = self.service.split("/")
        return ServiceRef(region=self.region or "", cluster=cluster, name=name)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a key's type is made of, each once, without those inside of them."""
    found: dict[type[BaseModel], None] = {}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found[annotation] = None
    for argument in get_args(annotation):
        found |= dict.fromkeys(models_in(argument))
    yield from found


def tag_of(model: type[BaseModel]) -> str | None:
    """A trigger's ``type``; None for other models."""
    kind = model.model_fields.get("type")
    return kind.default if kind else None
