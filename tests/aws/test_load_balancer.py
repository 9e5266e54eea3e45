"""Load balancers by any of their names, and where their health check can be asked."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities.clients import AwsClients
from activities.load_balancer import LoadBalancerActivities
from lastgood.contracts import LoadBalancerFacts, ResolveOrder
from lastgood.errors import NOT_FOUND
from sandbox import Sandbox
from sandbox.scenarios.stack import Stack, make_stack
from tests.aws.conftest import REGION, Attempt, unique

Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def balancers(clients: AwsClients) -> LoadBalancerActivities:
    return LoadBalancerActivities(clients)


@pytest.fixture(scope="module")
def stack(plain_client: Client) -> Iterator[Stack]:
    made = make_stack(plain_client, desired=1, health_path="/health")
    yield made
    made.delete()


async def resolve(
    balancers: LoadBalancerActivities, group: str | None, balancer: str | None = None
) -> LoadBalancerFacts:
    order = ResolveOrder(region=REGION, load_balancer=balancer, target_group=group)
    return await Attempt().run(balancers.describe_target_groups, order)


def names(stack: Stack) -> list[tuple[str | None, str | None]]:
    assert stack.target_group
    assert stack.load_balancer
    return [
        (stack.target_group_arn, None),  # the service's own
        (stack.target_group_arn, stack.load_balancer_arn),
        (stack.target_group, stack.load_balancer),
        (stack.target_group.split("/")[1], stack.load_balancer.split("/")[1]),
        (stack.target_group, stack.load_balancer_arn),
    ]


@pytest.mark.parametrize("way", range(5))
async def test_every_name_leads_to_the_same(
    balancers: LoadBalancerActivities, stack: Stack, way: int
) -> None:
    facts = await resolve(balancers, *names(stack)[way])
    assert facts.load_balancer == stack.load_balancer
    assert facts.load_balancer.startswith("app/")
    assert facts.target_group == stack.target_group
    assert facts.target_group.startswith("targetgroup/")


async def test_the_health_check_answers_through_the_load_balancer(
    balancers: LoadBalancerActivities, stack: Stack
) -> None:
    facts = await resolve(balancers, stack.target_group_arn)
    assert facts.health_url
    assert facts.health_url.endswith("/health")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(facts.health_url)).status_code == 200


@pytest.mark.parametrize(
    ("group", "balancer", "code"),
    [
        ("no-such-group", None, "TargetGroupNotFound"),
        ("OURS", "no-such-balancer", NOT_FOUND),
        ("OURS", "app/no-such-balancer/0123456789abcdef", NOT_FOUND),
    ],
)
async def test_what_is_not_there(
    balancers: LoadBalancerActivities, stack: Stack, group: str, balancer: str | None, code: str
) -> None:
    wanted = stack.target_group_arn if group == "OURS" else group
    with pytest.raises(ApplicationError) as caught:
        await resolve(balancers, wanted, balancer)
    assert (caught.value.type, caught.value.non_retryable) == (code, True)


def lone_group(plain_client: Client, **keys: Any) -> str:
    vpc = plain_client("ec2").describe_subnets()["Subnets"][0]["VpcId"]
    options = {"Protocol": "HTTP", "Port": 8080, "VpcId": vpc, "TargetType": "ip", **keys}
    made = plain_client("elbv2").create_target_group(Name=unique("group"), **options)
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    return arn


async def test_a_group_without_a_load_balancer(
    balancers: LoadBalancerActivities, plain_client: Client
) -> None:
    with pytest.raises(ApplicationError, match="not attached to any Application") as caught:
        await resolve(balancers, lone_group(plain_client))
    assert caught.value.type == NOT_FOUND


@pytest.mark.parametrize(
    ("group", "listener", "asked"),
    [
        ({}, {}, True),
        ({"HealthCheckPath": "/up", "Matcher": {"HttpCode": "200-299"}}, {}, True),
        ({"Matcher": {"HttpCode": "301,200"}}, {}, True),
        ({"HealthCheckPort": "8080"}, {}, True),
        # The group's own health check gets another answer than ours would.
        ({"Matcher": {"HttpCode": "204"}}, {}, False),
        ({"HealthCheckPort": "9000"}, {}, False),
        # Its certificate would not be for the load balancer's own name.
        ({}, {"Protocol": "HTTPS", "Port": 443}, False),
    ],
)
async def test_where_the_answer_could_differ_nothing_is_asked(
    group: dict[str, Any], listener: dict[str, Any], asked: bool
) -> None:
    facts = await resolve(
        LoadBalancerActivities(lambda service, region: _Described(group, listener)), "web"
    )
    path = group.get("HealthCheckPath", "/health")
    assert facts.health_url == (f"http://lb.test:80{path}" if asked else None)


async def test_only_application_load_balancers() -> None:
    described = LoadBalancerActivities(lambda service, region: _Described({}, {}, "network"))
    with pytest.raises(ApplicationError, match="not attached"):
        await resolve(described, "web")


class _Described:
    """What AWS describes of load balancers that the sandbox has not."""

    def __init__(
        self, group: dict[str, Any], listener: dict[str, Any], kind: str = "application"
    ) -> None:
        self._group, self._listener, self._kind = group, listener, kind

    def describe_target_groups(self, **_: Any) -> dict[str, Any]:
        group = {
            "TargetGroupArn": "arn:aws:e:r:1:targetgroup/web/1",
            "TargetGroupName": "web",
            "LoadBalancerArns": ["arn:aws:e:r:1:loadbalancer/app/web/2"],
            "Port": 8080,
            "HealthCheckPort": "traffic-port",
            "HealthCheckPath": "/health",
            "Matcher": {"HttpCode": "200"},
        }
        return {"TargetGroups": [{**group, **self._group}]}

    def describe_load_balancers(self, **_: Any) -> dict[str, Any]:
        arn = "arn:aws:e:r:1:loadbalancer/app/web/2"
        described = {"LoadBalancerArn": arn, "LoadBalancerName": "web", "DNSName": "lb.test"}
        return {"LoadBalancers": [{**described, "Type": self._kind}]}

    def describe_listeners(self, **_: Any) -> dict[str, Any]:
        to = [{"Type": "forward", "TargetGroupArn": "arn:aws:e:r:1:targetgroup/web/1"}]
        return {
            "Listeners": [
                {"Protocol": "HTTP", "Port": 8000, "DefaultActions": [{"Type": "redirect"}]},
                {"Protocol": "HTTP", "Port": 80, "DefaultActions": to, **self._listener},
            ]
        }


# --- Whose the load balancer's own errors are --------------------------------------------------


def groups_of(stack: Stack) -> tuple[str, ...]:
    found = (stack.target_group_arn, stack.alternate_target_group_arn)
    return tuple(one for one in found if one)


async def is_exclusive(
    balancers: LoadBalancerActivities, stack: Stack, own: tuple[str, ...]
) -> bool:
    order = ResolveOrder(region=REGION, target_group=stack.target_group_arn, own=own)
    return (await Attempt().run(balancers.describe_target_groups, order)).exclusive


async def test_a_load_balancer_of_one_service_alone(
    balancers: LoadBalancerActivities, stack: Stack
) -> None:
    assert await is_exclusive(balancers, stack, groups_of(stack))
    assert not await is_exclusive(balancers, stack, ())
    assert not await is_exclusive(balancers, stack, ("arn:aws:some:other:group",))


async def test_a_load_balancer_that_other_services_share(
    balancers: LoadBalancerActivities, plain_client: Client
) -> None:
    stack = make_stack(plain_client, desired=1)
    try:
        assert await is_exclusive(balancers, stack, groups_of(stack))
        other = lone_group(plain_client)
        plain_client("elbv2").create_rule(
            ListenerArn=stack.listener_arn,
            Priority=77,
            Conditions=[{"Field": "path-pattern", "Values": ["/other/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": other}],
        )
        assert not await is_exclusive(balancers, stack, groups_of(stack))
        assert await is_exclusive(balancers, stack, (*groups_of(stack), other))
    finally:
        stack.delete()


async def test_all_pages_of_target_groups_are_looked_at() -> None:
    paged = _Paged({}, {})
    order = ResolveOrder(
        region=REGION, target_group="web", own=("arn:aws:e:r:1:targetgroup/web/1",)
    )
    facts = await Attempt().run(
        LoadBalancerActivities(lambda service, region: paged).describe_target_groups, order
    )
    assert not facts.exclusive
    assert paged.markers == [None, None, "2"]


class _Paged(_Described):
    """A load balancer with a second page of target groups; the sandbox gives one page."""

    markers: list[str | None]

    def __init__(self, *described: Any) -> None:
        super().__init__(*described)
        self.markers = []

    def describe_target_groups(self, **asked: Any) -> dict[str, Any]:
        self.markers.append(asked.get("Marker"))
        first = super().describe_target_groups()
        if "LoadBalancerArn" not in asked:
            return first
        if "Marker" in asked:
            return {"TargetGroups": [{"TargetGroupArn": "arn:aws:e:r:1:targetgroup/other/3"}]}
        return {**first, "NextMarker": "2"}


async def test_denied(calm: Sandbox, balancers: LoadBalancerActivities, stack: Stack) -> None:
    calm.deny("DescribeTargetGroups", times=1)
    with pytest.raises(ApplicationError) as caught:
        await resolve(balancers, stack.target_group_arn)
    assert caught.value.message.startswith("elasticloadbalancing:DescribeTargetGroups: ")
    assert caught.value.non_retryable
