"""Preflight: read everything that a release and its rollback will need, change nothing."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls
from workflows.resolving import CannotResolveError, Resolver

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        DeploymentOrder,
        FreezeQuery,
        ImageQuery,
        MetricProbe,
        SmokeOrder,
        WatchedTrigger,
    )
    from lastgood.decisions import ledger, preflight, targets
    from lastgood.decisions.task_definitions import container_of, original_of, with_image
    from lastgood.model import Model, Revision, ServiceState
    from lastgood.policy import AlarmTrigger, HealthCheckTrigger, SmokeCheck


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
        """ARN of the ECS service revision that ran before, if it is what we would go back to."""
        same = target.task_definition == self.running.task_definition
        return self.state.service_revision if same else None


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
    choice = targets.choose(state, running, order.good, order.unproven)
    names = tuple(t.alarm for t in policy.triggers if isinstance(t, AlarmTrigger))
    alarms = tuple(await calls.describe_alarms(order.service.region, names)) if names else ()
    findings = preflight.together(
        preflight.of_service(policy, state),
        preflight.of_strategy(policy, state),
        preflight.of_target(choice),
        preflight.of_changes(policy, running, order.last_released, order.good, order.unproven),
        preflight.of_alarms(policy, alarms),
    )
    _refuse(findings)
    triggers = await Resolver(policy, state).all(alarms)
    before = await _look_at(triggers, order.service.region)
    source, released = await _what_to_release(order, await _base(order, definition.source))
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


async def _refuse_frozen(order: DeploymentOrder) -> None:
    """A person's freeze, or one of the policy's windows; neither is for a forced release."""
    if order.release.force:
        return
    _refuse(preflight.of_freeze(order.frozen, order.release.policy, workflow.now()))
    windows = tuple(order.release.policy.deploy.freeze)
    if windows:
        answer = await calls.look_up_freeze(FreezeQuery(windows=windows, at=workflow.now()))
        _refuse(preflight.of_freeze_windows(order.release.policy, answer))


async def _base(order: DeploymentOrder, running: dict[str, object]) -> dict[str, object]:
    """What a new image is put into: what runs, or what that is a digest-pinned copy of."""
    original = original_of(running)
    if original is None:
        return running
    try:
        return (await calls.describe_task_definition(order.service.region, original)).source
    except ActivityError as error:
        workflow.logger.warning("%s cannot be read: %s", original, calls.why(error))
        return running


async def _refuse_quarantined(order: DeploymentOrder, source: dict[str, object]) -> None:
    """What was rolled back is not released again by mistake."""
    if order.release.force or not order.quarantine:
        return
    images = []
    for image in ledger.images_released(targets.images_of(source), order.release.image):
        query = ImageQuery(region=order.service.region, image=image.image)
        try:
            digest = await calls.describe_images(query)
        except ActivityError as error:
            workflow.logger.warning("%s: %s", image.image, calls.why(error))
            digest = None
        images.append(image.model_copy(update={"digest": digest}))
    why = ledger.refuse_quarantined(order.quarantine, tuple(images))
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
