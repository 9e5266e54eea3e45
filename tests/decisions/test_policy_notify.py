"""Channels in a policy: their forms, their limits, and templates in files of their own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lastgood import strict_yaml
from lastgood.decisions.advice import warnings_of
from lastgood.errors import PolicyError
from lastgood.group_policy import GroupPolicy
from lastgood.message_templates import FILTERS, VARIABLES
from lastgood.policy import Policy
from lastgood.policy_file import check, check_text, load, load_any
from lastgood.policy_notify import NotifyPolicy, SlackChannel
from lastgood.policy_schema import schema

HOOK = "webhook_url: env:HOOK"


def said(notify: str) -> list[str]:
    """Each problem with a notify, as file:line: key: message."""
    return [one.sentence("f") for one in check_text(f"service: a/b\nnotify:\n{notify}").problems]


def parsed(notify: str) -> NotifyPolicy:
    checked = check_text(f"service: a/b\nnotify:\n{notify}")
    assert isinstance(checked.policy, Policy), checked.problems
    return checked.policy.notify


def test_one_channel_or_several_of_a_kind() -> None:
    one = parsed(f"  slack: {{{HOOK}}}\n  webhook: {{url: env:X}}\n")
    assert [key for key, _ in one.channels()] == ["slack", "webhook"]
    several = parsed(f"  slack:\n    - {{{HOOK}}}\n    - {{token: env:T, channel: C0123456}}\n")
    assert [key for key, _ in several.channels()] == ["slack.0", "slack.1"]
    again = NotifyPolicy.model_validate_json(several.model_dump_json())
    assert again == several


def test_a_notify_of_the_first_version_means_what_it_meant() -> None:
    old = {
        "healthy": False,
        "slack": {"webhook_url": "env:S"},
        "email": {"from_": "a@b.c", "to": ["d@e.f"], "via": "ses", "smtp": None},
        "sns": None,
        "webhook": {"url": "env:W"},
    }
    notify = NotifyPolicy.model_validate_json(json.dumps(old))
    assert [key for key, _ in notify.channels()] == ["slack", "email", "webhook"]
    assert notify.slack == SlackChannel(webhook_url="env:S")
    assert all(channel.severities is None for _, channel in notify.channels())


@pytest.mark.parametrize(
    ("notify", "problem"),
    [
        ("  slack: {}", "f:3: notify.slack.webhook_url: missing: add it, such as env:SLACK_WEB"),
        (f"  slack: {{{HOOK}, token: env:T, channel: C012345}}", "leave one of them out"),
        ("  slack: {token: env:T}", "f:3: notify.slack.token: goes with channel"),
        (f"  slack: {{{HOOK}, channel: C012345}}", "notify.slack.channel: is not used"),
        ('  slack: {token: env:T, channel: "#deploys"}', "a channel's id, not its name"),
        (
            "  slack:\n    - {tokn: env:T}",
            "f:4: notify.slack.0.tokn: unknown key; did you mean token?",
        ),
        ("  slack: []", "f:3: notify.slack: must not be empty"),
        ("  slack: yes-please", "f:3: notify.slack: must be a mapping"),
        ("  pagerduty: {}", "f:3: notify.pagerduty.routing_key: missing: add it"),
        ("  pagerduty: {routing_key: env:K, region: uk}", "unknown value; write us or eu"),
        ("  teams:\n    webhook_url: https://hush", "a secret is named here, never written here"),
        (f"  teams: {{{HOOK}, severity: [grave]}}", "notify.teams.severity.0: unknown value"),
        (f"  teams: {{{HOOK}, severity: [critical], at_least: warning}}", "leave one of them out"),
        (f"  teams: {{{HOOK}, services: [web]}}", "write CLUSTER/SERVICE"),
        (f"  teams: {{{HOOK}, services: []}}", "must not be empty"),
    ],
)
def test_what_is_wrong_with_a_channel(notify: str, problem: str) -> None:
    (found,) = said(notify)
    assert problem in found
    assert "hush" not in found


def test_the_schema_takes_both_forms() -> None:
    validator = Draft202012Validator(schema())

    def fits(**notify: Any) -> bool:
        return bool(validator.is_valid({"service": "a/b", "notify": notify}))

    hook = {"webhook_url": "env:X"}
    assert fits(slack=hook)
    assert fits(slack=[hook, {"token": "env:X", "channel": "C012345"}])
    assert fits(teams=[hook | {"at_least": "critical"}], pagerduty={"routing_key": "env:X"})
    assert not fits(slack=[])
    assert not fits(teams={"webhook_url": "https://x"})


# --- Templates -----------------------------------------------------------------------------------


def test_a_template_is_tried_with_its_line() -> None:
    assert said(f"  slack:\n    {HOOK}\n    template: |\n      one\n      {{{{ sumary }}}}\n") == [
        "f:5: notify.slack.template: line 2 of the template: unknown variable sumary; "
        "did you mean summary?"
    ]
    assert said(f'  teams: {{{HOOK}, title: "{{% set x = 1 %}}"}}\n')
    assert "is not JSON" in said("  webhook: {url: env:X, template: '{{ title }}'}\n")[0]
    assert said("  webhook: {url: env:X, template: '{{ title | tojson }}'}\n") == []


def policy_with(folder: Path, template: str) -> Path:
    path = folder / "lastgood.yaml"
    path.write_text(
        f"service: a/b\nnotify:\n  teams:\n    - {HOOK}\n      template: '{template}'\n"
    )
    return path


def test_a_file_beside_the_policy_travels_with_it(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words/m.j2").write_text("one\n{{ title }} ü\n")
    notify = load(policy_with(tmp_path, "file:words/m.j2")).notify
    ((_, channel),) = notify.channels()
    assert channel.template == "one\n{{ title }} ü"


def test_what_is_wrong_in_a_file_is_said_with_the_files_line(tmp_path: Path) -> None:
    (tmp_path / "m.j2").write_text("one\n\n{{ titel }}\n")
    (found,) = check(policy_with(tmp_path, "file:m.j2")).problems
    assert (found.line, found.key) == (5, "notify.teams.0.template")
    assert found.message == "m.j2:3: unknown variable titel; did you mean title?"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere.j2", "the file cannot be read: No such file"),
        ("", "cannot be read: Is a directory"),
        ("../secret.j2", "must be beside the policy file or below its folder"),
        ("/etc/hostname", "must be beside the policy file or below its folder"),
        ("link.j2", "must be beside the policy file or below its folder"),
        ("long.j2", "must have 1 to 4000 characters"),
        ("empty.j2", "must have 1 to 4000 characters"),
        ("latin.j2", "not UTF-8"),
        ("control.j2", "must not contain control characters"),
    ],
)
def test_files_that_are_no_templates(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "secret.j2").write_text("hush")
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "link.j2").symlink_to(tmp_path / "secret.j2")
    (folder / "long.j2").write_text("x" * 5000)
    (folder / "empty.j2").write_text("")
    (folder / "latin.j2").write_bytes(b"\xfc")
    (folder / "control.j2").write_bytes(b"\x1b[31m")
    with pytest.raises(PolicyError) as caught:
        load(policy_with(folder, f"file:{name}"))
    assert why in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_policy_without_a_folder_has_no_files() -> None:
    (found,) = said(f"  teams: {{{HOOK}, template: 'file:m.j2'}}")
    assert "a file is only found beside a policy file: write the text itself" in found


# --- Services ------------------------------------------------------------------------------------


def group(services: str, own: str = "") -> str:
    shared = f"notify:\n  teams: {{{HOOK}, services: [{services}]}}\n"
    return f"group: shop\n{shared}services:\n  - service: shop/web\n  - service: shop/api\n{own}"


def test_a_groups_channel_is_for_some_of_its_services(tmp_path: Path) -> None:
    path = tmp_path / "lastgood.yaml"
    path.write_text(group("shop/web"))
    policy = load_any(path)
    assert isinstance(policy, GroupPolicy)
    assert all(one.notify == policy.notify for one in policy.members())
    (problem,) = check_text(group("shop/web, shop/wbe")).problems
    assert problem.key == "notify.teams.services.1"
    assert "no service of this group" in problem.message


def test_templates_of_a_groups_services_are_tried_too() -> None:
    own = f"    notify:\n      teams: {{{HOOK}, template: '{{{{ nope }}}}'}}\n"
    (problem,) = check_text(group("shop/web", own)).problems
    assert problem.key == "services.1.notify.teams.template"


def test_a_channel_that_never_hears_of_its_service_is_warned_of() -> None:
    text = f"service: a/b\nnotify:\n  teams: {{{HOOK}, services: [a/c]}}\n"
    policy = check_text(text).policy
    assert isinstance(policy, Policy)
    assert any("notify.teams.services: does not name a/b" in one for one in warnings_of(policy))
    assert strict_yaml.read(text).faults == []


# --- The documentation ---------------------------------------------------------------------------

DOCS = (Path(__file__).parents[2] / "docs/notifications.md").read_text()


def test_the_documented_policies_are_good(tmp_path: Path) -> None:
    (tmp_path / "notify").mkdir()
    (tmp_path / "notify/mail.j2").write_text("{{ summary }}")
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    lines = re.findall(r"`((?:slack|pagerduty|teams|email|sns|webhook): \{.*?\})`", DOCS)
    assert len(blocks) == 2
    assert len(lines) == 7
    for text in [*blocks, *(f"notify:\n  {line}" for line in lines)]:
        path = tmp_path / "lastgood.yaml"
        path.write_text(f"service: a/b\n{text}")
        assert check(path).problems == (), text


def test_the_documented_variables_and_filters_are_those_that_there_are() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCS, re.MULTILINE))
    assert {name: table[name] for name in VARIABLES} == {
        name: text.replace('fact["Trigger"]', '`fact["Trigger"]`')
        for name, text in VARIABLES.items()
    }
    (filters,) = re.findall(r"and the filters (.*?)\.\n", DOCS, re.DOTALL)
    assert tuple(re.findall(r"`(\w+)`", filters)) == tuple(sorted(FILTERS))
