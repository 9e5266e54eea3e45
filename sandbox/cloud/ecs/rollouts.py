"""ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions, Stop…."""

import time
from datetime import datetime

from sandbox.cloud.ecs.describe import brief_record, describe_record, describe_revision
from sandbox.cloud.ecs.hooks import AWAITING
from sandbox.cloud.ecs.model import Deployment, Service
from sandbox.cloud.ecs.registry import Registry, Shape
from sandbox.cloud.ecs.rollback import roll_back, rollback_target
from sandbox.cloud.ecs.service_deployment import ServiceDeployment
from sandbox.cloud.ecs.services import Effect, page
from sandbox.cloud.ecs.shifts import Shifts
from sandbox.cloud.errors import AwsError, invalid_parameter


class Rollouts:
    """The operations on service deployments and revisions."""

    def __init__(self, registry: Registry, shifts: Shifts, effect: Effect) -> None:
        self._registry = registry
        self._shifts = shifts
        self._effect = effect

    def list(self, p: Shape) -> Shape:
        """ListServiceDeployments, newest first."""
        service = self._registry.get(p.get("cluster"), p["service"])
        records = [
            record
            for record in service.records
            if (not p.get("status") or record.status in p["status"])
            and _within(record.created, p.get("createdAt") or {})
        ]
        return page([brief_record(service, r) for r in records], "serviceDeployments", p, limit=20)

    def describe(self, p: Shape) -> Shape:
        """DescribeServiceDeployments."""
        shapes: list[Shape] = []
        failures: list[Shape] = []
        for arn in p["serviceDeploymentArns"]:
            found = self._registry.find_record(arn)
            if found is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                shapes.append(describe_record(*found))
        return {"serviceDeployments": shapes, "failures": failures}

    def revisions(self, p: Shape) -> Shape:
        """DescribeServiceRevisions."""
        known = {
            revision.arn: (service, revision)
            for service in self._registry.all()
            for revision in service.revisions
        }
        wanted = p["serviceRevisionArns"]
        return {
            "serviceRevisions": [describe_revision(*known[a]) for a in wanted if a in known],
            "failures": [{"arn": a, "reason": "MISSING"} for a in wanted if a not in known],
        }

    def stop(self, p: Shape) -> Shape:
        """StopServiceDeployment: back to the last completed deployment."""
        if (p.get("stopType") or "ROLLBACK") != "ROLLBACK":
            raise invalid_parameter("stopType must be ROLLBACK")
        service, record = self._find(p["serviceDeploymentArn"])
        if record.over or record.rollback is not None:
            raise _conflict(f"cannot be stopped: its status is {record.status}.")
        target = rollback_target(service, service.primary)
        if target is None:
            raise _conflict("has no completed deployment to roll back to.")
        self._roll_back(service, target, "stopped", "StopServiceDeployment")
        return {"serviceDeploymentArn": record.arn}

    def go_on(self, p: Shape) -> Shape:
        """ContinueServiceDeployment: what a PAUSE hook waits for."""
        service, record = self._find(p["serviceDeploymentArn"])
        waiting = [h for h in record.hooks if h.id == p.get("hookId") and h.status == AWAITING]
        if not waiting or record.status != "IN_PROGRESS":
            raise invalid_parameter("The lifecycle hook is not awaiting an action.")
        action = p.get("action") or "CONTINUE"
        if action not in ("CONTINUE", "ROLLBACK"):
            raise invalid_parameter("action must be CONTINUE or ROLLBACK")
        [hook] = waiting
        if action == "CONTINUE":
            hook.status, record.updated = "SUCCEEDED", time.time()
            self._effect(f"continued {record.stage}")
            return {"serviceDeploymentArn": record.arn}
        target = rollback_target(service, service.primary)
        if target is None:
            raise invalid_parameter("There is no completed deployment to roll back to.")
        self._roll_back(service, target, "rolled back", "ContinueServiceDeployment")
        return {"serviceDeploymentArn": record.arn}

    def _find(self, arn: str) -> tuple[Service, ServiceDeployment]:
        found = self._registry.find_record(arn)
        if found is None:
            raise AwsError(
                "ServiceDeploymentNotFoundException", "The service deployment was not found."
            )
        return found

    def _roll_back(self, service: Service, target: Deployment, how: str, call: str) -> None:
        reason = f"Service deployment {how} by a {call} call."
        roll_back(service, target, time.time(), reason, call, asked=True)
        if service.shifting and service.primary is target:
            self._shifts.flip_back(service)
        self._effect(f"rollback to {target.id}")


def _conflict(why: str) -> AwsError:
    return AwsError("ConflictException", f"The service deployment {why}")


def _within(created: float, limits: Shape) -> bool:
    return not (
        created < _seconds(limits.get("after"), 0.0)
        or created > _seconds(limits.get("before"), float("inf"))
    )


def _seconds(moment: object, otherwise: float) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, (int, float)) else otherwise
