"""What AWS refuses and moto carries out, and IAM's word about what is allowed."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from sandbox.cloud.faults import Faults
from sandbox.cloud.refusals import Refusal

_ROLES = ("taskRoleArn", "executionRoleArn")
_IAM = "https://iam.amazonaws.com/doc/2010-05-08/"


def refusal_of(action: str, body: bytes, faults: Faults) -> Refusal | None:
    """Return the error that AWS answers a call with, None if it is carried out."""
    check = _CHECKS.get(action)
    return check(body, faults) if check else None


def _register(body: bytes, faults: Faults) -> Refusal | None:
    given = json.loads(body or b"{}")
    roles = [given[key] for key in _ROLES if given.get(key)]
    if roles and faults.take("deny", "PassRole"):
        message = (
            "User: arn:aws:sts::123456789012:user/moto is not authorized to perform: iam:PassRole "
            f"on resource: {roles[0]}"
        )
        return Refusal("deny", 400, "AccessDeniedException", message)
    if not given.get("containerDefinitions"):
        return Refusal("invalid", 400, "ClientException", "Container list cannot be empty.")
    return None


def _send_email(body: bytes, _: Faults) -> Refusal | None:
    if not body.startswith(b"{"):
        return None  # SES's first version, which names its recipients one by one
    to: dict[str, Any] = json.loads(body).get("Destination") or {}
    if any(to.values()):
        return None
    message = "Missing required header 'To'."
    return Refusal("invalid", 400, "BadRequestException", message)


def _publish(body: bytes, _: Faults) -> Refusal | None:
    given = parse_qs(body.decode("utf-8", "replace"))
    if given.get("MessageStructure") != ["json"]:
        return None
    try:
        json.loads(given.get("Message", [""])[0])
    except ValueError:
        message = "Invalid parameter: Message Structure - JSON message body failed to parse"
        return Refusal("invalid", 400, "InvalidParameter", message)
    return None


_CHECKS: dict[str, Callable[[bytes, Faults], Refusal | None]] = {
    "RegisterTaskDefinition": _register,
    "SendEmail": _send_email,
    "Publish": _publish,
}


def simulated(body: bytes, faults: Faults) -> bytes:
    """Answer SimulatePrincipalPolicy: what is denied by a fault is denied, all else allowed."""
    given = parse_qs(body.decode("utf-8", "replace"))
    actions = [values[0] for key, values in given.items() if key.startswith("ActionNames.")]
    resources = [values[0] for key, values in given.items() if key.startswith("ResourceArns.")]
    members = "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{_decision(action, faults)}</EvalDecision></member>"
        for action in actions
        for resource in resources or ["*"]
    )
    return (
        f'<SimulatePrincipalPolicyResponse xmlns="{_IAM}"><SimulatePrincipalPolicyResult>'
        f"<IsTruncated>false</IsTruncated><EvaluationResults>{members}</EvaluationResults>"
        "</SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>sandbox</RequestId>"
        "</ResponseMetadata></SimulatePrincipalPolicyResponse>"
    ).encode()


def _decision(action: str, faults: Faults) -> str:
    name = action.rpartition(":")[2]
    denied = any(one["kind"] == "deny" and one["action"] == name for one in faults.list())
    return "implicitDeny" if denied else "allowed"
