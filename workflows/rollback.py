"""One rollback: act → wait until steady → verify. It ends in one report and never loops."""

from __future__ import annotations

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.resolving import CannotResolveError, Resolver
from workflows.watching import Round

with workflow.unsafe.imports_passed_through():
    from lastgood import errors, messages
    from lastgood.contracts import (
        RegisterOrder,
        RollbackOrder,
        RollbackReport,
        ServiceNews,
        ServiceWatchOrder,
        SmokeOrder,
        UpdateOrder,
        WatchedTrigger,
        WatchOrder,
    )
    from lastgood.decisions import ladder
    from lastgood.model import Outcome, Verdict
    from lastgood.policy import HealthCheckTrigger

_ENDS = {
    "superseded": Outcome.SUPERSEDED,
    "rolled_back_by_ecs": Outcome.SUPERSEDED,
}


class _OverError(Exception):
    """Raised inside to end a rollback early with an outcome and its reason."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


@workflow.defn(name=messages.ROLLBACK)
class Rollback:
    """Brings one service back to one revision, and proves that this helped."""

    @workflow.init
    def __init__(self, order: RollbackOrder) -> None:
        self._order = order
        self._started_at = workflow.now()
        self._target = order.target.task_definition
        self._deployment: str | None = order.target_deployment if order.adopt else None
        self._called_at: datetime | None = None
        self._steady_at: datetime | None = None
        self._evidence: tuple[Verdict, ...] = ()

    @workflow.run
    async def run(self, order: RollbackOrder) -> RollbackReport:
        """Act, wait, verify."""
        try:
            await self._act()
            await self._wait_until_steady()
            proof = await self._verify()
        except _OverError as over:
            return self._report(over.outcome, over.reason)
        except ActivityError as error:
            text = f"The rollback could not be carried out: {calls.why(error)}"
            return self._report(Outcome.ROLLBACK_FAILED, text)
        outcome = Outcome.ROLLED_BACK_BY_ECS if order.adopt else Outcome.ROLLED_BACK
        verb = "ECS brought" if order.adopt else "Brought"
        text = f"{verb} {order.service} back to {self._label}. {proof}"
        return self._report(outcome, text, verified=True)

    @property
    def _label(self) -> str:
        return self._target.rsplit("/", 1)[-1]

    def _report(self, outcome: Outcome, reason: str, *, verified: bool = False) -> RollbackReport:
        return RollbackReport(
            run_id=workflow.info().run_id,
            outcome=outcome,
            reason=reason,
            to=self._target,
            started_at=self._started_at,
            called_at=self._called_at,
            steady_at=self._steady_at,
            finished_at=workflow.now(),
            verified=verified,
            evidence=self._evidence,
        )

    # --- Act -------------------------------------------------------------------------------

    async def _make_target_usable(self) -> None:
        """An INACTIVE task definition cannot be used: register it again from what was stored."""
        order = self._order
        if order.adopt:
            return
        try:
            found = await calls.describe_task_definition(
                order.service.region, self._target, back=True
            )
        except ActivityError:
            if not order.target.source:
                raise
        else:
            if found.active:
                return
        self._target = await calls.register_task_definition(
            RegisterOrder(
                region=order.service.region,
                source=order.target.source,
                release=f"{order.release}-back",
            ),
            back=True,
        )

    async def _act(self) -> None:
        order = self._order
        usable = asyncio.create_task(self._make_target_usable())
        for _ in range(2):
            state, _ = await asyncio.gather(
                calls.describe_service(order.service, back=True), usable
            )
            rung = ladder.choose(
                state,
                target=self._target,
                wrong=order.from_task_definition,
                adopt=order.adopt,
            )
            if rung.do == "give_up":
                raise _OverError(Outcome.ROLLBACK_FAILED, rung.reason)
            if rung.do == "leave":
                raise _OverError(Outcome.SUPERSEDED, f"Not touched. {rung.reason}")
            if rung.do == "wait":
                return
            if await self._update_service():
                return
        raise _OverError(Outcome.ROLLBACK_FAILED, "The service kept changing under our hands.")

    async def _update_service(self) -> bool:
        """Send the call; False if the service changed between our look and the call."""
        order = self._order
        try:
            updated = await calls.update_service(
                UpdateOrder(
                    service=order.service,
                    task_definition=self._target,
                    expected=(order.from_task_definition,),
                ),
                back=True,
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == errors.UNEXPECTED_STATE:
                return False
            raise
        self._deployment, self._called_at = updated.deployment, updated.at
        return True

    # --- Wait ------------------------------------------------------------------------------

    async def _wait_until_steady(self) -> None:
        policy = self._order.policy
        until = workflow.now() + policy.rollback.timeout
        watched = Round(self._watch((), until), self._follow("steady", until))
        await workflow.wait_condition(lambda: watched.done)
        news = watched.news
        if news is None or news.kind != "complete":
            raise self._not_steady(news)
        self._steady_at = workflow.now()
        self._deployment = news.deployment

    def _not_steady(self, news: ServiceNews | None) -> _OverError:
        if news is None:
            return _OverError(Outcome.ROLLBACK_FAILED, "The service could not be followed.")
        outcome = _ENDS.get(news.kind, Outcome.ROLLBACK_FAILED)
        return _OverError(outcome, f"{self._label} did not become steady: {news.reason}")

    # --- Verify ----------------------------------------------------------------------------

    async def _verify(self) -> str:
        """The health checks and the trigger that fired are good again on the old revision.

        Returns:
            The proof, in words.
        """
        triggers = await self._to_verify()
        until = workflow.now() + self._order.policy.rollback.verify_timeout
        watched = Round(self._watch(triggers, until, "recovery"), self._follow("window", until))
        await workflow.wait_condition(
            lambda: watched.good or watched.done or _decisive(watched.news)
        )
        good, news, texts = watched.good, watched.news, watched.texts
        watched.cancel()
        if news and news.kind in _ENDS:
            raise _OverError(Outcome.SUPERSEDED, f"While it was verified: {news.reason}")
        self._evidence = watched.verdicts
        if not good:
            raise _OverError(
                Outcome.ROLLBACK_FAILED,
                f"The service runs {self._label}, but it is not proven that this helped: "
                f"{'; '.join(texts) or 'nothing could be measured'}.",
            )
        await self._smoke_again()
        return f"Verified: {'; '.join(texts)}." if texts else "It is steady; no check is set up."

    async def _to_verify(self) -> tuple[WatchedTrigger, ...]:
        order = self._order
        triggers = order.triggers or await self._resolve()
        fired = order.fired.trigger if order.fired else None
        return tuple(
            one.model_copy(update={"muted_until_ok": False})
            for one in triggers
            if isinstance(one.trigger, HealthCheckTrigger) or one.trigger.type == fired
        )

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
                raise _OverError(Outcome.ROLLBACK_FAILED, text)

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
            }
        )

    def _follow(self, goal: str, until: datetime) -> ServiceWatchOrder:
        order = self._order
        return ServiceWatchOrder.model_validate(
            {
                "service": order.service,
                "task_definition": self._target,
                "deployment": self._deployment,
                "previous_task_definition": order.from_task_definition,
                "previous_deployment": None,
                "deployed_at": self._called_at or self._started_at,
                "until": until,
                "interval": order.policy.monitor.interval,
                "goal": goal,
            }
        )


def _decisive(news: ServiceNews | None) -> bool:
    """Whether news ends a verification: that its time is over does not, a last look follows."""
    return news is not None and news.kind not in ("quiet", "unreadable")
