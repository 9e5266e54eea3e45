"""Read everything that a release will need before one needs it, with the worker's own eyes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

from workflows import examining, telling
from workflows.examining import Unread, told
from workflows.listed import Listed
from workflows.resolving import CannotResolveError, Resolver

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import (
        AlarmState,
        DoctorOrder,
        Examination,
        Line,
        MetricProbe,
        TaskDefinitionState,
        WatchedTrigger,
    )
    from lastgood.decisions import attributes, digests, targets
    from lastgood.decisions.examining import channels, lines, measured, needs, permissions
    from lastgood.decisions.examining import service as services
    from lastgood.decisions.examining.notice import notice_of_test
    from lastgood.decisions.rendering.temporal_ui.doctor import doctor_now
    from lastgood.errors import BLOCKED_ADDRESS
    from lastgood.model import ContainerImage, Revision, ServiceState
    from lastgood.policy import SmokeCheck
    from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger, Trigger

_LOST = "ImageNotFoundException"
_LONGEST = timedelta(seconds=15)
"""For one look at a URL: a person waits, whatever the policy's time-out."""


@workflow.defn(name=messages.DOCTOR)
class Doctor:
    """Examines one service; changes nothing."""

    @workflow.init
    def __init__(self, order: DoctorOrder) -> None:
        self._order = order
        self._policy = order.policy
        self._service = order.policy.ref()

    @workflow.run
    async def run(self, order: DoctorOrder) -> Examination:
        """Read everything; say it in the UI, too."""
        listed = Listed(wanted=True)
        listed.put(attributes.of_service(self._service))
        workflow.set_current_details(doctor_now(None))
        examined = await self._examine()
        found = Examination(
            subject=order.policy.service, where=self._service.region, lines=tuple(examined)
        )
        workflow.set_current_details(doctor_now(found))
        await listed.settled()
        return found

    async def _examine(self) -> list[Line]:
        """Read the service; then, at once, all that hangs on it."""
        state = await told(examining.service(self._service))
        known = None if isinstance(state, Unread) else state
        definition = await self._definition(known)
        parts = await asyncio.gather(
            self._permissions(known, definition),
            self._triggers(known),
            self._smoke(),
            self._channels(),
            self._target(known, definition),
        )
        of_service = self._of_service(state, definition)
        return [*of_service, *(line for part in parts for line in part), *self._second_net(known)]

    # --- The service ---------------------------------------------------------------------------

    async def _definition(self, state: ServiceState | None) -> TaskDefinitionState | None:
        if state is None:
            return None
        arn = state.primary.task_definition if state.primary else state.task_definition
        found = await told(examining.task_definition(self._service.region, arn))
        return None if isinstance(found, Unread) else found

    def _of_service(
        self, state: ServiceState | Unread | None, definition: TaskDefinitionState | None
    ) -> list[Line]:
        if isinstance(state, Unread):
            return [lines.unread(lines.SERVICE, self._policy.service, state.why)]
        found = [services.of_service(self._policy, state)]
        if state and definition:
            found.append(services.of_container(self._policy, definition.source))
        elif state:
            found.append(lines.unread(lines.SERVICE, "container", _NO_DEFINITION))
        return found

    def _second_net(self, state: ServiceState | None) -> list[Line]:
        if state is None:
            return [lines.not_examined(lines.SECOND_NET, "ECS's own", _NO_SERVICE)]
        net = services.of_second_net(state, self._service.cluster, self._service.name)
        return [*net, *services.of_strategy(self._policy, state)]

    async def _permissions(
        self, state: ServiceState | None, definition: TaskDefinitionState | None
    ) -> list[Line]:
        source = definition.source if definition else None
        order = needs.wanted(self._policy, state, source)
        facts = await told(examining.permissions(order))
        if isinstance(facts, Unread):
            return [lines.unread(lines.PERMISSIONS, "all", facts.why)]
        return list(permissions.judge(order, facts, source))

    # --- What is measured ----------------------------------------------------------------------

    async def _triggers(self, state: ServiceState | None) -> list[Line]:
        names = tuple(t.alarm for t in self._policy.triggers if isinstance(t, AlarmTrigger))
        alarms = await told(examining.alarms(self._service.region, names)) if names else []
        resolver = Resolver(self._policy, state, briefly=True) if state else None
        looks = []
        for number, trigger in enumerate(self._policy.triggers):
            if isinstance(trigger, AlarmTrigger):
                looks.append(self._alarm(f"{number} {trigger.type}", trigger, alarms))
            else:
                looks.append(self._look_at(await self._resolved(number, trigger, resolver)))
        return [line for found in await asyncio.gather(*looks) for line in found]

    async def _resolved(
        self, number: int, trigger: Trigger, resolver: Resolver | None
    ) -> WatchedTrigger | Line:
        key = f"{number} {trigger.type}"
        if resolver is None:
            return lines.not_examined(lines.TRIGGERS, key, _NO_SERVICE)
        try:
            watched = await told(resolver.one(number, trigger, {}))
        except CannotResolveError as error:
            return measured.unresolved(key, str(error))
        if isinstance(watched, Unread):
            return measured.unfound(key, trigger, watched.why, watched.code)
        return watched

    async def _alarm(
        self, key: str, trigger: AlarmTrigger, alarms: list[AlarmState] | Unread
    ) -> list[Line]:
        if isinstance(alarms, Unread):
            return [lines.unread(lines.TRIGGERS, f"{key} {trigger.alarm}", alarms.why)]
        state = next((one for one in alarms if one.name == trigger.alarm), None)
        return measured.of_alarm(key, trigger, state, self._service.region)

    async def _look_at(self, watched: WatchedTrigger | Line) -> list[Line]:
        if isinstance(watched, Line):
            return [watched]
        trigger = watched.trigger
        if isinstance(trigger, HealthCheckTrigger) and watched.url:
            check = SmokeCheck(
                url=watched.url,
                expect=trigger.expect,
                timeout=min(trigger.timeout, _LONGEST),
            )
            answer = await told(examining.url(check))
            if isinstance(answer, Unread):
                return [_of_url(lines.TRIGGERS, watched.key, answer)]
            return [measured.of_health(watched, answer)]
        probe = MetricProbe(region=self._service.region, trigger=watched)
        found = await told(examining.metric(probe))
        if isinstance(found, Unread):
            return [lines.unread(lines.TRIGGERS, watched.key, found.why)]
        return [measured.of_metric(watched, found)]

    async def _smoke(self) -> list[Line]:
        return await asyncio.gather(
            *(self._smoke_check(check, n) for n, check in enumerate(self._policy.smoke))
        )

    async def _smoke_check(self, check: SmokeCheck, number: int) -> Line:
        brief = check.model_copy(update={"timeout": min(check.timeout, _LONGEST)})
        answer = await told(examining.url(brief))
        if isinstance(answer, Unread):
            return _of_url(lines.SMOKE, f"smoke.{number}", answer)
        return measured.of_smoke(check, number, answer)

    # --- Who is told, and where it goes back to ------------------------------------------------

    async def _channels(self) -> list[Line]:
        queries = channels.queries(self._policy.notify)
        if not queries:
            return [channels.tells_nobody()]
        answers = await asyncio.gather(*(told(examining.channel(one)) for one in queries))
        found = [
            channels.unlooked(query, answer.why)
            if isinstance(answer, Unread)
            else channels.judge(query, answer)
            for query, answer in zip(queries, answers, strict=True)
        ]
        return found + (await self._send_test() if self._order.send_test else [])

    async def _send_test(self) -> list[Line]:
        notice = notice_of_test(self._service, workflow.info().run_id, workflow.now())
        notify, region = self._policy.notify, self._service.region
        failures = await telling.tell(notice, notify, region)
        return list(channels.of_test(notify, failures))

    async def _target(
        self, state: ServiceState | None, definition: TaskDefinitionState | None
    ) -> list[Line]:
        if state is None or definition is None:
            because = _NO_SERVICE if state is None else _NO_DEFINITION
            return [lines.not_examined(lines.TARGET, "rollback target", because)]
        running = targets.revision_of(definition, proven=None, at=workflow.now())
        running = await self._with_digests(running, state.service_revision)
        order = self._order
        choice = targets.choose(state, running, order.good, order.unproven, order.quarantine)
        active = await self._is_active(choice.target, definition)
        images = choice.target.images if choice.target else ()
        asked = await asyncio.gather(*(self._image(one) for one in _references(images)))
        return list(services.of_target(choice, active, asked, self._policy.service))

    async def _is_active(
        self, target: Revision | None, running: TaskDefinitionState
    ) -> bool | None:
        """Whether a target is ACTIVE; None where that cannot be read."""
        if target is None or target.task_definition == running.task_definition:
            return running.active
        arn = target.task_definition
        read = await told(examining.task_definition(self._service.region, arn))
        return None if isinstance(read, Unread) else read.active

    async def _with_digests(self, running: Revision, revision: str | None) -> Revision:
        if revision is None:
            return running
        images = await told(examining.service_revision(self._service.region, revision))
        if isinstance(images, Unread) or not digests.are_of(tuple(images), running.images):
            return running
        known = digests.completed(running.images, tuple(images))
        return running.model_copy(update={"images": known})

    async def _image(self, reference: str) -> services.TargetImage:
        found = await told(examining.image(self._service.region, reference))
        if not isinstance(found, Unread):
            return services.TargetImage(reference, "there" if found else "not asked")
        lost = found.code == _LOST
        return services.TargetImage(reference, "lost" if lost else "unread", found.why)


_NO_SERVICE = "the service cannot be read"
_NO_DEFINITION = "the task definition that runs cannot be read"


def _references(images: tuple[ContainerImage, ...]) -> list[str]:
    """The very images, by digest where it is known."""
    return list(dict.fromkeys(digests.by_digest(one) or one.image for one in images))


def _of_url(area: str, what: str, answer: Unread) -> Line:
    if answer.code == BLOCKED_ADDRESS:
        return measured.blocked(area, what, answer.why)
    return lines.unread(area, what, answer.why)
