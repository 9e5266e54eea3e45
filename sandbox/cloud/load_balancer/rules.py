"""A listener's rules: which requests they are for, and how they share them out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.cloud.load_balancer.http import Message
from sandbox.cloud.load_balancer.targets import TargetGroup

Weights = tuple[tuple[str, int], ...]
"""Target groups' ARNs with their weights."""


@dataclass(frozen=True)
class RuleView:
    """A rule as the control plane has it; one without conditions is for every request."""

    arn: str
    conditions: tuple[Mapping[str, Any], ...]
    groups: Weights


@dataclass
class Rule:
    """A rule as it is applied."""

    arn: str
    conditions: tuple[Mapping[str, Any], ...] = ()
    groups: list[tuple[TargetGroup, int]] = field(default_factory=list)
    _credit: dict[str, float] = field(default_factory=dict)

    def matches(self, request: Message) -> bool:
        """Whether the rule is for a request."""
        return all(_matches(condition, request) for condition in self.conditions)

    def choose(self) -> TargetGroup | None:
        """Return the target group for the next request: exactly by weight, evenly mixed."""
        weighted = [(group, weight) for group, weight in self.groups if weight > 0]
        if not weighted:
            return None
        total = sum(weight for _, weight in weighted)
        credit = self._credit
        for arn in credit.keys() - {group.arn for group, _ in weighted}:
            del credit[arn]
        for group, weight in weighted:
            credit[group.arn] = credit.get(group.arn, 0.0) + weight / total
        chosen = max((group for group, _ in weighted), key=lambda group: credit[group.arn])
        credit[chosen.arn] -= 1.0
        return chosen

    def shares(self) -> dict[str, float]:
        """Return each target's share of the requests, 0 to 1, by the ARN of its task."""
        total = sum(weight for _, weight in self.groups)
        found: dict[str, float] = {}
        for group, weight in self.groups:
            targets = group.candidates()
            for target in targets:
                share = weight / total / len(targets) if total else 0.0
                found[target.task] = found.get(target.task, 0.0) + share
        return found


def _matches(condition: Mapping[str, Any], request: Message) -> bool:
    """Whether a request fulfils a condition; one that we do not know is never fulfilled."""
    kind = condition.get("Field")
    method, target, *_ = [*request.start.split(" "), "", ""]
    path, _, query = target.partition("?")
    if kind == "path-pattern":
        return _any(condition, "PathPatternConfig", path)
    if kind == "host-header":
        return _any(condition, "HostHeaderConfig", request.header("host").partition(":")[0].lower())
    if kind == "http-request-method":
        return _any(condition, "HttpRequestMethodConfig", method)
    if kind == "http-header":
        config = condition.get("HttpHeaderConfig") or {}
        value = request.header(str(config.get("HttpHeaderName", "")).lower())
        return bool(value) and _any(condition, "HttpHeaderConfig", value)
    if kind == "query-string":
        given = [tuple(pair.partition("=")[::2]) for pair in query.split("&")]
        wanted = (condition.get("QueryStringConfig") or {}).get("Values") or []
        return any(
            fnmatchcase(value, w.get("Value", "")) and w.get("Key", key) == key
            for key, value in given
            for w in wanted
        )
    return False


def _any(condition: Mapping[str, Any], config: str, value: str) -> bool:
    patterns = (condition.get(config) or {}).get("Values") or condition.get("Values") or []
    return any(fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)
