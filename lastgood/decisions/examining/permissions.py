"""Whether the worker is allowed what it needs (``needs``), as far as AWS's answers tell.

A refusal for want of permission is broken. An answer that shows that the call was authorised, be
it carried out or refused for what it asked, is fine. For iam:PassRole there is no harmless call:
what IAM says when it is asked, or else that this worker registered what runs, with these roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lastgood.contracts import Line, PermissionFacts, PermissionOrder, Standing, Tried
from lastgood.decisions.examining.lines import (
    PERMISSIONS,
    broken,
    fine,
    is_denied,
    not_examined,
    unknown,
)
from lastgood.decisions.examining.needs import resource_of

_IDENTITY = "identity"
_PASS = "iam:PassRole"  # noqa: S105 - the name of an action
_ASIDES = ("sns:GetTopicAttributes", "ses:GetEmailIdentity")
"""Not needed; where they are allowed, they tell whether a topic or a sender is there."""

_AUTHORISED = {
    *("ClientException", "InvalidParameterException", "ServiceDeploymentNotFoundException"),
    *("InvalidParameter", "InvalidParameterValue", "BadRequestException", "ConflictException"),
    *("ImageNotFoundException", "LoadBalancerNotFound", "LoadBalancerNotFoundException"),
    *("TargetGroupNotFound", "TargetGroupNotFoundException", "ResourceNotFoundException"),
    *("ResourceNotFound", "ServiceNotFoundException", "ClusterNotFoundException"),
}
"""What AWS says of a call that it has authorised, and does not carry out."""
_CREDENTIALS = {
    *("NoCredentials", "UnrecognizedClientException", "InvalidClientTokenId"),
    *("ExpiredToken", "ExpiredTokenException", "InvalidSignatureException"),
    "SignatureDoesNotMatch",
}


def judge(
    order: PermissionOrder, facts: PermissionFacts, definition: dict[str, Any] | None
) -> Iterator[Line]:
    """One line for each action, and each topic, sender or role that it is tried on.

    Args:
        order: what was to be tried, and on what.
        facts: what AWS answered.
        definition: the JSON of what runs, which says who registered it.
    """
    identity = _of_identity(facts)
    yield identity
    nobody = identity.standing is Standing.BROKEN
    lacking = _what_only_passing_lacks(facts.tried)
    for one in facts.tried:
        if one.action in _ASIDES:
            continue
        if nobody:
            yield not_examined(PERMISSIONS, _named(one), "the worker has no credentials")
        elif one.action == _PASS:
            yield _of_role(one, order, facts, definition or {}, lacking)
        elif one is lacking:
            yield fine(PERMISSIONS, one.action, "allowed, but for iam:PassRole")
        else:
            yield _of_action(one, order, facts)


def _of_identity(facts: PermissionFacts) -> Line:
    """Who the worker is for AWS. It need not be told, but for want of credentials nothing works."""
    if facts.stranger is None:
        return fine(PERMISSIONS, _IDENTITY, facts.caller or "not told")
    why = facts.stranger.text or facts.stranger.code or "no reason given"
    if facts.stranger.code in _CREDENTIALS:
        return broken(PERMISSIONS, _IDENTITY, why, _SIGN_IN)
    return unknown(PERMISSIONS, _IDENTITY, f"AWS does not tell: {why}", _AGAIN, excused=True)


def _what_only_passing_lacks(tried: Iterable[Tried]) -> Tried | None:
    """The registration that was refused for the roles alone, if it was."""
    return next(
        (
            one
            for one in tried
            if one.action == "ecs:RegisterTaskDefinition"
            and is_denied(one.code or "")
            and _PASS in one.text
        ),
        None,
    )


def _of_action(one: Tried, order: PermissionOrder, facts: PermissionFacts) -> Line:
    what, code = _named(one), one.code or ""
    if one.code is None:
        return fine(PERMISSIONS, what, "allowed")
    if is_denied(code):
        return broken(PERMISSIONS, what, f"not allowed ({code})", _grant(one, order, facts))
    if code == "NotTried":
        return not_examined(PERMISSIONS, what, "what it would be tried on cannot be read")
    if gone := _of_receiver(one, what, facts):
        return gone
    if code in _AUTHORISED:
        return fine(PERMISSIONS, what, _AS_FAR)
    if code in ("UnsupportedOperation", "UnsupportedFeatureException"):
        return unknown(PERMISSIONS, what, one.text or code, _NEWER, excused=True)
    return unknown(PERMISSIONS, what, f"no answer that tells: {one.text or code}", _AGAIN)


def _of_receiver(one: Tried, what: str, facts: PermissionFacts) -> Line | None:
    """A topic or a sender that is not there to be allowed; None if nothing speaks against it."""
    told = [aside for aside in facts.tried if aside.action in _ASIDES]
    about = [one, *(aside for aside in told if aside.resource == one.resource)]
    if one.action == "sns:Publish" and any(
        (each.code or "").startswith("NotFound") for each in about
    ):
        remedy = "Correct topic_arn in the policy, or create the topic."
        return broken(PERMISSIONS, what, "there is no such topic", remedy)
    unknown_sender = one.code == "MessageRejected" or all(_unverified(each) for each in about[1:])
    if one.action == "ses:SendEmail" and len(about) > 1 and unknown_sender:
        remedy = (
            f"Verify it: aws sesv2 create-email-identity --email-identity {one.resource} (or its "
            "domain), in the policy's region."
        )
        return broken(PERMISSIONS, what, "SES has not verified this sender", remedy)
    return None


def _unverified(aside: Tried) -> bool:
    return (aside.code or "").startswith("NotFound") or aside.text == "not verified"


def _of_role(
    one: Tried,
    order: PermissionOrder,
    facts: PermissionFacts,
    definition: dict[str, Any],
    lacking: Tried | None,
) -> Line:
    what, remedy = _named(one), _grant(one, order, facts)
    if one.code is None:
        return fine(PERMISSIONS, what, "allowed, as IAM says")
    if is_denied(one.code):
        return broken(PERMISSIONS, what, f"not allowed ({one.text})", remedy)
    if lacking is not None and (one.resource in lacking.text or ":role/" not in lacking.text):
        return broken(PERMISSIONS, what, "not allowed (AccessDenied)", remedy)
    registrar = str(definition.get("registeredBy") or "")
    if registrar and facts.caller and _role_of(registrar) == _role_of(facts.caller):
        return fine(PERMISSIONS, what, "allowed when this worker registered what runs")
    return unknown(
        PERMISSIONS,
        what,
        "cannot be told without registering a task definition",
        "Allow iam:SimulatePrincipalPolicy on the worker's own role (lastgood iam --role worker "
        "--worker-role ARN), and IAM is asked; or see to it yourself. After the first release it "
        "is known.",
        excused=True,
    )


def _role_of(arn: str) -> str:
    """A principal without its session, and without the path of its role."""
    account = ":".join(arn.split(":")[4:5])
    if ":assumed-role/" in arn:
        return f"{account} role {arn.partition(':assumed-role/')[2].split('/')[0]}"
    if ":role/" in arn:
        return f"{account} role {arn.rsplit('/', 1)[-1]}"
    return arn


def _named(one: Tried) -> str:
    """The action, and on what of several."""
    if not one.resource:
        return one.action
    return f"{one.action} {one.resource.rsplit(':', 1)[-1]}"


def _grant(one: Tried, order: PermissionOrder, facts: PermissionFacts) -> str:
    resource = one.resource or resource_of(order, one.action)
    # Who registers with tags is asked for this, too, and AWS's refusal says so.
    action = "ecs:TagResource" if "ecs:TagResource" in one.text else one.action
    on = f" on {resource}" if resource else ""
    to = f" to {facts.caller}" if facts.caller else " to the worker"
    then = ', with iam:PassedToService "ecs-tasks.amazonaws.com"' if one.action == _PASS else ""
    return f"Allow {action}{on}{then}{to}; `lastgood iam --role worker` writes the whole policy."


_AS_FAR = "allowed (tried without effect)"
_SIGN_IN = (
    "Give the worker credentials: a task role, or AWS_PROFILE and the like in its environment."
)
_AGAIN = "Run `lastgood doctor` again; if it stays, see that the worker reaches AWS."
_NEWER = "Where ECS itself answers so, update boto3 in the worker's image."
