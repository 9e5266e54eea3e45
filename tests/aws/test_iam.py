"""``lastgood iam`` against the sandbox: what AWS is read for, and what it tells."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lastgood.cli.iam import iam
from lastgood.cli.main import run as main
from lastgood.decisions.permissions import actions_of
from sandbox import Sandbox

ACCOUNT = "123456789012"
ROLES = [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("shop-task", "shop-execution")]


@pytest.fixture
def name(cloud: Sandbox, plain_client: Callable[[str], Any], monkeypatch) -> str:
    """A service whose tasks have roles, and an image of ECR."""
    for key, value in cloud.env.items():
        monkeypatch.setenv(key, value)
    cloud.clear_faults()
    ecs = plain_client("ecs")
    ecs.create_cluster(clusterName="iam")
    definition = ecs.register_task_definition(
        family="iam-shop-production",
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        taskRoleArn=ROLES[0],
        executionRoleArn=ROLES[1],
        containerDefinitions=[
            {"name": "app", "image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/shop:1.0"}
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    found = ecs.describe_services(cluster="iam", services=["shop"])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        subnets = plain_client("ec2").describe_subnets()["Subnets"]
        ecs.create_service(
            cluster="iam",
            serviceName="shop",
            taskDefinition=definition,
            desiredCount=0,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnets[0]["SubnetId"]]}},
        )
    return "iam/shop"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(iam, list(arguments), standalone_mode=False)


def statements(result: Result) -> dict[str, Any]:
    assert result.exception is None, result.exception
    return {one["Sid"]: one for one in json.loads(result.stdout)["Statement"]}


def test_aws_tells_account_family_roles_and_repository(cloud: Sandbox, name: str) -> None:
    cloud.forget_requests()
    found = statements(run("--service", name, "--role", "worker"))
    made = {f"{one['service']}:{one['action']}" for one in cloud.requests()}
    assert made - {"sts:GetCallerIdentity"} <= actions_of("setup")
    assert found["PassTaskRoles"]["Resource"] == ROLES
    register = found["RegisterRevision"]["Resource"]
    assert register == f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/iam-shop-production:*"
    assert found["ReadImages"]["Resource"] == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/shop"


def test_what_is_said_comes_before_what_aws_tells(cloud: Sandbox, name: str) -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    found = statements(run("--service", name, "--role", "worker", "--pass-role", other))
    assert found["PassTaskRoles"]["Resource"] == other
    without = run("--service", name, "--role", "worker", "--pass-role", "none")
    assert "PassTaskRoles" not in statements(without)
    assert "its tasks have no roles" in without.stderr


def test_ci_may_push_to_the_repository_of_what_runs(name: str) -> None:
    found = statements(run("--service", name, "--role", "ci"))
    assert set(found) == {"PushImages", "LogInToRegistryUnscoped"}
    assert found["PushImages"]["Resource"].endswith(":repository/shop")


@pytest.mark.parametrize("action", ["GetCallerIdentity", "DescribeServices"])
def test_what_may_not_be_read_ends_with_1_and_a_remedy(
    cloud: Sandbox, name: str, action: str, capsys
) -> None:
    cloud.deny(action)
    code = main(["iam", "--service", name, "--role", "worker"])
    cloud.clear_faults()
    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert "AccessDenied" in said.err
    assert "give --" in said.err


def test_a_service_that_is_not_there_ends_with_2(name: str, capsys) -> None:
    assert main(["iam", "--service", "iam/nobody", "--role", "worker"]) == 2
    assert "there is no service iam/nobody in us-east-1" in capsys.readouterr().err
