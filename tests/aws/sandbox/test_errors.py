"""AWS's error codes."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.scenarios.stack import Stack
from tests.aws.sandbox.conftest import eventually

Client = Callable[[str], Any]
Make = Callable[..., Stack]


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_update_service_refuses(stack: Stack, client: Client) -> None:
    ecs = client("ecs")
    inactive = stack.register("shop:2.0")
    ecs.deregister_task_definition(taskDefinition=inactive)
    where = {"cluster": stack.cluster, "service": stack.service}
    assert refused(ecs.update_service, **where, taskDefinition=inactive) == (
        "ClientException",
        "TaskDefinition is inactive",
    )
    missing = f"{stack.family}:999"
    assert refused(ecs.update_service, **where, taskDefinition=missing) == (
        "ClientException",
        "TaskDefinition not found.",
    )
    assert refused(ecs.update_service, cluster=stack.cluster, service="nobody") == (
        "ServiceNotFoundException",
        "Service not found.",
    )
    assert refused(ecs.update_service, cluster="nowhere", service=stack.service) == (
        "ClusterNotFoundException",
        "Cluster not found.",
    )
    assert stack.describe()["deployments"][0]["taskDefinition"] == stack.task_definition


def test_describe_services_of_what_is_not_there(stack: Stack, client: Client) -> None:
    ecs = client("ecs")
    answer = ecs.describe_services(cluster=stack.cluster, services=["nobody", stack.service])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    assert [service["serviceName"] for service in answer["services"]] == [stack.service]
    code, _ = refused(ecs.describe_services, cluster="nowhere", services=["x"])
    assert code == "ClusterNotFoundException"


def test_a_deleted_service(make: Make, client: Client) -> None:
    stack = make(load_balancer=False)
    ecs = client("ecs")
    where = {"cluster": stack.cluster, "service": stack.service}
    assert refused(ecs.delete_service, **where)[0] == "InvalidParameterException"
    ecs.delete_service(**where, force=True)
    assert stack.describe()["status"] in ("DRAINING", "INACTIVE")
    assert refused(ecs.update_service, **where, desiredCount=1) == (
        "ServiceNotActiveException",
        "Service was not ACTIVE.",
    )
    eventually(lambda: stack.describe()["status"] == "INACTIVE")
    assert stack.describe()["runningCount"] == 0
    assert refused(ecs.update_service, **where, desiredCount=1)[0] == "ServiceNotActiveException"


def test_create_service_refuses(stack: Stack, client: Client) -> None:
    ecs = client("ecs")
    again = {
        "cluster": stack.cluster,
        "serviceName": stack.service,
        "taskDefinition": stack.task_definition,
        "desiredCount": 1,
    }
    assert refused(ecs.create_service, **again)[0] == "InvalidParameterException"
    balancer = {
        "targetGroupArn": stack.target_group_arn,
        "containerName": "nobody",
        "containerPort": 80,
    }
    wrong = {**again, "serviceName": "other", "loadBalancers": [balancer]}
    assert refused(ecs.create_service, **wrong)[0] == "InvalidParameterException"


def test_a_controller_other_than_ecs_refuses_task_definitions(stack: Stack, client: Client) -> None:
    ecs = client("ecs")
    where = {"cluster": stack.cluster}
    service = {
        **where,
        "serviceName": "by-code-deploy",
        "taskDefinition": stack.task_definition,
        "desiredCount": 0,
    }
    ecs.create_service(**service, deploymentController={"type": "CODE_DEPLOY"})
    code, message = refused(
        ecs.update_service, **where, service="by-code-deploy", forceNewDeployment=True
    )
    assert code == "InvalidParameterException"
    assert "CODE_DEPLOY" in message
    blue_green = {
        **service,
        "serviceName": "x",
        "deploymentConfiguration": {"strategy": "BLUE_GREEN"},
    }
    assert refused(ecs.create_service, **blue_green)[0] == "InvalidParameterException"


def test_tags_of_a_service(stack: Stack, client: Client) -> None:
    ecs = client("ecs")
    arn = stack.describe()["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "3"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "3"}]
    answer = ecs.describe_services(
        cluster=stack.cluster, services=[stack.service], include=["TAGS"]
    )
    assert answer["services"][0]["tags"] == [{"key": "b", "value": "3"}]
    code, _ = refused(ecs.list_tags_for_resource, resourceArn=arn + "x")
    assert code == "ServiceNotFoundException"
    definition = stack.task_definition
    ecs.tag_resource(resourceArn=definition, tags=[{"key": "k", "value": "v"}])
    assert ecs.list_tags_for_resource(resourceArn=definition)["tags"]
