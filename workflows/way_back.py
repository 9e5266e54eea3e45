"""The way back: read, choose a rung of the ladder, take it; again, if that did not hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.resolved_images import resolved_images

with workflow.unsafe.imports_passed_through():
    from lastgood import errors
    from lastgood.contracts import (
        ContinueOrder,
        ImageQuery,
        RegisterOrder,
        RollbackOrder,
        Steered,
        StopOrder,
        TaskDefinitionState,
        UpdateOrder,
    )
    from lastgood.decisions import digests, ladder
    from lastgood.decisions.task_definitions import pin_id, pinned
    from lastgood.model import Outcome, ServiceDeploymentState, ServiceState

_MOST_LOOKS = 6
"""Each look leads to a call or to an end; a service that changes more often is not ours alone."""


def _note(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


class OverError(Exception):
    """Raised inside to end a rollback early with an outcome and its reason."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class WayBack:
    """Takes one service back to one revision; remembers what was sent for that."""

    def __init__(self, order: RollbackOrder) -> None:
        self._order = order
        self.tried = ladder.Tried()
        self.target = order.target.task_definition
        """ARN of the task definition that the service goes to: the target's, or a copy's."""
        self.deployment: str | None = None
        self.service_deployment: str | None = None
        """ARN of what ECS carries out while it goes back by itself."""
        self.forward = False
        """The target comes by a deployment of its own, which ECS carries out like any other."""
        self.left: tuple[str, ...] = ()
        """Ids of the ECS deployments from which UpdateService led away."""
        self.left_service_deployment: str | None = None
        """ARN of the service deployment that was the newest then."""
        self.state: ServiceState | None = None
        """The service at the last look."""
        self.called_at: datetime | None = None
        self.attempted = False
        """Something was sent that may have moved the service."""
        self.calls: list[str] = []
        self.changed: Callable[[], None] = lambda: None
        """Called when one more is noted."""
        self.wrong = (order.from_task_definition, *order.also_from)
        """ARNs of the task definitions to leave."""
        self.unsure = False
        """Whether the target's tags still mean what ran is not known."""
        self.settled = False
        """What was waited for has come, or will not: ECS knows by now what the tags mean."""
        self._targets: tuple[str, ...] = (order.target.task_definition,)
        self._copy: dict[str, object] | None = None
        self._reading: asyncio.Task[tuple[TaskDefinitionState | None, digests.Tags]] | None = None
        self._usable = False

    async def act(self) -> None:
        """Bring the service on its way to the target.

        Raises:
            OverError: if it is not ours to touch, or nothing can be done.
        """
        if self._reading is None and not self._order.adopt:
            self._reading = asyncio.create_task(self._read_target())
            self._reading.add_done_callback(_note)  # where ECS goes back itself nobody asks
        for _ in range(_MOST_LOOKS):
            state, deployment = await self._look()
            goal = ladder.Goal(
                targets=(*self._targets, self.target),
                wrong=self.wrong,
                before=self._order.before_revision,
                before_deployments=self._order.before_deployments,
                adopt=self._order.adopt,
            )
            rung = ladder.choose(state, deployment, goal, self.tried)
            self.state, newest = state, deployment.arn if deployment else None
            if await self._take(rung, state, newest):
                return
        raise OverError(Outcome.ROLLBACK_FAILED, "The service kept changing under our hands.")

    def in_vain(self) -> None:
        """What was waited for did not come: the next act does something else, or gives up."""
        self.tried = self.tried.model_copy(update={"waited": True})

    async def _look(self) -> tuple[ServiceState | None, ServiceDeploymentState | None]:
        """Read the service, and its newest deployment: once more if that took too long.

        All workers may have been gone meanwhile: now one is back, and it costs a moment to see
        whether ECS has the release under way, or goes back by itself.
        """
        state = await calls.describe_service(self._order.service, back=True)
        if state is None:
            return None, None
        try:
            return await self._with_newest(state)
        except ActivityError as error:
            if calls.refused(error):
                self.say(f"service deployment not readable: {calls.why(error)}")
                return state, None
        state = await calls.describe_service(self._order.service, back=True)
        try:
            return await self._with_newest(state) if state else (None, None)
        except ActivityError as error:
            self.say(f"service deployment not readable: {calls.why(error)}")
            return state, None

    async def _with_newest(
        self, state: ServiceState
    ) -> tuple[ServiceState | None, ServiceDeploymentState | None]:
        service = self._order.service
        newest = await calls.describe_service_deployment(service, state.service_deployment)
        if newest and state.service_deployment is None:
            # The newest may have begun after our look at the service: look again.
            return await calls.describe_service(service, back=True), newest
        return state, newest

    async def _take(
        self, rung: ladder.Rung, state: ServiceState | None, newest: str | None
    ) -> bool:
        """Take a rung; False: look again."""
        if rung.do == "gone":
            raise OverError(Outcome.HELD, rung.reason)
        if rung.do == "give_up":
            raise OverError(Outcome.ROLLBACK_FAILED, rung.reason)
        if rung.do == "leave":
            raise OverError(Outcome.SUPERSEDED, f"Not touched. {rung.reason}")
        if rung.do == "update_service":
            if not await self._update_service(rung):
                return False
            self.left = state.deployment_ids if state else ()
            self.left_service_deployment = newest
            return True
        if rung.do == "wait":
            self._wait_for(rung, state)
            return True
        return await self._steer(rung)

    def _wait_for(self, rung: ladder.Rung, state: ServiceState | None) -> None:
        primary = state.primary if state else None
        there = primary.task_definition if primary else self.target
        self.target = there if there not in self.wrong else self.target
        self.service_deployment, self.forward = rung.service_deployment, rung.forward

    # --- Let ECS go back -------------------------------------------------------------------

    async def _steer(self, rung: ladder.Rung) -> bool:
        """Tell ECS to go back; a refusal leaves UpdateService."""
        service, arn = self._order.service, rung.service_deployment or ""
        name = arn.rsplit("/", 1)[-1]
        if rung.hook:
            answer = ContinueOrder(service=service, arn=arn, hook=rung.hook, action="ROLLBACK")
            call, what = calls.continue_service_deployment(answer), "ContinueServiceDeployment"
        else:
            stop = StopOrder(service=service, arn=arn)
            call, what = calls.stop_service_deployment(stop), "StopServiceDeployment"
        steered = await self._told(call, f"{what}(ROLLBACK) of {name}")
        if steered is None:
            self.tried = self.tried.model_copy(update={"refused": True})
            return False
        if not steered.called:
            return False
        self.tried = self.tried.model_copy(update={"steered": True})
        self.attempted, self.called_at = True, steered.at
        self.target = self._order.target.task_definition
        self.deployment, self.service_deployment, self.forward = None, arn, False
        return True

    async def _told(self, call: Awaitable[Steered], what: str) -> Steered | None:
        """Make a call and note it; None if it was refused, or its answer never came."""
        try:
            steered = await call
        except ActivityError as error:
            self.attempted = True
            self.say(f"{what}: {calls.why(error)}")
            return None
        self.say(what if steered.called else f"{what}: not sent, it was {steered.status} already")
        return steered

    # --- Go back by a deployment of our own ------------------------------------------------

    async def _update_service(self, rung: ladder.Rung) -> bool:
        """Send the call; False if the service must be looked at (again) before."""
        order = self._order
        if not self._usable:
            registered = await self._make_target_usable()
            self._usable = True
            if registered:
                return False
        try:
            updated = await calls.update_service(
                UpdateOrder(
                    service=order.service, task_definition=self.target, expected=(rung.expected,)
                ),
                back=True,
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == errors.UNEXPECTED_STATE:
                return False
            raise
        # Without a new deployment it was ECS itself that went back meanwhile.
        self.forward = updated.deployment not in order.before_deployments
        self.attempted = self.attempted or self.forward
        self.tried = self.tried.model_copy(update={"updates": self.tried.updates + 1})
        self.deployment, self.called_at = updated.deployment, updated.at
        self.service_deployment = None
        self.say(f"UpdateService to {self.target.rsplit('/', 1)[-1]}")
        return True

    async def _read_target(self) -> tuple[TaskDefinitionState | None, digests.Tags]:
        """What UpdateService would go to, read while the service is looked at."""
        order = self._order
        try:
            found = await calls.describe_task_definition(
                order.service.region, self.target, back=True
            )
        except ActivityError:
            if not order.target.source:
                raise
            return None, await self._ask_registries()
        return found, await self._ask_registries()

    async def _make_target_usable(self) -> bool:
        """Register what UpdateService needs: a copy with digests, or a revision that was lost.

        Returns:
            Whether it had to be registered: that took time, and the service is looked at again.
        """
        order = self._order
        found, tags = await self._reading if self._reading else await self._read_target()
        source = found.source if found else order.target.source
        self._copy = pinned(source, order.target.images)
        if tags == "moved" and await self._pin():
            return True
        self.unsure = tags == "unknown"
        if not digests.are_known(order.target.images):
            self.say(f"which images {order.target.label} ran is not known: its tags decide")
        if found and found.active:
            return False
        back = RegisterOrder(
            region=order.service.region, source=source, release=f"{order.release}-back"
        )
        self.target = await calls.register_task_definition(back, back=True)
        return True

    # --- Tags that have moved --------------------------------------------------------------

    async def _ask_registries(self) -> digests.Tags:
        """Whether the target's tags still mean what ran."""
        images = self._order.target.images
        tagged = [one.image for one in digests.by_tag(images)]
        try:
            now = await asyncio.gather(*(self._ask_registry(image) for image in tagged))
        except ActivityError:
            return "moved"  # a copy with digests is right in any case
        return digests.tags_now(images, dict(zip(tagged, now, strict=True)))

    async def _ask_registry(self, image: str) -> str | None:
        query = ImageQuery(region=self._order.service.region, image=image)
        try:
            return await calls.describe_images(query, briefly=True)
        except ActivityError as error:
            self.say(f"digest of {image} not readable: {calls.why(error)}")
            raise

    async def brought_another_image(self) -> bool:
        """Look at what ECS made of the target's tags, until it has resolved them."""
        images = self._order.target.images
        if not self.unsure or not digests.by_tag(images):
            return False
        until = workflow.now() + self._order.policy.rollback.timeout
        brought = await resolved_images(
            self._order.service, images, lambda: self.settled or workflow.now() >= until
        )
        return digests.resolved(images, brought) == "moved"

    async def pin(self) -> None:
        """A tag has moved: what was brought back is not what ran, so go to the very images."""
        self.unsure = False
        moved = self.target
        self.say(f"a tag of {moved.rsplit('/', 1)[-1]} has moved to another image")
        if await self._pin():
            self.wrong, self._targets = (moved, *self.wrong), (self.target,)
            self.tried = ladder.Tried(refused=True)

    async def _pin(self) -> bool:
        """Go to a copy that names its images by digest."""
        copy, region = self._copy, self._order.service.region
        if copy is None:
            return False
        order = RegisterOrder(region=region, source=copy, release=pin_id(copy))
        try:
            self.target = await calls.register_task_definition(order, briefly=True)
        except ActivityError as error:
            self.say(f"images not pinned to their digests: {calls.why(error)}")
            return False
        return True

    def say(self, text: str) -> None:
        """Note a call to ECS, with its time."""
        self.calls.append(f"{workflow.now():%Y-%m-%d %H:%M:%S} UTC  {text}")
        self.changed()
