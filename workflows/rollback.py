"""One rollback: act → wait until steady → verify → finish. One report, and it never loops."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls
from workflows.hooks import go_on
from workflows.listed import Listed
from workflows.resolving import CannotResolveError, Resolver
from workflows.watching import Round
from workflows.way_back import OverError, WayBack

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        RollbackOrder,
        RollbackReport,
        ServiceNews,
        ServiceWatchOrder,
        SmokeOrder,
        WatchedTrigger,
        WatchOrder,
    )
    from lastgood.decisions import attributes, ladder, returning, verdicts
    from lastgood.decisions.rendering.temporal_ui.rollback import Phase, RollbackNow, rollback_now
    from lastgood.model import Outcome, Verdict
    from lastgood.policy_triggers import HealthCheckTrigger

_ENDS = {
    "superseded": Outcome.SUPERSEDED,
    "rolled_back_by_ecs": Outcome.ROLLBACK_FAILED,
    "gone": Outcome.HELD,
    "scaled_to_zero": Outcome.HELD,
}
"""What it means that the target does not run any more. What people do is told, and no failure."""


@workflow.defn(name=messages.ROLLBACK)
class Rollback:
    """Brings one service back to one revision, and proves that this helped."""

    @workflow.init
    def __init__(self, order: RollbackOrder) -> None:
        self._order = order
        self._started_at = workflow.now()
        self._way = WayBack(order)
        self._steady_at: datetime | None = None
        self._deployment: str | None = None
        self._under_way: str | None = None
        """ARN of the service deployment that brought all traffic back, and is not over yet."""
        self._other_image = False
        """A tag of the target has moved: what came back is not what ran."""
        self._evidence: tuple[Verdict, ...] = ()
        self._phase: Phase = "act"
        self._ended: RollbackReport | None = None
        self._listed = Listed(wanted=order.listed, show=self._show)
        self._way.changed = self._show

    @workflow.run
    async def run(self, order: RollbackOrder) -> RollbackReport:
        """Bring it back, and be found by how that ended."""
        report = await self._carry_out(order)
        self._show(report)
        ended = attributes.of_outcome(report.outcome)
        self._listed.put({**attributes.of_rollback(order), **ended})
        await self._listed.settled()
        return report

    async def _carry_out(self, order: RollbackOrder) -> RollbackReport:
        """Act, wait, verify, finish."""
        try:
            await self._go_back()
            proof = await self._verify()
            await self._finish()
        except OverError as over:
            return self._report(over.outcome, over.reason)
        except ActivityError as error:
            text = f"The rollback could not be carried out: {calls.why(error)}"
            return self._report(Outcome.ROLLBACK_FAILED, text)
        outcome = Outcome.ROLLED_BACK if self._way.attempted else Outcome.ROLLED_BACK_BY_ECS
        verb = "Brought" if self._way.attempted else "ECS brought"
        text = f"{verb} {order.service} back to {self._label}. {proof}"
        return self._report(outcome, text, verified=True)

    def _show(self, report: RollbackReport | None = None) -> None:
        """Bring the Temporal UI's details up to date."""
        self._ended = report or self._ended
        now = RollbackNow(
            place=self._listed.place,
            order=self._order,
            phase=self._phase,
            calls=tuple(self._way.calls),
            report=self._ended,
        )
        workflow.set_current_details(rollback_now(now))

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._show()

    @property
    def _label(self) -> str:
        label, there = self._order.target.label, self._way.target.rsplit("/", 1)[-1]
        return label if there == label else f"{there} ({label} again)"

    def _report(self, outcome: Outcome, reason: str, *, verified: bool = False) -> RollbackReport:
        return RollbackReport(
            run_id=workflow.info().run_id,
            outcome=outcome,
            reason=reason,
            to=self._way.target,
            started_at=self._started_at,
            called_at=self._way.called_at,
            steady_at=self._steady_at,
            finished_at=workflow.now(),
            verified=verified,
            evidence=self._evidence,
            calls=tuple(self._way.calls),
        )

    # --- Act and wait ----------------------------------------------------------------------

    async def _go_back(self) -> None:
        """Act and wait until steady; if ECS's own way back fails, or it undoes ours, act again."""
        while True:
            self._enter("act")
            await self._way.act()
            self._enter("wait")
            # Not earlier: where Temporal is slow to tell its search attributes, nothing waits.
            self._listed.put(attributes.of_rollback(self._order))
            news = await self._wait_until_steady()
            if self._other_image:
                self._other_image = False
                await self._way.pin()
                continue
            if news and news.kind == "complete":
                self._steady_at, self._deployment = workflow.now(), news.deployment
                self._under_way = news.service_deployment
                return
            way, adopt = self._way, self._order.adopt
            if not ladder.goes_on(news, way.deployment, way.tried, adopt=adopt):
                raise self._not_steady(news)
            self._way.in_vain()

    async def _wait_until_steady(self) -> ServiceNews | None:
        until = workflow.now() + self._takes()
        self._way.settled = False
        look = asyncio.create_task(self._way.brought_another_image())
        while True:
            news = await self._news("steady", until, look)
            other = look.done() and look.result()
            if news is None or news.kind != "paused" or other:
                self._way.settled = True
                self._other_image = await look
                return news
            await self._let_go_on(news)

    def _takes(self) -> timedelta:
        timeout, way = self._order.policy.rollback.timeout, self._way
        if not way.forward or way.state is None:
            return timeout
        followed = way.left_service_deployment is not None
        return returning.takes(timeout, way.state, followed=followed)

    async def _news(
        self, goal: str, until: datetime, look: asyncio.Task[bool] | None = None
    ) -> ServiceNews | None:
        """Follow the service to news, or to a look that finds what must not be."""
        watched = Round(self._watch((), until), self._follow(goal, until))
        await workflow.wait_condition(
            lambda: watched.done or bool(look and look.done() and look.result())
        )
        watched.cancel()
        return watched.news

    async def _let_go_on(self, news: ServiceNews) -> None:
        """Answer a PAUSE hook of the way back with CONTINUE."""
        try:
            steered = await go_on(self._order.service, news)
        except ActivityError as error:
            text = f"ECS waits at a PAUSE hook ({news.stage}) that cannot be answered"
            why = f"{text} on the way back to {self._label}: {calls.why(error)}"
            raise OverError(Outcome.ROLLBACK_FAILED, why) from error
        if steered.called:
            self._way.say(f"ContinueServiceDeployment(CONTINUE) at {news.stage}")
        else:  # what ECS answers may be a moment old
            pause = self._order.policy.monitor.interval
            await workflow.sleep(pause, summary=f"ECS looks again at the hook of {news.stage}")

    def _not_steady(self, news: ServiceNews | None) -> OverError:
        if news is None:
            return OverError(Outcome.ROLLBACK_FAILED, "The service could not be followed.")
        outcome = _ENDS.get(news.kind, Outcome.ROLLBACK_FAILED)
        return OverError(outcome, f"{self._label} did not become steady: {news.reason}")

    # --- Verify ----------------------------------------------------------------------------

    async def _verify(self) -> str:
        """The health checks and the trigger that fired are good again on the old revision.

        Returns:
            The proof, in words.
        """
        self._enter("verify")
        triggers = self._order.triggers or await self._resolve()
        triggers = verdicts.to_verify(triggers, self._order.fired)
        until = workflow.now() + self._order.policy.rollback.verify_timeout
        watched = Round(self._watch(triggers, until, "recovery"), self._follow("window", until))
        await workflow.wait_condition(
            lambda: watched.good or watched.done or _decisive(watched.news)
        )
        good, news, texts = watched.good, watched.news, watched.texts
        watched.cancel()
        if news and news.kind in _ENDS:
            text = f"{self._label} was back, and while it was verified: {news.reason}"
            raise OverError(_ENDS[news.kind], text)
        self._evidence = watched.verdicts
        if not good:
            said = (*texts, *([news.reason.rstrip(".")] if news and _decisive(news) else []))
            raise OverError(
                Outcome.ROLLBACK_FAILED,
                f"The service runs {self._label}, but it is not proven that this helped: "
                f"{'; '.join(said) or 'nothing could be measured'}.",
            )
        await self._smoke_again()
        return f"Verified: {'; '.join(texts)}." if texts else "It is steady; no check is set up."

    async def _resolve(self) -> tuple[WatchedTrigger, ...]:
        """Resolve the health checks, for a rollback that no release prepared."""
        policy = self._order.policy
        checks = [one for one in policy.triggers if isinstance(one, HealthCheckTrigger)]
        state = await calls.describe_service(self._order.service, back=True)
        if state is None or not checks:
            return ()
        only = policy.model_copy(update={"triggers": checks})
        try:
            return await Resolver(only, state, back=True).all()
        except (CannotResolveError, ActivityError) as error:
            workflow.logger.warning("No health check for the verification: %s", error)
            return ()

    async def _smoke_again(self) -> None:
        if not self._order.smoke_failed:
            return
        for check in self._order.policy.smoke:
            answer = await calls.smoke_test(SmokeOrder(check=check))
            if not answer.ok:
                text = f"The smoke test fails on {self._label} too: {answer.text}"
                raise OverError(Outcome.ROLLBACK_FAILED, text)

    # --- Finish ----------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Let ECS carry the way back to its end: until then it may still undo it."""
        if self._under_way is None:
            return
        self._enter("finish")
        bake = self._way.state.bake if self._way.state else timedelta(0)
        until = workflow.now() + bake + self._order.policy.rollback.timeout
        while True:
            news = await self._news("rollout", until)
            if news is None or news.kind in ("complete", "stuck", "unreadable"):
                return  # verified, and with all traffic: that ECS is slow undoes neither
            if news.kind != "paused":
                outcome = _ENDS.get(news.kind, Outcome.ROLLBACK_FAILED)
                text = f"{self._label} had all traffic and was verified, and then: {news.reason}"
                raise OverError(outcome, text)
            await self._let_go_on(news)

    # --- Watching --------------------------------------------------------------------------

    def _watch(
        self,
        triggers: tuple[WatchedTrigger, ...],
        until: datetime,
        goal: str = "breach",
    ) -> WatchOrder:
        now = workflow.now()
        return WatchOrder.model_validate(
            {
                "service": self._order.service,
                "triggers": triggers,
                "since": self._steady_at or now,
                "covers_from": now,
                "until": until,
                "interval": self._order.policy.monitor.interval,
                "goal": goal,
                "released_at": self._order.released_at,
                "troubled": self._order.troubled,
                "window": self._order.policy.monitor.window,
            }
        )

    def _follow(self, goal: str, until: datetime) -> ServiceWatchOrder:
        order, way, steady = self._order, self._way, goal == "steady"
        return ServiceWatchOrder.model_validate(
            {
                "service": order.service,
                "task_definition": self._way.target,
                "deployment": way.deployment if steady else self._deployment,
                "wrong": way.wrong,
                "previous_deployments": order.before_deployments if steady else way.left,
                "deployed_at": way.called_at or self._started_at,
                "until": until,
                "interval": order.policy.monitor.interval,
                "goal": goal,
                "service_deployment": way.service_deployment if steady else self._under_way,
                "forward": steady and way.forward,
                "left_service_deployment": way.left_service_deployment,
            }
        )


def _decisive(news: ServiceNews | None) -> bool:
    """Whether news ends a verification: that its time is over does not, a last look follows."""
    return news is not None and news.kind not in ("quiet", "unreadable")
