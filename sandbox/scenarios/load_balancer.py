"""A load balancer made with plain boto3 calls: one listener, one or two target groups."""

import socket
from collections.abc import Callable
from typing import Any

MakeClient = Callable[[str], Any]


def network(client: MakeClient) -> dict[str, Any]:
    """Return the default VPC and two of its subnets."""
    subnets = client("ec2").describe_subnets()["Subnets"]
    return {"vpc": subnets[0]["VpcId"], "subnets": [s["SubnetId"] for s in subnets[:2]]}


def make_load_balancer(
    client: MakeClient, name: str, health_path: str, *, shifts: bool, test_listener: bool
) -> dict[str, str]:
    """Make it, with what a strategy that shifts traffic needs if that is wanted."""
    elb = client("elbv2")
    balancer = elb.create_load_balancer(Name=name[:32], Subnets=network(client)["subnets"])
    balancer_arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    group_arn = _make_target_group(client, name[:32], health_path)
    listener = _make_listener(client, balancer_arn, group_arn)
    made = {
        "url": f"http://127.0.0.1:{listener['Port']}",
        "load_balancer_arn": balancer_arn,
        "target_group_arn": group_arn,
        "listener_arn": listener["ListenerArn"],
    }
    if shifts:
        made["alternate_target_group_arn"] = _make_target_group(
            client, f"{name[:28]}-alt", health_path
        )
        made["production_rule_arn"] = _default_rule(client, listener)
    if shifts and test_listener:
        listener = _make_listener(client, balancer_arn, group_arn)
        made["test_url"] = f"http://127.0.0.1:{listener['Port']}"
        made["test_rule_arn"] = _default_rule(client, listener)
    return made


def _make_target_group(client: MakeClient, name: str, health_path: str) -> str:
    group = client("elbv2").create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=8080,
        VpcId=network(client)["vpc"],
        TargetType="ip",
        HealthCheckPath=health_path,
        HealthCheckIntervalSeconds=6,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )
    arn: str = group["TargetGroups"][0]["TargetGroupArn"]
    return arn


def _make_listener(client: MakeClient, balancer: str, group: str) -> dict[str, Any]:
    made: dict[str, Any] = client("elbv2").create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=_free_port(),
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Listeners"][0]
    return made


def _default_rule(client: MakeClient, listener: dict[str, Any]) -> str:
    rules = client("elbv2").describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    arn: str = next(rule["RuleArn"] for rule in rules if rule["IsDefault"])
    return arn


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
