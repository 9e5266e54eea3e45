"""ECS's answers: our nouns in AWS's shapes."""

from datetime import UTC, datetime
from typing import Any

from sandbox.cloud.ecs.model import Container, Deployment, Service, Task
from sandbox.cloud.ecs.service_deployment import Hook, Revision, ServiceDeployment

_PENDING = {"PROVISIONING", "PENDING", "ACTIVATING"}
Shape = dict[str, Any]


def when(seconds: float | None) -> datetime | None:
    """Return a time as the serialisers want it."""
    return None if seconds is None else datetime.fromtimestamp(round(seconds, 3), UTC)


def trim(shape: Shape) -> Shape:
    """Leave out what is absent."""
    return {key: value for key, value in shape.items() if value is not None}


def count_running(tasks: list[Task]) -> int:
    """Return ECS's runningCount."""
    return sum(task.running for task in tasks)


def count_pending(tasks: list[Task]) -> int:
    """Return ECS's pendingCount."""
    return sum(task.alive and task.status in _PENDING for task in tasks)


def describe_service(service: Service) -> Shape:
    """Return a service as DescribeServices gives it, without tags."""
    settings = {k: v for k, v in service.settings.items() if k not in {"tags", "clientToken"}}
    current = service.records[0] if service.records else None
    return trim(
        {
            **settings,
            "serviceArn": service.arn,
            "serviceName": service.name,
            "clusterArn": service.cluster_arn,
            "status": service.status,
            "desiredCount": service.desired,
            "runningCount": count_running(service.tasks),
            "pendingCount": count_pending(service.tasks),
            "deployments": [describe_deployment(service, d) for d in service.deployments],
            "events": [{**e, "createdAt": when(e["createdAt"])} for e in service.events],
            "createdAt": when(service.created),
            "currentServiceDeployment": current.arn if current else None,
            "currentServiceRevisions": [revision_counts(service, d) for d in service.deployments],
        }
    )


def describe_deployment(service: Service, deployment: Deployment) -> Shape:
    """Return one entry of `deployments`."""
    tasks = service.tasks_of(deployment)
    shared = ("launchType", "platformVersion", "networkConfiguration", "capacityProviderStrategy")
    return trim(
        {
            "id": deployment.id,
            "status": deployment.status,
            "taskDefinition": deployment.revision.task_definition,
            "desiredCount": deployment.desired,
            "runningCount": count_running(tasks),
            "pendingCount": count_pending(tasks),
            "failedTasks": deployment.failed_tasks,
            "createdAt": when(deployment.created),
            "updatedAt": when(deployment.updated),
            "rolloutState": deployment.rollout,
            "rolloutStateReason": deployment.reason,
            **{name: service.settings.get(name) for name in shared},
        }
    )


def revision_counts(service: Service, deployment: Deployment) -> Shape:
    """Return how many tasks of a revision are wanted, running and pending."""
    tasks = service.tasks_of(deployment)
    return trim(
        {
            "arn": deployment.revision.arn,
            "requestedTaskCount": deployment.desired,
            "runningTaskCount": count_running(tasks),
            "pendingTaskCount": count_pending(tasks),
            "requestedProductionTrafficWeight": deployment.production,
            "requestedTestTrafficWeight": deployment.test,
        }
    )


def describe_task(service: Service, task: Task, definition: Shape) -> Shape:
    """Return a task as DescribeTasks gives it."""
    return trim(
        {
            "taskArn": task.arn,
            "clusterArn": service.cluster_arn,
            "taskDefinitionArn": task.task_definition,
            "group": f"service:{service.name}",
            "startedBy": task.deployment.id,
            "lastStatus": task.status,
            "desiredStatus": task.wanted,
            "healthStatus": _health(task),
            "launchType": service.settings.get("launchType", "EC2"),
            "availabilityZone": f"{service.account.region}a",
            "connectivity": "CONNECTED",
            "cpu": definition.get("cpu") or "256",
            "memory": definition.get("memory") or "512",
            "version": 1,
            "createdAt": when(task.created),
            "startedAt": when(task.started),
            "stoppingAt": when(task.stopping),
            "stoppedAt": when(task.stopped),
            "stopCode": task.stop_code,
            "stoppedReason": task.stop_reason,
            "containers": [_container(task, container) for container in task.containers],
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": []},
            "tags": [],
        }
    )


def _health(task: Task) -> str:
    states = [container.health for container in task.containers if container.checked]
    if "UNHEALTHY" in states:
        return "UNHEALTHY"
    return "HEALTHY" if states and set(states) == {"HEALTHY"} else "UNKNOWN"


def _container(task: Task, container: Container) -> Shape:
    port = container.process.port if container.process else None
    binding = {"bindIP": "127.0.0.1", "hostPort": port, "containerPort": port, "protocol": "tcp"}
    return trim(
        {
            "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container.name}",
            "taskArn": task.arn,
            "name": container.name,
            "image": container.image,
            "imageDigest": container.digest,
            "lastStatus": task.status if container.exit_code is None else "STOPPED",
            "exitCode": container.exit_code,
            "healthStatus": container.health,
            "networkBindings": [binding] if port else [],
            "networkInterfaces": [{"privateIpv4Address": "127.0.0.1"}],
        }
    )


def describe_record(service: Service, record: ServiceDeployment) -> Shape:
    """Return a service deployment as DescribeServiceDeployments gives it."""
    rollback = record.rollback and {
        **record.rollback,
        "startedAt": when(record.rollback["startedAt"]),
    }
    return trim(
        {
            **brief_record(service, record),
            "targetServiceRevision": _record_counts(service, record, record.target),
            "sourceServiceRevisions": [_record_counts(service, record, r) for r in record.source],
            "stoppedAt": when(record.stopped),
            "updatedAt": when(record.updated),
            "lifecycleStage": None if record.over else record.stage,
            "lifecycleHookDetails": [_hook(hook) for hook in record.hooks] or None,
            "deploymentConfiguration": record.configuration,
            "rollback": rollback,
            "deploymentCircuitBreaker": {
                "status": record.breaker,
                "failureCount": record.failures,
                "threshold": record.threshold,
            },
            "alarms": {
                "status": record.alarms,
                "alarmNames": record.alarm_names,
                "triggeredAlarmNames": record.triggered,
            },
            "targetServiceRevisionArn": None,
        }
    )


def _hook(hook: Hook) -> Shape:
    return trim(
        {
            "hookId": hook.id,
            "targetType": hook.kind,
            "targetArn": hook.target,
            "status": hook.status,
            "expiresAt": when(hook.expires),
            "timeoutAction": hook.action,
        }
    )


def _record_counts(service: Service, record: ServiceDeployment, revision: Revision) -> Shape:
    for deployment in service.deployments:
        if deployment.revision is revision:
            return revision_counts(service, deployment)
    nothing = {"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0}
    weight = {"requestedProductionTrafficWeight": 0.0} if record.shifts else {}
    return {"arn": revision.arn, **nothing, **weight}


def brief_record(service: Service, record: ServiceDeployment) -> Shape:
    """Return a service deployment as ListServiceDeployments gives it."""
    return trim(
        {
            "serviceDeploymentArn": record.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "createdAt": when(record.created),
            "startedAt": when(record.started),
            "finishedAt": when(record.finished),
            "targetServiceRevisionArn": record.target.arn,
            "status": record.status,
            "statusReason": record.reason,
        }
    )


def describe_revision(service: Service, revision: Revision) -> Shape:
    """Return a service revision as DescribeServiceRevisions gives it."""
    names = ("launchType", "platformVersion", "networkConfiguration", "capacityProviderStrategy")
    resolved = []
    for balancer in service.balancers:
        advanced = balancer.get("advancedConfiguration") or {}
        rule = advanced.get("productionListenerRule")
        group = revision.group_of(balancer)
        resolved.append(trim({"targetGroupArn": group, "productionListenerRule": rule}))
    return trim(
        {
            "serviceRevisionArn": revision.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "taskDefinition": revision.task_definition,
            "containerImages": revision.images,
            "loadBalancers": service.balancers,
            "resolvedConfiguration": {"loadBalancers": resolved},
            "guardDutyEnabled": False,
            "createdAt": when(revision.created),
            **{name: service.settings.get(name) for name in names},
        }
    )
