"""Whether a release may begin, and what people should know before it does.

Refused is what cannot be watched or brought back honestly: no service, not ours to deploy, no
tasks to judge, an alarm that does not exist or is red where the policy says refuse. Said, but not
refused: nothing to go back to, an alarm that is red, a service that is not steady; a fix for a
burning service must be deployable.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lastgood.contracts import AlarmState, Freeze, FreezeAnswer
from lastgood.decisions import differences
from lastgood.decisions.health import is_red
from lastgood.decisions.targets import Choice, is_steady, why_not_steady
from lastgood.decisions.task_definitions import container_of
from lastgood.model import Model, Revision, ServiceState
from lastgood.policy import Policy, format_duration
from lastgood.policy_triggers import AlarmTrigger


class Findings(Model):
    """What preflight has to say."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def of_service(policy: Policy, state: ServiceState | None) -> Findings:
    """Whether this service can be released by us at all."""
    name = policy.service
    if state is None:
        return _refused(f"{name} does not exist in {policy.region}: check service and region.")
    if state.status != "ACTIVE":
        return _refused(f"{name} is {state.status}: it was deleted.")
    unfit = why_unfit(name, state)
    if unfit:
        return _refused(unfit)
    if state.desired == 0:
        return _refused(f"{name} has desiredCount 0: no tasks to judge. Scale it up first.")
    if not is_steady(state):
        return Findings(warnings=(f"{name} is not steady: {why_not_steady(state)}.",))
    return Findings()


def why_unfit(name: str, state: ServiceState) -> str | None:
    """Why a service of this kind is neither released nor rolled back by us; None if it may be."""
    if state.controller != "ECS":
        return (
            f"{name} is deployed by {state.controller}; Lastgood needs the deployment controller "
            f"ECS. {_INSTEAD.get(state.controller, _INSTEAD['EXTERNAL'])}"
        )
    if state.scheduling != "REPLICA":
        return (
            f"{name} is a {state.scheduling} service: its tasks follow the instances, so that it "
            "is neither known how many there should be nor what a rollback would bring back. "
            "Make it a REPLICA service (with the placement constraint distinctInstance, if one "
            "task for each instance is what matters), or deploy it by other means."
        )
    return None


_INSTEAD = {
    "CODE_DEPLOY": (
        "Migrate it to ECS's own blue/green deployments: aws ecs update-service with "
        "deploymentController type ECS and deploymentConfiguration strategy BLUE_GREEN "
        "(docs/blue-green.md)."
    ),
    "EXTERNAL": (
        "Whoever makes its task sets must bring them back, too; to release it with Lastgood, "
        "create the service anew with deploymentController type ECS."
    ),
}


def of_strategy(policy: Policy, state: ServiceState) -> Findings:
    """Whether there is time for the traffic to shift, and who brings it back if we are gone."""
    if not state.shifts_traffic:
        return Findings()
    name, limit = policy.service, policy.deploy.timeout
    if limit <= state.shift:
        steps, allowed = format_duration(state.shift), format_duration(limit)
        return _refused(
            f"{name} shifts its traffic in steps that take {steps} ({state.strategy}), and "
            f"deploy.timeout is {allowed}: set deploy.timeout to more than {steps}, with time "
            "for the new tasks to start, or make the steps shorter."
        )
    said = [*_of_the_bake(policy, state), *_of_the_hooks(policy, state)]
    return Findings(warnings=tuple(said))


def _of_the_bake(policy: Policy, state: ServiceState) -> list[str]:
    window = policy.monitor.window
    waits = any(one.pauses and _AFTER_SHIFT in one.stages for one in state.hooks)
    if waits or state.bake >= window:
        return []
    return [
        f"{policy.service} bakes for {format_duration(state.bake)}, which is shorter than "
        f"monitor.window ({format_duration(window)}): after that a rollback is a new deployment, "
        "not a shift of traffic. Set bakeTimeInMinutes to the window or more."
    ]


def _of_the_hooks(policy: Policy, state: ServiceState) -> list[str]:
    ours = [one for one in state.hooks if one.pauses and _AFTER_SHIFT in one.stages]
    if not ours:
        return [
            f"{policy.service} has no PAUSE hook at {_AFTER_SHIFT}: if all workers and Temporal "
            "are gone while a bad release bakes, nobody brings it back. See docs/blue-green.md."
        ]
    said, window = [], policy.monitor.window
    if any(one.on_timeout != "ROLLBACK" for one in ours):
        said.append(
            f"A PAUSE hook of {policy.service} goes on when it times out: if all workers and "
            "Temporal are gone, nobody brings a bad release back. Set its time-out action to "
            "ROLLBACK."
        )
    shortest = min((one.timeout for one in ours if one.timeout), default=None)
    if shortest is not None and shortest <= window:
        said.append(
            f"A PAUSE hook of {policy.service} waits for {format_duration(shortest)} only, and "
            f"monitor.window is {format_duration(window)}: it times out before the window ends. "
            "Set its timeoutInMinutes to more than that."
        )
    return said


_AFTER_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"


def of_freeze(
    frozen: Freeze | None, policy: Policy, at: datetime, *, drill: bool = False
) -> Findings:
    """Whether a person froze the service, and it has not thawed by itself."""
    if frozen is None or (frozen.until and frozen.until <= at):
        return Findings()
    until = f" until {frozen.until:%Y-%m-%d %H:%M} UTC" if frozen.until else ""
    return _refused(
        f"{frozen.actor} has frozen {policy.service}{until}: {frozen.reason.rstrip('.')}. "
        + _drill_later(f"Release after `lastgood unfreeze {policy.service}`, or", drill)
    )


def _drill_later(then: str, drill: bool) -> str:
    return "A drill can wait." if drill else f"{then} with --force --reason."


def of_freeze_windows(policy: Policy, answer: FreezeAnswer, *, drill: bool = False) -> Findings:
    """Whether the policy lets a release begin at this hour."""
    if not answer.frozen:
        return Findings()
    then = "Release then, or" if answer.until else "Change deploy.freeze, or release"
    return _refused(
        f"The policy freezes {policy.service} {answer.text}. {_drill_later(then, drill)}"
    )


def of_target(choice: Choice) -> Findings:
    """What there is to go back to, said before it is needed."""
    if choice.target:
        return Findings()
    return Findings(warnings=(f"{choice.reason} A release that goes wrong will be held.",))


def of_lost_images(target: Revision | None, lost: Iterable[str]) -> Findings:
    """Images that a rollback would bring back, and that are not in their registry any more."""
    label = target.label if target else "the target"
    return Findings(
        warnings=tuple(
            f"{image} is no longer in its registry: new tasks of {label}, which a rollback would "
            "bring back, could not start. Push it again, and let no lifecycle policy expire it."
            for image in lost
        )
    )


def of_changes(
    policy: Policy,
    running: Revision,
    last: Revision | None,
    good: tuple[Revision, ...],
    unproven: tuple[str, ...] = (),
) -> Findings:
    """What somebody else changed since our last release, beside the image that we replace."""
    ours = {one.task_definition for one in good} | set(unproven)
    if last is None or not last.source or running.task_definition in ours | {last.task_definition}:
        return Findings()
    try:
        released = container_of(running.source, policy.container)
    except ValueError:
        released = None
    found = differences.changes(last.source, running.source, released)
    if not found:
        return Findings()
    since = f"release {last.release}" if last.release else last.label
    text = f"The task definition was changed since {since} by somebody else: "
    return Findings(warnings=(f"{text}{differences.in_words(found)}.",))


def of_alarms(policy: Policy, alarms: tuple[AlarmState, ...]) -> Findings:
    """Alarms that are missing, red already, or otherwise not what one would think."""
    known = {alarm.name: alarm for alarm in alarms}
    refusals, warnings = [], []
    for trigger in policy.triggers:
        if not isinstance(trigger, AlarmTrigger):
            continue
        alarm = known.get(trigger.alarm)
        if alarm is None:
            refusals.append(
                f"Alarm {trigger.alarm} does not exist in {policy.region}: "
                "check the trigger's name, or create it."
            )
            continue
        warnings += _of_alarm(alarm)
        silent = alarm.state == "INSUFFICIENT_DATA" and not trigger.dry_run
        if silent and trigger.missing_data in _UNDECIDED:
            warnings.append(
                f"Alarm {trigger.alarm} has no data now; unless it gets some, the window will be "
                "inconclusive. If no data is good for it, set its TreatMissingData to notBreaching."
            )
        if not is_red(trigger, alarm):
            continue
        red = "is in ALARM" if alarm.state == "ALARM" else "is breaching, as it has no data,"
        if trigger.dry_run:
            warnings.append(f"Alarm {trigger.alarm} {red} before the release: a dry run.")
            continue
        if trigger.already_in_alarm == "refuse":
            refusals.append(f"Alarm {trigger.alarm} {red} already, and the policy refuses.")
            continue
        then = (
            "it is ignored until it has been OK once"
            if trigger.already_in_alarm == "ignore-until-ok"
            else "it is armed all the same, as the policy says, and fires at once"
        )
        warnings.append(f"Alarm {trigger.alarm} {red} before the release: {then}.")
    return Findings(refusals=tuple(refusals), warnings=tuple(warnings))


_UNDECIDED = ("inconclusive", "ignore")


def _of_alarm(alarm: AlarmState) -> list[str]:
    """What of an alarm itself people should know, whatever state it is in."""
    said = []
    if not alarm.actions_enabled:
        said.append(
            f"The actions of alarm {alarm.name} are disabled: it is watched all the same, but "
            "nobody else is told when it goes off."
        )
    if alarm.evaluation in ("EVALUATION_ERROR", "EVALUATION_FAILURE"):
        said.append(
            f"Alarm {alarm.name} cannot be evaluated now ({alarm.evaluation}): until it can, it "
            "says nothing about the release."
        )
    return said


def together(*findings: Findings) -> Findings:
    """All findings as one."""
    return Findings(
        refusals=tuple(text for one in findings for text in one.refusals),
        warnings=tuple(text for one in findings for text in one.warnings),
    )


def _refused(text: str) -> Findings:
    return Findings(refusals=(text,))
