"""The service that scripted releases are about: what ECS says of it, its policy, a watch on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lastgood.contracts import MetricSource, WatchedTrigger, WatchOrder
from lastgood.model import EcsDeployment, ServiceDeploymentState, ServiceRef, ServiceState
from lastgood.policy import Policy, SmokeCheck

SERVICE = ServiceRef(region="us-east-1", cluster="shop", name="shop")
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop"
BALANCER = "app/shop/50dc6c495c0c9188"
GROUP = "targetgroup/shop/6d0ecf831eec9f09"
REVISION = "arn:aws:ecs:us-east-1:123456789012:service-revision/shop/shop/7777777777777777777"
_RELEASED = "arn:aws:ecs:us-east-1:123456789012:service-revision/shop/shop/8888888888888888888"
_ROLLOUT = "arn:aws:ecs:us-east-1:123456789012:service-deployment/shop/shop/9999999999999999999"
DIGEST = f"sha256:{64 * 'd'}"
SOURCE: dict[str, Any] = {
    "family": "shop",
    "taskDefinitionArn": f"{ARN}:7",
    "revision": 7,
    "status": "ACTIVE",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "requiresCompatibilities": ["FARGATE"],
    "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "shop:1.0",
            "essential": True,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "environment": [{"name": "STAGE", "value": "production"}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/ecs/shop", "awslogs-region": "us-east-1"},
            },
        }
    ],
}


def policy(window: timedelta = timedelta(minutes=10)) -> Policy:
    """The default triggers, one smoke check, a poll every 10 s."""
    return Policy.model_validate(
        {
            "service": str(SERVICE),
            "region": SERVICE.region,
            "smoke": [SmokeCheck(url="https://shop.example/health")],
            "monitor": {"window": window, "interval": timedelta(seconds=10)},
        }
    )


def a_watch(interval: timedelta) -> WatchOrder:
    """One order for all triggers of the policy, over a minute."""
    now = datetime.now(UTC)
    source = MetricSource(
        kind="load-balancer",
        namespace="AWS/ApplicationELB",
        dimensions={"LoadBalancer": BALANCER, "TargetGroup": GROUP},
        load_balancer={"LoadBalancer": BALANCER},
    )
    return WatchOrder(
        service=SERVICE,
        triggers=tuple(
            WatchedTrigger(key=f"{number} {trigger.type}", trigger=trigger, source=source)
            for number, trigger in enumerate(policy().triggers)
        ),
        since=now,
        covers_from=now,
        until=now + timedelta(minutes=1),
        interval=interval,
    )


def steady() -> ServiceState:
    """Three tasks, steady on the revision before the release."""
    before = EcsDeployment(
        id="ecs-svc/1111111111111111111",
        status="PRIMARY",
        task_definition=f"{ARN}:7",
        desired=3,
        running=3,
        rollout_state="COMPLETED",
        reason="ECS deployment ecs-svc/1111111111111111111 completed.",
    )
    return ServiceState(
        arn=f"arn:aws:ecs:us-east-1:123456789012:service/{SERVICE}",
        status="ACTIVE",
        task_definition=f"{ARN}:7",
        desired=3,
        running=3,
        pending=0,
        deployments=(before,),
        target_groups=(f"arn:aws:elasticloadbalancing:us-east-1:123456789012:{GROUP}",),
        service_revision=REVISION,
    )


def rolling_out() -> ServiceDeploymentState:
    """The service deployment of a release."""
    return ServiceDeploymentState(
        arn=_ROLLOUT, status="IN_PROGRESS", sources=(REVISION,), target=_RELEASED
    )
