"""What ``lastgood iam`` writes: judged by cfn-lint, which knows each action and its resources."""

import functools
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import hcl2
import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from click.testing import CliRunner, Result

from lastgood.cli.iam import iam
from lastgood.decisions import iam_forms
from lastgood.decisions.iam_policies import (
    Scope,
    Sender,
    Statement,
    characters,
    document,
    repository_arn,
    statements,
    with_task_definition,
)
from lastgood.decisions.permissions import GRANTS, Role
from lastgood.errors import LastgoodError

ROLES: tuple[Role, ...] = ("ci", "worker", "setup")
ACCOUNT = "123456789012"
WORKER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/lastgood-worker"
EVERYWHERE = {
    "cloudwatch:describealarms": "composite alarms",
    "cloudwatch:describealarmhistory": "composite alarms",
    "cloudwatch:getmetricdata": "a dataset is no metric",
    "cloudwatch:listmetrics": "a dataset is no metric",
}
"""What AWS could scope, and what scoping would break."""


def scope(service: str = "web", **keys: Any) -> Scope:
    given = {
        "region": "eu-west-1",
        "account": ACCOUNT,
        "cluster": "shop",
        "families": (service,),
        "roles": (f"arn:aws:iam::{ACCOUNT}:role/{service}",),
        "repositories": (f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/{service}",),
        "drill_alarms": ("web-5xx",),
        "topics": (f"arn:aws:sns:eu-west-1:{ACCOUNT}:deploys",),
        "senders": (Sender(address="a@example.com", recipients=("b@example.com",)),),
    }
    return Scope(service=service, **{**given, **keys})


def found(role: Role, *scopes: Scope) -> list[Statement]:
    return list(statements(role, scopes or (scope(), scope("api")), WORKER_ROLE))


def faults(template: str) -> list[str]:
    """What cfn-lint says, down to its mere remarks; it knows the actions and their resources."""
    args = ManualArgs(regions=["eu-west-1"], include_checks=["I"])
    return [f"{one.rule.id}: {one.message}" for one in lint(template, config=args)]


def template(role: Role) -> str:
    return iam_forms.as_cloudformation(role, ["shop/web", "shop/api"], found(role))


# --- By the linter -----------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_cfn_lint_finds_nothing(role: Role) -> None:
    assert faults(template(role)) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("ecs:UpdateService", "ecs:UpdateServise", "W3037"),
        ("Effect: Allow", "Effect: Alow", "E3510"),
        (":service/shop/web", ":servce/shop/web", "I3510"),
        ("ArnLike", "ArnLikes", "E3510"),
        ("AWS::IAM::ManagedPolicy", "AWS::IAM::ManagedPolicies", "E3006"),
    ],
)
def test_cfn_lint_finds_what_is_wrong(old: str, new: str, rule: str) -> None:
    broken = template("worker").replace(old, new)
    assert [one for one in faults(broken) if one.startswith(rule)]


@functools.cache
def known() -> Any:
    """AWS's list of actions, and the resources that each can be scoped to."""
    place = resources.files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json"
    return json.loads(place.read_text())


@pytest.mark.parametrize("role", ROLES)
def test_a_star_stands_only_where_aws_knows_nothing_else(role: Role) -> None:
    for grant in GRANTS[role]:
        assert grant.sid.endswith("Unscoped") == (grant.on == "anything")
        for action in map(str.lower, grant.actions):
            service, name = action.split(":")
            can_be_scoped = "Resources" in known()[service]["Actions"][name]
            wanted = grant.on != "anything" or action in EVERYWHERE
            assert can_be_scoped == wanted, action
    for one in found(role):
        assert ("*" in one.resources) == one.sid.endswith("Unscoped")


def shapes(action: str) -> list[str]:
    """The ARNs that an action can be scoped to, as regular expressions."""
    service, name = action.lower().split(":")
    kinds = known()[service]["Actions"][name].get("Resources", [])
    formats = [one for kind in kinds for one in known()[service]["Resources"][kind]["ARNFormats"]]
    return [re.sub(r"\$\{\w+\}", "[^:]*", one) for one in formats]


@pytest.mark.parametrize("role", ROLES)
def test_each_arn_is_one_that_an_action_of_its_statement_knows(role: Role) -> None:
    """cfn-lint is content if one of them is."""
    scoped = [one for one in found(role) if one.resources != ("*",)]
    for one in scoped:
        fitting = [shape for action in one.actions for shape in shapes(action)]
        for arn in one.resources:
            assert any(re.fullmatch(shape, arn) for shape in fitting), (one.sid, arn)


# --- What they allow ---------------------------------------------------------------------------


def by_sid(role: Role, *scopes: Scope) -> dict[str, Statement]:
    return {one.sid: one for one in found(role, *scopes)}


def test_each_arn_names_account_cluster_and_service() -> None:
    text = json.dumps(document(found("worker", scope())))
    arns = set(re.findall(r"arn:[^\"]*", text))
    assert f"arn:aws:ecs:eu-west-1:{ACCOUNT}:service/shop/web" in arns
    assert f"arn:aws:ecs:eu-west-1:{ACCOUNT}:service-deployment/shop/web/*" in arns
    assert {arn for arn in arns if ACCOUNT not in arn} == set()
    for forbidden in ("ecs:DeleteService", "ecs:DeregisterTaskDefinition", "iam:*", "ecs:*"):
        assert forbidden not in text


def test_roles_are_passed_to_tasks_alone() -> None:
    one = by_sid("worker", scope())["PassTaskRoles"]
    assert one.actions == ("iam:PassRole",)
    assert one.resources == (f"arn:aws:iam::{ACCOUNT}:role/web",)
    assert one.conditions == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_a_service_moves_only_to_its_own_family() -> None:
    both = by_sid("worker", scope(), scope("api"))
    for sid, name in (("DeployAndRollBack1", "web"), ("DeployAndRollBack2", "api")):
        assert both[sid].resources == (f"arn:aws:ecs:eu-west-1:{ACCOUNT}:service/shop/{name}",)
        families = both[sid].conditions["ArnLike"]["ecs:task-definition"]
        assert families == f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/{name}:*"


def test_what_a_service_does_not_have_becomes_no_statement() -> None:
    bare = scope(families=("web",), roles=(), repositories=(), topics=(), senders=())
    missing = set(by_sid("worker", scope())) - set(by_sid("worker", bare))
    assert missing == {
        *("PassTaskRoles", "ReadImages", "NotifyBySns", "NotifyByEmail"),
        *("ExamineTopics", "ExamineSenders"),
    }
    assert "ExamineOwnRole" not in [one.sid for one in statements("worker", [bare])]
    assert faults(iam_forms.as_cloudformation("worker", ["shop/web"], found("worker", bare))) == []


def test_a_privileged_container_may_be_registered_again() -> None:
    assert by_sid("worker", scope())["RegisterRevision"].conditions
    assert by_sid("worker", scope(privileged=True))["RegisterRevision"].conditions == {}


@pytest.mark.parametrize(
    ("cluster", "prefix"), [("shop", "shop-web"), ("web", "web")], ids=["two names", "one name"]
)
def test_alarms_are_those_whose_names_begin_with_the_services(cluster: str, prefix: str) -> None:
    one = by_sid("setup", scope(cluster=cluster))["KeepOwnAlarms"]
    assert one.resources == (f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:{prefix}-*",)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_partitions(region: str, partition: str) -> None:
    [one] = [s for s in found("worker", scope(region=region)) if s.sid == "ReadService"]
    assert one.resources[0].startswith(f"arn:{partition}:ecs:{region}:")


@pytest.mark.parametrize(
    ("image", "arn"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com/web:1", None),
        ("nginx:1.27", None),
        (
            f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/shop/web:1.0",
            "eu-west-1:*:repository/shop/web",
        ),
        (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/web@sha256:0", "us-east-1:*:repository/web"),
        (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/web", "us-east-1:*:repository/web"),
    ],
)
def test_repositories_of_images(image: str, arn: str | None) -> None:
    expected = arn and "arn:aws:ecr:" + arn.replace("*", ACCOUNT)
    assert repository_arn(image, scope()) == expected


def test_a_task_definition_tells_family_roles_and_repositories() -> None:
    one = with_task_definition(
        scope(families=(), roles=(), repositories=()),
        {
            "family": "web-production",
            "taskRoleArn": "arn:task",
            "executionRoleArn": "arn:execution",
            "containerDefinitions": [
                {"image": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/web:1"},
                {"image": "public.ecr.aws/xray/aws-xray-daemon:3", "privileged": True},
            ],
        },
    )
    assert one.families == ("web-production",)
    assert one.roles == ("arn:task", "arn:execution")
    assert one.repositories == (f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/web",)
    assert one.privileged


# --- The forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_terraform_says_the_same(role: Role) -> None:
    text = iam_forms.as_terraform(role, ["shop/web"], found(role))
    parsed = hcl2.loads(text + "\n")
    [block] = parsed["data"]
    [inner] = block['"aws_iam_policy_document"'].values()
    said = []
    for one in inner["statement"]:
        conditions: dict[str, dict[str, Any]] = {}
        for each in one.get("condition", []):
            values = [plain(value) for value in each["values"]]
            conditions.setdefault(plain(each["test"]), {})[plain(each["variable"])] = values
        actions, named = map(plain, one["actions"]), map(plain, one["resources"])
        said.append((plain(one["sid"]), tuple(actions), tuple(named), conditions))
    assert said == [(s.sid, s.actions, s.resources, as_lists(s.conditions)) for s in found(role)]


def plain(text: str) -> str:
    return text.strip('"')


def as_lists(conditions: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    return {
        test: {key: v if isinstance(v, list) else [v] for key, v in keys.items()}
        for test, keys in conditions.items()
    }


def test_json_is_the_document() -> None:
    assert json.loads(iam_forms.as_json(found("setup"))) == document(found("setup"))


# --- The command -------------------------------------------------------------------------------

SAID = ("--account", ACCOUNT, "--family", "web", "--pass-role", f"arn:aws:iam::{ACCOUNT}:role/web")
POLICY = f"""\
service: shop/web
region: eu-west-1
notify:
  sns: {{topic_arn: "arn:aws:sns:eu-west-1:{ACCOUNT}:deploys"}}
  email: {{from: deploys@example.com, to: [oncall@example.com]}}
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "lastgood.yaml").write_text(POLICY)
    return str(tmp_path / "lastgood.yaml")


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(iam, list(arguments), standalone_mode=False)


def test_without_aws_all_can_be_said(path: str) -> None:
    result = run("--policy", path, "--role", "worker", *SAID, "--repository", "web")
    assert result.exception is None
    sids = [one["Sid"] for one in json.loads(result.stdout)["Statement"]]
    assert {"NotifyBySns", "NotifyByEmail", "ReadImages", "PassTaskRoles"} <= set(sids)
    assert "of at most 6,144 characters" in result.stderr


def test_a_group_is_its_services(tmp_path: Path) -> None:
    path = tmp_path / "group.yaml"
    path.write_text(
        "group: shop\nregion: eu-west-1\nservices: [{service: shop/web}, {service: shop/api}]\n"
        f'notify: {{sns: {{topic_arn: "arn:aws:sns:eu-west-1:{ACCOUNT}:deploys"}}}}\n'
    )
    document = json.loads(run("--policy", str(path), "--role", "worker", *SAID).stdout)
    by_sid = {one["Sid"]: one for one in document["Statement"]}
    assert len(by_sid["ReadService"]["Resource"]) == 2
    assert by_sid["NotifyBySns"]["Resource"].endswith(":deploys")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--role", "worker"], "give --account ID"),
        (["--role", "worker", "--account", ACCOUNT], "--family NAME and --pass-role ARN"),
        (["--role", "ci", "--account", ACCOUNT], "give --repository"),
        (["--role", "ci", "--account", "12"], "of twelve digits"),
        (["--role", "worker", "--pass-role", "arn:aws:iam::*:role/x"], "must be a role's ARN"),
        (["--role", "worker", "--family", "*"], "the family of a task definition"),
        (["--role", "ci", "--account", ACCOUNT, "--repository", "a b"], "name, URI or ARN in ECR"),
    ],
)
def test_what_is_missing_or_wrong_is_said(path: str, arguments: list[str], words: str) -> None:
    result = run("--policy", path, *arguments)
    assert result.stdout == ""
    assert words in str(result.exception) + getattr(result.exception, "message", "")


def test_for_no_service() -> None:
    assert "Say for which services" in str(run("--role", "worker").exception)


def test_what_is_too_large_for_one_policy_is_refused() -> None:
    services = [part for n in range(40) for part in ("--service", f"production/service-{n}")]
    result = run(*services, "--region", "eu-west-1", "--role", "worker", *SAID)
    assert isinstance(result.exception, LastgoodError)
    assert re.search(
        r"[0-9,]+ characters, and a managed policy may have 6,144", str(result.exception)
    )


def test_white_space_is_not_counted() -> None:
    assert characters({"a": "b c"}) == len('{"a":"bc"}')
