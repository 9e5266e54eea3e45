"""A guard, a release and a check that do as they are told, under the real ones' names."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from lastgood import contracts, messages
from lastgood.cli import main
from lastgood.contracts import (
    Accepted,
    CheckReport,
    CurrentRelease,
    FreezeRequest,
    GuardState,
    OperatorRequest,
    Overview,
    Progress,
    ReleaseOrder,
    ReleaseView,
    RollbackAccepted,
    RollbackRequest,
    ServiceGlance,
    Step,
    Tally,
)
from lastgood.model import (
    Action,
    ChannelFailure,
    Model,
    Outcome,
    Reading,
    ReleaseResult,
    Revision,
    ServiceRef,
    Status,
    Verdict,
)
from lastgood.policy import Policy

BIN = Path(sys.executable).parent
SERVICE = ServiceRef(region="eu-west-1", cluster="shop", name="web")
NOW = datetime(2026, 1, 31, 3, 12, 45, tzinfo=UTC)
POLICY = "service: shop/web\nregion: eu-west-1\n"


def result(release: str = "r1", outcome: Outcome = Outcome.HEALTHY, **more: Any) -> ReleaseResult:
    given: dict[str, Any] = {
        "release": release,
        "workflow_id": messages.deployment_id(SERVICE),
        "run_id": "run",
        "service": str(SERVICE),
        "outcome": outcome,
        "reason": "The window ended clean.",
        "from_task_definition": "arn:aws:ecs:eu-west-1:1:task-definition/web:1",
        "to_task_definition": "arn:aws:ecs:eu-west-1:1:task-definition/web:2",
        "timings": {"preflight": 0.42, "monitor": 600.0},
        "finished_at": NOW,
        "image": "web:2.0",
        "actor": "ann",
    }
    return ReleaseResult(**(given | more))


def progress(release: str = "r1", **more: Any) -> Progress:
    given: dict[str, Any] = {
        "release": release,
        "service": str(SERVICE),
        "what": "web:2.0",
        "step": "monitor",
        "steps": (
            Step(name="preflight", started_at=NOW, finished_at=NOW + timedelta(seconds=0.4)),
            Step(name="monitor", started_at=NOW, text="until 03:22:45 UTC"),
        ),
        "notes": ("Rollback target: web:1 runs.",),
        "from_task_definition": "task-definition/web:1",
        "to_task_definition": "task-definition/web:2",
        "rollback_target": "task-definition/web:1",
        "window_ends_at": NOW + timedelta(minutes=10),
    }
    return Progress(**(given | more))


def overview(**more: Any) -> Overview:
    given: dict[str, Any] = {
        "service": str(SERVICE),
        "current": None,
        "queued": ("r3",),
        "last_known_good": Revision(
            task_definition="task-definition/web:1", proven="survived its monitor window"
        ),
        "rollbacks_counted": 1,
        "max_rollbacks": 3,
        "cooldown_until": NOW,
        "results": (
            result(
                notification_failures=(ChannelFailure(channel="slack", error="HTTP 500", at=NOW),)
            ),
        ),
        "rollbacks": (),
        "actions": (Action(at=NOW, actor="bob", verb="reset", reason="fixed"),),
    }
    return Overview(**(given | more))


class Beat(Model):
    """As ``activities.watch.Memory``."""

    watching: tuple[str, ...] = ()
    tallies: tuple[Tally, ...]


@activity.defn(name="watch_metrics")
async def watch_metrics() -> None:
    tally = Tally(
        key="0 error-rate",
        latest="error-rate 0.1 % (threshold 5.0 %)",
        reading=Reading.HEALTHY,
    )
    await _beat(Beat(tallies=(tally,)))


@activity.defn(name="watch_service")
async def watch_service() -> None:
    text = "1 of 2 tasks running"
    await _beat(ServiceGlance(text=text, running=1, desired=2, pending=1, failed=0, seen=True))


async def _beat(details: Model) -> None:
    while True:
        activity.heartbeat(details)
        await asyncio.sleep(0.1)


@workflow.defn(name=messages.DEPLOYMENT)
class FakeDeployment:
    @workflow.init
    def __init__(self, now: Progress) -> None:
        self._now = now

    @workflow.run
    async def run(self, _: Progress) -> None:
        for name in ("watch_metrics", "watch_service"):
            workflow.start_activity(
                name,
                start_to_close_timeout=timedelta(minutes=1),
                heartbeat_timeout=timedelta(seconds=1),
            )
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def be(self, now: Progress) -> None:
        self._now = now

    @workflow.query(name=messages.PROGRESS)
    def progress(self) -> Progress:
        return self._now


@workflow.defn(name=messages.GUARD)
class FakeGuard:
    @workflow.init
    def __init__(self, state: GuardState) -> None:
        self._views: dict[str, ReleaseView] = {}
        self._current: CurrentRelease | None = None
        self._asked = 0
        self._requests: list[tuple[str, FreezeRequest]] = []

    @workflow.run
    async def run(self, state: GuardState) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update(name=messages.DEPLOY)
    async def deploy(self, release: ReleaseOrder) -> Accepted:
        ident = messages.deployment_id(SERVICE)
        known = release.id in self._views
        if not known:
            child = await workflow.start_child_workflow(
                FakeDeployment.run, progress(release.id), id=ident
            )
            self._views[release.id] = ReleaseView(
                release=release.id,
                state="running",
                workflow_id=ident,
                run_id=child.first_execution_run_id,
            )
            self._current = CurrentRelease(
                release=release.id,
                what=release.what,
                workflow_id=ident,
                run_id=child.first_execution_run_id,
                actor=release.actor,
                since=NOW,
            )
        return Accepted(release=release.id, workflow_id=ident, position=0, already_known=known)

    @deploy.validator
    def _validate(self, release: ReleaseOrder) -> None:
        if release.id == "refuse":
            raise ApplicationError("Release r0 is under way.", type="Refused", non_retryable=True)

    @workflow.update(name=messages.OPERATOR_ROLLBACK)
    async def rollback(self, request: RollbackRequest) -> RollbackAccepted:
        """First it comes too late for the release r1, then it is carried out."""
        if request.reason == "nothing there":
            raise ApplicationError("No other revision.", type="Refused", non_retryable=True)
        self._asked += 1
        name = "r1" if self._asked == 1 else "rollback-1"
        outcome = Outcome.HEALTHY if self._asked == 1 else Outcome.ROLLED_BACK
        ended = result(name, outcome, trigger="manual")
        self._views[name] = ReleaseView(release=name, state="ended", result=ended)
        return RollbackAccepted(release=name, during_release=self._asked == 1, text="On its way.")

    @workflow.update(name=messages.RESET)
    async def reset(self, request: OperatorRequest) -> contracts.Answer:
        return contracts.Answer(text=f"Reset by {request.actor}: {request.reason}")

    @workflow.update(dynamic=True)
    async def operate(self, verb: str, given: Sequence[RawValue]) -> contracts.Answer:
        """Whatever an operator asks for."""
        converter = workflow.payload_converter()
        request = converter.from_payload(given[0].payload, FreezeRequest)
        if request.reason == "not now":
            text = f"There is nothing to {verb} now."
            raise ApplicationError(text, type="Refused", non_retryable=True)
        self._requests.append((verb, request))
        return contracts.Answer(text=f"Did {verb} for {request.actor}.", release=request.release)

    @workflow.query
    def requests(self) -> list[tuple[str, FreezeRequest]]:
        return self._requests

    @workflow.signal
    def be(self, view: ReleaseView) -> None:
        self._views[view.release] = view

    @workflow.query(name=messages.RELEASE)
    def release(self, release: str) -> ReleaseView:
        return self._views.get(release) or ReleaseView(release=release, state="unknown")

    @workflow.query(name=messages.OVERVIEW)
    def overview(self) -> Overview:
        return overview(current=self._current)


@workflow.defn(name=messages.CHECK)
class FakeCheck:
    @workflow.run
    async def run(self, policy: Policy) -> CheckReport:
        if policy.container == "nowhere":
            raise ApplicationError("shop/web does not exist.", type="CannotResolve")
        status = Status.FAIL if policy.container == "bad" else Status.PASS
        verdict = Verdict(trigger="error-rate", status=status, reason="error-rate 8 %", at=NOW)
        return CheckReport(service=policy.service, verdicts=(verdict,), warnings=("Beware.",))


@dataclass
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class Rig:
    """A server, and the command line in a process of its own."""

    client: Client
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    async def start(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(BIN / "lastgood"),
            *arguments,
            cwd=self.folder,
            env={**bare_environment(), **self.env, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        return await self.end_of(await self.start(*arguments, env=env))

    async def here(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        """In this process, on a thread: quicker, and without signals."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            wanted = {**bare_environment(), **self.env, **(env or {})}
            for name in set(os.environ) - set(wanted):
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            code = await asyncio.to_thread(main.run, arguments)
        return Answer(code, out.getvalue(), err.getvalue())

    async def end_of(self, process: asyncio.subprocess.Process) -> Answer:
        try:
            out, err = await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise
        return Answer(process.returncode or 0, out.decode(), err.decode())

    def guard(self) -> Any:
        return self.client.get_workflow_handle(messages.guard_id(SERVICE))

    def release(self) -> Any:
        return self.client.get_workflow_handle(messages.deployment_id(SERVICE))

    async def end(self, ended: ReleaseResult) -> None:
        view = ReleaseView(release=ended.release, state="ended", result=ended)
        await self.guard().signal("be", view)

    def worker(self) -> Worker:
        return Worker(
            self.client,
            task_queue=messages.TASK_QUEUE,
            workflows=[FakeGuard, FakeDeployment, FakeCheck],
            activities=[watch_metrics, watch_service],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )


def bare_environment() -> dict[str, str]:
    """The environment without whatever CI system or AWS configuration runs the tests."""
    kept = ("PATH", "HOME", "LANG", "TZ", "USER", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@asynccontextmanager
async def rig(folder: Path, *, worker: bool = True) -> AsyncIterator[Rig]:
    (folder / "lastgood.yaml").write_text(POLICY)
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(BIN / "temporal"),
        dev_server_startup_timeout=timedelta(seconds=60),
        ui=False,
        data_converter=pydantic_data_converter,
    )
    async with server:
        address = server.client.service_client.config.target_host
        found = Rig(server.client, folder, {"TEMPORAL_ADDRESS": address})
        if not worker:
            yield found
            return
        async with found.worker():
            yield found
