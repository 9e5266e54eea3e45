"""Listeners' rules: conditions, priorities, weights."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.cloud.load_balancer.http import Message
from sandbox.cloud.load_balancer.rules import Rule
from sandbox.cloud.load_balancer.targets import TargetGroup
from sandbox.scenarios.stack import Stack
from sandbox.scenarios.strategy import blue_green
from tests.aws.sandbox.conftest import eventually, get

Client = Callable[[str], Any]
Make = Callable[..., Stack]


def _condition(field: str, config: str, *values: Any, **more: str) -> dict[str, Any]:
    return {"Field": field, config: {"Values": list(values), **more}}


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        (_condition("path-pattern", "PathPatternConfig", "/api/*"), True),
        (_condition("path-pattern", "PathPatternConfig", "/API/*"), False),
        (_condition("path-pattern", "PathPatternConfig", "/x", "/api/?"), True),
        ({"Field": "path-pattern", "Values": ["/api/1"]}, True),
        (_condition("host-header", "HostHeaderConfig", "*.example.com"), True),
        (_condition("host-header", "HostHeaderConfig", "example.com"), False),
        (_condition("http-request-method", "HttpRequestMethodConfig", "GET"), True),
        (_condition("http-request-method", "HttpRequestMethodConfig", "POST"), False),
        (_condition("http-header", "HttpHeaderConfig", "te*", HttpHeaderName="X-Kind"), True),
        (_condition("http-header", "HttpHeaderConfig", "*", HttpHeaderName="X-Other"), False),
        (_condition("query-string", "QueryStringConfig", {"Key": "v", "Value": "2"}), True),
        (_condition("query-string", "QueryStringConfig", {"Key": "w", "Value": "2"}), False),
        (_condition("source-ip", "SourceIpConfig", "127.0.0.1/32"), False),
    ],
)
def test_conditions(condition: dict[str, Any], *, matches: bool) -> None:
    headers = [("Host", "Shop.example.com:8080"), ("X-Kind", "test")]
    request = Message("GET /api/1?u=1&v=2 HTTP/1.1", headers, b"")
    assert Rule("arn", (condition,)).matches(request) is matches


def test_weights_are_kept_exactly_and_evenly() -> None:
    groups = [TargetGroup("a"), TargetGroup("b"), TargetGroup("c")]
    rule = Rule("arn", groups=[(groups[0], 7), (groups[1], 3), (groups[2], 0)])
    for _ in range(5):
        chosen = [group.arn for group in (rule.choose() for _ in range(10)) if group]
        assert (chosen.count("a"), chosen.count("b")) == (7, 3)
    rule.groups = [(groups[0], 0)]
    assert rule.choose() is None


def test_a_rule_with_a_condition_comes_before_the_default_rule(make: Make, client: Client) -> None:
    stack = make(strategy=blue_green())
    elb = client("elbv2")
    made = elb.create_rule(
        ListenerArn=stack.listener_arn,
        Priority=5,
        Conditions=[_condition("path-pattern", "PathPatternConfig", "/nowhere*")],
        Actions=[{"Type": "forward", "TargetGroupArn": stack.alternate_target_group_arn}],
    )["Rules"][0]
    url = stack.url or ""
    assert get(url)[0] == 200
    assert get(f"{url}/nowhere/else")[0] == 503  # the other target group has no targets
    elb.delete_rule(RuleArn=made["RuleArn"])
    assert get(f"{url}/nowhere/else")[0] == 200


def test_weights_that_somebody_changes_by_hand(make: Make, client: Client) -> None:
    stack = make(strategy=blue_green())
    groups = {stack.target_group_arn: 1, stack.alternate_target_group_arn: 1}
    weights = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()]
    client("elbv2").modify_rule(
        RuleArn=stack.production_rule_arn,
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}],
    )
    url = stack.url or ""
    eventually(lambda: {get(url)[0] for _ in range(4)} == {200, 503})
