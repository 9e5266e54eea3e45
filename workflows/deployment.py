"""One release: deploy → wait → smoke test → monitor window → (roll back → verify) → notify."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.ending import Ending
from workflows.explaining import explain
from workflows.hooks import let_go_on
from workflows.preflight import RefusedError, prepare
from workflows.release import Part, Release
from workflows.showing import show
from workflows.smoke import smoke
from workflows.unbroken import WHILE_TOLD, to_its_end
from workflows.watching import Round, until_after

with workflow.unsafe.imports_passed_through():
    from lastgood import errors, messages
    from lastgood.contracts import (
        Begun,
        DeploymentOrder,
        DeploymentReport,
        Explanation,
        Finding,
        Instruction,
        Limits,
        Progress,
        RegisterOrder,
        ServiceNews,
        Tally,
        UpdateOrder,
        WatchedTrigger,
    )
    from lastgood.decisions import attributes, early_end, findings
    from lastgood.decisions.targets import images_of
    from lastgood.model import Revision

T = TypeVar("T")

_SMOKE_ALLOWANCE = timedelta(hours=1)
"""The watches of the rollout stay armed through the smoke test, whatever its retries take."""


@workflow.defn(name=messages.DEPLOYMENT)
class Deployment:
    """Carries out one release of one service and ends in exactly one outcome."""

    @workflow.init
    def __init__(self, order: DeploymentOrder) -> None:
        self._release = Release(order)
        self._journal = self._release.journal
        self._round: Round | None = None
        self._carry: tuple[Tally, ...] = ()
        self._journal.show = lambda: show(self._release, self._round)

    @workflow.run
    async def run(self, _: DeploymentOrder) -> DeploymentReport:
        """The pipeline."""
        ending, order = Ending(self._release), self._release.order
        self._release.listed.put(attributes.of_release(order.release, order.service))
        try:
            report = await self._carry_out(ending)
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None:
                raise  # this run only leaves the worker's memory
            reason = self._release.cancelled_by()
            report = await ending.close(Finding(kind="cancelled", reason=reason))
        await to_its_end(self._journal, self._leave(report), WHILE_TOLD)
        return report

    async def _leave(self, report: DeploymentReport) -> None:
        """It is over; what still goes on comes to its end."""
        self._release.over = True
        await self._release.listed.settled()
        if self._release.orphaned:
            await self._release.tell_guard(messages.RELEASE_ENDED, report)
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _carry_out(self, ending: Ending) -> DeploymentReport:
        """Forward, until the release has its outcome; a held one may be judged again."""
        finding = await self._preflight() or await self._deploy()
        while True:
            finding = finding or await self._see_it_through(ending)
            report = await ending.reach(finding)
            if report:
                return report
            finding, self._round, self._carry = None, None, ()

    async def _see_it_through(self, ending: Ending) -> Finding | None:
        """Wait, test, watch; and once more after a cooldown, if something fired during it."""
        while True:
            if self._release.orders.approved:
                return findings.against_approval(await self._finish())
            finding = (
                await self._wait()
                or await self._smoke_test()
                or await self._watched()
                or await self._finish()
            )
            remedy = self._release.remedy(finding) if finding else None
            if finding is None or remedy is None or remedy.do != "wait" or not remedy.until:
                return finding
            await ending.tell_of_cooldown(finding, remedy)
            await self._sit_out(remedy.until)

    # --- The steps -------------------------------------------------------------------------

    async def _preflight(self) -> Finding | None:
        release = self._release
        with self._journal.step("preflight"):
            try:
                prepared = release.prepared = await prepare(release.order)
            except RefusedError as error:
                return Finding(kind="refused", reason=str(error))
        self._journal.from_task_definition = prepared.running.task_definition
        if prepared.target:
            self._journal.rollback_target = prepared.target.task_definition
        self._journal.note(f"Rollback target: {prepared.target_reason}")
        for warning in prepared.warnings:
            self._journal.note(f"Warning: {warning}")
        if not release.armed_early:
            why = "; ".join(prepared.burning) or f"{prepared.running.label} is not known to be good"
            self._journal.note(f"Armed only after the rollout, as before it: {why}")
        if release.interruption:
            return findings.before_any_change(release.interruption)
        return None

    async def _deploy(self) -> Finding | None:
        release = self._release
        prepared = release.prepared
        if prepared is None:
            raise RuntimeError("deploy comes after preflight")
        with self._journal.step("deploy"):
            try:
                release.released = prepared.released or await self._register(prepared.source or {})
                begun = Begun(
                    release=release.order.release.id,
                    released=release.released.model_copy(update={"source": {}}),
                    target=release.target,
                )
                await release.tell_guard(messages.RELEASE_BEGUN, begun)
                release.listed.put(attributes.of_image(release.released))
                release.released_at = release.deployed_at = workflow.now()
                self._journal.to_task_definition = release.released.task_definition
                self._journal.call(f"UpdateService: {release.service} → {release.released.label}")
                updated = await calls.update_service(
                    UpdateOrder(
                        service=release.service,
                        task_definition=release.released.task_definition,
                        expected=(prepared.running.task_definition,),
                        once=True,
                        newest=prepared.state.service_deployment,
                    )
                )
            except ActivityError as error:
                return await self._after_failed_deploy(error)
        # The call may have taken minutes of retries: answers may show the past from now on.
        release.deployment, release.deployed_at = updated.deployment, workflow.now()
        release.look_at_digests()
        return None

    async def _register(self, source: dict[str, object]) -> Revision:
        order = RegisterOrder(
            region=self._release.service.region,
            source=source,
            release=self._release.order.release.id,
        )
        arn = await calls.register_task_definition(order)
        self._journal.call(f"RegisterTaskDefinition: {arn.rsplit('/', 1)[-1]}")
        return Revision(
            task_definition=arn,
            images=images_of(source),
            source=source,
            release=self._release.order.release.id,
        )

    async def _after_failed_deploy(self, error: ActivityError) -> Finding | None:
        """Find out what a failed call has done: it may have been carried out all the same."""
        release = self._release
        kind = error.cause.type if isinstance(error.cause, ApplicationError) else None
        if kind == errors.ROLLOUT_INVISIBLE:
            return Finding(kind="lost", reason=calls.why(error))
        if kind == errors.UNDONE:
            return Finding(kind="rolled_back_by_ecs", reason=calls.why(error))
        state = await calls.describe_service(release.service, back=True)
        primary = state.primary if state else None
        wanted = release.released.task_definition if release.released else None
        if primary and primary.task_definition == wanted and kind != errors.UNEXPECTED_STATE:
            release.deployment, release.deployed_at = primary.id, workflow.now()
            release.look_at_digests()
            return None
        release.released = None
        return Finding(kind="refused", reason=f"Nothing was changed: {calls.why(error)}")

    async def _wait(self) -> Finding | None:
        release = self._release
        if release.rolled_out_at:
            return None
        with self._journal.step("wait"):
            finding = await self._forward(
                "traffic" if release.shifts_traffic else "rollout",
                release.deadline(),
                armed_until=release.deadline() + _SMOKE_ALLOWANCE,
                triggers=None if release.armed_early else (),
            )
            if finding:
                return finding
        release.rolled_out_at = workflow.now()
        release.look_at_digests()  # now ECS knows them
        return None

    async def _finish(self) -> Finding | None:
        """Let ECS carry the deployment to its end; until then it is a shift of traffic away."""
        release = self._release
        if not release.goes_on:
            return None
        triggers = () if release.orders.good else None
        with self._journal.step("finish"):
            return await self._forward("rollout", release.finished_by(), triggers=triggers)

    async def _forward(
        self,
        goal: Literal["rollout", "traffic"],
        until: datetime,
        *,
        armed_until: datetime | None = None,
        triggers: tuple[WatchedTrigger, ...] | None = None,
    ) -> Finding | None:
        """Follow ECS to a goal; its PAUSE hooks on the way are answered, if nothing is wrong."""
        paused: ServiceNews | None = None
        while True:
            carry = await self._hand_over()
            finding = self._stopped()
            if finding is None and paused:
                finding = await let_go_on(self._release, paused)
            if finding:
                return finding
            self._round = current = self._release.watch(
                goal, until, armed_until=armed_until, triggers=triggers, carry=carry
            )
            await self._until_ecs_says(current)
            finding, paused = self._seen(), current.news
            if finding or paused is None or paused.kind != "paused":
                return finding or self._arrived(paused)

    def _arrived(self, news: ServiceNews | None) -> Finding | None:
        """What it means that ECS has nothing more to say."""
        if news and news.kind == "complete":
            self._journal.note(f"Rollout: {news.reason}")
            return None
        reason = news.reason if news else "The service watch ended without an answer."
        return Finding(kind="lost", reason=reason)

    async def _until_ecs_says(self, current: Round) -> None:
        """Wait for what ends the way forward, or for what ECS says."""
        await workflow.wait_condition(lambda: bool(self._seen() or current.news or current.done))
        if self._seen() or current.news is None or current.news.kind not in ("complete", "paused"):
            current.cancel()

    async def _smoke_test(self) -> Finding | None:
        release = self._release
        if release.smoke_tested or not release.policy.smoke:
            return None
        with self._journal.step("smoke test"):
            for check in release.policy.smoke:
                answer = await self._race(smoke(check))
                if isinstance(answer, Finding):
                    return answer
                self._journal.note(f"Smoke test: {answer.text}")
                if not answer.ok:
                    return Finding(kind="smoke", reason=f"The smoke test failed: {answer.text}")
        release.smoke_tested = True
        return None

    async def _watched(self) -> Finding | None:
        """The monitor window; in a drill it always ends with a finding."""
        drilling = self._release.drilling
        if drilling is None:
            return await self._monitor()
        with drilling.armed():
            finding = await self._monitor()
        return drilling.at_the_end(finding)

    async def _monitor(self) -> Finding | None:
        release = self._release
        carry = await self._hand_over()
        if release.window_end is None:  # only now: a crash while handing over is no lost window
            release.window_end = workflow.now() + release.policy.monitor.window
        end = self._journal.window_ends_at = release.window_end
        with self._journal.step("monitor", f"until {end:%H:%M:%S} UTC"):
            part = self._part(end, None)
            while True:
                stopped = self._stopped()
                if stopped:
                    return stopped
                self._round = current = release.watch("window", end, carry=carry, part=part)
                await self._until_news(current)
                self._journal.judged(*current.verdicts)
                finding = self._seen()
                if finding or release.orders.promoted or self._ends_early(current, part, end):
                    current.cancel()
                    return finding
                if current.done:
                    return findings.of_window(current.verdicts, release.policy.monitor)
                if part and current.goes_on:
                    carry, part = current.carried, self._part(end, part)
                    continue
                carry, part = await self._hand_over(), self._part(end, None)

    def _part(self, end: datetime, before: Part | None) -> Part | None:
        """The next part of a window that may end early; None: it may not, and is one."""
        policy, now = self._release.policy.monitor, workflow.now()
        if not policy.may_end_early:
            return None
        begin = before.begin if before else now
        later = max(now, before.until) if before else now  # a watch that failed at once, too
        until = early_end.next_moment(policy, begin=begin, now=later, end=end)
        return Part(begin, until, self._round if before else None)

    def _ends_early(self, current: Round, part: Part | None, end: datetime) -> bool:
        """Whether the window ends with this part of it."""
        release = self._release
        if part is None or not current.goes_on or release.prepared is None:
            return False
        why = early_end.decide(
            release.policy.monitor,
            release.prepared.triggers,
            current.tallies,
            begin=part.begin,
            now=part.until,
            end=end,
        )
        release.ended_early = why or ""
        if why:
            self._journal.note(f"The window ends early, {why}.")
        return why is not None

    async def _hand_over(self) -> tuple[Tally, ...]:
        """What the last round remembers, for the next one."""
        carry, self._carry = self._carry, ()
        if self._round is None:
            return carry
        carry = await self._round.hand_over()
        self._journal.measured(carry)
        return carry

    async def _sit_out(self, until: datetime) -> None:
        """Wait for a cooldown's end; the watch goes on, and what still fires then counts.

        That it fired, or that ECS gave the rollout up, is known and ends nothing before that.
        """
        release, step = self._release, "cooldown"
        promoted = release.orders.promoted
        release.not_before = until
        carry, self._round = await self._hand_over(), None
        if release.window_end:
            step, interval = "monitor", release.policy.monitor.interval
            triggers = release.prepared.triggers if release.prepared else ()
            release.window_end = max(release.window_end, until_after(until, triggers, interval))
            self._journal.window_ends_at = release.window_end
        with self._journal.step(step, f"a cooldown, until {until:%H:%M:%S} UTC"):
            self._round = release.watch("standing", until, carry=carry)
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: bool(
                        release.interruption
                        or self._told_by_ecs()
                        or release.not_before != until
                        or release.orders.promoted is not promoted
                    ),
                    timeout=until - workflow.now(),
                    timeout_summary=f"Cooldown until {until:%H:%M:%S} UTC",
                )

    async def _until_news(self, current: Round) -> None:
        """Wait for a round's news or end, or for an operator who lifts the cooldown."""
        waited_for = self._release.not_before
        await workflow.wait_condition(
            lambda: bool(
                self._seen()
                or current.done
                or current.goes_on
                or self._release.not_before != waited_for
                or self._release.orders.promoted
            )
        )

    # --- Watching --------------------------------------------------------------------------

    def _seen(self) -> Finding | None:
        """What ends the way forward: a person, a trigger, or what ECS says."""
        return self._stopped() or self._told_by_ecs()

    def _told_by_ecs(self) -> Finding | None:
        """What ECS says that ends the way forward."""
        news = self._round.news if self._round else None
        return findings.of_service_news(news) if news else None

    def _stopped(self) -> Finding | None:
        """What ends the way forward whatever ECS says: a person, or else a trigger."""
        if self._release.interruption or self._release.orders.good:
            return self._release.interruption
        drilling = self._release.drilling
        marked = drilling.verdict if drilling else None
        fired = (self._round.fired if self._round else None) or marked
        return findings.of_trigger(fired) if fired else None

    async def _race(self, work: Coroutine[Any, Any, T]) -> T | Finding:
        """Do something, unless something else ends the way forward first."""
        task = asyncio.create_task(work)
        await workflow.wait_condition(lambda: task.done() or self._seen() is not None)
        finding = self._seen()
        if finding:
            task.cancel()
            return finding
        return task.result()

    # --- Messages --------------------------------------------------------------------------

    @workflow.signal(name=messages.INSTRUCT)
    async def instruct(self, instruction: Instruction) -> None:
        """An operator's message, handed on by the guard; each is answered."""
        answer = self._release.orders.take(instruction)
        await self._release.tell_guard(messages.INSTRUCTION_ANSWERED, answer)

    @workflow.signal(name=messages.SUPERSEDE)
    def supersede(self, release: str) -> None:
        """A newer release takes over; not while a rollback is on its way."""
        if not self._release.rolling_back:
            self._release.superseded_by = self._release.superseded_by or release

    @workflow.signal(name=messages.LIMITS_RESET)
    def limits_reset(self, limits: Limits) -> None:
        """An operator lifted cooldown and limit: what fires counts again, from now on."""
        self._release.limits = limits
        self._release.not_before = None

    @workflow.signal(name=messages.ORPHANED)
    def orphaned(self) -> None:
        """The guard that began this release is lost; another waits for its end."""
        self._release.orphaned = True

    @workflow.query(name=messages.PROGRESS)
    def progress(self) -> Progress:
        """Where the release is."""
        return self._journal.progress()

    @workflow.query(name=messages.EXPLAIN)
    def explain(self) -> Explanation:
        """All that went into the outcome."""
        return explain(self._release)
