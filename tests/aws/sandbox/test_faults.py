"""Answers that are late, refused, lost or old, as tests of idempotency need them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox import Sandbox
from sandbox.scenarios.stack import Stack
from tests.aws.sandbox.conftest import eventually

pytestmark = pytest.mark.usefixtures("clean")
Client = Callable[[str], Any]
Make = Callable[..., Stack]


@pytest.fixture(scope="module")
def once(aws: Sandbox) -> Any:
    """An ECS client that sends each call once."""
    return aws.client("ecs", retries=False)


@pytest.fixture(scope="module")
def plain(client: Client) -> Any:
    from sandbox.scenarios.stack import make_stack

    made = make_stack(client, desired=1, load_balancer=False)
    yield made
    made.delete()


def _describe(ecs: Any, stack: Stack) -> Any:
    return ecs.describe_services(cluster=stack.cluster, services=[stack.service])


def _code(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_lost_answer_is_carried_out_all_the_same(aws: Sandbox, once: Any, plain: Stack) -> None:
    aws.forget_requests()
    aws.lose_answer("UpdateService")
    arn = plain.register("shop:2.0")
    where = {"cluster": plain.cluster, "service": plain.service}
    with pytest.raises(ConnectionClosedError):
        once.update_service(**where, taskDefinition=arn)
    [call] = aws.requests("UpdateService")
    assert (call["answered"], call["fault"]) == (False, "lose_answer")
    assert call["about"] == plain.service
    primary = plain.describe()["deployments"][0]
    assert primary["taskDefinition"] == arn
    assert aws.effects("UpdateService") == [f"deployment {primary['id']}"]
    once.update_service(**where, taskDefinition=arn)
    assert len(aws.requests("UpdateService")) == 2
    assert len(aws.effects("UpdateService")) == 1
    plain.wait_until_steady()


def test_boto3_itself_repeats_a_call_whose_answer_is_lost(
    aws: Sandbox, client: Client, plain: Stack
) -> None:
    aws.forget_requests()
    aws.lose_answer("UpdateService")
    client("ecs").update_service(
        cluster=plain.cluster, service=plain.service, forceNewDeployment=True
    )
    assert len(aws.effects("UpdateService")) == 2  # why a release must not rely on boto3's retries
    plain.wait_until_steady()


def test_throttling_some_times(aws: Sandbox, once: Any, client: Client, plain: Stack) -> None:
    aws.throttle("DescribeServices", times=2)
    for _ in range(2):
        assert _code(lambda: _describe(once, plain)) == ("ThrottlingException", 400)
    assert _describe(once, plain)["services"]
    aws.throttle("DescribeServices", times=1)
    assert _describe(client("ecs"), plain)["services"]  # boto3 tries again


def test_a_fault_can_let_some_calls_through_first(aws: Sandbox, once: Any, plain: Stack) -> None:
    aws.throttle("DescribeServices", times=1, skip=1)
    assert _describe(once, plain)["services"]
    assert _code(lambda: _describe(once, plain))[0] == "ThrottlingException"
    assert _describe(once, plain)["services"]


def test_errors_of_the_server(aws: Sandbox, once: Any, plain: Stack) -> None:
    aws.fail("DescribeServices")
    assert _code(lambda: _describe(once, plain)) == ("ServerException", 500)
    assert _describe(once, plain)["services"]


def test_access_denied_until_cleared(aws: Sandbox, client: Client, plain: Stack) -> None:
    aws.deny("UpdateService")
    before = plain.describe()["deployments"][0]["id"]

    def update() -> None:
        client("ecs").update_service(
            cluster=plain.cluster, service=plain.service, forceNewDeployment=True
        )

    for _ in range(2):
        assert _code(update) == ("AccessDeniedException", 400)
    assert plain.describe()["deployments"][0]["id"] == before
    aws.clear_faults()
    update()
    assert plain.wait_until_steady()["deployments"][0]["id"] != before


@pytest.mark.parametrize(
    ("service", "action", "call"),
    [
        ("cloudwatch", "DescribeAlarms", lambda c: c.describe_alarms()),
        ("elbv2", "DescribeLoadBalancers", lambda c: c.describe_load_balancers()),
        ("sns", "ListTopics", lambda c: c.list_topics()),
        ("ec2", "DescribeSubnets", lambda c: c.describe_subnets()),
        ("ses", "ListIdentities", lambda c: c.list_identities()),
        ("ecr", "DescribeRepositories", lambda c: c.describe_repositories()),
    ],
)
def test_every_service_can_refuse_in_its_own_format(
    aws: Sandbox, client: Client, service: str, action: str, call: Callable[[Any], Any]
) -> None:
    aws.deny(action)
    code, status = _code(lambda: call(client(service)))
    assert code in ("AccessDeniedException", "AccessDenied")
    assert status == 400


def test_sending_an_email_can_be_refused(aws: Sandbox, client: Client) -> None:
    aws.deny("SendEmail")
    content = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}

    def send() -> None:
        client("sesv2").send_email(
            FromEmailAddress="a@example.com", Destination={}, Content=content
        )

    assert _code(send)[0] == "AccessDeniedException"


def test_a_late_answer(aws: Sandbox, once: Any, plain: Stack) -> None:
    aws.delay("DescribeServices", 1.0, times=1)
    started = time.monotonic()
    _describe(once, plain)
    assert time.monotonic() - started >= 1.0
    assert [fault["used"] for fault in aws.control("GET", "faults")] == [1]


def test_a_late_answer_keeps_nobody_else_waiting(
    aws: Sandbox, once: Any, client: Client, plain: Stack
) -> None:
    import threading

    aws.delay("DescribeServices", 1.5, times=1)
    late = threading.Thread(target=_describe, args=(once, plain))
    late.start()
    eventually(lambda: aws.control("GET", "faults")[0]["used"] == 1)
    client("ecs").list_clusters()
    assert late.is_alive()
    late.join()


def test_stale_answers(aws: Sandbox, client: Client, plain: Stack) -> None:
    before = plain.describe()["deployments"][0]["id"]
    time.sleep(0.3)
    aws.stale(20)
    new = plain.deploy("shop:3.0")
    for _ in range(3):
        ids = [d["id"] for d in plain.describe()["deployments"]]
        assert new not in ids
    aws.clear_faults()
    assert plain.describe()["deployments"][0]["id"] == new != before
    plain.wait_until_steady()


def test_wrong_control_calls_are_refused(aws: Sandbox) -> None:
    from sandbox.running import SandboxError

    with pytest.raises(SandboxError, match="kind must be one of"):
        aws.control("POST", "faults", {"kind": "nonsense"})
    with pytest.raises(SandboxError, match="no such thing"):
        aws.control("GET", "nonsense")
