"""A complete service made with plain boto3 calls, as it would be made on AWS.

Needs nothing of the sandbox but its clients: `make_stack(aws.client, image="shop:1.0")`.
"""

import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MakeClient = Callable[[str], Any]


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
        """Delete the service with its tasks, and the load balancer."""
        self.client("ecs").delete_service(cluster=self.cluster, service=self.service, force=True)
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


def register(ecs: Any, family: str, container: str, image: str, environment: dict[str, str]) -> str:
    """Register a task definition with one container; return its ARN."""
    answer = ecs.register_task_definition(
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
    minimum_healthy: int = 100,
    maximum: int = 200,
    health_path: str = "/health",
    grace_seconds: int = 0,
    wait: bool = True,
    environment: dict[str, str] | None = None,
) -> Stack:
    """Make cluster, load balancer, task definition and service; wait until it is steady.

    `circuit_breaker` and `alarms` (names) are set up to roll back.
    """
    service = service or f"shop-{uuid.uuid4().hex[:8]}"
    cluster = cluster or service
    ecs = client("ecs")
    ecs.create_cluster(clusterName=cluster)
    balanced = _make_load_balancer(client, service, health_path) if load_balancer else {}
    definition = register(ecs, service, container, image, environment or {})
    extra: dict[str, Any] = {}
    if balanced:
        extra["healthCheckGracePeriodSeconds"] = grace_seconds
        extra["loadBalancers"] = [
            {
                "targetGroupArn": balanced["target_group_arn"],
                "containerName": container,
                "containerPort": 8080,
            }
        ]
    ecs.create_service(
        cluster=cluster,
        serviceName=service,
        taskDefinition=definition,
        desiredCount=desired,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": _network(client)["subnets"]}},
        deploymentConfiguration=_configuration(
            minimum_healthy, maximum, circuit_breaker=circuit_breaker, alarms=alarms
        ),
        **extra,
    )
    stack = Stack(client, cluster, service, service, container, definition, **balanced)
    if wait:
        stack.wait_until_steady()
    return stack


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


def _network(client: MakeClient) -> dict[str, Any]:
    subnets = client("ec2").describe_subnets()["Subnets"]
    return {"vpc": subnets[0]["VpcId"], "subnets": [s["SubnetId"] for s in subnets[:2]]}


def _make_load_balancer(client: MakeClient, name: str, health_path: str) -> dict[str, str]:
    elb, network = client("elbv2"), _network(client)
    balancer = elb.create_load_balancer(Name=name[:32], Subnets=network["subnets"])
    balancer_arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    group = elb.create_target_group(
        Name=name[:32],
        Protocol="HTTP",
        Port=8080,
        VpcId=network["vpc"],
        TargetType="ip",
        HealthCheckPath=health_path,
        HealthCheckIntervalSeconds=6,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    listener = elb.create_listener(
        LoadBalancerArn=balancer_arn,
        Protocol="HTTP",
        Port=_free_port(),
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
    )["Listeners"][0]
    return {
        "url": f"http://127.0.0.1:{listener['Port']}",
        "load_balancer_arn": balancer_arn,
        "target_group_arn": group_arn,
        "listener_arn": listener["ListenerArn"],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
