"""ELB's actions that our load balancers must know of, and the real health of real targets."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.responses import ELBV2Response

from sandbox.cloud.load_balancer.targets import Target, TargetGroup

Shape = dict[str, Any]
_UNUSED = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": ("Target group is not configured to receive traffic from the load balancer"),
}


def install_elb(sync: Callable[[], None], group_of: Callable[[str], TargetGroup | None]) -> None:
    """Follow what changes load balancers, and tell the real health of real targets."""
    for name in (
        "create_load_balancer",
        "create_target_group",
        "create_listener",
        "modify_listener",
        "delete_listener",
        "delete_load_balancer",
        "modify_target_group",
        "create_rule",
        "modify_rule",
        "delete_rule",
        "set_rule_priorities",
    ):
        setattr(ELBV2Response, name, _followed(getattr(ELBV2Response, name), sync))
    moto_health = ELBV2Response.describe_target_health

    def describe_target_health(self: Any) -> ActionResult:
        group = group_of(self._get_param("TargetGroupArn"))
        if group is None or not group.targets:
            return moto_health(self)
        asked = {
            (target["Id"], target.get("Port")) for target in self._get_param("Targets", []) or []
        }
        shapes = [
            _target_health(group, target)
            for target in group.targets
            if not asked or {(target.host, target.port), (target.host, None)} & asked
        ]
        return ActionResult({"TargetHealthDescriptions": shapes})

    setattr(ELBV2Response, "describe_target_health", describe_target_health)  # noqa: B010 - mypy


def _target_health(group: TargetGroup, target: Target) -> Shape:
    health = {"State": target.state}
    if target.reason:
        health |= {"Reason": target.reason, "Description": target.description or ""}
    if not group.in_use and target.state != "draining":
        health = _UNUSED
    return {
        "Target": {"Id": target.host, "Port": target.port},
        "HealthCheckPort": str(target.port),
        "TargetHealth": health,
    }


def _followed(theirs: Any, sync: Callable[[], None]) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        answer = theirs(self)
        sync()
        return answer

    return method
