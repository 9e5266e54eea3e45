"""What a drill may, what it proves, and what is remembered of it.

The rule. A drill releases what runs, once more: the same task definition with the same images, by
their digests where they are known. It is marked bad on purpose in its monitor window, and goes back
by the way that a bad release takes. It is refused wherever that way is not open, or where it would
lead to anything but what runs: then a drill would change the service, and prove nothing.

Neither cooldown nor limit know of it: its rollback counts for nothing, and nothing holds it up once
it has begun. As it can release nothing but what runs, no release gets around them as a drill. What
it leaves in the memory is how it went; no revision is good or bad for its sake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lastgood.contracts import (
    AlarmState,
    DrillOrder,
    GuardState,
    Limits,
    ReleaseOrder,
    RollbackReport,
    WatchedTrigger,
)
from lastgood.decisions import limits
from lastgood.decisions.health import is_red
from lastgood.decisions.targets import Choice, is_blameless, is_steady, why_not_steady
from lastgood.decisions.task_definitions import pinned, registrable
from lastgood.decisions.wording import day
from lastgood.messages import deployment_id
from lastgood.model import (
    DrillSummary,
    Outcome,
    ReleaseResult,
    Revision,
    ServiceState,
    Status,
    Verdict,
)
from lastgood.policy import Policy, RollbackPolicy, format_duration
from lastgood.policy_triggers import AlarmTrigger

TRIGGER = "drill"
"""What fired, where a release was marked bad by a drill itself."""

_RETURNED = (Outcome.ROLLED_BACK, Outcome.ROLLED_BACK_BY_ECS)


# --- Whether it may begin ----------------------------------------------------------------------


def with_newest_policy(order: ReleaseOrder, state: GuardState) -> ReleaseOrder:
    """A scheduled drill obeys the policy of a release that began after its schedule was made."""
    made = order.drill.scheduled_at if order.drill else None
    release = deployment_id(state.service)  # an operator's rollback brings no policy
    released = (
        one.started_at
        for one in state.results
        if one.started_at and not one.drill and one.workflow_id == release
    )
    newest = next(released, None)
    if made is None or newest is None or newest <= made or state.policy is None:
        return order
    return order.model_copy(update={"policy": state.policy})


def refuse(order: ReleaseOrder, state: GuardState, busy: str | None, now: datetime) -> str | None:
    """Why a guard does not let a drill in; None if it does.

    Args:
        order: the drill.
        state: the memory.
        busy: the release, or the rollback, that is under way, is held, or waits.
        now: the time.
    """
    if order.drill is None:
        return None
    name = order.policy.service
    why = not_allowed(order.policy, order.drill) or _no_drill(order)
    if why:
        return why
    if busy:
        return f"{busy} is under way, or waits: a drill of {name} begins when nothing else is."
    if state.alerts:
        failed = ", ".join(one.release for one in state.alerts)
        return (
            f"Nobody has acknowledged the failed rollback of {failed} yet: see to that first, "
            f'then: lastgood acknowledge {name} --reason "…"'
        )
    return refuse_limited(name, state.limits, order.policy.rollback, now)


def not_allowed(policy: Policy, drill: DrillOrder) -> str | None:
    """Why the policy has no such drill; None if it allows it."""
    window = policy.monitor.window
    if not policy.drill.allowed:
        return (
            f"{policy.service} is not marked for drills: write `drill: {{allowed: true}}` into its "
            "policy (drill.allowed), if a rollback may be rehearsed there."
        )
    if drill.alarm and drill.alarm not in policy.drill.alarms:
        return (
            f"A drill may not set the alarm {drill.alarm}: write its name into the policy's "
            "drill.alarms, if whoever it tells may be told."
        )
    if drill.after >= window:
        return (
            f"It would be marked bad {format_duration(drill.after)} into a monitor window of "
            f"{format_duration(window)}: too late. Choose less than monitor.window."
        )
    return None


def _no_drill(order: ReleaseOrder) -> str | None:
    """Why an order is none for a drill."""
    if order.image or order.task_definition or order.task_definition_source or order.group:
        return "A drill releases what runs, and nothing else: it names no image."
    if order.force:
        return "A drill is never forced: it can wait."
    return None


def refuse_limited(name: str, counted: Limits, policy: RollbackPolicy, now: datetime) -> str | None:
    """Why a drill would show what a bad release would not find now; None if it would."""
    remedy = limits.decide(counted, policy, by_operator=False, has_target=True, now=now)
    if remedy.do == "roll_back":
        return None
    ends = limits.cooldown_ends(counted, policy, now)
    if ends and remedy.do == "wait":
        return f"{name} is in the cooldown after its last rollback: drill it after {day(ends)}."
    return (
        f"{remedy.reason.rstrip('.')}: a bad release of {name} would be held now, and a drill "
        "would show what is not so."
    )


def refuse_unfit(
    order: ReleaseOrder,
    state: ServiceState,
    running: Revision,
    choice: Choice,
    alarms: Iterable[AlarmState],
) -> str | None:
    """Why a service is in no state for a drill; None if it is.

    Args:
        order: the drill.
        state: the service.
        running: what runs.
        choice: where a rollback would lead.
        alarms: those of the triggers.
    """
    name = order.policy.service
    if not is_steady(state):
        return f"{name} is not steady ({why_not_steady(state)}): no time for a drill."
    if not is_blameless(running, choice.target):
        return (
            f"A drill goes back to what runs, and a rollback would not: {choice.reason} Settle "
            f'that first: release a good version, or lastgood adopt {name} --reason "…"'
        )
    return _unfit_alarms(order, alarms)


def _unfit_alarms(order: ReleaseOrder, alarms: Iterable[AlarmState]) -> str | None:
    known = {alarm.name: alarm for alarm in alarms}
    for trigger in order.policy.triggers:
        if not isinstance(trigger, AlarmTrigger) or trigger.dry_run:
            continue
        alarm = known.get(trigger.alarm)
        if alarm and is_red(trigger, alarm):
            return f"Alarm {alarm.name} is {alarm.state}: something is wrong already."
    drilled = known.get(order.drill.alarm or "") if order.drill else None
    if drilled and drilled.composite:
        return (
            f"Alarm {drilled.name} is a composite one: set by hand, it would stay so until one of "
            "its own alarms changes. Drill with one of those."
        )
    if drilled and drilled.state != "OK":
        return f"Alarm {drilled.name} is {drilled.state}, not OK: it could not be seen to change."
    return None


def refuse_burning(name: str, burning: Sequence[str]) -> str | None:
    """Why a service that is not well is not drilled; None if it is well."""
    return f"{name} is not well: {'; '.join(burning)}." if burning else None


# --- What it releases, and what is wrong with it -----------------------------------------------


def same_again(running: Revision) -> dict[str, object]:
    """The task definition to register: what runs, with its images by the digests that run."""
    return pinned(running.source, running.images) or registrable(running.source)


def verdict(order: ReleaseOrder, at: datetime, flaw: str | None = None) -> Verdict:
    """What marks a drill's release bad.

    Args:
        order: the drill.
        at: when.
        flaw: why this is not what was ordered.
    """
    after = format_duration(order.drill.after) if order.drill else ""
    ordered = f"{order.actor} ordered this drill: marked bad on purpose {after} into its window"
    return Verdict(
        trigger=TRIGGER,
        status=Status.FAIL,
        at=at,
        reason=f"A drill: {flaw}" if flaw else f"{ordered}.",
        severity="warning",
    )


def remedy(*, has_target: bool) -> limits.Remedy:
    """What is done with a drill's release, whatever was found: it goes back."""
    if not has_target:
        return limits.Remedy(do="hold", reason="There is no revision to go back to.")
    return limits.Remedy(do="roll_back", reason="A drill: neither limited nor counted.")


# --- What it proves ----------------------------------------------------------------------------


def begun(order: ReleaseOrder, marked_at: datetime | None = None) -> DrillSummary | None:
    """What is known of a drill before it went back; None for any other release."""
    if order.drill is None:
        return None
    return DrillSummary(alarm=order.drill.alarm, marked_at=marked_at)


def proved(
    order: ReleaseOrder,
    report: RollbackReport,
    fired: Verdict | None,
    triggers: Iterable[WatchedTrigger],
    *,
    marked_at: datetime | None,
    flaw: str | None,
) -> DrillSummary | None:
    """What a drill's rollback proves; None for any other release.

    Args:
        order: the drill.
        report: how the rollback went.
        fired: what began it.
        triggers: those of the release.
        marked_at: when the release was marked bad.
        flaw: why it was not marked as ordered.
    """
    known = begun(order, marked_at)
    if known is None or order.drill is None:
        return None
    why = _why_not(order.drill, report, fired, tuple(triggers), flaw)
    told = {"passed": why is None, "why_not": why, "seconds": _seconds(report, marked_at)}
    return known.model_copy(update=told)


def _why_not(
    drill: DrillOrder,
    report: RollbackReport,
    fired: Verdict | None,
    triggers: tuple[WatchedTrigger, ...],
    flaw: str | None,
) -> str | None:
    if report.outcome is not Outcome.ROLLED_BACK or not report.verified:
        return report.reason
    if flaw:
        return flaw
    if fired is None or not _is_the_mark(drill, fired, triggers):
        what = f"{fired.trigger} fired: {fired.reason}" if fired else "no trigger fired"
        return f"It went back for another reason than the drill's mark; {what}"
    return None


def _is_the_mark(drill: DrillOrder, fired: Verdict, triggers: tuple[WatchedTrigger, ...]) -> bool:
    if drill.alarm is None:
        return fired.trigger == TRIGGER
    return any(
        isinstance(one.trigger, AlarmTrigger)
        and one.trigger.alarm == drill.alarm
        and one.key == fired.key
        for one in triggers
    )


def _seconds(report: RollbackReport, marked_at: datetime | None) -> dict[str, float]:
    spans: dict[str, tuple[datetime | None, datetime | None]] = {
        "detection": (marked_at, report.started_at),
        "rollback": (report.started_at, report.steady_at),
        "verify": (report.steady_at, report.finished_at if report.verified else None),
        "all": (marked_at, report.finished_at),
    }
    return {
        name: round(max(timedelta(0), end - start).total_seconds(), 3)
        for name, (start, end) in spans.items()
        if start and end
    }


# --- What is remembered of it ------------------------------------------------------------------


def returned(result: ReleaseResult) -> bool:
    """Whether a drill has ended where it began: no revision is remembered for its sake."""
    return result.drill is not None and result.outcome in _RETURNED


def remembered(state: GuardState, result: ReleaseResult) -> GuardState:
    """The memory with how a drill went; one that moved nothing is none."""
    if result.drill is None or result.to_task_definition is None:
        return state
    update = {"last_drill": result}
    if result.drill.passed:
        update["last_passed_drill"] = result
    return state.model_copy(update=update)


def policy_after(before: Policy | None, order: ReleaseOrder) -> Policy:
    """The policy that a guard goes by from now on: a drill's decides nothing, if there is one."""
    return before if before and order.drill else order.policy
