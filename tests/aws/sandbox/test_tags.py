"""Tags of services, and AWS's limits for them."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.scenarios.stack import Stack
from tests.aws.sandbox.shifting import code

Client = Callable[[str], Any]
Make = Callable[..., Stack]


@pytest.fixture(scope="module")
def tagged(client: Client) -> Any:
    from sandbox.scenarios.stack import make_stack

    made = make_stack(client, desired=0, load_balancer=False)
    yield made
    made.delete()


def _tag(client: Client, stack: Stack, **tags: str) -> None:
    given = [{"key": key, "value": value} for key, value in tags.items()]
    client("ecs").tag_resource(resourceArn=stack.describe()["serviceArn"], tags=given)


def _tags(client: Client, stack: Stack) -> dict[str, str]:
    arn = stack.describe()["serviceArn"]
    listed = client("ecs").list_tags_for_resource(resourceArn=arn)["tags"]
    answer = client("ecs").describe_services(
        cluster=stack.cluster, services=[stack.service], include=["TAGS"]
    )
    assert answer["services"][0]["tags"] == listed
    return {tag["key"]: tag["value"] for tag in listed}


def test_everything_that_is_allowed(tagged: Stack, client: Client) -> None:
    given = {"k" * 128: "v" * 256, "lastgood:Größe 1": "+ - = . _ : / @", "empty": ""}
    _tag(client, tagged, **given)
    assert _tags(client, tagged) == given
    arn = tagged.describe()["serviceArn"]
    client("ecs").untag_resource(resourceArn=arn, tagKeys=list(given))
    assert _tags(client, tagged) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k" * 129, "v"),
        ("k", "v" * 257),
        ("k", "{}"),
        ("k", "a,b"),
        ("k#", "v"),
        ("aws:k", "v"),
        ("AWS:k", "v"),
    ],
)
def test_what_is_refused(tagged: Stack, client: Client, key: str, value: str) -> None:
    assert code(lambda: _tag(client, tagged, fine="1", **{key: value})) == (
        "InvalidParameterException"
    )
    assert _tags(client, tagged) == {}


def test_at_most_fifty(tagged: Stack, client: Client) -> None:
    fifty = {f"k{number}": "v" for number in range(50)}
    _tag(client, tagged, **fifty)
    _tag(client, tagged, k7="w")
    assert code(lambda: _tag(client, tagged, k50="v")) == "InvalidParameterException"
    assert _tags(client, tagged) == {**fifty, "k7": "w"}
    arn = tagged.describe()["serviceArn"]
    client("ecs").untag_resource(resourceArn=arn, tagKeys=list(fifty))


def test_create_service_refuses_them_too(tagged: Stack, client: Client) -> None:
    service = {
        "cluster": tagged.cluster,
        "serviceName": "other",
        "taskDefinition": tagged.task_definition,
        "desiredCount": 0,
    }
    create = client("ecs").create_service
    assert code(create, **service, tags=[{"key": "aws:x", "value": "1"}]) == (
        "InvalidParameterException"
    )
    assert tagged.client("ecs").list_services(cluster=tagged.cluster)["serviceArns"] == [
        tagged.describe()["serviceArn"]
    ]
