"""Which call brings a service back, chosen by what was read immediately before it.

From the top; the first that fits is taken:

1. The service is gone: there is nothing to bring back.
2. The target is PRIMARY: wait until it is steady. Also while ECS goes back by itself, whoever
   told it to: a call of ours on top of that would begin a second rollback.
3. Somebody else's release is PRIMARY: leave it.
4. ECS went back, but to what ran before the release, and that is not the target: UpdateService.
5. Our release is under way, and what ECS would go back to is the very target: let ECS go back.
   A PAUSE hook waits: ContinueServiceDeployment(ROLLBACK). Else: StopServiceDeployment(ROLLBACK).
   The old tasks are still there, or new ones come up with the digests that ran; where traffic
   shifts, it is a matter of weights.
6. Anything else of ours (finished, stopped, a rollback that failed, an endpoint that knows no
   service deployments, a refusal): UpdateService. If ECS undid that (its circuit breaker put back
   what went wrong): once more. After that: give up, and people are told. It never loops.

ECS goes back to *its* last completed revision, which may be one that we hold or demoted; that is
why the fifth rung asks for the one revision that ran before.
"""

from __future__ import annotations

from typing import Literal

from lastgood.contracts import ServiceNews
from lastgood.model import AwaitingHook, Model, ServiceDeploymentState, ServiceState

_MOST_UPDATES = 2
"""The second only if ECS undid the first."""
_OVER = ("SUCCESSFUL", "STOPPED")


class Tried(Model):
    """What this rollback did so far."""

    steered: bool = False
    """ECS was told to go back: by StopServiceDeployment or ContinueServiceDeployment."""
    refused: bool = False
    """It could not be told so: not asked again."""
    waited: bool = False
    """It was waited for ECS's own way back, in vain."""
    updates: int = 0
    """How often UpdateService was sent."""


class Goal(Model):
    """Where a rollback goes, and from where."""

    targets: tuple[str, ...]
    """ARNs of the task definition to go back to: itself, and a digest-pinned copy."""
    wrong: tuple[str, ...]
    """ARNs of the task definitions that went wrong: the release, and a way back that failed."""
    before: str | None = None
    """ARN of the service revision that ran before the release, if it is the very target."""
    before_deployments: tuple[str, ...] = ()
    """Ids of the ECS deployments that there were before the release, target or not."""
    adopt: bool = False
    """ECS goes back by itself; send nothing."""


class Rung(Model):
    """What to do now, and why."""

    do: Literal[
        "stop_service_deployment",
        "continue_service_deployment",
        "update_service",
        "wait",
        "leave",
        "give_up",
        "gone",
    ]
    reason: str
    service_deployment: str | None = None
    """ARN: to be stopped or continued, or to be followed while ECS goes back."""
    hook: str | None = None
    """Id of the PAUSE hook to answer."""
    forward: bool = False
    """With ``wait``: the service deployment under way brings the target, as UpdateService does."""
    expected: str = ""
    """ARN of the task definition from which UpdateService is right."""


def is_under_way(state: ServiceDeploymentState) -> bool:
    """Going forward, so that it can be stopped; statuses that we do not know count as such."""
    return not is_going_back(state) and state.status not in _OVER and not _has_gone_back(state)


def is_going_back(state: ServiceDeploymentState) -> bool:
    """ECS goes back, or is about to: also in a status of that kind that we do not know."""
    going = state.status.startswith("ROLLBACK") and not _has_gone_back(state)
    return going or state.status == "STOP_REQUESTED"


def is_undone(state: ServiceDeploymentState) -> bool:
    """ECS takes it back, or has: what it brought does not stay."""
    return is_going_back(state) or state.status == "ROLLBACK_SUCCESSFUL"


def _has_gone_back(state: ServiceDeploymentState) -> bool:
    return state.status in ("ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


def choose(
    state: ServiceState | None,
    deployment: ServiceDeploymentState | None,
    goal: Goal,
    tried: Tried,
) -> Rung:
    """The next call of a rollback.

    Args:
        state: the service now; None if it does not exist.
        deployment: its newest service deployment; None where ECS tells of none.
        goal: where to, and from where.
        tried: what was done already.
    """
    if state is None or state.status != "ACTIVE":
        return Rung(do="gone", reason="The service does not exist any more.")
    primary = state.primary
    there = primary.task_definition if primary else ""
    going = deployment is not None and is_going_back(deployment)
    arn = deployment.arn if deployment and (going or tried.steered) else None
    if there in goal.targets:
        if tried.waited and primary is not None and primary.rollout_state == "FAILED":
            return Rung(do="give_up", reason=f"ECS gave {_label(there)} up, too.")
        reason = "The service is on its way back already."
        forward = deployment is not None and _brings_target(deployment, goal, tried)
        return Rung(do="wait", reason=reason, service_deployment=arn, forward=forward)
    put_back = primary is not None and primary.id in goal.before_deployments
    if there not in goal.wrong and not put_back:
        reason = f"The service runs {_label(there) or 'nothing'}: somebody else's."
        return Rung(do="leave", reason=reason)
    if going and not tried.updates:  # else ECS goes back from our way back, to what went wrong
        if tried.waited:
            return Rung(do="give_up", reason="ECS is still going back, and does not arrive.")
        return Rung(do="wait", reason="ECS is going back already.", service_deployment=arn)
    if goal.adopt:
        return _adopted(deployment, tried)
    if put_back:
        return _update(f"ECS went back to {_label(there)}, which is not the target.", there, tried)
    if deployment is None:
        return _update("The service runs the release that went wrong.", there, tried)
    return _of_ours(deployment, there, goal, tried)


def _brings_target(deployment: ServiceDeploymentState, goal: Goal, tried: Tried) -> bool:
    """Not what went wrong, which may still be told of as under way though ECS went back."""
    wrong = tried.steered or (goal.before is not None and goal.before in deployment.sources)
    return is_under_way(deployment) and not wrong


def _of_ours(deployment: ServiceDeploymentState, there: str, goal: Goal, tried: Tried) -> Rung:
    """What is PRIMARY is ours, and ECS is not going back from it."""
    if not is_under_way(deployment):
        return _finished(deployment, there, goal, tried)
    if tried.refused or tried.updates:
        return _update("ECS could not be told to go back.", there, tried)
    if tried.waited:
        return _update("ECS was told to go back and does not.", there, tried)
    if tried.steered:
        reason = "ECS was told to go back."
        return Rung(do="wait", reason=reason, service_deployment=deployment.arn)
    if goal.before is None or deployment.sources != (goal.before,):
        return _update("ECS would go back to another revision than the target.", there, tried)
    return _steer(deployment, next(iter(deployment.awaiting), None))


def _steer(deployment: ServiceDeploymentState, hook: AwaitingHook | None) -> Rung:
    if hook:
        return Rung(
            do="continue_service_deployment",
            reason="The release waits at a PAUSE hook.",
            service_deployment=deployment.arn,
            hook=hook.id,
        )
    return Rung(
        do="stop_service_deployment",
        reason="The release is still being deployed.",
        service_deployment=deployment.arn,
    )


def _finished(deployment: ServiceDeploymentState, there: str, goal: Goal, tried: Tried) -> Rung:
    ours = tried.steered or bool(goal.before_deployments)  # else it was an earlier release's
    undone = ours and deployment.status == "ROLLBACK_SUCCESSFUL"
    if undone and not tried.updates and not tried.waited:
        # What ECS says of the service may be older than what it says of the deployment.
        reason = "ECS has gone back; the service does not show it yet."
        return Rung(do="wait", reason=reason, service_deployment=deployment.arn)
    reasons = {
        "ROLLBACK_FAILED": "ECS's own rollback failed.",
        "STOPPED": "The release's deployment was stopped, and nothing came back.",
    }
    reason = reasons.get(deployment.status, "The service runs the release that went wrong.")
    return _update(reason, there, tried)


def _adopted(deployment: ServiceDeploymentState | None, tried: Tried) -> Rung:
    failed = deployment is not None and deployment.status in ("ROLLBACK_FAILED", "STOPPED")
    if failed or tried.waited:
        return Rung(do="give_up", reason="ECS's own rollback did not arrive.")
    return Rung(do="wait", reason="ECS goes back by itself.")


def _update(reason: str, expected: str, tried: Tried) -> Rung:
    """UpdateService, unless ECS undid it twice: then people must look."""
    if tried.updates >= _MOST_UPDATES:
        return Rung(do="give_up", reason=f"{reason} UpdateService was tried, and did not help.")
    return Rung(do="update_service", reason=reason, expected=expected)


def goes_on(news: ServiceNews | None, deployment: str | None, tried: Tried, *, adopt: bool) -> bool:
    """Whether there is something left to try after a way back did not arrive.

    Args:
        news: what ended the wait for it.
        deployment: id of the ECS deployment that was to bring the target.
        tried: what was done already.
        adopt: ECS went back by itself; nothing is sent.
    """
    if news is None or news.kind != "failed" or adopt:
        return False
    if not tried.updates:
        return not tried.waited
    return news.deployment != deployment and tried.updates < _MOST_UPDATES


def _label(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
