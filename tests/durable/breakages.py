"""What can be wrong with what a release needs: how it is broken, and what must be said of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.scenarios.demo.parts import free_port
from tests.durable.clinic import EMPTY, HALF, REGISTRY, ROLE, SLACK, Clinic, own_metric

Policy = dict[str, Any]
Undo = Callable[[], object]


@dataclass(frozen=True)
class Breakage:
    """One thing that is broken: in AWS, in the policy, or in the environment."""

    what: str
    """The line that must tell of it."""
    standing: str
    found: str
    remedy: str
    cloud: Callable[[Clinic], Undo] | None = None
    policy: Callable[[Policy], object] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    rare: bool = False
    """Only in the campaign: one of its kind is in `make test`."""

    def __str__(self) -> str:
        return f"{self.what}: {self.found or self.standing}"

    @contextmanager
    def happens(self, clinic: Clinic) -> Iterator[Policy]:
        """Break it; mend it after."""
        policy = copy.deepcopy(clinic.policy)
        if self.policy:
            self.policy(policy)
        mend = self.cloud(clinic) if self.cloud else None
        try:
            yield policy
        finally:
            if mend:
                mend()


def denied(action: str) -> Callable[[Clinic], Undo]:
    def happens(clinic: Clinic) -> Undo:
        clinic.cloud.deny(action)
        return clinic.cloud.clear_faults

    return happens


def without_permission(action: str, what: str = "", remedy: str = "") -> Breakage:
    name = action.rpartition(":")[2]
    return Breakage(
        what or action,
        "broken",
        "not allowed",
        remedy or f"Allow {action}",
        denied(name),
        rare=action not in _OFTEN,
    )


_OFTEN = ("ecs:DescribeServices", "ecs:UpdateService", "sns:Publish")


def _cannot_pass(clinic: Clinic) -> Undo:
    """ECS looks at roles first, and IAM may not be asked."""
    clinic.cloud.deny("PassRole")
    clinic.cloud.deny("SimulatePrincipalPolicy")
    return clinic.cloud.clear_faults


def trigger(number: int, **keys: Any) -> Callable[[Policy], object]:
    return lambda policy: policy["triggers"][number].update(keys)


def _metric(clinic: Clinic, name: str, at: timedelta, value: float, unit: str) -> Undo:
    clinic.client("cloudwatch").put_metric_data(
        Namespace="Servio/Production",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "Service", "Value": "clinic"}],
                "Timestamp": datetime.now(UTC) - at - timedelta(minutes=minute),
                "Value": value,
                "Unit": unit,
            }
            for minute in range(5)
        ],
    )
    return lambda: None


def published(name: str, ago: timedelta, value: float, unit: str) -> Callable[[Clinic], Undo]:
    return lambda clinic: _metric(clinic, name, ago, value, unit)


def _disabled(clinic: Clinic) -> Undo:
    cloudwatch = clinic.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=["clinic-errors"])
    return lambda: cloudwatch.enable_alarm_actions(AlarmNames=["clinic-errors"])


def _red(clinic: Clinic) -> Undo:
    """An alarm of its own, which nothing evaluates to OK again."""
    return _own_alarm(clinic, "clinic-red", "ALARM", "breaching")


def _silent(clinic: Clinic) -> Undo:
    return _own_alarm(clinic, "clinic-silent", "INSUFFICIENT_DATA", "missing")


def _own_alarm(clinic: Clinic, name: str, state: str, missing: str) -> Undo:
    cloudwatch = clinic.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Clinic",
        MetricName="Nothing",
        Statistic="Average",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData=missing,
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
    return lambda: cloudwatch.delete_alarms(AlarmNames=[name])


def configured(before: dict[str, Any], **change: Any) -> Callable[[Clinic], Undo]:
    """The service's deployment configuration changed, and changed back to what it was."""

    def happens(clinic: Clinic) -> Undo:
        def update(configuration: dict[str, Any]) -> None:
            clinic.client("ecs").update_service(
                cluster="clinic", service="clinic", deploymentConfiguration=configuration
            )

        update(change)
        return lambda: update(before)

    return happens


BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
ALARMS = {"alarms": {"alarmNames": ["clinic-errors"], "enable": True, "rollback": True}}


def _scaled_to_nothing(clinic: Clinic) -> Undo:
    ecs = clinic.client("ecs")
    ecs.update_service(cluster="clinic", service="clinic", desiredCount=0)

    def mend() -> None:
        ecs.update_service(cluster="clinic", service="clinic", desiredCount=1)
        clinic.stack.wait_until_steady()

    return mend


def _released(clinic: Clinic, tag: str, *, steady: bool = True) -> tuple[str, Undo]:
    """Another revision by somebody else's hand; back to the first one after."""
    clinic.stack.deploy(f"{REGISTRY}/shop:{tag}")
    if steady:
        clinic.stack.wait_until_steady()
    newest = clinic.stack.describe()["taskDefinition"]

    def mend() -> None:
        clinic.client("ecs").update_service(
            cluster="clinic", service="clinic", taskDefinition=clinic.stack.task_definition
        )
        clinic.stack.wait_until_steady()

    return str(newest), mend


def _inactive(clinic: Clinic) -> Undo:
    definition, mend = _released(clinic, "1.1")
    clinic.client("ecs").deregister_task_definition(taskDefinition=definition)
    return mend


def _image_lost(clinic: Clinic) -> Undo:
    _, mend = _released(clinic, "1.2")
    clinic.cloud.remove_image(f"{REGISTRY}/shop:1.2")
    return mend


def _rolling_for_ever(clinic: Clinic) -> Undo:
    return _released(clinic, "1.3-unhealthy", steady=False)[1]


def _no_sender(clinic: Clinic) -> Undo:
    sesv2 = clinic.client("sesv2")
    sesv2.delete_email_identity(EmailIdentity="deploys@clinic.example")
    return lambda: sesv2.create_email_identity(EmailIdentity="deploys@clinic.example")


def _smtp(policy: Policy) -> None:
    policy["notify"]["email"] |= {
        "via": "smtp",
        "smtp": {"host": "127.0.0.1", "port": free_port(), "tls": "none"},
    }


PERMISSIONS = [
    *(
        without_permission(f"ecs:{name}")
        for name in (
            *("DescribeServices", "DescribeTaskDefinition", "ListTaskDefinitions"),
            *("ListServiceDeployments", "DescribeServiceDeployments", "DescribeServiceRevisions"),
            *("RegisterTaskDefinition", "UpdateService", "StopServiceDeployment"),
            *("TagResource", "UntagResource"),
        )
    ),
    *(
        without_permission(f"cloudwatch:{name}")
        for name in ("GetMetricData", "DescribeAlarms", "DescribeAlarmHistory")
    ),
    *(
        without_permission(f"elasticloadbalancing:{name}")
        for name in ("DescribeTargetGroups", "DescribeLoadBalancers", "DescribeListeners")
    ),
    without_permission("ecr:DescribeImages"),
    without_permission("sns:Publish", "sns:Publish clinic", "Allow sns:Publish on arn:aws:sns:"),
    without_permission(
        "ses:SendEmail", "ses:SendEmail deploys@clinic.example", "Allow ses:SendEmail on deploys@"
    ),
    without_permission(
        "iam:PassRole", "iam:PassRole role/shop-execution", f"Allow iam:PassRole on {ROLE}"
    ),
    Breakage(
        "iam:PassRole role/shop-execution",
        "broken",
        "not allowed",
        'with iam:PassedToService "ecs-tasks.amazonaws.com"',
        _cannot_pass,
        rare=True,
    ),
    Breakage(
        "iam:PassRole role/shop-execution",
        "unknown",
        "cannot be told without registering",
        "Allow iam:SimulatePrincipalPolicy",
        denied("SimulatePrincipalPolicy"),
    ),
    Breakage(
        "ecs:ContinueServiceDeployment",
        "broken",
        "not allowed",
        "Allow ecs:ContinueServiceDeployment",
        lambda clinic: _hooked(clinic, denied("ContinueServiceDeployment")(clinic)),
        rare=True,
    ),
]


def _hooked(clinic: Clinic, then: Undo) -> Undo:
    """A PAUSE hook, so that there is something to continue."""
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
    mend = configured({"lifecycleHooks": []}, lifecycleHooks=[hook])(clinic)

    def both() -> None:
        then()
        mend()

    return both


SERVICE = [
    Breakage(
        "clinic/elsewhere",
        "broken",
        "does not exist in us-east-1",
        "Correct service and region",
        policy=lambda policy: policy.update(service="clinic/elsewhere"),
    ),
    Breakage(
        "clinic/clinic",
        "broken",
        "desiredCount 0",
        "aws ecs update-service --cluster clinic --service clinic --desired-count",
        _scaled_to_nothing,
        rare=True,
    ),
    Breakage(
        "container",
        "broken",
        "sidecar",
        "Name one of the task definition's containers",
        policy=lambda policy: policy.update(container="sidecar"),
        rare=True,
    ),
    Breakage(
        "rollback target",
        "broken",
        "There is nothing to go back to",
        "lastgood adopt clinic/clinic",
        _rolling_for_ever,
        rare=True,
    ),
    Breakage(
        "clinic:",
        "warning",
        "INACTIVE",
        "ecs:RegisterTaskDefinition",
        _inactive,
        rare=True,
    ),
    Breakage("shop@sha256:", "broken", "no longer in its registry", "Push ", _image_lost),
    Breakage(
        "circuit breaker",
        "warning",
        "off",
        "deploymentCircuitBreaker={enable=true,rollback=true}",
        configured(BREAKER, deploymentCircuitBreaker={"enable": False, "rollback": False}),
    ),
    Breakage(
        "circuit breaker",
        "warning",
        "does not roll back",
        "deploymentCircuitBreaker={enable=true,rollback=true}",
        configured(BREAKER, deploymentCircuitBreaker={"enable": True, "rollback": False}),
        rare=True,
    ),
    Breakage(
        "deployment alarms",
        "warning",
        "do not roll back",
        "alarms={alarmNames=[clinic-errors],enable=true,rollback=true}",
        configured(ALARMS, alarms={**ALARMS["alarms"], "rollback": False}),
        rare=True,
    ),
    Breakage(
        "deployment alarms",
        "warning",
        "none",
        "alarms={alarmNames=[ALARM],enable=true,rollback=true}",
        configured(ALARMS, alarms={"alarmNames": [], "enable": False, "rollback": False}),
        rare=True,
    ),
]

MEASURED = [
    Breakage(
        "0 error-rate",
        "broken",
        "Servio/Production ErrorRat had no datapoint in two weeks",
        "aws cloudwatch list-metrics --namespace Servio/Production",
        policy=trigger(0, metric=own_metric("ErrorRat")),
    ),
    Breakage(
        "0 error-rate",
        "broken",
        "had no datapoint in two weeks",
        "Correct namespace, name and dimensions",
        policy=trigger(0, metric=own_metric("ErrorRate") | {"dimensions": {"Servic": "clinic"}}),
        rare=True,
    ),
    Breakage(
        "0 error-rate",
        "warning",
        "has been quiet since",
        "See that the service still publishes it",
        published("Quiet", timedelta(hours=3), 0.01, "None"),
        trigger(0, metric=own_metric("Quiet")),
        rare=True,
    ),
    Breakage(
        "0 error-rate",
        "broken",
        "published in Percent, and the policy takes it for ratio",
        "unit: percent",
        published("InPercent", timedelta(minutes=1), 0.4, "Percent"),
        trigger(0, period="60s", duration="60s", metric=own_metric("InPercent")),
    ),
    Breakage(
        "0 error-rate",
        "broken",
        "values up to 4.5 are no ratio",
        "unit: percent",
        published("TooLarge", timedelta(minutes=1), 4.5, "None"),
        trigger(0, period="60s", duration="60s", metric=own_metric("TooLarge")),
        rare=True,
    ),
    Breakage(
        "1 response-time",
        "broken",
        "published in Milliseconds, and the policy takes it for s",
        "unit: ms",
        policy=trigger(1, metric=own_metric("ResponseTime", unit="s")),
        rare=True,
    ),
    Breakage(
        "2 error-rate",
        "broken",
        "no-such-targets",
        "Correct load_balancer and target_group",
        policy=trigger(2, load_balancer="clinic", target_group="no-such-targets"),
        rare=True,
    ),
    Breakage(
        "3 health-check",
        "broken",
        "200",
        "Correct url or expect",
        policy=trigger(3, expect={"status": 204}),
    ),
    Breakage(
        "3 health-check",
        "broken",
        "connection refused",
        "open the worker's network",
        policy=trigger(3, url=f"http://127.0.0.1:{free_port()}/health"),
        rare=True,
    ),
    Breakage(
        "3 health-check",
        "broken",
        "does not resolve",
        "Correct url",
        policy=trigger(3, url="http://nowhere.invalid/health"),
        rare=True,
    ),
    Breakage(
        "3 health-check",
        "broken",
        "checks never go there",
        "Name a URL of the service itself",
        policy=trigger(3, url="http://2852039166/latest"),
        rare=True,
    ),
    Breakage(
        "smoke.0",
        "broken",
        "",
        "a smoke check that fails rolls the release back",
        policy=lambda policy: policy["smoke"][0].update(expect={"contains": "no such words"}),
    ),
    Breakage(
        "4 alarm no-such-alarm",
        "broken",
        "does not exist in us-east-1",
        "lastgood alarms apply",
        policy=trigger(4, alarm="no-such-alarm"),
    ),
    Breakage(
        "4 alarm clinic-errors",
        "warning",
        "actions are disabled",
        "aws cloudwatch enable-alarm-actions --alarm-names clinic-errors",
        _disabled,
    ),
    Breakage(
        "4 alarm clinic-red",
        "warning",
        "ALARM since",
        "is ignored until it was OK once",
        _red,
        trigger(4, alarm="clinic-red"),
        rare=True,
    ),
    Breakage(
        "4 alarm clinic-red",
        "broken",
        "ALARM since",
        "the policy refuses releases",
        _red,
        trigger(4, alarm="clinic-red", already_in_alarm="refuse"),
        rare=True,
    ),
    Breakage(
        "4 alarm clinic-silent",
        "warning",
        "has no data",
        "TreatMissingData to notBreaching",
        _silent,
        trigger(4, alarm="clinic-silent"),
        rare=True,
    ),
]

TOLD = [
    Breakage(
        "slack",
        "broken",
        "has no NO_SUCH_SECRET",
        "Set NO_SUCH_SECRET in the worker's environment",
        policy=lambda policy: policy["notify"]["slack"].update(webhook_url="env:NO_SUCH_SECRET"),
    ),
    Breakage(
        "slack",
        "broken",
        "no usable answer",
        f"See that {SLACK} in the worker's environment holds the receiver's URL",
        environment={SLACK: f"http://127.0.0.1:{free_port()}/secret-part"},
    ),
    Breakage(
        "slack",
        "broken",
        "no http or https URL",
        f"See that {SLACK}",
        environment={SLACK: "secret-part"},
        rare=True,
    ),
    Breakage(
        "email",
        "broken",
        "smtp: no usable answer",
        "See that the worker reaches 127.0.0.1:",
        policy=_smtp,
        rare=True,
    ),
    Breakage(
        "sns:Publish nowhere",
        "broken",
        "no such topic",
        "Correct topic_arn",
        policy=lambda policy: policy["notify"]["sns"].update(
            topic_arn="arn:aws:sns:us-east-1:123456789012:nowhere"
        ),
    ),
    Breakage(
        "ses:SendEmail deploys@clinic.example",
        "broken",
        "not verified this sender",
        "aws sesv2 create-email-identity --email-identity deploys@clinic.example",
        _no_sender,
    ),
    Breakage(
        "channels",
        "warning",
        "nobody is told",
        "Add slack, email, sns, webhook",
        policy=lambda policy: policy.pop("notify"),
        rare=True,
    ),
]

TEMPORAL = [
    Breakage(
        "reachable",
        "broken",
        "Connection refused",
        "Set TEMPORAL_ADDRESS",
        environment={"TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}"},
    ),
    Breakage(
        "namespace",
        "broken",
        "no namespace 'nowhere'",
        "temporal operator namespace create --namespace nowhere",
        environment={"TEMPORAL_NAMESPACE": "nowhere"},
    ),
    Breakage(
        "queue lastgood",
        "broken",
        "nobody polls it in namespace 'empty'",
        "`python worker.py`",
        environment={"TEMPORAL_NAMESPACE": EMPTY},
        rare=True,
    ),
    Breakage(
        "queue lastgood-watch",
        "broken",
        "nobody polls it in namespace 'half'",
        "`python worker.py`",
        environment={"TEMPORAL_NAMESPACE": HALF},
    ),
    Breakage(
        "search attributes",
        "warning",
        "not registered: LastgoodService, LastgoodOutcome",
        "temporal operator search-attribute create --namespace half "
        "--name LastgoodService --type Keyword",
        environment={"TEMPORAL_NAMESPACE": HALF},
    ),
    Breakage(
        "search attributes",
        "warning",
        "LastgoodService is Int, not Keyword",
        "temporal operator search-attribute remove --namespace empty --name LastgoodService",
        environment={"TEMPORAL_NAMESPACE": EMPTY},
        rare=True,
    ),
]

ALL = [*TEMPORAL, *PERMISSIONS, *SERVICE, *MEASURED, *TOLD]
