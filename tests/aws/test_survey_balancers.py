"""The load balancers that ``policy init`` meets: none that fits, several, and who is busiest."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lastgood.cli.asking_aws import Remarks
from lastgood.cli.survey_balancers import groups_of
from sandbox.scenarios.load_balancer import network

Client = Callable[[str], Any]


def balancer(client: Client, kind: str = "application") -> tuple[str, str]:
    """A load balancer; returns its name and ARN."""
    name = f"lb-{uuid.uuid4().hex[:8]}"
    made = client("elbv2").create_load_balancer(
        Name=name, Type=kind, Subnets=network(client)["subnets"]
    )
    return name, made["LoadBalancers"][0]["LoadBalancerArn"]


def group(client: Client, behind: str | None, protocol: str = "HTTP", port: int = 80) -> str:
    """A target group, behind a listener of its own; returns its ARN."""
    arn: str = client("elbv2").create_target_group(
        Name=f"tg-{uuid.uuid4().hex[:8]}",
        Protocol=protocol,
        Port=8080,
        VpcId=network(client)["vpc"],
        TargetType="ip",
        HealthCheckPath="/health",
        HealthCheckProtocol="HTTP",
    )["TargetGroups"][0]["TargetGroupArn"]
    if behind:
        client("elbv2").create_listener(
            LoadBalancerArn=behind,
            Protocol=protocol,
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
        )
    return arn


@pytest.fixture
def read(calm, plain_client: Client) -> Callable[..., Any]:
    def ask(*arns: str, **more: str) -> tuple[Any, list[str]]:
        remarks = Remarks()
        attached = [{"targetGroupArn": arn, "containerName": "app"} for arn in arns]
        found = groups_of(
            plain_client, [*attached, *([more] if more else [])], datetime.now(UTC), remarks
        )
        return found, remarks.said

    return ask


def test_a_network_load_balancer_counts_no_requests(plain_client: Client, read) -> None:
    name, arn = balancer(plain_client, "network")
    found, said = read(group(plain_client, arn, "TCP"))
    assert found == ()
    assert said[0].startswith(f"{name} is a network load balancer, which counts no requests")


def test_a_group_behind_nothing(plain_client: Client, read) -> None:
    found, said = read(group(plain_client, None))
    assert found == ()
    assert "is attached to no load balancer" in said[0]


def test_a_classic_load_balancer(read) -> None:
    found, said = read(loadBalancerName="old", containerName="app")
    assert (found, said) == (
        (),
        ["its Classic Load Balancer is not measured: use an Application one"],
    )


def test_the_health_check_is_asked_through_a_listener(plain_client: Client, read) -> None:
    name, arn = balancer(plain_client)
    [one], said = read(group(plain_client, arn))
    assert (one.load_balancer, one.container, said) == (name, "app", [])
    assert one.health_url
    assert one.health_url.endswith("/health")


def test_of_two_groups_the_requests_are_asked(plain_client: Client, read) -> None:
    _, arn = balancer(plain_client)
    quiet, busy = group(plain_client, arn), group(plain_client, arn, port=81)
    for target, requests in ((quiet, 3.0), (busy, 500.0)):
        plain_client("cloudwatch").put_metric_data(
            Namespace="AWS/ApplicationELB",
            MetricData=[
                {
                    "MetricName": "RequestCount",
                    "Dimensions": [
                        {"Name": "LoadBalancer", "Value": arn.split(":loadbalancer/")[1]},
                        {"Name": "TargetGroup", "Value": target.split(":")[-1]},
                    ],
                    "Value": requests,
                }
            ],
        )
    found, said = read(quiet, busy)
    assert [one.requests for one in found] == [3.0, 500.0]
    assert said[0].startswith("it has several target groups (tg-")
