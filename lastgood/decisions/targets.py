"""What to go back to.

If what runs before the release is steady, is not one of our own releases that failed to prove
itself, and has no image that was rolled back, it is the target: it is what users had. Otherwise it
is the newest revision known to be good. Never arithmetic on revision numbers.
"""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import Quarantined, RollbackReport, TaskDefinitionState
from lastgood.decisions import ledger
from lastgood.decisions.differences import only_images
from lastgood.decisions.task_definitions import original_of
from lastgood.model import ContainerImage, Model, Outcome, Revision, ServiceState

STEADY = "ran steadily before a release"
SURVIVED = "survived its monitor window"


class Choice(Model):
    """The target, or why there is none."""

    target: Revision | None
    reason: str


def is_steady(state: ServiceState) -> bool:
    """One deployment, complete, with all its tasks running and at least one wanted."""
    primary = state.primary
    return (
        state.status == "ACTIVE"
        and primary is not None
        and len([one for one in state.deployments if one.status != "INACTIVE"]) == 1
        and primary.rollout_state in (None, "COMPLETED")
        and state.desired > 0
        and state.running >= state.desired
        and state.pending == 0
    )


def why_not_steady(state: ServiceState) -> str:
    """What keeps the service from being steady, for people."""
    primary = state.primary
    if primary is None:
        return "it has no PRIMARY deployment"
    if primary.rollout_state == "FAILED":
        return f"its last rollout failed: {primary.reason or 'ECS gave no reason'}"
    if len([one for one in state.deployments if one.status != "INACTIVE"]) > 1:
        return "a rollout is in progress"
    if primary.rollout_state == "IN_PROGRESS":
        return "its last rollout is not complete"
    return f"{state.running} of {state.desired} tasks run, {state.pending} are pending"


def why_not_to_adopt(state: ServiceState | None) -> str | None:
    """Why what runs cannot be taken for good on a person's word; None if it can."""
    if state is None or state.status != "ACTIVE":
        return "it does not exist; check service and region."
    if state.desired == 0:
        return "it has desiredCount 0; scale it up first."
    if not is_steady(state):
        return f"{why_not_steady(state)}; wait until it is steady."
    return None


def images_of(source: dict[str, object]) -> tuple[ContainerImage, ...]:
    """The images that a task definition names."""
    containers = source.get("containerDefinitions")
    if not isinstance(containers, list):
        return ()
    return tuple(
        ContainerImage(container=str(one.get("name", "")), image=str(one.get("image", "")))
        for one in containers
        if isinstance(one, dict)
    )


def revision_of(definition: TaskDefinitionState, *, proven: str | None, at: datetime) -> Revision:
    """A task definition as a revision that can be brought back."""
    return Revision(
        task_definition=definition.task_definition,
        images=images_of(definition.source),
        source=definition.source,
        proven=proven,
        proven_at=at if proven else None,
        copy_of=original_of(definition.source),
    )


def choose(
    state: ServiceState,
    running: Revision,
    good: tuple[Revision, ...],
    unproven: tuple[str, ...],
    quarantine: tuple[Quarantined, ...] = (),
) -> Choice:
    """The revision to go back to if the coming release goes wrong.

    Args:
        state: the service before the release.
        running: the revision of its PRIMARY deployment.
        good: revisions known to be good, newest first.
        unproven: ARNs that we released and that did not turn out good.
        quarantine: images that were rolled back; somebody else may have brought one again.
    """
    known = next((r for r in good if r.task_definition == running.task_definition), None)
    if known:
        known = ledger.completed(known, running)
        but = "" if is_steady(state) else f", though not steady now: {why_not_steady(state)}"
        return Choice(target=known, reason=f"{known.label} runs and is known to be good{but}.")
    why = _why_not_good(state, running, unproven, quarantine)
    if why is None:
        steady = running.model_copy(update={"proven": STEADY})
        return Choice(target=steady, reason=f"{running.label} runs steadily before this release.")
    if good:
        return Choice(
            target=good[0],
            reason=f"{good[0].label} is the last known good; {running.label}, which runs, {why}.",
        )
    return Choice(
        target=None, reason=f"There is nothing to go back to: {running.label}, which runs, {why}."
    )


def _why_not_good(
    state: ServiceState,
    running: Revision,
    unproven: tuple[str, ...],
    quarantine: tuple[Quarantined, ...],
) -> str | None:
    """What speaks against what runs; None if it may be gone back to."""
    if running.task_definition in unproven:
        return "was released by us and never proved good"
    bad = ledger.quarantined(quarantine, running.images)
    if bad:
        return f"has an image that was rolled back ({bad.image})"
    return None if is_steady(state) else f"is not steady: {why_not_steady(state)}"


def is_blameless(running: Revision, target: Revision | None) -> bool:
    """Whether a breach during the rollout cannot be the doing of what ran before.

    Old tasks serve until a rollout is complete. If what they run is not what we would go back to,
    a release that was held, say, then a fix must not be rolled back for their errors.
    """
    return target is not None and running.task_definition == target.task_definition


def next_good(
    good: tuple[Revision, ...], failed: Revision, report: RollbackReport, *, wanted: bool
) -> Revision | None:
    """Where to go after a rollback failed: the next older good revision, once; or nowhere.

    Args:
        good: revisions known to be good, newest first.
        failed: the target that did not help.
        report: how that rollback ended.
        wanted: whether the policy asks for it.
    """
    if not wanted or report.outcome is not Outcome.ROLLBACK_FAILED:
        return None
    tried = {failed.task_definition, report.to}
    arns = [one.task_definition for one in good]
    older = (
        good[arns.index(failed.task_definition) + 1 :] if failed.task_definition in arns else good
    )
    return next((one for one in older if one.task_definition not in tried), None)


def copy_in(running: Revision, good: tuple[Revision, ...]) -> str | None:
    """ARN of the original of which what runs is a copy; None if somebody changed more than images.

    Whoever makes a revision of their own from our copy may keep its tags.
    """
    original = next((one for one in good if one.task_definition == running.copy_of), None)
    if original and original.source and not only_images(original.source, running.source):
        return None
    return running.copy_of


def choose_for_operator(
    good: tuple[Revision, ...],
    running: str,
    to: Revision | None,
    *,
    copy_of: str | None = None,
) -> Choice:
    """What an operator's rollback outside of a release goes back to.

    Args:
        good: revisions known to be good, newest first.
        running: ARN of the service's present task definition.
        to: what the operator named, if so.
        copy_of: ARN of the original, if what runs is a copy with its images named by digest.
    """
    if to:
        if to.task_definition in (running, copy_of):
            return Choice(target=None, reason=f"{to.label} is already what the service runs.")
        return Choice(target=to, reason=f"{to.label} was named by the operator.")
    for revision in good:
        if not {revision.task_definition, revision.copy_of} & {running, copy_of} - {None}:
            return Choice(
                target=revision,
                reason=f"{revision.label} is the newest good revision other than what runs.",
            )
    return Choice(
        target=None,
        reason=(
            "No other revision is known to be good. Name one: "
            "lastgood rollback SERVICE --to FAMILY:REVISION --reason TEXT"
        ),
    )
