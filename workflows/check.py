"""Measure all triggers of a policy once, now: would this roll back?"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.listed import Listed
from workflows.resolving import CannotResolveError, Resolver
from workflows.watching import Round

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import CheckReport, Tally, WatchedTrigger, WatchOrder
    from lastgood.decisions import attributes, preflight
    from lastgood.decisions.rendering.temporal_ui.check import check_now
    from lastgood.decisions.thresholds import lasts_of, period_of
    from lastgood.decisions.verdicts import said_by
    from lastgood.model import ServiceRef, Status, Verdict
    from lastgood.policy import Policy
    from lastgood.policy_triggers import (
        AlarmTrigger,
        BandTrigger,
        ErrorRateTrigger,
        HealthCheckTrigger,
        RegressionTrigger,
        ResponseTimeTrigger,
    )

_COMPARES = (RegressionTrigger, BandTrigger)
_LATELY = timedelta(minutes=10)
"""What compares is asked whether the service is worse now than before this stretch."""


@workflow.defn(name=messages.CHECK)
class Check:
    """Reads what a release would watch, with the worker's own permissions; changes nothing."""

    @workflow.run
    async def run(self, policy: Policy) -> CheckReport:
        """Resolve the triggers, look, conclude."""
        listed = Listed(wanted=workflow.patched("listed"))
        listed.put(attributes.of_service(policy.ref()))
        workflow.set_current_details(check_now(None))
        try:
            report = await self._look(policy)
            workflow.set_current_details(check_now(report))
            await listed.settled()
            return report
        except CannotResolveError as error:
            raise ApplicationError(str(error), type="CannotResolve", non_retryable=True) from error
        except ActivityError as error:
            raise ApplicationError(
                f"Could not be measured: {calls.why(error)}",
                type="CannotMeasure",
                non_retryable=True,
            ) from error

    async def _look(self, policy: Policy) -> CheckReport:
        service = policy.ref()
        state = await calls.describe_service(service)
        findings = preflight.of_service(policy, state)
        if state is None or findings.refusals:
            raise CannotResolveError(" ".join(findings.refusals))
        names = tuple(t.alarm for t in policy.triggers if isinstance(t, AlarmTrigger))
        alarms = tuple(await calls.describe_alarms(service.region, names)) if names else ()
        # Only the present counts here: an alarm that is red now would not be muted.
        triggers = await Resolver(policy, state).all()
        back, ahead = _stretch(policy)
        # Metrics are judged by their past; what is polled has none, and is asked for a moment.
        compared = [one for one in triggers if isinstance(one.trigger, _COMPARES)]
        plain = [one for one in triggers if one.source and one not in compared]
        polled = [one for one in triggers if not one.source]
        now = timedelta(0)
        rounds = (
            _round(service, plain, back, now),
            _round(service, compared, _LATELY, now),
            _round(service, polled, now, ahead),
        )
        await workflow.wait_condition(lambda: all(one.done for one in rounds))
        tallies = {tally.key: tally for one in rounds for tally in one.tallies}
        verdicts = tuple(_verdict(one, tallies.get(one.key)) for one in triggers)
        warnings = (*findings.warnings, *preflight.of_alarms(policy, alarms).refusals)
        return CheckReport(service=policy.service, verdicts=verdicts, warnings=warnings)


def _verdict(watched: WatchedTrigger, tally: Tally | None) -> Verdict:
    """What one trigger says; it may have been cut short by another of its kind that fired."""
    said = (tally.conclusion or tally.failing) if tally else None
    if said:
        return said
    verdict = Verdict(
        trigger=watched.trigger.type,
        status=Status.INCONCLUSIVE,
        reason=f"Not watched to its end. Last: {tally.latest if tally else 'nothing'}",
        at=workflow.now(),
    )
    return said_by(watched.trigger, verdict)


def _round(
    service: ServiceRef, triggers: list[WatchedTrigger], back: timedelta, ahead: timedelta
) -> Round:
    now = workflow.now()
    return Round(
        WatchOrder(
            service=service,
            triggers=tuple(triggers),
            since=now - back,
            covers_from=now - back,
            until=now + ahead,
            interval=timedelta(seconds=1),
            window=back,
            patient=False,  # what is readable now is enough to tell
        )
    )


def _stretch(policy: Policy) -> tuple[timedelta, timedelta]:
    """How far to look back for metrics, and ahead for consecutive health checks."""
    back = timedelta(seconds=30)
    ahead = timedelta(0)
    for trigger in policy.triggers:
        if isinstance(trigger, ErrorRateTrigger | ResponseTimeTrigger):
            back = max(back, lasts_of(trigger) + 4 * period_of(trigger))
        if isinstance(trigger, HealthCheckTrigger):
            ahead = max(ahead, timedelta(seconds=trigger.threshold))
    return back, ahead
