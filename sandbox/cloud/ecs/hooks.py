"""Lifecycle hooks: where a deployment waits for somebody's word.

A PAUSE hook waits for ContinueServiceDeployment, or for its time-out. There are no Lambda
functions here: an AWS_LAMBDA hook has SUCCEEDED as soon as it is reached.
"""

import secrets
from collections.abc import Iterable
from typing import Any, Literal

from sandbox.cloud.ecs.service_deployment import Hook, ServiceDeployment

Verdict = Literal["wait", "go", "roll back"]
_DAY = 1440
AWAITING = "AWAITING_ACTION"


def arrive(record: ServiceDeployment, stage: str, now: float, minute: float) -> None:
    """Begin a stage, with those of the hooks that are configured for it."""
    record.stage, record.stage_since, record.stage_begun = stage, now, False
    record.updated = now
    for hook in record.configuration.get("lifecycleHooks") or []:
        if stage in (hook.get("lifecycleStages") or []):
            record.hooks.append(_run(hook, stage, now, minute))


def _run(hook: dict[str, Any], stage: str, now: float, minute: float) -> Hook:
    kind = hook.get("targetType") or "AWS_LAMBDA"
    timeout = hook.get("timeoutConfiguration") or {}
    pauses = kind == "PAUSE"
    return Hook(
        id=f"ecs-{'pause' if pauses else 'lambda'}-{secrets.token_urlsafe(32)}",
        stage=stage,
        kind=kind,
        status=AWAITING if pauses else "SUCCEEDED",
        target=hook.get("hookTargetArn"),
        expires=now + minute * (timeout.get("timeoutInMinutes") or _DAY),
        action=timeout.get("action") or "ROLLBACK",
    )


def look(record: ServiceDeployment, now: float) -> Verdict:
    """Tell whether the stage may go on; time-outs take effect."""
    for hook in _awaiting(record):
        if hook.expires is not None and now >= hook.expires:
            hook.status, record.updated = "TIMED_OUT", now
            if hook.action == "ROLLBACK":
                return "roll back"
    return "wait" if record.held else "go"


def give_up(record: ServiceDeployment) -> None:
    """Let no hook wait any more, for the deployment is stopped."""
    for hook in _awaiting(record):
        hook.status = "FAILED"


def _awaiting(record: ServiceDeployment) -> Iterable[Hook]:
    return [hook for hook in record.hooks if hook.status == AWAITING]
