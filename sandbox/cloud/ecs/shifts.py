"""Deployments that shift traffic: blue/green, linear and canary, stage by stage.

"Green" is the new deployment, "blue" the one that it takes the traffic from. Green's tasks
are started beside blue's and are in the other target group of each load balancer; the weights of
the production listener's rule then say who serves. Until CLEAN_UP all of blue's tasks are there,
so that a rollback is a matter of weights. Each stage takes one tick of the scheduler at least.
"""

from sandbox.cloud.ecs import hooks
from sandbox.cloud.ecs.model import Deployment, Service
from sandbox.cloud.ecs.rollback import fail, go_on_rolling_back
from sandbox.cloud.ecs.rollout import AlarmStates, complete, is_steady, trip_alarms
from sandbox.cloud.ecs.service_deployment import ServiceDeployment
from sandbox.cloud.ecs.traffic_shares import Shares, has_test_rule
from sandbox.cloud.pace import Pace

STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
)


class Shifts:
    """Moves such deployments on; every call is made under the cloud's lock."""

    def __init__(self, pace: Pace, alarm_states: AlarmStates, shares: Shares) -> None:
        self._pace = pace
        self._alarm_states = alarm_states
        self._shares = shares

    def begin(self, service: Service, green: Deployment, now: float) -> None:
        """Begin with a deployment that has just become PRIMARY."""
        record = green.record
        record.blue = blue = _blue(service)
        tests = has_test_rule(service)
        green.production, green.test = 0.0, 0.0 if tests else None
        if blue is not None:
            green.revision.alternate = not blue.revision.alternate
            if blue.production is None:
                blue.production = 100.0
            if blue.test is None and tests:
                blue.test = 100.0
        others = [d for d in service.deployments if d not in (green, blue)]
        hooks.arrive(record, STAGES[0 if others else 1], now, self._pace.minute)
        self.assign(service)
        if blue is not None:
            self._shares.tell_rules(service)

    def hold_at_start(self, record: ServiceDeployment, now: float) -> None:
        """Let a rolling update wait for the hooks that come before its first task."""
        hooks.arrive(record, "PRE_SCALE_UP", now, self._pace.minute)
        record.stage = "PRE_SCALE_UP" if record.held else "SCALE_UP"

    @staticmethod
    def assign(service: Service) -> None:
        """Say how many tasks each deployment is to have."""
        primary = service.primary
        record = primary.record
        for deployment in service.deployments:
            if deployment is primary:
                keep = record.rollback is not None or _reached(record, "SCALE_UP")
            elif record.over or record.doomed:
                keep = deployment.desired > 0 or bool(deployment.production)
            elif deployment is record.blue and record.rollback is None:
                keep = record.stage != "CLEAN_UP"
            else:
                keep = bool(deployment.production)
            deployment.desired = service.desired if keep else 0
            deployment.leaving = not keep and deployment is not primary

    def advance(self, service: Service, now: float) -> None:
        """Take the next step, if it is time for it."""
        green = service.primary
        record = green.record
        if go_on_rolling_back(service, now) or record.over:
            return
        if record.rollback is not None:
            self._roll_back(service, now)
        elif not trip_alarms(service, green, now, self._alarm_states):
            self._work(service, green, now)

    def _roll_back(self, service: Service, now: float) -> None:
        """Give all traffic back once enough tasks can take it, then wait for the rest to end."""
        blue = service.primary
        self.flip_back(service)
        self.assign(service)
        if blue.production == 100 and is_steady(service, blue):
            complete(service, blue, now)

    def flip_back(self, service: Service) -> None:
        """Give all traffic to the deployment that a rollback goes to, if it can take it."""
        blue = service.primary
        if blue.production != 100 and _ready(service, blue):
            self._shares.give(service, blue, 100.0)
            self._shares.give_test(service, blue)

    def _work(self, service: Service, green: Deployment, now: float) -> None:
        record = green.record
        verdict = hooks.look(record, now)
        if verdict == "roll back":
            fail(
                service,
                green,
                now,
                mechanism="ECS lifecycle hook",
                cause=f"the hook at {record.stage} timed out.",
                rollback=True,
            )
            return
        if verdict == "wait":
            return
        if not record.stage_begun:
            record.stage_begun, record.stage_since = True, now
            self._enter(service, green)
        if self._done(service, green, now):
            if record.stage == STAGES[-1]:
                complete(service, green, now)
                return
            hooks.arrive(record, _next(green), now, self._pace.minute)
            self.assign(service)

    def _enter(self, service: Service, green: Deployment) -> None:
        stage = green.record.stage
        if stage == "TEST_TRAFFIC_SHIFT":
            self._shares.give_test(service, green)
        elif stage == "PRODUCTION_TRAFFIC_SHIFT":
            self._shares.give(service, green, _next_share(green))

    def _done(self, service: Service, green: Deployment, now: float) -> bool:
        record = green.record
        waited = now - record.stage_since
        if record.stage == "RECONCILE_SERVICE":
            return self._reconciled(service, green)
        if record.stage == "SCALE_UP":
            return _ready(service, green)
        if record.stage == "PRODUCTION_TRAFFIC_SHIFT" and green.production != 100:
            return waited >= _step_minutes(record) * self._pace.minute
        if record.stage == "BAKE_TIME":
            return waited >= self._bake_time(green)
        if record.stage == "CLEAN_UP":
            return is_steady(service, green)
        return True

    def _bake_time(self, green: Deployment) -> float:
        minutes = green.record.configuration.get("bakeTimeInMinutes")
        if minutes is None:
            return self._pace.bake if green.alarms_watched else 0.0
        return float(minutes) * self._pace.minute

    def _reconciled(self, service: Service, green: Deployment) -> bool:
        """Give the traffic back to blue, then wait until older attempts' tasks have ended."""
        blue = green.record.blue
        others = [d for d in service.deployments if d not in (green, blue)]
        if blue is None:
            for other in others:
                other.production = 0.0
        elif any(d.production for d in others) and _ready(service, blue):
            self._shares.give(service, blue, 100.0)
        return not others


def _blue(service: Service) -> Deployment | None:
    """Return what serves well so far: the last completed one, or the target of a rollback."""
    if service.last_completed in service.deployments:
        return service.last_completed
    older = service.deployments[1:]
    return older[0] if older and older[0].record.rollback is not None else None


def _ready(service: Service, deployment: Deployment) -> bool:
    return sum(task.healthy for task in service.tasks_of(deployment)) >= service.desired


def _reached(record: ServiceDeployment, stage: str) -> bool:
    return STAGES.index(record.stage) >= STAGES.index(stage)


def _next(green: Deployment) -> str:
    stage = green.record.stage
    if stage == "PRODUCTION_TRAFFIC_SHIFT" and green.production != 100:
        return "PRE_PRODUCTION_TRAFFIC_SHIFT"
    return STAGES[STAGES.index(stage) + 1]


def _next_share(green: Deployment) -> float:
    """Return the percentage after the next step; the first deployment ever takes all at once."""
    record = green.record
    strategy, now = record.configuration["strategy"], green.production or 0.0
    if record.blue is None or strategy == "BLUE_GREEN":
        return 100.0
    if strategy == "LINEAR":
        step = float(record.configuration["linearConfiguration"]["stepPercent"])
        return min(100.0, round(now + step, 1))
    return 100.0 if now else float(record.configuration["canaryConfiguration"]["canaryPercent"])


def _step_minutes(record: ServiceDeployment) -> float:
    if record.configuration["strategy"] == "LINEAR":
        return float(record.configuration["linearConfiguration"]["stepBakeTimeInMinutes"])
    return float(record.configuration["canaryConfiguration"]["canaryBakeTimeInMinutes"])
