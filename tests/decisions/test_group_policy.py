"""A group's policy file: what it means, what is refused and where, and its schema."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from lastgood import strict_yaml
from lastgood.cli.policy import policy as policy_command
from lastgood.errors import PolicyError
from lastgood.group_policy import GroupPolicy
from lastgood.policy import Policy
from lastgood.policy_file import load, parse, parse_any
from lastgood.policy_schema import group_schema

ROOT = Path(__file__).parents[2]
EXAMPLE = """\
group: shop
order: at-once
region: us-east-1
services:
  - {service: shop/db-proxy, monitor: {window: 2m}}
  - service: shop/web
    region: eu-west-1
    triggers:
      - {type: alarm, alarm: web-5xx}
  - service: shop/worker
    notify: {healthy: true}
notify:
  slack: {webhook_url: env:SLACK_WEBHOOK_URL}
"""


def group(text: str = EXAMPLE) -> GroupPolicy:
    found = parse_any(text)
    assert isinstance(found, GroupPolicy)
    return found


def test_members_take_over_region_and_notify_where_they_name_none() -> None:
    proxy, web, worker = group().members()
    assert (proxy.region, web.region, worker.region) == ("us-east-1", "eu-west-1", "us-east-1")
    assert proxy.notify == web.notify == group().notify
    assert worker.notify.healthy
    assert worker.notify.slack is None
    assert [trigger.type for trigger in web.triggers] == ["alarm"]


def test_the_documented_example_is_a_good_one() -> None:
    guide = (ROOT / "docs/groups.md").read_text()
    example = guide.split("```yaml\n", 1)[1].split("```", 1)[0]
    shown = group(example)
    assert (shown.group, shown.order, len(shown.services)) == ("shop", "in-order", 3)


def test_services_are_released_in_order_unless_it_says_otherwise() -> None:
    assert group("group: a\nservices: [{service: a/b}, {service: a/c}]").order == "in-order"


TWO = "  - service: a/b\n  - service: a/c\n"
ELEVEN = "".join(f"  - service: a/s{n}\n" for n in range(11))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("group: a", "1: services: missing: add it (A whole policy for each service"),
        (f"services:\n{TWO}", "1: group: missing: add it (The group's name, once in a region"),
        ("group: a\nservices:\n  - service: a/b", "2: services: must have at least 2 items"),
        (f"group: a\nservices:\n{ELEVEN}", "2: services: must be at most 10 items"),
        (
            f"group: a\nservices:\n{TWO}  - service: a/b",
            "5: services.2.service: is services.0.service too: a group names each service once",
        ),
        (f"group: a b\nservices:\n{TWO}", "1: group: must be a name: up to 64 letters, digits"),
        (
            f"group: a\norder: inorder\nservices:\n{TWO}",
            "2: order: unknown value; did you mean in-order? (known: in-order, at-once)",
        ),
        (
            f"group: a\nservice_list: 1\nservices:\n{TWO}",
            "2: service_list: unknown key; did you mean services?",
        ),
        (
            "group: a\nservices:\n  - service: a/b\n    monitr: {}\n  - service: a/c",
            "4: services.0.monitr: unknown key; did you mean monitor?",
        ),
        (
            "group: a\nservices:\n  - service: a/b\n  - service: a/c\n    triggers:\n"
            "      - {type: alarm}",
            "6: services.1.triggers.0.alarm: missing: add it",
        ),
        (
            "group: a\nservices:\n  - service: a/b\n    monitor: {window: 30s}\n  - service: a/c",
            "4: services.0.monitor.window: triggers.0.duration (1m) is longer than",
        ),
        ("group: a\nservices:\n  - a/b\n  - a/c", "3: services.0: must be a mapping"),
        ("group: a\nservice: a/b", "1: group: unknown key; write service, region"),
    ],
)
def test_what_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_any(text, "p.yaml")
    assert f"p.yaml:{sentence}" in str(caught.value)


def test_a_members_secret_is_refused_and_not_repeated() -> None:
    channels = "{webhook: {url: {hunter2: 1}}, slack: {webhook_url: hunter2}, hunter2: 1}"
    text = f"group: a\nservices:\n  - service: a/b\n    notify: {channels}\n  - service: a/c\n"
    with pytest.raises(PolicyError) as caught:
        parse_any(text)
    assert "services.0.notify.slack.webhook_url: a secret is named here" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_is_about_one_service_refuses_a_group_and_says_why(tmp_path) -> None:
    path = tmp_path / "group.yaml"
    path.write_text(EXAMPLE)
    for read in (lambda: parse(EXAMPLE, str(path)), lambda: load(path)):
        with pytest.raises(PolicyError, match="group: this is about the group shop"):
            read()


def test_the_schema_knows_the_example_and_refuses_what_the_loader_refuses() -> None:
    schema = group_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert list(validator.iter_errors(strict_yaml.read(EXAMPLE).data)) == []
    for wrong in ("group: a", "group: a b\nservices:\n" + TWO, "group: a\nservices: [{a: 1}]"):
        assert list(validator.iter_errors(strict_yaml.read(wrong).data))
    assert all(value.get("description") or "$ref" in value for value in _keys(schema))


def _keys(schema: dict) -> list[dict]:
    return list(schema["properties"].values())


def test_policy_check_and_schema_know_groups(tmp_path) -> None:
    path = tmp_path / "group.yaml"
    path.write_text(EXAMPLE)
    good = CliRunner().invoke(policy_command, ["check", "--policy", str(path)])
    members = "shop/db-proxy, shop/web, shop/worker"
    assert good.output == f"{path}: a good policy for the group shop: {members}, at-once\n"
    printed = CliRunner().invoke(policy_command, ["schema", "--group"])
    assert json.loads(printed.output) == group_schema()
    assert Policy.__doc__ not in json.loads(printed.output)["description"]
