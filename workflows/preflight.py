"""Preflight: read everything that a release and its rollback will need, change nothing."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.resolving import CannotResolveError, Resolver

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        AlarmState,
        DeploymentOrder,
        FreezeQuery,
        ImageQuery,
        MetricProbe,
        SmokeOrder,
        WatchedTrigger,
    )
    from lastgood.decisions import differences, digests, drills, ledger, preflight, targets
    from lastgood.decisions.task_definitions import container_of, original_of, with_image
    from lastgood.model import Model, Revision, ServiceState
    from lastgood.policy import SmokeCheck
    from lastgood.policy_triggers import AlarmTrigger, HealthCheckTrigger


class Prepared(Model):
    """What preflight found out."""

    state: ServiceState
    running: Revision
    """What runs before the release."""
    target: Revision | None
    target_reason: str
    triggers: tuple[WatchedTrigger, ...]
    source: dict[str, object] | None
    """The task definition to register; None if a registered one is released as it is."""
    released: Revision | None = None
    """Set instead of ``source`` for a registered task definition."""
    warnings: tuple[str, ...]
    burning: tuple[str, ...] = ()
    """What is wrong before the release already; it is not the release's doing."""

    def revision_before(self, target: Revision) -> str | None:
        """ARN of the ECS service revision that ran before, if it is what we would go back to.

        The task definition alone does not say so: its tags may have been resolved anew since.
        """
        same = target.task_definition == self.running.task_definition
        very = same and digests.run_in(target.images, self.running.images)
        return self.state.service_revision if very else None


class _Before(Model):
    said: tuple[str, ...]
    burning: tuple[str, ...]


class RefusedError(Exception):
    """Raised when a release may not begin; the message says why and what to do."""


async def prepare(order: DeploymentOrder) -> Prepared:
    """Read the service, its target, its alarms and its metrics.

    Raises:
        RefusedError: before anything was changed.
    """
    try:
        return await _prepare(order)
    except CannotResolveError as error:
        raise RefusedError(str(error)) from error
    except ActivityError as error:
        raise RefusedError(f"Preflight could not read what it needs: {calls.why(error)}") from error


async def refusal_of(order: DeploymentOrder) -> str | None:
    """Why a release may not begin; None if it may, as far as can be told before its turn."""
    try:
        await prepare(order)
    except RefusedError as error:
        return str(error)
    return None


async def _prepare(order: DeploymentOrder) -> Prepared:
    policy = order.release.policy
    await _refuse_frozen(order)
    state = await calls.describe_service(order.service)
    _refuse(preflight.of_service(policy, state))
    if state is None:
        raise RefusedError(f"{order.service} does not exist.")
    primary = state.primary
    arn = primary.task_definition if primary else state.task_definition
    definition = await calls.describe_task_definition(order.service.region, arn)
    running = targets.revision_of(definition, proven=None, at=workflow.now())
    running = await calls.with_digests(order.service.region, state.service_revision, running)
    choice = targets.choose(state, running, order.good, order.unproven, order.quarantine)
    choice = await _with_json(order, choice)
    names = tuple(t.alarm for t in policy.triggers if isinstance(t, AlarmTrigger))
    alarms = tuple(await calls.describe_alarms(order.service.region, names)) if names else ()
    findings = preflight.together(
        preflight.of_service(policy, state),
        preflight.of_strategy(policy, state),
        preflight.of_target(choice),
        preflight.of_lost_images(choice.target, await _lost_images(order, choice.target)),
        preflight.of_changes(policy, running, order.last_released, order.good, order.unproven),
        preflight.of_alarms(policy, alarms),
    )
    _refuse(findings)
    if order.release.drill:
        _refuse_drill(order, state, running, choice, alarms)
    triggers = await Resolver(policy, state).all(alarms)
    before = await _look_at(triggers, order.service.region)
    if order.release.drill:
        _refuse_because(drills.refuse_burning(policy.service, before.burning))
    source, released = await _what_is_new(order, definition.source, running)
    if released and not order.release.force:
        _refuse_because(ledger.refuse_demoted(order.demoted, released.task_definition))
    await _refuse_quarantined(order, released.source if released else source or {})
    return Prepared(
        state=state,
        running=running,
        target=choice.target,
        target_reason=choice.reason,
        triggers=triggers,
        source=source,
        released=released,
        warnings=(*findings.warnings, *before.said),
        burning=before.burning,
    )


async def _with_json(order: DeploymentOrder, choice: targets.Choice) -> targets.Choice:
    """A target that only the service's tags remember is read now, rather than when it is needed."""
    target = choice.target
    if target is None or target.source:
        return choice
    try:
        found = await calls.describe_task_definition(order.service.region, target.task_definition)
    except ActivityError as error:
        workflow.logger.warning("%s cannot be read: %s", target.label, calls.why(error))
        return choice
    read = targets.revision_of(found, proven=None, at=workflow.now())
    return choice.model_copy(update={"target": ledger.completed(target, read)})


async def _lost_images(order: DeploymentOrder, target: Revision | None) -> tuple[str, ...]:
    """The target's images that the registry says it does not have; it need not answer."""
    references = [digests.by_digest(one) for one in target.images] if target else []
    asked = [
        calls.describe_images(ImageQuery(region=order.service.region, image=one), briefly=True)
        for one in references
        if one
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    known = [one for one in references if one]
    return tuple(one for one, found in zip(known, answers, strict=True) if _is_lost(found))


def _is_lost(found: object) -> bool:
    cause = found.cause if isinstance(found, ActivityError) else None
    return isinstance(cause, ApplicationError) and cause.type == "ImageNotFoundException"


async def _refuse_frozen(order: DeploymentOrder) -> None:
    """A person's freeze, or one of the policy's windows; neither is for a forced release."""
    if order.release.force:
        return
    policy, drill = order.release.policy, order.release.drill is not None
    _refuse(preflight.of_freeze(order.frozen, policy, workflow.now(), drill=drill))
    windows = tuple(policy.deploy.freeze)
    if windows:
        answer = await calls.look_up_freeze(FreezeQuery(windows=windows, at=workflow.now()))
        _refuse(preflight.of_freeze_windows(policy, answer, drill=drill))


async def _base(order: DeploymentOrder, running: dict[str, object]) -> dict[str, object]:
    """What a new image is put into: what runs, or what that is a digest-pinned copy of.

    Whoever makes a revision of their own from our copy may keep its tags: theirs counts then.
    """
    original = original_of(running)
    if original is None:
        return running
    try:
        found = await calls.describe_task_definition(order.service.region, original)
    except ActivityError as error:
        workflow.logger.warning("%s cannot be read: %s", original, calls.why(error))
        return running
    return found.source if differences.only_images(found.source, running) else running


async def _refuse_quarantined(order: DeploymentOrder, source: dict[str, object]) -> None:
    """What was rolled back is not released again by mistake."""
    if order.release.force or not order.quarantine:
        return
    images = []
    for image in ledger.images_released(targets.images_of(source), order.release.image):
        query = ImageQuery(region=order.service.region, image=image.image)
        try:
            digest = ledger.digest_of(image) or await calls.describe_images(query)
        except ActivityError as error:
            workflow.logger.warning("%s: %s", image.image, calls.why(error))
            digest = None
        images.append(image.model_copy(update={"digest": digest}))
    _refuse_because(ledger.refuse_quarantined(order.quarantine, tuple(images)))


def _refuse_because(why: str | None) -> None:
    if why:
        raise RefusedError(why)


def _refuse(findings: preflight.Findings) -> None:
    if findings.refusals:
        raise RefusedError(" ".join(findings.refusals))


async def _look_at(triggers: tuple[WatchedTrigger, ...], region: str) -> _Before:
    """Prove that each metric and health check can be read; say what is wrong with them already."""
    said, burning = [], []
    for watched in triggers:
        kind = watched.trigger.type
        if watched.source:
            facts = await calls.get_metric_data(MetricProbe(region=region, trigger=watched))
            burning += [facts.above] if facts.above else []
            if not facts.datapoints:
                said.append(
                    f"{kind}: no datapoints in the last three hours; unless they come, the window "
                    "will be inconclusive. Check metric name and dimensions."
                )
        elif isinstance(watched.trigger, HealthCheckTrigger) and watched.url:
            check = SmokeCheck(
                url=watched.url, expect=watched.trigger.expect, timeout=watched.trigger.timeout
            )
            answer = await calls.smoke_test(SmokeOrder(check=check))
            burning += [] if answer.ok else [f"{kind}: {answer.text}"]
    return _Before(said=tuple(said), burning=tuple(burning))


def _refuse_drill(
    order: DeploymentOrder,
    state: ServiceState,
    running: Revision,
    choice: targets.Choice,
    alarms: tuple[AlarmState, ...],
) -> None:
    """What the guard may not have known yet, and what only a look at the service tells."""
    release, rollback = order.release, order.release.policy.rollback
    name = release.policy.service
    _refuse_because(
        drills.refuse_limited(name, order.limits, rollback, workflow.now())
        or drills.refuse_unfit(release, state, running, choice, alarms)
    )


async def _what_is_new(
    order: DeploymentOrder, there: dict[str, object], running: Revision
) -> tuple[dict[str, object] | None, Revision | None]:
    """What is registered, or released as it is; in a drill that is what runs, once more."""
    if order.release.drill:
        return drills.same_again(running), None
    return await _what_to_release(order, await _base(order, there))


async def _what_to_release(
    order: DeploymentOrder, running: dict[str, object]
) -> tuple[dict[str, object] | None, Revision | None]:
    release = order.release
    if release.task_definition:
        found = await calls.describe_task_definition(order.service.region, release.task_definition)
        if not found.active:
            raise RefusedError(f"{release.task_definition} is INACTIVE: register it again.")
        if found.task_definition == running.get("taskDefinitionArn"):
            raise RefusedError(f"{release.task_definition} is what the service runs already.")
        return None, targets.revision_of(found, proven=None, at=workflow.now())
    if release.task_definition_source:
        return release.task_definition_source, None
    if not release.image:
        raise RefusedError("The release names neither an image nor a task definition.")
    try:
        container = container_of(running, release.policy.container)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    return with_image(running, container, release.image), None
