"""I5: a breach that outlasts its trigger's duration starts a rollback within two polls after it.

The breach is read from what the sandbox's load balancer counted of each version, second by second;
of our own record only when the rollback began. Judged are releases under a plain `error-rate` on
the load balancer, whose truth this is, and only what the release's own version answered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.e2e.commands import Json
from tests.e2e.scene import Scene, instant

BUSY = 20
"""Seconds that a busy machine may add."""
Stretch = tuple[float, float]
"""Since and until, in seconds since the epoch."""
BY_PEOPLE = ("promote", "approve", "hold", "rollback", "cancel")


class Rule(NamedTuple):
    """A plain error-rate trigger: a ratio, and seconds."""

    threshold: float
    duration: float
    interval: float


def check(scene: Scene, overview: Json, results: list[Json]) -> None:
    """Raise if a breach was overlooked, or answered late."""
    rule = _rule(scene)
    if rule is None or any(one["verb"] in BY_PEOPLE for one in overview["actions"]):
        return
    timeline = scene.truth()["timeline"]
    for one in results:
        if one["to_task_definition"] is None:
            continue
        found = stretches(timeline, _tag(scene, one["to_task_definition"]), rule.threshold)
        if one["outcome"] == "healthy":
            _none_overlooked(found, rule, one)
        elif one["trigger"] == "error-rate" and not _waited(overview, one):
            _soon(found, rule, one, killed=not scene.world.quiet)


def _none_overlooked(found: list[Stretch], rule: Rule, result: Json) -> None:
    ended = instant(result["finished_at"])
    for since, until in found:
        answered_by = since + rule.duration + 2 * rule.interval
        assert until <= answered_by or ended <= answered_by, f"overlooked: {found}, {result}"


def _soon(found: list[Stretch], rule: Rule, result: Json, *, killed: bool) -> None:
    began = instant(result["rollback"]["started_at"])
    before = [since for since, _ in found if since < began]
    assert before, f"rolled back, but the version answered well: {found}, {result}"
    late = began - (before[-1] + rule.duration)
    # A watch that dies with its worker is missed after its heartbeat's time-out, at each kill.
    assert killed or late <= 2 * rule.interval + BUSY, f"{late:.1f} s late: {found}, {result}"


def stretches(timeline: list[Json], tag: str, threshold: float) -> list[Stretch]:
    """From when till when a version's errors were above the threshold, second by second.

    Seconds in which the version answers nothing neither end a stretch nor make it longer.
    """
    found: list[Stretch] = []
    open_ = False
    for one in timeline:
        counted: dict[str, Any] = one["versions"].get(tag, {})
        if not counted.get("requests"):
            continue
        breached = counted["errors"] / counted["requests"] > threshold
        if breached:
            since = found.pop()[0] if open_ else float(one["second"])
            found.append((since, one["second"] + 1.0))
        open_ = breached
    return found


def _rule(scene: Scene) -> Rule | None:
    """The one error-rate rule of all the scene's policies."""
    rules = {_error_rate(policy) for policy in scene.policies}
    return rules.pop() if len(rules) == 1 else None


def _error_rate(policy: Json) -> Rule | None:
    found = (one for one in policy["triggers"] if one["type"] == "error-rate")
    trigger = next((one for one in found if "metric" not in one), None)
    if trigger is None or not policy["rollback"].get("enabled", True):
        return None
    return Rule(
        threshold=float(trigger["threshold"].removesuffix("%")) / 100,
        duration=float(trigger["duration"].removesuffix("s")),
        interval=float(policy["monitor"]["interval"].removesuffix("s")),
    )


def _waited(overview: Json, result: Json) -> bool:
    """Whether a rollback before this one may have made it wait for its cooldown."""
    began = instant(result["rollback"]["started_at"])
    others = (one for one in overview["rollbacks"] if one["release"] != result["release"])
    return any(instant(one["started_at"]) < began for one in others)


def _tag(scene: Scene, task_definition: str) -> str:
    ecs = scene.world.cloud.client("ecs")
    found = ecs.describe_task_definition(taskDefinition=task_definition)
    image = found["taskDefinition"]["containerDefinitions"][0]["image"]
    return str(image).partition("@")[0].rpartition(":")[2]
