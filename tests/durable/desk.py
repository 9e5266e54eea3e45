"""The operator's desk: releases, rollbacks and questions to a guard, as the command line asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityCancellationType, ActivityHandle

from activities.guards import GuardActivities
from activities.surroundings import SurroundingsActivities
from lastgood import messages
from lastgood.contracts import (
    Accepted,
    Answer,
    CheckReport,
    DoctorOrder,
    Examination,
    FreezeRequest,
    GuardState,
    OperatorRequest,
    Overview,
    Progress,
    ReleaseOrder,
    ReleaseView,
    RollbackAccepted,
    RollbackRequest,
)
from lastgood.model import Outcome, ReleaseResult
from lastgood.policy import Policy
from tests.durable.fake_aws import FakeAws
from tests.durable.workers import working
from tests.durable.world import SERVICE, Call, World, image_of
from workflows.check import Check
from workflows.deployment import Deployment
from workflows.doctor import Doctor
from workflows.rollback import Rollback
from workflows.scheduled_drill import ScheduledDrillRun
from workflows.service_guard import ServiceGuard

GUARD = messages.guard_id(SERVICE)
RELEASE = messages.deployment_id(SERVICE)
ROLLBACK = messages.rollback_id(SERVICE)
WORKFLOWS = [ServiceGuard, Deployment, Rollback, Check, Doctor, ScheduledDrillRun]
STEP = 10.0
"""Seconds of workflow time between two looks at a release."""
PATIENCE = 15.0
"""Real seconds after which a test gives up."""

METRIC = {"namespace": "Shop", "name": "Errors"}
DEFAULTS: dict[str, Any] = {
    "service": "shop/web",
    "region": "eu-west-1",
    "monitor": {"window": "10m", "interval": "10s"},
    "triggers": [
        {"type": "error-rate", "metric": METRIC},
        {"type": "health-check", "url": "https://shop.example/health"},
        {"type": "alarm", "alarm": "web-5xx"},
    ],
    "notify": {
        "slack": {"webhook_url": "env:SLACK"},
        "email": {"from": "deploys@shop.example", "to": ["oncall@shop.example"]},
    },
}

QUICK: dict[str, Any] = DEFAULTS | {
    "monitor": {"window": "2s", "interval": "1s"},
    "triggers": [
        {"type": "error-rate", "metric": METRIC, "duration": "1s"},
        {"type": "health-check", "url": "https://shop.example/health"},
    ],
    "rollback": {"cooldown": "0s"},
}
"""For servers on which time cannot be skipped."""


def policy(**changes: Any) -> Policy:
    """The default policy with some sections' keys changed."""
    merged = dict(changes.pop("of", DEFAULTS))
    for section, value in changes.items():
        before = merged.get(section, {})
        merged[section] = {**before, **value} if isinstance(value, Mapping) else value
    return Policy.model_validate(merged)


class Desk:
    """Asks a guard, and waits for what becomes of it."""

    def __init__(self, client: Client, aws: FakeAws, env: WorkflowEnvironment) -> None:
        self.client = client
        self.aws = aws
        self.env = env
        self.patience = PATIENCE
        self.step = 0.1 if aws.patient else STEP
        self.skipping: asyncio.Task[None] | None = None
        """What lets time pass behind a test's back; kept, as the event loop does not."""

    @property
    def world(self) -> World:
        return self.aws.world

    @property
    def guard(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(GUARD)

    # --- Asking ----------------------------------------------------------------------------

    async def _ask(self, name: str, request: Any, result: type[Any]) -> Any:
        """Update-with-start, as the command line does."""
        start = WithStartWorkflowOperation(
            messages.GUARD,
            GuardState(service=SERVICE, listed=True),
            id=GUARD,
            task_queue=messages.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        return await asyncio.wait_for(
            self.client.execute_update_with_start_workflow(
                name, request, start_workflow_operation=start, result_type=result
            ),
            PATIENCE,
        )

    async def deploy(self, image: str, *, id: str = "", **changes: Any) -> Accepted:  # noqa: A002
        """Release an image; its id is the image unless said otherwise."""
        order = ReleaseOrder(id=id or image, image=image, policy=policy(**changes), actor="ci")
        accepted: Accepted = await self._ask(messages.DEPLOY, order, Accepted)
        return accepted

    async def order(self, order: ReleaseOrder) -> Accepted:
        """Release whatever an order says."""
        accepted: Accepted = await self._ask(messages.DEPLOY, order, Accepted)
        return accepted

    async def preflight(self, image: str, **changes: Any) -> str:
        """Ask whether a release could begin; what is answered."""
        order = ReleaseOrder(id=image, image=image, policy=policy(**changes), actor="ci")
        answer: Answer = await self._ask(messages.PREFLIGHT, order, Answer)
        return answer.text

    async def rollback(self, *, to: str | None = None, **more: Any) -> RollbackAccepted:
        """An operator's rollback."""
        request = RollbackRequest(actor="ann", reason="looks bad", to=to, service=SERVICE, **more)
        accepted: RollbackAccepted = await self._ask(
            messages.OPERATOR_ROLLBACK, request, RollbackAccepted
        )
        return accepted

    async def say(self, verb: str, **more: Any) -> str:
        """An operator's message; what it is answered."""
        lasts = {"lasts": more.pop("lasts")} if "lasts" in more else {}
        shape = FreezeRequest if verb == messages.FREEZE else OperatorRequest
        words = {"actor": "ann", "reason": "because"} | more | lasts
        answer: Answer = await self._ask(verb, shape(**words), Answer)
        return answer.text

    async def reset(self) -> str:
        """An operator lifts the limits."""
        return await self.say(messages.RESET)

    async def cancel_release(self) -> None:
        """Cancel the release under way, as in the Temporal UI."""
        await self.client.get_workflow_handle(RELEASE).cancel()

    async def terminate_release(self) -> None:
        """Terminate the release under way: it cannot say a word."""
        await self.client.get_workflow_handle(RELEASE).terminate("by a test")

    async def terminate_rollback(self) -> None:
        """Terminate the rollback under way."""
        await self.client.get_workflow_handle(ROLLBACK).terminate("by a test")

    async def check(self, **changes: Any) -> CheckReport:
        """Measure all triggers of a policy once."""
        report: CheckReport = await self.client.execute_workflow(
            Check.run, policy(**changes), id="check", task_queue=messages.TASK_QUEUE
        )
        return report

    async def examine(self, of: Policy | None = None, **order: Any) -> Examination:
        """As ``lastgood doctor`` lets a worker do."""
        found: Examination = await self.client.execute_workflow(
            messages.DOCTOR,
            DoctorOrder(policy=of or policy(), **order),
            id="doctor",
            task_queue=messages.TASK_QUEUE,
            result_type=Examination,
        )
        return found

    # --- Looking ---------------------------------------------------------------------------

    async def overview(self) -> Overview:
        found: Overview = await self.guard.query(messages.OVERVIEW, result_type=Overview)
        return found

    async def view(self, release: str) -> ReleaseView:
        found: ReleaseView = await self.guard.query(
            messages.RELEASE, release, result_type=ReleaseView
        )
        return found

    async def progress(self) -> Progress:
        handle = self.client.get_workflow_handle(RELEASE)
        found: Progress = await handle.query(messages.PROGRESS, result_type=Progress)
        return found

    async def events(self, workflow_id: str, run_id: str | None = None) -> list[str]:
        """The types of the events in a run's history."""
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
        history = await handle.fetch_history()
        return [EventType.Name(one.event_type)[len("EVENT_TYPE_") :] for one in history.events]

    async def is_at(self, step: str, release: str = "") -> bool:
        """Whether the release under way, or a certain one, has come to a step."""
        with suppress(RPCError):  # it has not begun yet
            progress = await self.progress()
            return progress.step == step and release in ("", progress.release)
        return False

    async def run_of(self, workflow_id: str) -> str:
        """The run that a workflow id stands for now."""
        return (await self.client.get_workflow_handle(workflow_id).describe()).run_id

    # --- Waiting ---------------------------------------------------------------------------

    async def result(self, release: str) -> ReleaseResult:
        """How a release ends; time is skipped until then, and not far beyond."""
        give_up = time.monotonic() + self.patience
        while time.monotonic() < give_up:
            view = await self.view(release)
            if view.result:
                return view.result
            await self.skip(seconds=self.step)
        raise AssertionError(f"{release} has no result: {view}; {await self.whereabouts()}")

    async def release(self, image: str, **more: Any) -> ReleaseResult:
        """Release an image and wait for its end."""
        accepted = await self.deploy(image, **more)
        return await self.result(accepted.release)

    async def skip(self, **time: float) -> None:
        """Let workflow time pass."""
        await asyncio.wait_for(self.env.sleep(timedelta(**time)), PATIENCE)

    async def until_held(self, image: str, **more: Any) -> Progress:
        """Release an image and wait until it is held."""
        await self.deploy(image, **more)
        for _ in range(60):
            await self.skip(minutes=1)
            progress = await self.progress()
            if progress.held:
                return progress
        raise AssertionError(f"{image} is not held: {progress}")

    async def whereabouts(self) -> str:
        """What the release waits for, for those who must find out why it does."""
        told = await self.client.get_workflow_handle(RELEASE).describe()
        pending = [
            f"{one.activity_type.name} (attempt {one.attempt}, {one.state})"
            for one in told.raw_description.pending_activities
        ]
        now = await self.env.get_current_time()
        return f"at {now:%H:%M:%S}: {told.status} in {(await self.progress()).step}, {pending}"

    # --- What was seen ---------------------------------------------------------------------

    @property
    def updates(self) -> list[Call]:
        """The calls that moved the service: to a release, or back."""
        moving = ("update_service", "stop_service_deployment", "continue_service_deployment")
        return [c for c in self.world.calls if c.name in moving and c.effect]

    @property
    def images(self) -> list[str]:
        """The images that the service was moved to, in order."""
        return [image_of(self.world.definitions[call.task_definition]) for call in self.updates]

    def told(self, kind: str, channel: str = "slack") -> list[datetime]:
        """When people were told of something of this kind."""
        return [n.at for to, n in self.aws.told if to == channel and n.kind == kind]

    def told_of(self, outcome: Outcome) -> int:
        """How often Slack heard of an end with this outcome."""
        return len([1 for to, n in self.aws.told if to == "slack" and n.outcome is outcome])


class AbandonWatches(Interceptor):
    """Do not tell the time-skipping server that a watch is cancelled.

    It stops skipping time for good when an activity is cancelled that waits for its retry
    (sdk-java's addActivityRetryTimer locks time for the cancelled one and never unlocks it).
    """

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - temporalio's name
    ) -> type[WorkflowInboundInterceptor]:
        return _AbandonInbound


class _AbandonInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_AbandonOutbound(outbound))


class _AbandonOutbound(WorkflowOutboundInterceptor):
    def start_activity(
        self,
        input: StartActivityInput,  # noqa: A002 - temporalio's name
    ) -> ActivityHandle[Any]:
        if input.activity.startswith("watch_"):
            input.cancellation_type = ActivityCancellationType.ABANDON
        return super().start_activity(input)


@asynccontextmanager
async def at_work(
    env: WorkflowEnvironment,
    aws: FakeAws,
    *,
    cached: int = 100,
    ui_url: str = "",
    interceptors: Sequence[Interceptor] = (),
) -> AsyncIterator[Desk]:
    """Workers on both task queues, as worker.py makes them, with the fake activities.

    The workflow sandbox is off here for speed (and for CPython bug 91351 on 3.11); the replay
    and end-to-end tests run with it.

    Args:
        env: the server.
        aws: the activities.
        cached: how many workflows the worker remembers; with 0 it replays each at every step.
        ui_url: where Temporal's UI is said to be.
        interceptors: what comes between the workflows and the server.
    """
    calls = Worker(
        env.client,
        task_queue=messages.TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=[
            *aws.calls,
            GuardActivities().ask_to_release,
            SurroundingsActivities(ui_url).list_search_attributes,
        ],
        identity=env.client.identity,
        max_cached_workflows=cached,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[*interceptors, *([] if aws.patient else [AbandonWatches()])],
    )
    watches = Worker(
        env.client,
        task_queue=messages.WATCH_TASK_QUEUE,
        activities=[*aws.watches, GuardActivities().watch_standing],
        identity=env.client.identity,
        max_heartbeat_throttle_interval=timedelta(seconds=0.2),  # cancels arrive with them
    )
    async with working(calls, watches):
        yield Desk(env.client, aws, env)
