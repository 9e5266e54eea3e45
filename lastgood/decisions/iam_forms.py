"""IAM policies as people keep them: a JSON document, a CloudFormation template, Terraform.

JSON has no comments: what there is to say about a statement is in its Sid alone. The others carry
each statement's note above it. No template has parameters: what a policy allows is all to be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from lastgood.decisions.iam_policies import Statement, document
from lastgood.decisions.permissions import Role

_TITLES: dict[Role, str] = {"ci": "Ci", "worker": "Worker", "setup": "Setup"}


def as_json(found: Sequence[Statement]) -> str:
    """The policy document."""
    return json.dumps(document(found), indent=2)


def description(role: Role, services: Sequence[str]) -> str:
    """One sentence, short enough for IAM's description of a policy."""
    text = f"What Lastgood's {role} role may do for {', '.join(services)}"
    return text if len(text) <= 200 else f"What Lastgood's {role} role may do for its services"


# --- CloudFormation ----------------------------------------------------------------------------


def as_cloudformation(role: Role, services: Sequence[str], found: Sequence[Statement]) -> str:
    """A template with one managed policy, whose ARN is its output."""
    name = f"Lastgood{_TITLES[role]}Policy"
    return "\n".join(
        [
            'AWSTemplateFormatVersion: "2010-09-09"',
            f"Description: {json.dumps(description(role, services))}",
            "Resources:",
            f"  {name}:",
            "    Type: AWS::IAM::ManagedPolicy",
            "    Properties:",
            f"      Description: {json.dumps(description(role, services))}",
            "      PolicyDocument:",
            '        Version: "2012-10-17"',
            "        Statement:",
            *(line for one in found for line in _as_yaml(one)),
            "Outputs:",
            "  PolicyArn:",
            "    Description: To be attached to the role",
            f"    Value: !Ref {name}",
        ]
    )


def _as_yaml(one: Statement) -> Iterator[str]:
    margin = " " * 10
    yield f"{margin}# {one.note}"
    yield f"{margin}- Sid: {one.sid}"
    margin += "  "
    yield f"{margin}Effect: Allow"
    yield f"{margin}Action:"
    yield from (f"{margin}  - {action}" for action in one.actions)
    yield f"{margin}Resource:"
    yield from (f"{margin}  - {json.dumps(arn)}" for arn in one.resources)
    if one.conditions:
        yield f"{margin}Condition:"
        for test, keys in one.conditions.items():
            yield f"{margin}  {test}:"
            yield from (f"{margin}    {key}: {json.dumps(v)}" for key, v in keys.items())


# --- Terraform ---------------------------------------------------------------------------------


def as_terraform(role: Role, services: Sequence[str], found: Sequence[Statement]) -> str:
    """A policy document and a managed policy of it, whose ARN is an output."""
    name = f"lastgood_{role}"
    return "\n".join(
        [
            f'data "aws_iam_policy_document" "{name}" {{',
            *(line for one in found for line in _as_hcl(one)),
            "}",
            "",
            f'resource "aws_iam_policy" "{name}" {{',
            f'  name_prefix = "lastgood-{role}-"',
            f"  description = {_hcl(description(role, services))}",
            f"  policy      = data.aws_iam_policy_document.{name}.json",
            "}",
            "",
            f'output "{name}_policy_arn" {{',
            f"  value = aws_iam_policy.{name}.arn",
            "}",
        ]
    )


def _as_hcl(one: Statement) -> Iterator[str]:
    yield f"  # {one.note}"
    yield "  statement {"
    yield f"    sid       = {_hcl(one.sid)}"
    yield '    effect    = "Allow"'
    yield f"    actions   = {_list(one.actions)}"
    yield f"    resources = {_list(one.resources)}"
    for test, keys in one.conditions.items():
        for key, value in keys.items():
            values = value if isinstance(value, list) else [value]
            yield ""
            yield "    condition {"
            yield f"      test     = {_hcl(test)}"
            yield f"      variable = {_hcl(key)}"
            yield f"      values   = {_list(values)}"
            yield "    }"
    yield "  }"
    yield ""


def _list(values: Sequence[Any]) -> str:
    if len(values) == 1:
        return f"[{_hcl(values[0])}]"
    inner = "".join(f"      {_hcl(value)},\n" for value in values)
    return f"[\n{inner}    ]"


def _hcl(value: Any) -> str:
    """A string of HCL, in which ``${`` and ``%{`` begin no template."""
    return json.dumps(str(value)).replace("${", "$${").replace("%{", "%%{")
