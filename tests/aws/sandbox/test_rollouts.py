"""Rollouts that go well, or at least on: what UpdateService does and does not do."""

from collections.abc import Callable
from typing import Any

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, is_steady
from tests.aws.sandbox.conftest import eventually, get

Client = Callable[[str], Any]
Make = Callable[..., Stack]


def test_a_new_service_becomes_steady(stack: Stack) -> None:
    service = stack.describe()
    deployment = service["deployments"][0]
    assert deployment["id"].startswith("ecs-svc/")
    assert len(deployment["id"].removeprefix("ecs-svc/")) == 19
    assert deployment["status"] == "PRIMARY"
    assert deployment["taskDefinition"] == service["taskDefinition"] == stack.task_definition
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    assert service["events"][0]["message"] == (
        f"(service {stack.service}) has reached a steady state."
    )
    assert "tags" not in service


def test_a_good_rollout_loses_no_request(aws: Sandbox, make: Make) -> None:
    stack = make(desired=2)
    eventually(lambda: aws.truth(stack.cluster, stack.service)["timeline"])
    before = stack.describe()["deployments"][0]
    new = stack.deploy("shop:2.0")
    during = stack.describe()
    assert [d["status"] for d in during["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert [d["id"] for d in during["deployments"]] == [new, before["id"]]
    assert during["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert during["deployments"][1]["rolloutState"] == "COMPLETED"
    after = stack.wait_until_steady()
    assert after["deployments"][0]["id"] == new
    eventually(lambda: _served(aws, stack, "2.0") > 5)
    truth = aws.truth(stack.cluster, stack.service)
    assert truth["versions"] == ["2.0"]
    seconds = [s["versions"] for s in truth["timeline"]]
    assert sum(v["errors"] for versions in seconds for v in versions.values()) == 0
    assert get(stack.url or "")[1]["X-App-Version"] == "2.0"


def _served(aws: Sandbox, stack: Stack, version: str) -> int:
    seconds = aws.truth(stack.cluster, stack.service)["timeline"]
    return sum(s["versions"].get(version, {}).get("requests", 0) for s in seconds)


def test_old_tasks_serve_until_new_ones_are_healthy(aws: Sandbox, make: Make) -> None:
    stack = make(desired=2)
    stack.deploy("shop:2.0-unhealthy")
    service = stack.wait_until(lambda s: s["deployments"][0]["failedTasks"] >= 3)
    assert [d["status"] for d in service["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert service["deployments"][1]["runningCount"] == 2
    assert "1.0" in aws.truth(stack.cluster, stack.service)["versions"]
    assert get(stack.url or "")[1]["X-App-Version"] == "1.0"


def test_without_a_circuit_breaker_a_crashing_version_is_tried_for_ever(make: Make) -> None:
    stack = make(load_balancer=False)
    stack.deploy("shop:2.0-crash")
    service = stack.wait_until(lambda s: s["deployments"][0]["failedTasks"] >= 4)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert service["deployments"][1]["runningCount"] == 1


def test_a_newer_update_supersedes_a_rollout(make: Make, client: Client) -> None:
    stack = make(load_balancer=False)
    first = stack.deploy("shop:2.0-crash")
    second = stack.deploy("shop:3.0")
    assert stack.describe()["deployments"][0]["id"] == second != first
    service = stack.wait_until_steady()
    assert service["deployments"][0]["id"] == second
    records = client("ecs").list_service_deployments(cluster=stack.cluster, service=stack.service)
    statuses = [record["status"] for record in records["serviceDeployments"]]
    assert statuses == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_the_desired_count_alone_makes_no_deployment(
    aws: Sandbox, make: Make, client: Client
) -> None:
    stack = make(load_balancer=False)
    before = stack.describe()["deployments"][0]["id"]
    for count in (3, 0, 1):
        client("ecs").update_service(
            cluster=stack.cluster, service=stack.service, desiredCount=count
        )
        service = stack.wait_until(lambda s, n=count: is_steady(s) and s["runningCount"] == n)
        assert [d["id"] for d in service["deployments"]] == [before]
    eventually(lambda: len(aws.truth(stack.cluster, stack.service)["tasks"]) == 1)


def test_the_same_task_definition_is_deployed_again_only_by_force(
    make: Make, client: Client
) -> None:
    stack = make(load_balancer=False)
    before = stack.describe()["deployments"][0]["id"]
    where = {"cluster": stack.cluster, "service": stack.service}
    client("ecs").update_service(**where, taskDefinition=stack.task_definition)
    assert stack.describe()["deployments"][0]["id"] == before
    client("ecs").update_service(**where, forceNewDeployment=True)
    assert stack.describe()["deployments"][0]["id"] != before
    service = stack.wait_until_steady()
    assert service["taskDefinition"] == stack.task_definition


def test_a_family_name_means_its_newest_active_revision(make: Make, client: Client) -> None:
    stack = make(load_balancer=False)
    newest = stack.register("shop:2.0")
    inactive = stack.register("shop:3.0")
    client("ecs").deregister_task_definition(taskDefinition=inactive)
    client("ecs").update_service(
        cluster=stack.cluster, service=stack.service, taskDefinition=stack.family
    )
    assert stack.wait_until_steady()["taskDefinition"] == newest


def test_a_service_of_no_tasks_is_steady(aws: Sandbox, make: Make) -> None:
    stack = make(desired=0, load_balancer=False)
    service = stack.describe()
    assert (service["runningCount"], service["deployments"][0]["rolloutState"]) == (0, "COMPLETED")
    stack.deploy("shop:2.0-crash")
    assert stack.wait_until_steady()["runningCount"] == 0
    assert aws.truth(stack.cluster, stack.service)["tasks"] == []


def test_no_more_tasks_than_maximum_percent(aws: Sandbox, make: Make) -> None:
    stack = make(desired=2, minimum_healthy=50, maximum=100, load_balancer=False)
    stack.deploy("shop:2.0")
    most = 0

    def done(service: dict[str, Any]) -> bool:
        nonlocal most
        alive = service["runningCount"] + service["pendingCount"]
        most = max(most, alive)
        assert service["runningCount"] >= 1
        return is_steady(service)

    stack.wait_until(done)
    assert most == 2
    assert aws.truth(stack.cluster, stack.service)["versions"] == ["2.0"]


def test_a_task_that_is_killed_is_replaced(aws: Sandbox, make: Make) -> None:
    stack = make()
    first = aws.truth(stack.cluster, stack.service)["tasks"][0]
    aws.kill_task(first["arn"])
    replaced = eventually(
        lambda: [
            task
            for task in aws.truth(stack.cluster, stack.service)["tasks"]
            if task["healthy"] and task["arn"] != first["arn"]
        ]
    )
    assert replaced[0]["pids"] != first["pids"]
    assert stack.describe()["deployments"][0]["rolloutState"] == "COMPLETED"
    stopped = aws.truth(stack.cluster, stack.service)["stopped"][0]
    assert stopped["exitCodes"] == [137]


def test_a_stopped_task_is_replaced(make: Make, client: Client) -> None:
    stack = make(load_balancer=False)
    ecs = client("ecs")
    where = {"cluster": stack.cluster}
    [arn] = ecs.list_tasks(**where, serviceName=stack.service)["taskArns"]
    ecs.stop_task(**where, task=arn, reason="because")
    stack.wait_until(is_steady)
    assert arn not in ecs.list_tasks(**where, serviceName=stack.service)["taskArns"]
    task = ecs.describe_tasks(**where, tasks=[arn])["tasks"][0]
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "because")


def test_revisions_tell_images_and_digests(make: Make, client: Client) -> None:
    stack = make(load_balancer=False)
    service = stack.describe()
    [counts] = service["currentServiceRevisions"]
    assert (counts["requestedTaskCount"], counts["runningTaskCount"]) == (1, 1)
    ecs = client("ecs")
    revision = ecs.describe_service_revisions(serviceRevisionArns=[counts["arn"]])[
        "serviceRevisions"
    ][0]
    [image] = revision["containerImages"]
    assert revision["taskDefinition"] == stack.task_definition
    assert (image["containerName"], image["image"]) == ("app", "shop:1.0")
    assert image["imageDigest"].startswith("sha256:")
    record = ecs.describe_service_deployments(
        serviceDeploymentArns=[service["currentServiceDeployment"]]
    )["serviceDeployments"][0]
    assert record["status"] == "SUCCESSFUL"
    assert record["targetServiceRevision"]["arn"] == counts["arn"]
    digest = image["imageDigest"]
    stack.deploy(f"shop@{digest}")
    stack.wait_until_steady()
