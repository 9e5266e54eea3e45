"""What AWS authorises and then refuses: the sandbox does so, too, where moto carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox import Sandbox

ROLE = "arn:aws:iam::123456789012:role/some-role"
Call = Callable[[Sandbox], Any]


def register(aws: Sandbox, **keys: Any) -> Any:
    return aws.client("ecs").register_task_definition(family="empty", **keys)


def mail_nobody(aws: Sandbox) -> Any:
    text = {"Data": "x"}
    return aws.client("sesv2").send_email(
        FromEmailAddress="a@b.example",
        Destination={},
        Content={"Simple": {"Subject": text, "Body": {"Text": text}}},
    )


def publish(aws: Sandbox, message: str) -> Any:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="effects")["TopicArn"]
    return sns.publish(TopicArn=topic, Message=message, MessageStructure="json")


def simulate(aws: Sandbox, action: str) -> Any:
    [result] = aws.client("iam").simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=[action], ResourceArns=[ROLE]
    )["EvaluationResults"]
    return result["EvalDecision"]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda aws: register(aws, containerDefinitions=[]), "ClientException"),
        (mail_nobody, "BadRequestException"),
        (lambda aws: publish(aws, "no JSON"), "InvalidParameter"),
    ],
)
def test_it_is_refused_and_nothing_happens(cloud: Sandbox, call: Call, code: str) -> None:
    mails, messages = cloud.mails(), cloud.messages()
    with pytest.raises(ClientError) as caught:
        call(cloud)
    assert caught.value.response["Error"]["Code"] == code
    assert (cloud.mails(), cloud.messages()) == (mails, messages)
    assert (
        cloud.client("ecs").list_task_definitions(familyPrefix="empty")["taskDefinitionArns"] == []
    )


def test_what_can_be_carried_out_is(cloud: Sandbox) -> None:
    assert publish(cloud, '{"default": "text"}')["MessageId"]


def test_a_role_that_may_not_be_passed(cloud: Sandbox) -> None:
    """Only who gives roles needs to be allowed to."""
    assert simulate(cloud, "iam:PassRole") == "allowed"
    cloud.deny("PassRole")
    try:
        with pytest.raises(ClientError, match=r"iam:PassRole on resource: .*some-role"):
            register(cloud, containerDefinitions=[], taskRoleArn=ROLE)
        with pytest.raises(ClientError, match="Container list"):
            register(cloud, containerDefinitions=[])
        assert simulate(cloud, "iam:PassRole") == "implicitDeny"
        assert simulate(cloud, "ecs:UpdateService") == "allowed"
    finally:
        cloud.clear_faults()
