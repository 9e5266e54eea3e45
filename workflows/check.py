"""Measure all triggers of a policy once, now: would this roll back?"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.resolving import CannotResolveError, Resolver
from workflows.watching import Round

with workflow.unsafe.imports_passed_through():
    from lastgood import messages
    from lastgood.contracts import CheckReport, WatchOrder
    from lastgood.decisions import preflight
    from lastgood.decisions.thresholds import period_of
    from lastgood.policy import (
        AlarmTrigger,
        ErrorRateTrigger,
        HealthCheckTrigger,
        Policy,
        ResponseTimeTrigger,
    )


@workflow.defn(name=messages.CHECK)
class Check:
    """Reads what a release would watch, with the worker's own permissions; changes nothing."""

    @workflow.run
    async def run(self, policy: Policy) -> CheckReport:
        """Resolve the triggers, look, conclude."""
        try:
            return await self._look(policy)
        except CannotResolveError as error:
            raise ApplicationError(str(error), type="CannotResolve", non_retryable=True) from error
        except ActivityError as error:
            raise ApplicationError(
                f"Could not be measured: {error.cause}", type="CannotMeasure", non_retryable=True
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
        now = workflow.now()
        watched = Round(
            WatchOrder(
                service=service,
                triggers=triggers,
                since=now - back,
                covers_from=now - back,
                until=now + ahead,
                interval=timedelta(seconds=1),
            )
        )
        await workflow.wait_condition(lambda: watched.done)
        fired = tuple(verdict for verdict in watched.all_fired)
        known = {verdict.trigger for verdict in fired}
        others = tuple(v for v in watched.verdicts if v.trigger not in known)
        warnings = (*findings.warnings, *preflight.of_alarms(policy, alarms).refusals)
        return CheckReport(service=policy.service, verdicts=(*fired, *others), warnings=warnings)


def _stretch(policy: Policy) -> tuple[timedelta, timedelta]:
    """How far to look back for metrics, and ahead for consecutive health checks."""
    back = timedelta(seconds=30)
    ahead = timedelta(0)
    for trigger in policy.triggers:
        if isinstance(trigger, ErrorRateTrigger | ResponseTimeTrigger):
            back = max(back, trigger.duration + 4 * period_of(trigger))
        if isinstance(trigger, HealthCheckTrigger):
            ahead = max(ahead, timedelta(seconds=trigger.threshold))
    return back, ahead
