"""The table of permissions and the code's calls of AWS are the same, read from the source.

A call is found wherever boto3's name of it stands, as an attribute or as text, in a file that names
its service; or where it is named in AWS's own words (``ecs:UpdateService``).
"""

import ast
import functools
import re
from collections.abc import Iterable, Iterator

import boto3
import pytest

from lastgood.decisions.permissions import GRANTS, Role, actions_of
from tests.house.tracked import ROOT, tracked

PREFIXES = {
    **{name: name for name in ("ecs", "cloudwatch", "ecr", "sns", "sts", "iam")},
    "elbv2": "elasticloadbalancing",
    "sesv2": "ses",
}
"""boto3's name of a service → IAM's."""
ACTION = re.compile(rf"({'|'.join(PREFIXES.values())}):[A-Z][A-Za-z]+")
MODULES = {"activities.ecs_calls": "ecs"}
"""Modules whose importers call a service through them."""
ALLOWED_TO_ALL = {"sts:GetCallerIdentity"}
"""AWS asks for no permission."""
FOLLOWS = {"iam:PassRole": "ecs:RegisterTaskDefinition"}
"""What a call takes beside its own permission."""
TABLE = "lastgood/decisions/permissions.py"


@functools.cache
def operations(service: str) -> dict[str, str]:
    """boto3's methods of a service → IAM's actions."""
    session = boto3.Session(region_name="us-east-1")
    client = session.client(service, aws_access_key_id="x", aws_secret_access_key="x")  # type: ignore[call-overload]
    names = client.meta.method_to_api_mapping
    return {method: f"{PREFIXES[service]}:{name}" for method, name in names.items()}


def is_action(text: str) -> bool:
    """Whether it is an action, and no key of a condition such as ``iam:PassedToService``."""
    names = [name for name, prefix in PREFIXES.items() if text.startswith(f"{prefix}:")]
    return text in FOLLOWS or any(text in operations(name).values() for name in names)


def words(tree: ast.AST) -> Iterator[str]:
    """Texts and attributes; docstrings are long, and name no call alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr


def services(tree: ast.AST, said: Iterable[str]) -> set[str]:
    """Those that a file names: as text, in AWS's own words, or as the name of a client."""
    here = {one.partition(":")[0] for one in said if ACTION.fullmatch(one)}
    found = {one for one in said if one in PREFIXES}
    found |= {name for name, prefix in PREFIXES.items() if prefix in here}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg in PREFIXES:
            found.add(node.arg)
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found.add(MODULES[node.module])
    return found


def pairs(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """A service and its call side by side: ``("ecs", "stop_task")``, ``clients("sns").publish``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if len(texts) > 1 and texts[0] in PREFIXES:
                yield texts[0], texts[1]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
            yield from (
                (a.value, node.attr)
                for a in node.value.args
                if isinstance(a, ast.Constant) and a.value in PREFIXES
            )


def calls_in(source: str) -> set[str]:
    """The IAM actions that a file's calls need."""
    tree = ast.parse(source)
    said = set(words(tree))
    found = {one for one in said if ACTION.fullmatch(one) and is_action(one)}
    here = services(tree, said)
    exact = [(one, name) for one, name in pairs(tree) if name in operations(one)]
    found |= {operations(one)[name] for one, name in exact}
    for word in said - {name for _, name in exact}:
        known = {operations(one)[word] for one in here if word in operations(one)}
        found |= known  # of several services in one file, all that have it
    return found


def strays_in(source: str) -> set[str]:
    """Calls of some service in a file that names no such service."""
    tree = ast.parse(source)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    here = services(tree, set(words(tree)))
    known = {name for one in here for name in operations(one)}
    every = {name for one in PREFIXES for name in operations(one)}
    return (attributes & every) - known


def calls_of(files: Iterable[str]) -> set[str]:
    return {one for path in files for one in calls_in((ROOT / path).read_text())}


def files_of(role: Role) -> list[str]:
    if role == "worker":
        return tracked("activities/*.py")
    return tracked("lastgood/cli/*.py")


@pytest.mark.parametrize("role", ["worker", "setup"])
def test_no_call_hides_behind_a_client_of_no_known_service(role: Role) -> None:
    strays = {
        path: found for path in files_of(role) if (found := strays_in((ROOT / path).read_text()))
    }
    assert strays == {}


def test_a_hidden_call_is_seen() -> None:
    assert strays_in("def f(client):\n    client.stop_task()") == {"stop_task"}


@pytest.mark.parametrize("role", ["worker", "setup"])
def test_whatever_is_called_is_allowed(role: Role) -> None:
    missing = calls_of(files_of(role)) - actions_of(role) - ALLOWED_TO_ALL
    assert missing == set(), f"add them to {TABLE}"


def test_whatever_the_worker_needs_is_called() -> None:
    needed = {one for grant in GRANTS["worker"] if grant.needed for one in grant.actions}
    called = calls_of(files_of("worker"))
    called |= {action for action, because in FOLLOWS.items() if because in called}
    assert needed - called == set(), f"nobody calls them: take them out of {TABLE}"


def test_whatever_set_up_needs_is_called() -> None:
    needed = actions_of("setup")
    assert needed - calls_of(files_of("setup")) == set(), f"take them out of {TABLE}"


@pytest.mark.parametrize(
    ("source", "action"),
    [
        ("self._clients('ecs', r)\nself._call(r, 'delete_service')", "ecs:DeleteService"),
        ("client = session.client('ecr')\nclient.put_image()", "ecr:PutImage"),
        ("from activities.ecs_calls import EcsCalls\nx('stop_task')", "ecs:StopTask"),
        ("aws_call('cloudwatch:DeleteAlarms')", "cloudwatch:DeleteAlarms"),
        ("client('elbv2').modify_rule()", "elasticloadbalancing:ModifyRule"),
        ("clients('sesv2')\nclient('sns').tag_resource()", "sns:TagResource"),
        ("aws_call('iam:PassRole')\nx = 'iam:PassedToService'", "iam:PassRole"),
    ],
)
def test_a_call_is_seen_however_it_is_written(source: str, action: str) -> None:
    assert calls_in(source) == {action}
