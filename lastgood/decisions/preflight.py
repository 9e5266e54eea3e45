"""Whether a release may begin, and what people should know before it does.

Refused is what cannot be watched or brought back honestly: no service, not ours to deploy, no
tasks to judge, an alarm that does not exist or is red where the policy says refuse. Said, but not
refused: nothing to go back to, an alarm that is red, a service that is not steady; a fix for a
burning service must be deployable.
"""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import AlarmState, Freeze, FreezeAnswer
from lastgood.decisions import differences
from lastgood.decisions.targets import Choice, is_steady, why_not_steady
from lastgood.decisions.task_definitions import container_of
from lastgood.model import Model, Revision, ServiceState
from lastgood.policy import AlarmTrigger, Policy


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
    if state.controller != "ECS":
        return _refused(
            f"{name} is deployed by {state.controller}; Lastgood needs the deployment controller "
            "ECS. Create the service anew with deploymentController type ECS."
        )
    if state.scheduling != "REPLICA":
        return _refused(
            f"{name} is a {state.scheduling} service: its tasks follow the instances and cannot "
            "be judged. Use a REPLICA service."
        )
    if state.strategy != "ROLLING":
        return _refused(
            f"{name} uses the strategy {state.strategy}, which this version cannot watch. "
            "Set deploymentConfiguration.strategy to ROLLING."
        )
    if state.desired == 0:
        return _refused(f"{name} has desiredCount 0: no tasks to judge. Scale it up first.")
    if not is_steady(state):
        return Findings(warnings=(f"{name} is not steady: {why_not_steady(state)}.",))
    return Findings()


def of_freeze(frozen: Freeze | None, policy: Policy, at: datetime) -> Findings:
    """Whether a person froze the service, and it has not thawed by itself."""
    if frozen is None or (frozen.until and frozen.until <= at):
        return Findings()
    until = f" until {frozen.until:%Y-%m-%d %H:%M} UTC" if frozen.until else ""
    return _refused(
        f"{frozen.actor} has frozen {policy.service}{until}: {frozen.reason.rstrip('.')}. "
        f"Release after `lastgood unfreeze {policy.service}`, or with --force --reason."
    )


def of_freeze_windows(policy: Policy, answer: FreezeAnswer) -> Findings:
    """Whether the policy lets a release begin at this hour."""
    if not answer.frozen:
        return Findings()
    then = "Release then, or" if answer.until else "Change deploy.freeze, or release"
    return _refused(
        f"The policy freezes {policy.service} {answer.text}. {then} with --force --reason."
    )


def of_target(choice: Choice) -> Findings:
    """What there is to go back to, said before it is needed."""
    if choice.target:
        return Findings()
    return Findings(warnings=(f"{choice.reason} A release that goes wrong will be held.",))


def of_changes(
    policy: Policy, running: Revision, last: Revision | None, good: tuple[Revision, ...]
) -> Findings:
    """What somebody else changed since our last release, beside the image that we replace."""
    ours = {one.task_definition for one in good}
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
    """Alarms that are missing, or red already."""
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
        elif alarm.state == "ALARM" and trigger.already_in_alarm == "refuse":
            refusals.append(f"Alarm {trigger.alarm} is in ALARM already, and the policy refuses.")
        elif alarm.state == "ALARM":
            then = (
                "it is ignored until it has been OK once"
                if trigger.already_in_alarm == "ignore-until-ok"
                else "it is armed all the same, as the policy says, and fires at once"
            )
            warnings.append(f"Alarm {trigger.alarm} is in ALARM before the release: {then}.")
        elif alarm.state == "INSUFFICIENT_DATA":
            warnings.append(
                f"Alarm {trigger.alarm} has no data now; unless it gets some, the window will be "
                "inconclusive. If no data is good for it, set its TreatMissingData to notBreaching."
            )
    return Findings(refusals=tuple(refusals), warnings=tuple(warnings))


def together(*findings: Findings) -> Findings:
    """All findings as one."""
    return Findings(
        refusals=tuple(text for one in findings for text in one.refusals),
        warnings=tuple(text for one in findings for text in one.warnings),
    )


def _refused(text: str) -> Findings:
    return Findings(refusals=(text,))
