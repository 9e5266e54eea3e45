"""deploymentConfiguration: AWS's defaults and limits for strategies and lifecycle hooks."""

from collections.abc import Callable
from typing import Any

from sandbox.cloud.errors import AwsError, invalid_parameter

Shape = dict[str, Any]
_DEFAULTS: Shape = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING"}
_DAY = 1440
_MOST_HOOKS = 10
_STEPS: dict[str, tuple[str, Shape, float]] = {
    "LINEAR": ("linearConfiguration", {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}, 3.0),
    "CANARY": ("canaryConfiguration", {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}, 0.1),
}
"""Where a strategy's steps are configured, with AWS's defaults, and the least percentage."""
_PAUSES_AT: dict[bool, frozenset[str]] = {
    False: frozenset({"PRE_SCALE_UP", "POST_SCALE_UP"}),
    True: frozenset(
        {
            "RECONCILE_SERVICE",
            "PRE_SCALE_UP",
            "POST_SCALE_UP",
            "POST_TEST_TRAFFIC_SHIFT",
            "PRE_PRODUCTION_TRAFFIC_SHIFT",
            "POST_PRODUCTION_TRAFFIC_SHIFT",
        }
    ),
}
"""The stages where a PAUSE hook may be, by whether the strategy shifts traffic."""


def merge(known: Shape, given: Shape) -> Shape:
    """Return a configuration with what is given changed, or refuse it as ECS does."""
    merged = {**_DEFAULTS, **known, **given}
    strategy = merged["strategy"]
    if strategy not in ("ROLLING", "BLUE_GREEN", *_STEPS):
        raise invalid_parameter(f"Invalid deployment strategy: {strategy}.")
    for owner, (name, defaults, least) in _STEPS.items():
        if strategy == owner:
            merged[name] = {**defaults, **(merged.get(name) or {})}
            _check_step(merged[name], least)
        elif name in given:
            raise invalid_parameter(f"{name} needs the strategy {owner}.")
        else:
            merged.pop(name, None)
    _check_minutes("bakeTimeInMinutes", merged.get("bakeTimeInMinutes"))
    _check_hooks(merged.get("lifecycleHooks") or [], shifts=strategy != "ROLLING")
    return merged


def _check_step(step: Shape, least: float) -> None:
    for name, value in step.items():
        if name.endswith("InMinutes"):
            _check_minutes(name, value)
        elif not least <= value <= 100 or abs(value * 10 - round(value * 10)) > 1e-6:
            raise invalid_parameter(f"{name} must be a multiple of 0.1 from {least} to 100.0.")


def _check_minutes(name: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= _DAY:
        raise invalid_parameter(f"{name} must be from 0 to {_DAY}.")


def _check_hooks(hooks: list[Shape], *, shifts: bool) -> None:
    kinds = [hook.get("targetType") or "AWS_LAMBDA" for hook in hooks]
    if max(kinds.count("PAUSE"), kinds.count("AWS_LAMBDA")) > _MOST_HOOKS:
        raise invalid_parameter(f"There can be at most {_MOST_HOOKS} lifecycle hooks of a kind.")
    for kind, hook in zip(kinds, hooks, strict=True):
        stages = hook.get("lifecycleStages") or []
        if not stages:
            raise invalid_parameter("A lifecycle hook needs lifecycleStages.")
        if kind == "AWS_LAMBDA" and not hook.get("hookTargetArn"):
            raise invalid_parameter("A lifecycle hook of type AWS_LAMBDA needs a hookTargetArn.")
        wrong = [s for s in stages if s not in _PAUSES_AT[shifts]] if kind == "PAUSE" else []
        if wrong:
            where = "with this strategy" if not shifts else "there"
            raise invalid_parameter(f"PAUSE hooks are not supported at {wrong[0]} {where}.")
        _check_timeout(hook.get("timeoutConfiguration") or {})


def _check_timeout(timeout: Shape) -> None:
    minutes = timeout.get("timeoutInMinutes", _DAY)
    if not 1 <= minutes <= 14 * _DAY:
        raise invalid_parameter(f"timeoutInMinutes must be from 1 to {14 * _DAY}.")
    if timeout.get("action", "ROLLBACK") not in ("ROLLBACK", "CONTINUE"):
        raise invalid_parameter("The action of a time-out must be ROLLBACK or CONTINUE.")


def check_balancers(
    configuration: Shape,
    balancers: list[Shape],
    *,
    has_group: Callable[[str], bool],
    has_rule: Callable[[str], bool],
) -> None:
    """Refuse load balancers that a strategy cannot shift traffic with."""
    if configuration["strategy"] == "ROLLING":
        return
    if not balancers:
        raise invalid_parameter(
            f"The sandbox does no {configuration['strategy']} deployments without load balancer."
        )
    for balancer in balancers:
        advanced = balancer.get("advancedConfiguration") or {}
        for name in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
            if not advanced.get(name):
                raise invalid_parameter(f"advancedConfiguration needs {name} for this strategy.")
        group = advanced["alternateTargetGroupArn"]
        if group == balancer.get("targetGroupArn") or not has_group(group):
            raise invalid_parameter(f"The alternate target group {group} cannot be used.")
        for name in ("productionListenerRule", "testListenerRule"):
            if name in advanced and not has_rule(advanced[name]):
                raise _no_rule(advanced[name])


def _no_rule(arn: str) -> AwsError:
    return invalid_parameter(f"The listener rule {arn} was not found.")
