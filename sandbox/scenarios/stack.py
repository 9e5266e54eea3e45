"""A complete service made with plain boto3 calls, as it would be made on AWS.

Needs nothing of the sandbox but its clients: `make_stack(aws.client, image="shop:1.0")`.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.scenarios.load_balancer import MakeClient, make_load_balancer, network
from sandbox.scenarios.strategy import ROLLING, Strategy


@dataclass(frozen=True)
class Stack:
    """What was made, and how to change it. `url` and the ARNs are None without load balancer."""

    client: MakeClient
    cluster: str
    service: str
    family: str
    container: str
    task_definition: str
    url: str | None = None
    load_balancer_arn: str | None = None
    target_group_arn: str | None = None
    listener_arn: str | None = None
    alternate_target_group_arn: str | None = None
    production_rule_arn: str | None = None
    test_url: str | None = None
    test_rule_arn: str | None = None

    @property
    def name(self) -> str:
        """`cluster/service`, as Lastgood's policies name it."""
        return f"{self.cluster}/{self.service}"

    @property
    def load_balancer(self) -> str | None:
        """The value of CloudWatch's LoadBalancer dimension."""
        arn = self.load_balancer_arn
        return None if arn is None else arn.split(":loadbalancer/", 1)[1]

    @property
    def target_group(self) -> str | None:
        """The value of CloudWatch's TargetGroup dimension."""
        arn = self.target_group_arn
        return None if arn is None else arn.rsplit(":", 1)[1]

    def describe(self) -> dict[str, Any]:
        """Return the service as DescribeServices gives it."""
        ecs = self.client("ecs")
        answer = ecs.describe_services(cluster=self.cluster, services=[self.service])
        found: dict[str, Any] = answer["services"][0]
        return found

    def service_deployment(self) -> dict[str, Any]:
        """Return the newest service deployment as DescribeServiceDeployments gives it."""
        ecs = self.client("ecs")
        listed = ecs.list_service_deployments(cluster=self.cluster, service=self.service)
        arn = listed["serviceDeployments"][0]["serviceDeploymentArn"]
        answer = ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        found: dict[str, Any] = answer["serviceDeployments"][0]
        return found

    def register(self, image: str, **environment: str) -> str:
        """Register a task definition with another image; return its ARN."""
        return register(self.client("ecs"), self.family, self.container, image, environment)

    def deploy(self, image: str, **environment: str) -> str:
        """Deploy an image by hand; return the id of the new deployment."""
        answer = self.client("ecs").update_service(
            cluster=self.cluster,
            service=self.service,
            taskDefinition=self.register(image, **environment),
        )
        found: str = answer["service"]["deployments"][0]["id"]
        return found

    def wait_until_steady(self, timeout: float = 60) -> dict[str, Any]:
        """Return the service when it is COMPLETED with one deployment and all its tasks."""
        return self.wait_until(is_steady, timeout)

    def wait_until(
        self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 60
    ) -> dict[str, Any]:
        """Return the service when it is as wanted; raises TimeoutError with what it was."""
        deadline = time.monotonic() + timeout
        while True:
            service = self.describe()
            if wanted(service):
                return service
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is not as wanted: {service['deployments']}")
            time.sleep(0.1)

    def delete(self) -> None:
        """Delete the service with its tasks, if that is still there, and the load balancer."""
        ecs = self.client("ecs")
        with contextlib.suppress(ecs.exceptions.ServiceNotFoundException):
            ecs.delete_service(cluster=self.cluster, service=self.service, force=True)
        if self.load_balancer_arn is not None:
            self.client("elbv2").delete_load_balancer(LoadBalancerArn=self.load_balancer_arn)


def is_steady(service: dict[str, Any]) -> bool:
    """Whether a service has one deployment, COMPLETED, and exactly the tasks it wants."""
    return (
        len(service["deployments"]) == 1
        and service["deployments"][0]["rolloutState"] == "COMPLETED"
        and service["runningCount"] == service["desiredCount"]
        and service["pendingCount"] == 0
    )


def register(
    ecs: Any,
    family: str,
    container: str,
    image: str,
    environment: dict[str, str],
    roles: dict[str, str] | None = None,
) -> str:
    """Register a task definition with one container; return its ARN."""
    answer = ecs.register_task_definition(
        **(roles or {}),
        family=family,
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[
            {
                "name": container,
                "image": image,
                "essential": True,
                "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
                "environment": [{"name": k, "value": v} for k, v in environment.items()],
            }
        ],
    )
    arn: str = answer["taskDefinition"]["taskDefinitionArn"]
    return arn


def make_stack(
    client: MakeClient,
    *,
    image: str = "shop:1.0",
    service: str | None = None,
    cluster: str | None = None,
    container: str = "app",
    desired: int = 2,
    load_balancer: bool = True,
    circuit_breaker: bool = False,
    alarms: tuple[str, ...] = (),
    strategy: Strategy = ROLLING,
    minimum_healthy: int = 100,
    maximum: int = 200,
    health_path: str = "/health",
    grace_seconds: int = 0,
    wait: bool = True,
    environment: dict[str, str] | None = None,
    roles: dict[str, str] | None = None,
) -> Stack:
    """Make cluster, load balancer, task definition and service; wait until it is steady.

    `circuit_breaker` and `alarms` (names) are set up to roll back. A `strategy` with bake time and
    hooks applies to the deployments after the first one, if that is waited for. `roles` are
    `executionRoleArn` and `taskRoleArn`.
    """
    service = service or f"shop-{uuid.uuid4().hex[:8]}"
    cluster = cluster or service
    ecs = client("ecs")
    ecs.create_cluster(clusterName=cluster)
    balanced: dict[str, str] = {}
    if load_balancer:
        test = strategy.test_listener
        shifts = strategy.shifts
        balanced = make_load_balancer(
            client, service, health_path, shifts=shifts, test_listener=test
        )
    definition = register(ecs, service, container, image, environment or {}, roles)
    extra: dict[str, Any] = {}
    if balanced:
        extra["healthCheckGracePeriodSeconds"] = grace_seconds
        extra["loadBalancers"] = [
            {
                "targetGroupArn": balanced["target_group_arn"],
                "containerName": container,
                "containerPort": 8080,
                **_advanced(balanced),
            }
        ]
    configuration = _configuration(
        minimum_healthy, maximum, circuit_breaker=circuit_breaker, alarms=alarms
    )
    ecs.create_service(
        cluster=cluster,
        serviceName=service,
        taskDefinition=definition,
        desiredCount=desired,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": network(client)["subnets"]}},
        deploymentConfiguration={
            **configuration,
            **(strategy.at_first if wait else strategy.configuration),
        },
        **extra,
    )
    stack = Stack(client, cluster, service, service, container, definition, **balanced)
    if wait:
        stack.wait_until_steady()
        if strategy is not ROLLING:
            ecs.update_service(
                cluster=cluster, service=service, deploymentConfiguration=strategy.configuration
            )
    return stack


def _advanced(balanced: dict[str, str]) -> dict[str, Any]:
    if "production_rule_arn" not in balanced:
        return {}
    advanced = {
        "alternateTargetGroupArn": balanced["alternate_target_group_arn"],
        "productionListenerRule": balanced["production_rule_arn"],
        "roleArn": "arn:aws:iam::123456789012:role/ecs-load-balancers",
    }
    if "test_rule_arn" in balanced:
        advanced["testListenerRule"] = balanced["test_rule_arn"]
    return {"advancedConfiguration": advanced}


def _configuration(
    minimum: int, maximum: int, *, circuit_breaker: bool, alarms: tuple[str, ...]
) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "minimumHealthyPercent": minimum,
        "maximumPercent": maximum,
        "deploymentCircuitBreaker": {"enable": circuit_breaker, "rollback": circuit_breaker},
    }
    if alarms:
        configuration["alarms"] = {"alarmNames": list(alarms), "enable": True, "rollback": True}
    return configuration
