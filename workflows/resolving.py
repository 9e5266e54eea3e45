"""Triggers of the policy, resolved against the service as it is: done once, before watching."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from workflows import calls

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        AlarmState,
        LoadBalancerFacts,
        MetricSource,
        ResolveOrder,
        WatchedTrigger,
    )
    from lastgood.decisions.health import is_red
    from lastgood.decisions.series import delay_of
    from lastgood.decisions.thresholds import period_of
    from lastgood.model import ServiceState
    from lastgood.policy import Policy
    from lastgood.policy_triggers import (
        AlarmTrigger,
        BandTrigger,
        Counts,
        ErrorRateTrigger,
        HealthCheckTrigger,
        Metric,
        RegressionTrigger,
        ResponseTimeTrigger,
        Trigger,
    )

_SCALES = {"percent": 0.01, "s": 1000.0}


class CannotResolveError(Exception):
    """Raised when a trigger has nothing to measure; the message says what to set."""


class Resolver:
    """Resolves triggers; asks for each load balancer once."""

    def __init__(
        self, policy: Policy, state: ServiceState, *, back: bool = False, briefly: bool = False
    ) -> None:
        self._region = policy.region or ""
        self._policy = policy
        self._state = state
        self._back = back
        self._briefly = briefly
        self._known: dict[ResolveOrder, LoadBalancerFacts] = {}

    async def all(self, alarms: tuple[AlarmState, ...] = ()) -> tuple[WatchedTrigger, ...]:
        """All triggers of the policy.

        Raises:
            CannotResolveError: if one of them has nothing to measure.
        """
        known = {alarm.name: alarm for alarm in alarms}
        numbered = enumerate(self._policy.triggers)
        return tuple([await self.one(number, trigger, known) for number, trigger in numbered])

    async def one(
        self, number: int, trigger: Trigger, alarms: dict[str, AlarmState]
    ) -> WatchedTrigger:
        """One trigger of the policy.

        Raises:
            CannotResolveError: if it has nothing to measure.
        """
        key = f"{number} {trigger.type}"
        if isinstance(trigger, AlarmTrigger):
            state = alarms.get(trigger.alarm)
            red = state is not None and is_red(trigger, state)
            muted = red and trigger.already_in_alarm == "ignore-until-ok"
            return WatchedTrigger(key=key, trigger=trigger, muted_until_ok=muted)
        if isinstance(trigger, HealthCheckTrigger):
            return WatchedTrigger(key=key, trigger=trigger, url=await self._url(key, trigger))
        return WatchedTrigger(key=key, trigger=trigger, source=await self._source(key, trigger))

    async def _url(self, key: str, trigger: HealthCheckTrigger) -> str:
        if trigger.url:
            return trigger.url
        facts = await self._own_load_balancer(key, "set url")
        if facts.health_url is None:
            raise CannotResolveError(
                f"triggers.{key}: no HTTP listener leads to {facts.target_group} by default: "
                "set url."
            )
        return facts.health_url

    async def _source(
        self,
        key: str,
        trigger: ErrorRateTrigger | ResponseTimeTrigger | RegressionTrigger | BandTrigger,
    ) -> MetricSource:
        delay = delay_of(_period_of(trigger))
        if isinstance(trigger, RegressionTrigger):
            if trigger.metrics:
                return _counted(trigger.metrics, delay)
        elif trigger.metric:
            return _custom(trigger.metric, delay)
        if trigger.load_balancer:
            facts = await self._facts(
                ResolveOrder(
                    region=self._region,
                    load_balancer=trigger.load_balancer,
                    target_group=trigger.target_group,
                    own=self._own_groups,
                )
            )
        else:
            remedy = "set metrics" if isinstance(trigger, RegressionTrigger) else "set metric"
            facts = await self._own_load_balancer(key, remedy)
        balancer = {"LoadBalancer": facts.load_balancer}
        further = () if trigger.load_balancer else self._other_groups(facts)
        return MetricSource(
            kind="load-balancer",
            namespace="AWS/ApplicationELB",
            dimensions={**balancer, "TargetGroup": facts.target_group},
            # Its own errors may be another service's, if that shares the load balancer.
            load_balancer=balancer if facts.exclusive else {},
            further=tuple({**balancer, "TargetGroup": group} for group in further),
            scale=1.0 if isinstance(trigger, ErrorRateTrigger) else 1000.0,
            delay=delay,
        )

    async def _own_load_balancer(self, key: str, remedy: str) -> LoadBalancerFacts:
        if not self._state.target_groups:
            raise CannotResolveError(
                f"triggers.{key}: {self._policy.service} has no load balancer to measure: {remedy}."
            )
        group = self._state.target_groups[0]
        return await self._facts(
            ResolveOrder(region=self._region, target_group=group, own=self._own_groups)
        )

    @property
    def _own_groups(self) -> tuple[str, ...]:
        return (*self._state.target_groups, *self._state.alternate_target_groups)

    def _other_groups(self, own: LoadBalancerFacts) -> tuple[str, ...]:
        """The target group that a service which shifts traffic alternates with."""
        # Without weight it may be attached to no listener yet: its ARN says all that is needed.
        return tuple(
            group
            for arn in self._state.alternate_target_groups
            if (group := arn.split(":", 5)[-1]) != own.target_group
        )

    async def _facts(self, order: ResolveOrder) -> LoadBalancerFacts:
        if order not in self._known:
            self._known[order] = await calls.describe_target_groups(
                order, back=self._back, briefly=self._briefly
            )
        return self._known[order]


def _period_of(
    trigger: ErrorRateTrigger | ResponseTimeTrigger | RegressionTrigger | BandTrigger,
) -> timedelta:
    if isinstance(trigger, ErrorRateTrigger | ResponseTimeTrigger):
        return period_of(trigger)
    return trigger.period or timedelta(minutes=1)


def _counted(counts: Counts, delay: timedelta) -> MetricSource:
    given = {"requests": counts.requests, "errors": counts.errors}
    given["response_time"] = counts.response_time
    return MetricSource(
        kind="counts",
        namespace=counts.requests.namespace,
        dimensions=counts.requests.dimensions,
        counts={name: _custom(metric, delay) for name, metric in given.items() if metric},
        delay=delay,
    )


def _custom(metric: Metric, delay: timedelta) -> MetricSource:
    return MetricSource(
        kind="metric",
        namespace=metric.namespace,
        name=metric.name,
        dimensions=metric.dimensions,
        statistic=metric.statistic,
        scale=_SCALES.get(metric.unit or "", 1.0),
        delay=delay,
    )
