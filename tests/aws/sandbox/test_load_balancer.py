"""The load balancer: real requests to real targets, their health, and what is published."""

import datetime as dt
import socket
from collections.abc import Callable
from typing import Any

from sandbox import Sandbox
from sandbox.cloud.load_balancer.targets import HealthCheck, Target, TargetGroup
from sandbox.scenarios.stack import Stack
from tests.aws.sandbox.conftest import eventually, get

Client = Callable[[str], Any]
Make = Callable[..., Stack]


def test_codes_that_a_health_check_accepts() -> None:
    assert HealthCheck(codes="200").accepts(200)
    assert not HealthCheck(codes="200").accepts(204)
    assert HealthCheck(codes="200,204").accepts(204)
    assert HealthCheck(codes="200-399").accepts(302)
    assert not HealthCheck(codes="200-399").accepts(500)


def test_health_follows_the_thresholds() -> None:
    check, target = HealthCheck(healthy_after=2, unhealthy_after=3), Target(1, "t", "s", "v")
    target.note(check, 200)
    assert target.state == "healthy"  # the first time, one pass is enough
    target.note(check, 503)
    target.note(check, None)
    assert target.state == "healthy"
    target.note(check, 503)
    assert (target.state, target.reason) == ("unhealthy", "Target.ResponseCodeMismatch")
    target.note(check, 200)
    assert target.state == "unhealthy"
    target.note(check, 200)
    assert target.state == "healthy"


def test_requests_go_to_healthy_targets_or_to_all() -> None:
    group = TargetGroup("arn")
    assert group.pick() is None
    targets = [Target(port, "t", "s", "v") for port in (1, 2, 3)]
    for target in targets:
        group.add(target)
    targets[1].state = "healthy"
    assert all(group.pick() is targets[1] for _ in range(3))
    targets[1].state = "unhealthy"
    assert len({id(group.pick()) for _ in range(6)}) == 3
    targets[0].drain()
    assert all(group.pick() is not targets[0] for _ in range(6))


def test_requests_are_spread_over_the_tasks(stack: Stack) -> None:
    tasks = {get(stack.url or "")[1]["X-App-Task"] for _ in range(8)}
    assert len(tasks) == 2


def test_the_listener_can_be_found_by_aws_calls_alone(stack: Stack, client: Client) -> None:
    elb = client("elbv2")
    arn = stack.load_balancer_arn
    balancer = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    listener = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"][0]
    assert balancer["State"]["Code"] == "active"
    assert f"http://{balancer['DNSName']}:{listener['Port']}" == stack.url


def test_a_port_that_is_taken_is_replaced(aws: Sandbox, stack: Stack, client: Client) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        action = {"Type": "forward", "TargetGroupArn": stack.target_group_arn}
        listener = client("elbv2").create_listener(
            LoadBalancerArn=stack.load_balancer_arn,
            Protocol="HTTP",
            Port=taken,
            DefaultActions=[action],
        )["Listeners"][0]
    assert listener["Port"] != taken
    url = f"http://127.0.0.1:{listener['Port']}"
    assert get(url)[0] == 200
    assert url in [known["url"] for known in aws.listeners()]
    client("elbv2").delete_listener(ListenerArn=listener["ListenerArn"])
    eventually(lambda: url not in [known["url"] for known in aws.listeners()])


def _health(client: Client, stack: Stack) -> list[str]:
    answer = client("elbv2").describe_target_health(TargetGroupArn=stack.target_group_arn)
    return [d["TargetHealth"]["State"] for d in answer["TargetHealthDescriptions"]]


def test_target_health_is_that_of_the_real_processes(make: Make, client: Client) -> None:
    stack = make(image="shop:1.0-sick-2s")
    assert _health(client, stack) == ["healthy"]
    eventually(lambda: "unhealthy" in _health(client, stack))
    answer = client("elbv2").describe_target_health(TargetGroupArn=stack.target_group_arn)
    bad = [
        d["TargetHealth"]
        for d in answer["TargetHealthDescriptions"]
        if d["TargetHealth"]["State"] == "unhealthy"
    ]
    assert bad[0]["Reason"] == "Target.ResponseCodeMismatch"
    assert "503" in bad[0]["Description"]
    assert get(stack.url or "")[0] == 200  # none is healthy: the load balancer fails open
    stack.deploy("shop:2.0")
    stack.wait_until_steady()
    assert _health(client, stack) == ["healthy"]


def test_a_grace_period_spares_unhealthy_tasks(aws: Sandbox, make: Make, client: Client) -> None:
    stack = make(image="shop:1.0-unhealthy", grace_seconds=600, wait=False)
    eventually(lambda: _health(client, stack) == ["unhealthy"])
    first = aws.truth(stack.cluster, stack.service)["tasks"][0]["arn"]
    service = stack.describe()
    assert service["deployments"][0]["failedTasks"] == 0
    assert [t["arn"] for t in aws.truth(stack.cluster, stack.service)["tasks"]] == [first]


def test_a_load_balancer_without_targets_answers_503(make: Make) -> None:
    stack = make(desired=0)
    status, headers, _ = get(stack.url or "")
    assert (status, headers["Server"]) == (503, "awselb/2.0")


def _sum(client: Client, name: str, *dimensions: tuple[str, str]) -> list[float]:
    now = dt.datetime.now(dt.UTC)
    answer = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions],
        StartTime=now - dt.timedelta(minutes=2),
        EndTime=now + dt.timedelta(seconds=5),
        Period=1,
        Statistics=["Sum", "Average", "SampleCount"],
    )
    return [point["Sum"] for point in answer["Datapoints"]]


def test_what_the_load_balancer_publishes(aws: Sandbox, make: Make, client: Client) -> None:
    aws.traffic(40, "busy-service")
    stack = make(image="shop:1.0-errors-0.4", service="busy-service")
    balancer = ("LoadBalancer", stack.load_balancer or "")
    both = (("TargetGroup", stack.target_group or ""), balancer)
    assert balancer[1].startswith("app/")
    assert both[0][1].startswith("targetgroup/")
    eventually(lambda: sum(_sum(client, "RequestCount", *both)) >= 30)
    aws.traffic(0, stack.service)
    eventually(lambda: _settled(client, both))
    requests = sum(_sum(client, "RequestCount", *both))
    errors = sum(_sum(client, "HTTPCode_Target_5XX_Count", *both))
    assert abs(errors / requests - 0.4) < 0.05
    assert sum(_sum(client, "RequestCount", balancer)) == requests
    assert sum(_sum(client, "HTTPCode_Target_2XX_Count", *both)) == requests - errors
    times = _sum(client, "TargetResponseTime", *both)
    assert times
    assert max(times) < 20  # in seconds, not milliseconds
    assert _sum(client, "HTTPCode_ELB_5XX_Count", balancer) == []
    assert _sum(client, "TargetConnectionErrorCount", *both) == []
    assert 1 in _sum(client, "HealthyHostCount", *both)
    assert _sum(client, "HealthyHostCount", balancer) == []
    served = aws.truth(stack.cluster, stack.service)["timeline"]
    assert sum(v["requests"] for s in served for v in s["versions"].values()) == requests


def _settled(client: Client, both: tuple[tuple[str, str], ...]) -> bool:
    """Whether the last seconds have no requests: nothing is published for them."""
    now = dt.datetime.now(dt.UTC)
    answer = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        Dimensions=[{"Name": key, "Value": value} for key, value in both],
        StartTime=now - dt.timedelta(seconds=2),
        EndTime=now,
        Period=1,
        Statistics=["Sum"],
    )
    return answer["Datapoints"] == []


def test_errors_of_the_load_balancers_own(make: Make, client: Client) -> None:
    stack = make(image="shop:1.0-dies-1s")
    balancer = ("LoadBalancer", stack.load_balancer or "")
    eventually(lambda: sum(_sum(client, "HTTPCode_ELB_5XX_Count", balancer)) > 0)


def test_the_app_publishes_its_own_metrics(aws: Sandbox, make: Make, client: Client) -> None:
    aws.traffic(40, "measured-service")
    stack = make(
        service="measured-service",
        image="shop:1.0-errors-0.4",
        load_balancer=False,
        environment={"METRICS_NAMESPACE": "Mine"},
    )

    def points() -> list[dict[str, Any]]:
        now = dt.datetime.now(dt.UTC)
        found: list[dict[str, Any]] = client("cloudwatch").get_metric_statistics(
            Namespace="Mine",
            MetricName="ErrorRate",
            Dimensions=[{"Name": "Service", "Value": stack.service}],
            StartTime=now - dt.timedelta(minutes=1),
            EndTime=now + dt.timedelta(seconds=2),
            Period=60,
            Statistics=["Average", "SampleCount"],
        )["Datapoints"]
        return found

    point = eventually(lambda: [p for p in points() if p["SampleCount"] >= 20])[0]
    assert abs(point["Average"] - 0.4) < 0.06
    listed = client("cloudwatch").list_metrics(Namespace="Mine")["Metrics"]
    names = {m["MetricName"] for m in listed if m["Dimensions"][0]["Value"] == stack.service}
    assert names == {"ErrorRate", "ResponseTime"}


def test_without_traffic_there_is_nothing(aws: Sandbox, make: Make, client: Client) -> None:
    service = "quiet-service"
    aws.traffic(0, service)
    stack = make(service=service)
    both = (
        ("TargetGroup", stack.target_group or ""),
        ("LoadBalancer", stack.load_balancer or ""),
    )
    eventually(lambda: len(_sum(client, "HealthyHostCount", *both)) >= 2)
    assert _sum(client, "RequestCount", *both) == []
    assert aws.truth(stack.cluster, stack.service)["timeline"] == []
    aws.traffic(30, service)
    eventually(lambda: sum(_sum(client, "RequestCount", *both)) > 5)
