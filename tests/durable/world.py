"""A small ECS service and its surroundings, scripted: what each image does once it is deployed.

All times are handed in: on the time-skipping server they are the server's, not the computer's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lastgood.model import EcsDeployment, ServiceRef, ServiceState

SERVICE = ServiceRef(region="eu-west-1", cluster="shop", name="web")
ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FOR_EVER = timedelta(days=3650)


def arn(revision: int, family: str = "web") -> str:
    return f"{ACCOUNT}:task-definition/{family}:{revision}"


def image_of(source: dict[str, Any]) -> str:
    """The image without the digest of a pinned copy: what it does is the same."""
    return str(source["containerDefinitions"][0]["image"]).partition("@")[0]


@dataclass
class Fault:
    """A trigger fires, from so long after the deployment, for so long."""

    after: timedelta
    lasts: timedelta = FOR_EVER
    """Not a moment at which anything would look again, if it is for ever."""


@dataclass
class Behaviour:
    """What an image does, counted from the moment of its deployment."""

    rollout: timedelta = timedelta(seconds=30)
    ends: Literal["complete", "never", "failed", "rolled_back_by_ecs"] = "complete"
    faults: dict[str, Fault] = field(default_factory=dict)
    """By trigger type."""
    silent: frozenset[str] = frozenset()
    """Triggers that measure nothing."""
    then: dict[timedelta, Callable[[World, datetime], None]] = field(default_factory=dict)
    """What others do to the service after so long."""


@dataclass
class Record:
    """One ECS service deployment."""

    arn: str
    sources: tuple[str, ...]
    target: str
    status: str = "IN_PROGRESS"
    stage: str | None = None
    awaiting: tuple[str, ...] = ()
    """Ids of PAUSE hooks."""
    rollback_to: str | None = None


@dataclass
class Rollout:
    """One ECS deployment."""

    id: str
    task_definition: str
    since: datetime
    behaviour: Behaviour
    state: str = "IN_PROGRESS"
    running: int = 0
    reason: str = ""
    record: Record | None = None


@dataclass
class Event:
    at: datetime
    do: Callable[[World, datetime], None]


@dataclass
class Call:
    """A call that would change something, and when it came."""

    name: str
    at: datetime
    task_definition: str
    effect: bool


class World:
    """The service ``shop/web``, which runs ``web:1`` with image ``app:1``."""

    def __init__(self, rollout: timedelta = timedelta(seconds=30)) -> None:
        self.rollout = rollout
        """How long a rollout takes, of images of which nothing else is said."""
        self.definitions: dict[str, dict[str, Any]] = {}
        self.inactive: set[str] = set()
        self.exists = True
        self.desired = 2
        self.shape: dict[str, Any] = {}
        """Fields of ServiceState that are other than usual: controller, strategy…"""
        self.pauses: dict[str, timedelta] = {}
        """PAUSE hooks by stage, with how long they wait before they roll back."""
        self.bake = timedelta(minutes=15)
        """Where traffic shifts: how long ECS keeps the old tasks."""
        self.service_deployments = True
        """Whether this endpoint knows service deployments."""
        self.rollbacks_fail = False
        """Whether ECS's own rollbacks do."""
        self.alarms: dict[str, str] = {"web-5xx": "OK"}
        self.set_by_hand: dict[str, datetime] = {}
        """When an alarm was set to ALARM, though its metric is fine."""
        self.alarm_stays = timedelta(seconds=2)
        """How long until CloudWatch puts it back."""
        self.alarms_denied = False
        """Whether they may not be set."""
        self.alarms_deaf = False
        """Whether nothing comes of it."""
        self.datapoints = 100
        self.tags: dict[str, str] = {}
        """Of the service."""
        self.tags_denied = False
        self.digests: dict[str, str] = {}
        """What tags mean now, where they were moved, by reference."""
        self.resolved: dict[str, tuple[str, str]] = {}
        """Image and digest that ECS resolved, by deployment id."""
        self.pull = timedelta(0)
        """How long after its deployment ECS knows which images a revision brought."""
        self.known_from: dict[str, datetime] = {}
        """When it knows that, by deployment id."""
        self.expired: set[str] = set()
        """References by digest that the registry does not have any more."""
        self.registry_answers = False
        """Whether the registry can be asked what a tag means."""
        self.behaviours: dict[str, Behaviour] = {}
        self.calls: list[Call] = []
        self.interference: dict[tuple[str, int], Callable[[World, datetime], None]] = {}
        self.aftermath: dict[tuple[str, int], Callable[[World, datetime], None]] = {}
        self._events: list[Event] = []
        self._deployments = 0
        first = self.define(
            {"family": "web", "containerDefinitions": [{"name": "app", "image": "app:1"}]}
        )
        self.rollouts = [Rollout("ecs-svc/0", first, LONG_AGO, Behaviour(), "COMPLETED", 2)]
        self.resolved["ecs-svc/0"] = self._resolve(first)

    # --- Scripting -------------------------------------------------------------------------

    def image(self, image: str, **behaviour: Any) -> None:
        """Say what an image does once it is deployed by UpdateService."""
        self.behaviours[image] = Behaviour(**{"rollout": self.rollout} | behaviour)

    def bad(
        self,
        image: str,
        trigger: str = "error-rate",
        *,
        after: float = 90.0,
        lasts: timedelta = FOR_EVER,
        **more: Any,
    ) -> None:
        """An image that makes a trigger fire so many seconds after its deployment."""
        fault = Fault(timedelta(seconds=after), lasts)
        self.image(image, faults={trigger: fault}, **more)

    def before(self, call: str, number: int, do: Callable[[World, datetime], None]) -> None:
        """Before the nth call of this name; what it raises is what the caller gets."""
        self.interference[(call, number)] = do

    def after(self, call: str, number: int, do: Callable[[World, datetime], None]) -> None:
        """After the nth call was carried out; raising loses the answer."""
        self.aftermath[(call, number)] = do

    # --- What others do --------------------------------------------------------------------

    def stranger_deploys(self, now: datetime) -> None:
        """Somebody else releases ``app:99``."""
        source = {"family": "web", "containerDefinitions": [{"name": "app", "image": "app:99"}]}
        self.deploy(self.define(source), now)

    def scale_to_zero(self, now: datetime) -> None:
        self.desired = 0

    def delete(self, now: datetime) -> None:
        self.exists = False

    # --- ECS -------------------------------------------------------------------------------

    def define(self, source: dict[str, Any]) -> str:
        """Register a task definition."""
        name = arn(len(self.definitions) + 1)
        self.definitions[name] = source
        return name

    @property
    def primary(self) -> Rollout:
        return self.rollouts[0]

    @property
    def runs(self) -> str:
        """The image that ECS is on, or on its way to: the truth."""
        return image_of(self.definitions[self.primary.task_definition])

    def deploy(self, task_definition: str, now: datetime) -> Rollout:
        """Make a new PRIMARY deployment."""
        self._deployments += 1
        image = image_of(self.definitions[task_definition])
        behaviour = self.behaviours.get(image) or Behaviour(self.rollout)
        rollout = Rollout(f"ecs-svc/{self._deployments}", task_definition, now, behaviour)
        self.resolved[rollout.id] = self._resolve(task_definition)
        self.known_from[rollout.id] = now + self.pull
        self._record(rollout)
        self.rollouts.insert(0, rollout)
        if self.shape.get("strategy", "ROLLING") != "ROLLING":
            self._in(
                behaviour.rollout / 2, now, lambda w, at: w._reach("POST_SCALE_UP", rollout, at)
            )
        elif behaviour.ends != "never":
            self._events.append(Event(now + behaviour.rollout, lambda w, at: w._end(rollout, at)))
        for after, do in behaviour.then.items():
            self._events.append(Event(now + after, do))
        return rollout

    def _end(self, rollout: Rollout, now: datetime) -> None:
        if rollout not in self.rollouts:
            return
        ends, record = rollout.behaviour.ends, rollout.record
        if record and record.stage and record.status not in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
            return
        if ends == "complete" and rollout is self.primary:
            rollout.state, rollout.running = "COMPLETED", self.desired
            if record and record.status in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
                back = record.status == "ROLLBACK_IN_PROGRESS"
                record.status = "ROLLBACK_SUCCESSFUL" if back else "SUCCESSFUL"
            self.rollouts = [rollout]
            return
        if ends == "complete":
            return
        rollout.state = "FAILED"
        rollout.reason = "ECS deployment circuit breaker: tasks failed to start."
        if ends == "rolled_back_by_ecs" and rollout is self.primary:
            self.go_back(now, rollout.reason)
        elif record:
            record.status = "STOPPED"

    def _in(self, after: timedelta, now: datetime, do: Callable[[World, datetime], None]) -> None:
        self._events.append(Event(now + after, do))

    def _reach(self, stage: str, rollout: Rollout, now: datetime) -> None:
        """A deployment that shifts traffic comes to a stage, and waits there if a hook says so."""
        record = rollout.record
        if record is None or record.status != "IN_PROGRESS" or rollout is not self.primary:
            return
        rollout.running, record.stage = self.desired, stage
        if stage in self.pauses:
            hook = f"hook at {stage}"
            record.awaiting = (hook,)
            self._in(self.pauses[stage], now, lambda w, at: w._time_out(hook, record, at))
            return
        self.go_on(now)

    def _time_out(self, hook: str, record: Record, now: datetime) -> None:
        if hook in record.awaiting and record.status == "IN_PROGRESS":
            self.go_back(now, "ECS lifecycle hook: it timed out.")

    def go_on(self, now: datetime) -> None:
        """From a stage to the next."""
        rollout, record = self.primary, self.primary.record
        if record is None:
            return
        record.awaiting = ()
        if record.stage == "POST_SCALE_UP":
            after = rollout.behaviour.rollout / 2
            stage = "POST_PRODUCTION_TRAFFIC_SHIFT"
            self._in(after, now, lambda w, at: w._reach(stage, rollout, at))
        elif record.stage == "POST_PRODUCTION_TRAFFIC_SHIFT":
            record.stage = "BAKE_TIME"
            self._in(self.bake, now, lambda w, at: w._end(rollout, at))

    def _record(self, rollout: Rollout) -> None:
        """A service deployment begins; the one before, if it is under way, does not go on."""
        for one in self.rollouts:
            if one.record and one.record.status in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
                back = one.record.status == "ROLLBACK_IN_PROGRESS"
                one.record.status = "ROLLBACK_FAILED" if back else "STOPPED"
        rollout.record = Record(
            arn=f"{ACCOUNT}:service-deployment/shop/web/{rollout.id[8:]}",
            sources=tuple(self.revision(one) for one in self.rollouts),
            target=self.revision(rollout),
        )

    def go_back(self, now: datetime, reason: str) -> None:
        """ECS puts back what ran before, because of its circuit breaker or because it was told."""
        wrong, before = self.rollouts[0], self.rollouts[1]
        record = wrong.record
        if record:
            record.status, record.rollback_to = "ROLLBACK_IN_PROGRESS", self.revision(before)
            record.awaiting = ()
        wrong.state, wrong.reason = "FAILED", reason
        if self.rollbacks_fail:
            self._events.append(Event(now + self.rollout, lambda w, at: w._fail_to_go_back(wrong)))
            return
        before.state, before.running, before.reason = "IN_PROGRESS", 2, reason
        before.behaviour, before.record = Behaviour(self.rollout), record
        self.rollouts = [before, wrong]
        self._events.append(Event(now + self.rollout, lambda w, at: w._end(before, at)))

    @staticmethod
    def _fail_to_go_back(wrong: Rollout) -> None:
        if wrong.record:
            wrong.record.status = "ROLLBACK_FAILED"

    @staticmethod
    def revision(rollout: Rollout) -> str:
        """ARN of a rollout's service revision."""
        return f"{ACCOUNT}:service-revision/shop/web/{rollout.id}"

    def record(self, arn: str | None = None) -> Record | None:
        """A service deployment, or the newest; None if there is none, or no such thing."""
        if not self.service_deployments:
            return None
        found = [one.record for one in self.rollouts if one.record]
        return next((one for one in found if arn in (None, one.arn)), None)

    def advance(self, now: datetime) -> None:
        """Let everything happen that has happened by now."""
        while due := sorted((e for e in self._events if e.at <= now), key=lambda e: e.at):
            self._events.remove(due[0])
            due[0].do(self, due[0].at)

    def next_event(self, now: datetime) -> datetime | None:
        """When the service itself changes next."""
        return min((event.at for event in self._events if event.at > now), default=None)

    def state(self) -> ServiceState | None:
        """What DescribeServices says."""
        if not self.exists:
            return None
        told = {
            "arn": f"{ACCOUNT}:service/shop/web",
            "status": "ACTIVE",
            "task_definition": self.primary.task_definition,
            "desired": self.desired,
            "running": sum(rollout.running for rollout in self.rollouts),
            "pending": 0,
            "service_revision": self.revision(self.primary),
            "service_deployment": newest.arn if (newest := self.record()) else None,
            "deployments": tuple(
                EcsDeployment(
                    id=one.id,
                    status="PRIMARY" if one is self.primary else "ACTIVE",
                    task_definition=one.task_definition,
                    desired=self.desired,
                    running=one.running,
                    rollout_state=one.state,
                    reason=one.reason,
                )
                for one in self.rollouts
            ),
        }
        return ServiceState.model_validate(told | self.shape)

    def _resolve(self, task_definition: str) -> tuple[str, str]:
        image = str(self.definitions[task_definition]["containerDefinitions"][0]["image"])
        return image, self.digest_of(image)

    def digest_of(self, image: str) -> str:
        """What ECS resolves an image to."""
        _, pinned, digest = image.partition("@")
        if pinned:
            return digest
        return self.digests.get(image) or "sha256:" + hashlib.sha256(image.encode()).hexdigest()

    # --- Metrics ---------------------------------------------------------------------------

    def fires(self, trigger: str, now: datetime) -> bool:
        """Whether a trigger of this type fires now, whichever revision is to blame."""
        if trigger == "alarm" and self._is_set(now):
            return True
        faults = [(one.since, one.behaviour.faults.get(trigger)) for one in self.rollouts]
        return any(
            since + fault.after <= now < since + fault.after + fault.lasts
            for since, fault in faults
            if fault
        )

    def _is_set(self, now: datetime) -> bool:
        lately = (at for at in self.set_by_hand.values() if at <= now < at + self.alarm_stays)
        return any(lately) and not self.alarms_deaf

    def next_fault(self, triggers: set[str], now: datetime) -> datetime | None:
        """When one of these triggers begins or ceases to fire next."""
        times = []
        for rollout in self.rollouts:
            for trigger, fault in rollout.behaviour.faults.items():
                start = rollout.since + fault.after
                if trigger in triggers:
                    times += [start] if fault.lasts == FOR_EVER else [start, start + fault.lasts]
        return min((at for at in times if at > now), default=None)

    def silent(self, trigger: str) -> bool:
        return trigger in self.primary.behaviour.silent
