"""ListServiceDeployments, DescribeServiceDeployments, DescribeServiceRevisions, Stop…."""

import time
from datetime import datetime

from sandbox.cloud.ecs.describe import brief_record, describe_record, describe_revision
from sandbox.cloud.ecs.registry import Registry, Shape
from sandbox.cloud.ecs.rollout import roll_back
from sandbox.cloud.ecs.services import Effect, page
from sandbox.cloud.errors import AwsError, invalid_parameter


class Rollouts:
    """The operations on service deployments and revisions."""

    def __init__(self, registry: Registry, effect: Effect) -> None:
        self._registry = registry
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
        arn = p["serviceDeploymentArn"]
        if (p.get("stopType") or "ROLLBACK") != "ROLLBACK":
            raise invalid_parameter("stopType must be ROLLBACK")
        found = self._registry.find_record(arn)
        if found is None:
            raise AwsError(
                "ServiceDeploymentNotFoundException", "The service deployment was not found."
            )
        service, record = found
        target = service.last_completed
        if record.over or record.rollback is not None:
            raise AwsError(
                "ConflictException",
                f"The service deployment cannot be stopped: its status is {record.status}.",
            )
        if target is None:
            raise AwsError(
                "ConflictException",
                "The service deployment has no completed deployment to roll back to.",
            )
        now = time.time()
        reason = "Service deployment stopped by a StopServiceDeployment call."
        deployment = service.primary
        deployment.say("FAILED", reason, now)
        roll_back(service, deployment, target, now, reason, "StopServiceDeployment")
        self._effect(f"rollback to {target.id}")
        return {"serviceDeploymentArn": arn}


def _within(created: float, limits: Shape) -> bool:
    return not (
        created < _seconds(limits.get("after"), 0.0)
        or created > _seconds(limits.get("before"), float("inf"))
    )


def _seconds(moment: object, otherwise: float) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, (int, float)) else otherwise
