"""Plain boto3, pointed at the sandbox by its environment alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.cloud.moto_seams import expected

_PLAIN = """
import boto3, json
print(json.dumps([
    boto3.client("ecs").list_clusters()["clusterArns"],
    boto3.client("sts").get_caller_identity()["Account"],
]))
"""

_HELP = """
-errors-0.4 -slow-3s -crash -unhealthy -dies-5s -degrades-5s -sick-5s SANDBOX_BEHAVIOUR
/sandbox/truth /sandbox/faults /sandbox/traffic lose_answer --traffic --port
--minute BLUE_GREEN LINEAR CANARY PAUSE ContinueServiceDeployment unsupported
/sandbox/images /sandbox/rollbacks /sandbox/troubles
AWS/ApplicationELB Servio/Production METRICS_NAMESPACE
"""


def test_the_environment_is_enough(aws: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN],
        env=aws.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[1] == "123456789012"


def test_moto_is_as_we_know_it() -> None:
    import importlib.metadata

    assert importlib.metadata.version("moto") == expected.VERSION
    assert expected.missing() == []


def test_a_moto_that_lost_a_method_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.elbv2.responses import ELBV2Response

    monkeypatch.delattr(ELBV2Response, "create_listener")
    assert expected.missing() == ["ELBV2Response.create_listener"]


def test_every_service_answers(client: Callable[[str], Any]) -> None:
    assert client("ec2").describe_subnets()["Subnets"]
    assert client("elbv2").describe_load_balancers()["LoadBalancers"] is not None
    assert client("ecr").describe_repositories()["repositories"] == []
    assert client("cloudwatch").list_metrics()["Metrics"] is not None


def test_messages_and_mails_are_kept(aws: Sandbox, client: Callable[[str], Any]) -> None:
    topic = client("sns").create_topic(Name="deploys")["TopicArn"]
    client("sns").publish(TopicArn=topic, Subject="hello", Message="from the test")
    assert [m["message"] for m in aws.messages() if m["topic"] == topic] == ["from the test"]
    client("ses").verify_email_identity(EmailAddress="deploys@example.com")
    content = {"Simple": {"Subject": {"Data": "v2"}, "Body": {"Text": {"Data": "text"}}}}
    client("sesv2").send_email(
        FromEmailAddress="deploys@example.com",
        Destination={"ToAddresses": ["oncall@example.com"]},
        Content=content,
    )
    client("ses").send_email(
        Source="deploys@example.com",
        Destination={"ToAddresses": ["oncall@example.com"]},
        Message={"Subject": {"Data": "v1"}, "Body": {"Text": {"Data": "text"}}},
    )
    assert [mail["subject"] for mail in aws.mails()] == ["v2", "v1"]


def test_ses_refuses_an_unverified_sender(client: Callable[[str], Any]) -> None:
    with pytest.raises(client("ses").exceptions.MessageRejected):
        client("ses").send_email(
            Source="stranger@example.com",
            Destination={"ToAddresses": ["oncall@example.com"]},
            Message={"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}},
        )


def test_help_says_all_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "--help"], capture_output=True, text=True, check=True
    )
    for word in _HELP.split():
        assert word in done.stdout
