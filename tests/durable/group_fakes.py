"""Guards that do as the image says, under the real one's name, and a group released through them.

What an image does is the part after its colon: ``good`` and ``bad`` end by themselves; ``slow``
waits for the test's word; ``refused``, ``queued`` and ``held`` are what they say; ``late`` turns
out healthy though it was asked to roll back; ``silent`` ends without telling the group;
``nowhere`` has nothing to go back to; ``sluggish`` is taken up after three seconds; ``unfit`` is
refused in its preflight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.guards import GuardActivities
from activities.surroundings import SurroundingsActivities
from lastgood import messages
from lastgood.contracts import (
    Accepted,
    Answer,
    CurrentRelease,
    GroupOrder,
    GroupProgress,
    GroupResult,
    GuardState,
    OperatorRequest,
    Overview,
    ReleaseOrder,
    RollbackAccepted,
    RollbackRequest,
)
from lastgood.decisions.groups import release_ids
from lastgood.model import Outcome, ReleaseResult, RollbackRecord, RollbackSummary, ServiceRef
from lastgood.policy import Policy, RollbackPolicy
from tests.durable.conftest import start_dev_server
from tests.durable.workers import working
from workflows.group_release import GroupRelease

REGION = "eu-west-1"
GROUP = messages.group_id(REGION, "shop")
QUICK, LONG, SLUGGISH = timedelta(seconds=0.2), timedelta(seconds=8), timedelta(seconds=3)
PATIENCE = 120.0


@workflow.defn(name=messages.GUARD)
class ScriptedGuard:
    @workflow.init
    def __init__(self, state: GuardState) -> None:
        self._service = state.service
        self._current: ReleaseOrder | None = None
        self._queued: list[ReleaseOrder] = []
        self._results: list[ReleaseResult] = []
        self._since = workflow.now()
        self._told: list[RollbackRequest] = []
        self._asked: list[str] = []
        self._actors: list[str] = []
        self._rollbacks: list[RollbackRecord] = []
        self._word: Outcome | None = None
        self._unable = False
        self._silent = False

    @workflow.run
    async def run(self, state: GuardState) -> None:
        while True:
            await workflow.wait_condition(lambda: self._word is not None or self._next is not None)
            if self._current is None and (order := self._next):
                self._queued.remove(order)
                self._current, self._since = order, workflow.now()
                await self._carry_out(order)
            self._word = None

    @property
    def _next(self) -> ReleaseOrder | None:
        """The first in the queue; what is queued by its image is never next."""
        return next((one for one in self._queued if one.image != "app:queued"), None)

    async def _carry_out(self, order: ReleaseOrder) -> None:
        kind = (order.image or "").partition(":")[2]
        ends = {"good": Outcome.HEALTHY, "silent": Outcome.HEALTHY, "bad": Outcome.ROLLED_BACK}
        if kind == "held":
            await self._tell(order, self._result(order, Outcome.HELD, "No data."))
        if kind in ends:
            await workflow.sleep(QUICK)
            await self._end(order, ends[kind], "It says so.")
            return
        await workflow.wait_condition(
            lambda: bool(self._word or self._told or (kind == "held" and self._next))
        )
        if kind == "held" and self._next:
            await self._end(order, Outcome.SUPERSEDED, "Another one came.")
        elif self._told:
            await workflow.sleep(QUICK)
            late = kind == "late"
            end = Outcome.HEALTHY if late else Outcome.ROLLED_BACK
            if self._unable:
                end = Outcome.ROLLBACK_FAILED
            await self._end(order, end, "It was too late." if late else self._told[0].reason)
            self._told.clear()
        else:
            await self._end(order, self._word or Outcome.HEALTHY, "A person said so.")

    def _result(self, order: ReleaseOrder, outcome: Outcome, reason: str) -> ReleaseResult:
        refused = outcome is Outcome.REFUSED
        return ReleaseResult(
            release=order.id,
            workflow_id=messages.deployment_id(self._service),
            run_id="run",
            service=str(self._service),
            outcome=outcome,
            reason=reason,
            from_task_definition="web:1",
            to_task_definition=None if refused else "web:2",
            started_at=self._since,
            finished_at=workflow.now(),
        )

    async def _end(self, order: ReleaseOrder, outcome: Outcome, reason: str) -> None:
        result = self._result(order, outcome, reason)
        self._results.insert(0, result)
        self._current = None
        if order.image != "app:silent":
            await self._tell(order, result)

    async def _tell(self, order: ReleaseOrder, result: ReleaseResult) -> None:
        if order.group:
            group = workflow.get_external_workflow_handle(order.group)
            await group.signal(messages.MEMBER_ENDED, result)

    @workflow.update(name=messages.DEPLOY)
    async def deploy(self, order: ReleaseOrder) -> Accepted:
        known = [one.id for one in (*self._queued, self._current) if one]
        known += [one.release for one in self._results]
        if order.image == "app:refused":
            raise ApplicationError("The service is frozen.", type="Refused", non_retryable=True)
        if order.image == "app:sluggish":
            await workflow.sleep(SLUGGISH)
        if order.id not in known:
            self._queued.append(order)
        return Accepted(release=order.id, workflow_id="", position=0)

    @workflow.update(name=messages.PREFLIGHT)
    async def preflight(self, order: ReleaseOrder) -> Answer:
        if order.image == "app:unfit":
            raise ApplicationError("No such alarm.", type="Refused", non_retryable=True)
        return Answer(text="")

    @workflow.update(name=messages.OPERATOR_ROLLBACK)
    async def rollback(self, request: RollbackRequest) -> RollbackAccepted:
        if request.id in self._asked:
            return RollbackAccepted(release="known", during_release=False, text="")
        self._asked.append(request.id)
        self._actors.append(request.actor)
        if self._current and self._current.image == "app:nowhere":
            raise ApplicationError("Nowhere to go back to.", type="Refused", non_retryable=True)
        if self._current:
            self._told.append(request)
            return RollbackAccepted(release=self._current.id, during_release=True, text="")
        name = f"rollback-{len(self._asked)}"
        self._rollback = asyncio.create_task(self._roll_back(name, request))
        return RollbackAccepted(release=name, during_release=False, text="")

    async def _roll_back(self, name: str, request: RollbackRequest) -> None:
        started = workflow.now()
        self._rollbacks.append(
            RollbackRecord(
                release=name,
                started_at=started,
                trigger="manual",
                reason=request.reason,
                actor=request.actor,
                to="web:1",
            )
        )
        await workflow.sleep(QUICK if request.reason != "takes long" else LONG)
        failed = self._unable
        rolled_back = ReleaseResult(
            release=name,
            workflow_id=messages.rollback_id(self._service),
            run_id="run",
            service=str(self._service),
            outcome=Outcome.ROLLBACK_FAILED if failed else Outcome.ROLLED_BACK,
            reason=request.reason,
            from_task_definition="web:2",
            to_task_definition="web:1",
            rollback=RollbackSummary(to="web:1", started_at=started, verified=not failed),
            started_at=started,
            finished_at=workflow.now(),
        )
        self._results.insert(0, rolled_back)

    @workflow.update(name=messages.CANCEL)
    async def cancel(self, request: OperatorRequest) -> Answer:
        order = next(one for one in self._queued if one.id == request.release)
        self._queued.remove(order)
        result = self._result(order, Outcome.CANCELLED, "Cancelled in the queue.")
        result = result.model_copy(update={"to_task_definition": None})
        self._results.insert(0, result)
        await self._tell(order, result)
        return Answer(text="")

    @workflow.signal
    def say(self, outcome: Outcome) -> None:
        """The test's word on the release under way."""
        self._word = outcome

    @workflow.signal
    async def resume(self) -> None:
        """What is held is judged again."""
        if self._current and self._current.group:
            group = workflow.get_external_workflow_handle(self._current.group)
            await group.signal(messages.MEMBER_RESUMED, self._current.id)

    @workflow.signal
    def be_unable(self) -> None:
        """Rollbacks fail from now on."""
        self._unable = True

    @workflow.signal
    def fall_silent(self) -> None:
        """No question is answered from now on."""
        self._silent = True

    @workflow.query
    def requests(self) -> list[str]:
        return self._asked

    @workflow.query
    def actors(self) -> list[str]:
        """Who asked for rollbacks."""
        return self._actors

    @workflow.query(name=messages.OVERVIEW)
    def overview(self) -> Overview:
        current = self._current
        if self._silent:
            raise RuntimeError("silent")
        return Overview(
            service=str(self._service),
            current=CurrentRelease(
                release=current.id,
                what=current.what,
                workflow_id="",
                run_id=None,
                actor="ci",
                since=self._since,
            )
            if current
            else None,
            queued=tuple(one.id for one in self._queued),
            last_known_good=None,
            rollbacks_counted=0,
            max_rollbacks=3,
            cooldown_until=None,
            results=tuple(self._results),
            rollbacks=tuple(self._rollbacks),
            actions=(),
        )


def order(*images: str, how: str = "in-order", ident: str = "r1", by_hand: str = "") -> GroupOrder:
    """A release of services ``shop/a``, ``shop/b`` and so on, one for each image.

    Those named in ``by_hand`` are not rolled back by a machine.
    """
    policies = [
        Policy(
            service=f"shop/{name}",
            region=REGION,
            rollback=RollbackPolicy(enabled=name not in by_hand),
        )
        for name in "abcdefghij"[: len(images)]
    ]
    ids = release_ids(ident, tuple(one.ref() for one in policies))
    members = tuple(
        ReleaseOrder(id=one, image=f"app:{image}", policy=policy, actor="ci", group=GROUP)
        for one, image, policy in zip(ids, images, policies, strict=True)
    )
    return GroupOrder.model_validate(
        {
            "id": ident,
            "group": "shop",
            "region": REGION,
            "order": how,
            "members": members,
            "what": "app",
            "listed": True,
            "actor": "ci",
        }
    )


class GroupDesk:
    """Releases a group and looks at what becomes of it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def group(self) -> WorkflowHandle[Any, GroupResult]:
        return self.client.get_workflow_handle(GROUP, result_type=GroupResult)

    async def start(self, *images: str, **more: str) -> None:
        asked = order(*images, **more)
        await self.client.start_workflow(
            messages.GROUP, asked, id=GROUP, task_queue=messages.TASK_QUEUE
        )

    async def end(self) -> GroupResult:
        return await asyncio.wait_for(self.group.result(), PATIENCE)

    async def release(self, *images: str, **more: str) -> GroupResult:
        await self.start(*images, **more)
        return await self.end()

    async def undo(self, name: str, reason: str = "wrong prices") -> None:
        """An operator rolls ``shop/NAME`` back."""
        service = ServiceRef(region=REGION, cluster="shop", name=name)
        request = RollbackRequest(actor="ann", reason=reason, service=service, id="x")
        await self.guard(name).execute_update(
            messages.OPERATOR_ROLLBACK, request, result_type=RollbackAccepted
        )

    async def progress(self) -> GroupProgress:
        found: GroupProgress = await self.group.query(messages.PROGRESS, result_type=GroupProgress)
        return found

    def guard(self, name: str) -> WorkflowHandle[Any, Any]:
        service = ServiceRef(region=REGION, cluster="shop", name=name)
        return self.client.get_workflow_handle(messages.guard_id(service))

    async def results(self, name: str) -> list[ReleaseResult]:
        """What the guard of ``shop/NAME`` remembers, oldest first."""
        overview: Overview = await self.guard(name).query(messages.OVERVIEW, result_type=Overview)
        return list(reversed(overview.results))

    async def until(self, condition: Callable[[GroupProgress], bool]) -> GroupProgress:
        give_up = time.monotonic() + PATIENCE
        while not condition(progress := await self.progress()):
            assert time.monotonic() < give_up, progress.notes
            await asyncio.sleep(0.1)
        return progress

    async def until_noted(self, text: str) -> None:
        await self.until(lambda progress: any(text in note for note in progress.notes))


@asynccontextmanager
async def group_desk(*, cached: int = 100) -> AsyncIterator[GroupDesk]:
    """A dev server, guards that do as they are told, and the real group."""
    server = await start_dev_server()
    guards = GuardActivities()
    async with server:
        calls = Worker(
            server.client,
            task_queue=messages.TASK_QUEUE,
            workflows=[ScriptedGuard, GroupRelease],
            activities=[
                guards.ask_for_preflight,
                guards.ask_to_release,
                guards.ask_to_roll_back,
                guards.ask_to_cancel,
                guards.read_standing,
                SurroundingsActivities().list_search_attributes,
            ],
            identity=server.client.identity,
            max_cached_workflows=cached,
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        watches = Worker(
            server.client,
            task_queue=messages.WATCH_TASK_QUEUE,
            activities=[guards.watch_standing],
            identity=server.client.identity,
            max_heartbeat_throttle_interval=timedelta(seconds=0.2),
        )
        async with working(calls, watches):
            yield GroupDesk(server.client)
