"""What the worker's credentials may do, tried by the calls of ``activities.harmless``.

Each answer of AWS's is a result; nothing here fails because of what AWS says.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients import Clients
from activities.failures import aws_call
from activities.harmless import Arguments, Call, calls_for
from lastgood.contracts import PermissionFacts, PermissionOrder, Tried


class PermissionActivities:
    """Tries actions through injected clients."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @activity.defn
    async def try_permissions(self, order: PermissionOrder) -> PermissionFacts:
        """Changes nothing. Try each action by a call without effect; several at once."""
        caller, stranger = await self._caller(order)
        calls = [(action, one) for action in order.actions for one in calls_for(action, order)]
        tried = await asyncio.gather(*(self._try(action, one, order) for action, one in calls))
        passed = await asyncio.gather(*(self._pass(role, caller, order) for role in _roles(order)))
        return PermissionFacts(caller=caller, stranger=stranger, tried=(*tried, *passed))

    async def _caller(self, order: PermissionOrder) -> tuple[str | None, Tried | None]:
        """Who the worker is; AWS tells everybody who they are."""
        try:
            answer = await self._call("sts", "get_caller_identity", order.service.region, {})
        except ApplicationError as error:
            text = error.message.removeprefix(f"{_WHO}: ")
            return None, Tried(action=_WHO, code=error.type, text=text)
        return str(answer["Arn"]), None

    async def _try(self, action: str, call: Call, order: PermissionOrder) -> Tried:
        tried = Tried(action=call.aside or action, resource=call.resource)
        arguments = call.arguments(order)
        if arguments is None:
            return tried.model_copy(update={"code": "NotTried"})
        try:
            answer = await self._call(call.service, call.operation, call.region(order), arguments)
        except ApplicationError as error:
            text = error.message.removeprefix(f"{tried.action}: ")
            return tried.model_copy(update={"code": error.type, "text": text})
        return tried.model_copy(update={"text": call.reads(answer)})

    async def _pass(self, role: str, caller: str | None, order: PermissionOrder) -> Tried:
        """iam:PassRole, as IAM itself judges it for whoever the worker is."""
        found = Tried(action="iam:PassRole", resource=role, code="NotSimulated")
        if caller is None:
            return found
        arguments = {
            "PolicySourceArn": principal_of(caller),
            "ActionNames": ["iam:PassRole"],
            "ResourceArns": [role],
            "ContextEntries": [_TO_TASKS],
        }
        try:
            answer = await self._call(
                "iam", "simulate_principal_policy", order.service.region, arguments
            )
        except ApplicationError as error:
            return found.model_copy(update={"text": error.message})
        said = {one["EvalDecision"] for one in answer.get("EvaluationResults", [])}
        if said == {"allowed"}:
            return found.model_copy(update={"code": None})
        text = f"iam:SimulatePrincipalPolicy says {', '.join(sorted(said)) or 'nothing'}"
        return found.model_copy(update={"code": "AccessDenied", "text": text})

    async def _call(
        self, service: str, operation: str, region: str, arguments: Arguments
    ) -> dict[str, Any]:
        name = operation.title().replace("_", "")
        with aws_call(f"{_PREFIXES.get(service, service)}:{name}"):
            method = getattr(self._clients(service, region), operation)
            answer: dict[str, Any] = await asyncio.to_thread(method, **arguments)
        return answer


_WHO = "sts:GetCallerIdentity"
_PREFIXES = {"elbv2": "elasticloadbalancing", "sesv2": "ses"}
_TO_TASKS = {
    "ContextKeyName": "iam:PassedToService",
    "ContextKeyValues": ["ecs-tasks.amazonaws.com"],
    "ContextKeyType": "string",
}


def principal_of(caller: str) -> str:
    """The role of a session, whose policies IAM can simulate; a user is one already.

    The path of a role is not in its sessions' ARN: IAM does not find one that has a path.
    """
    if ":assumed-role/" not in caller:
        return caller
    head, _, rest = caller.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:', 1)}:role/{rest.split('/')[0]}"


def _roles(order: PermissionOrder) -> tuple[str, ...]:
    return order.roles if "iam:PassRole" in order.actions else ()
