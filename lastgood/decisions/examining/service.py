"""The service itself, what it would go back to, and ECS's own net underneath us.

The service: what preflight would refuse is broken, what it would only say is a warning. The
target: chosen as a release would choose it; broken if its tasks could not start again. The second
net: the circuit breaker and the deployment alarms act when neither we nor Temporal are there; for
a service that shifts traffic, a PAUSE hook does. Without them a release still works: warnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from lastgood.contracts import Line
from lastgood.decisions import preflight
from lastgood.decisions.examining.lines import (
    SECOND_NET,
    SERVICE,
    TARGET,
    broken,
    fine,
    unknown,
    unread,
    warning,
)
from lastgood.decisions.targets import Choice, is_steady, why_not_steady
from lastgood.decisions.task_definitions import container_of
from lastgood.model import ServiceState
from lastgood.policy import Policy


def of_service(policy: Policy, state: ServiceState | None) -> Line:
    """Whether the service is there, ours to release, and steady."""
    refusals = preflight.of_service(policy, state).refusals
    if state is None or refusals:
        return broken(SERVICE, policy.service, " ".join(refusals), _remedy(policy, state))
    if not is_steady(state):
        return warning(
            SERVICE,
            policy.service,
            f"not steady: {why_not_steady(state)}",
            f"See why: aws ecs describe-services --cluster {policy.ref().cluster} --services "
            f"{policy.ref().name} (events). A release begins all the same.",
        )
    kind = "" if state.strategy == "ROLLING" else f", {state.strategy}"
    found = f"{state.running} of {state.desired} tasks run, steady{kind}"
    return fine(SERVICE, policy.service, found)


def _remedy(policy: Policy, state: ServiceState | None) -> str:
    if state is None or state.status != "ACTIVE":
        return "Correct service and region in the policy, or create the service."
    if state.desired == 0:
        name = policy.ref().name
        return (
            f"Scale it up: aws ecs update-service --cluster {policy.ref().cluster} "
            f"--service {name} --desired-count 2"
        )
    return "Deploy it by other means, or change the service as it is said."


def of_container(policy: Policy, definition: dict[str, object]) -> Line:
    """Whether it is clear whose image a release replaces."""
    try:
        name = container_of(definition, policy.container)
    except ValueError as error:
        remedy = "Name one of the task definition's containers in `container:`."
        return broken(SERVICE, "container", str(error), remedy)
    return fine(SERVICE, "container", f"{name} gets the new image")


def of_strategy(policy: Policy, state: ServiceState) -> Iterator[Line]:
    """Whether there is time for the traffic to shift, and who brings it back if we are gone."""
    found = preflight.of_strategy(policy, state)
    for text in found.refusals:
        yield broken(SERVICE, "deploy.timeout", *_parted(text))
    for text in found.warnings:
        yield warning(SECOND_NET, _topic(text), *_parted(text))
    if state.shifts_traffic and not found.refusals and not found.warnings:
        pausing = [one for one in state.hooks if one.pauses]
        yield fine(SECOND_NET, "PAUSE hook", f"{len(pausing)}, and a bake time that is long enough")


def _topic(text: str) -> str:
    return "PAUSE hook" if "PAUSE" in text else "bake time"


def _parted(text: str) -> tuple[str, str]:
    """What was found, and what to do: preflight says both in one."""
    for mark in (": set ", ". Set ", ". See "):
        head, found, tail = text.partition(mark)
        if found:
            verb = mark.strip(":. ")
            return head.rstrip(".") + ".", f"{verb.capitalize()} {tail}"
    return text, "See docs/blue-green.md."


# --- What it would go back to ------------------------------------------------------------------


class TargetImage(NamedTuple):
    """An image of the target, and what its registry says of it."""

    image: str
    is_there: Literal["there", "lost", "not asked", "unread"]
    why: str = ""


def of_target(
    choice: Choice, active: bool | None, images: Sequence[TargetImage], service: str
) -> Iterator[Line]:
    """What a rollback would bring back now, and whether it could.

    Args:
        choice: the target, as a release would choose it.
        active: whether its task definition is ACTIVE; None where that cannot be read.
        images: what the registry says of each of its images.
        service: CLUSTER/SERVICE, for the remedy.
    """
    target = choice.target
    if target is None:
        remedy = (
            "Let the service become steady; or, if what runs is good, say so: "
            f'lastgood adopt {service} --reason "…". Until then a bad release is held.'
        )
        yield broken(TARGET, "rollback target", choice.reason, remedy)
        return
    yield fine(TARGET, "rollback target", choice.reason)
    if active is None:
        yield unread(TARGET, target.label, "its task definition cannot be read")
    elif not active:
        again = "is INACTIVE: it is registered again when it is needed"
        remedy = (
            "Nothing, if ecs:RegisterTaskDefinition and iam:PassRole are fine here. Let nothing "
            "deregister revisions that run, or that ran before."
        )
        yield warning(TARGET, target.label, again, remedy)
    yield from (_of_image(one, target.label) for one in images)


_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]+")


def _of_image(image: TargetImage, label: str) -> Line:
    what = _DIGEST.sub(r"\1…", image.image.rsplit("/", 1)[-1])
    if image.is_there == "there":
        return fine(TARGET, what, f"in its registry, for {label}")
    if image.is_there == "lost":
        return broken(
            TARGET,
            what,
            f"no longer in its registry: new tasks of {label} could not start",
            f"Push {image.image} again, and let no lifecycle policy expire what runs.",
        )
    if image.is_there == "unread":
        return unread(TARGET, what, image.why)
    return unknown(
        TARGET,
        what,
        "its registry is not ECR, and is not asked",
        "See to it that the registry keeps what runs, and what ran before.",
        excused=True,
    )


# --- ECS's own net -----------------------------------------------------------------------------


def of_second_net(state: ServiceState, cluster: str, name: str) -> Iterator[Line]:
    """What ECS itself would do about a bad release if we are not there."""
    update = f"aws ecs update-service --cluster {cluster} --service {name}"
    if state.strategy == "ROLLING":
        yield _of_breaker(state, update)
    yield _of_deployment_alarms(state, update)


def _of_breaker(state: ServiceState, update: str) -> Line:
    what = "circuit breaker"
    if state.circuit_breaker and state.breaker_rolls_back:
        return fine(SECOND_NET, what, "on, and rolls back")
    found = "off: a release that never starts is found by our deadline alone"
    if state.circuit_breaker:
        found = "on, and does not roll back: a release that never starts stays half done"
    configuration = "deploymentCircuitBreaker={enable=true,rollback=true}"
    return warning(
        SECOND_NET, what, found, f'{update} --deployment-configuration "{configuration}"'
    )


def _of_deployment_alarms(state: ServiceState, update: str) -> Line:
    what, names = "deployment alarms", ", ".join(state.deployment_alarms)
    if names and state.alarms_roll_back:
        return fine(SECOND_NET, what, f"{names}: roll back")
    found = f"{names}: configured, but do not roll back" if names else "none"
    wanted = names.replace(", ", ",") or "ALARM"
    configuration = f"alarms={{alarmNames=[{wanted}],enable=true,rollback=true}}"
    return warning(
        SECOND_NET, what, found, f'{update} --deployment-configuration "{configuration}"'
    )
