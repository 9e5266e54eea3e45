"""How a service deploys: rolling, blue/green, linear or canary, with bake time and hooks.

Minutes are AWS's whole minutes; `--minute` of the sandbox says how long one lasts.
"""

from dataclasses import dataclass
from typing import Any

Hook = dict[str, Any]


@dataclass(frozen=True)
class Strategy:
    """One entry of ECS's strategies, with what belongs to it."""

    name: str = "ROLLING"
    bake_minutes: int | None = None
    steps: tuple[tuple[str, Any], ...] = ()
    hooks: tuple[Hook, ...] = ()
    test_listener: bool = False

    @property
    def shifts(self) -> bool:
        """Whether it shifts traffic between two target groups."""
        return self.name != "ROLLING"

    @property
    def at_first(self) -> dict[str, Any]:
        """What is to be different in the deploymentConfiguration of a service's first deployment.

        Nobody waits for bake time and hooks before there is anything that could be rolled back to.
        """
        return {"strategy": self.name, **({"bakeTimeInMinutes": 0} if self.shifts else {})}

    @property
    def configuration(self) -> dict[str, Any]:
        """Its part of the deploymentConfiguration."""
        found: dict[str, Any] = {"strategy": self.name, "lifecycleHooks": list(self.hooks)}
        if self.bake_minutes is not None:
            found["bakeTimeInMinutes"] = self.bake_minutes
        if self.steps:
            found[f"{self.name.lower()}Configuration"] = dict(self.steps)
        return found


ROLLING = Strategy()


def rolling(*, bake_minutes: int | None = None, hooks: tuple[Hook, ...] = ()) -> Strategy:
    """Return a rolling update with bake time (for alarms) or hooks."""
    return Strategy(bake_minutes=bake_minutes, hooks=hooks)


def blue_green(
    *, bake_minutes: int = 1, hooks: tuple[Hook, ...] = (), test_listener: bool = False
) -> Strategy:
    """Return a strategy that shifts all traffic at once."""
    return Strategy("BLUE_GREEN", bake_minutes, hooks=hooks, test_listener=test_listener)


def linear(
    *,
    percent: float = 50,
    step_minutes: int = 1,
    bake_minutes: int = 1,
    hooks: tuple[Hook, ...] = (),
) -> Strategy:
    """Return a strategy that shifts traffic in equal steps."""
    steps = (("stepPercent", percent), ("stepBakeTimeInMinutes", step_minutes))
    return Strategy("LINEAR", bake_minutes, steps, hooks)


def canary(
    *,
    percent: float = 10,
    canary_minutes: int = 1,
    bake_minutes: int = 1,
    hooks: tuple[Hook, ...] = (),
) -> Strategy:
    """Return a strategy that shifts a little, waits, and shifts the rest."""
    steps = (("canaryPercent", percent), ("canaryBakeTimeInMinutes", canary_minutes))
    return Strategy("CANARY", bake_minutes, steps, hooks)


def pause(*stages: str, minutes: int = 1440, action: str = "ROLLBACK") -> Hook:
    """Return a hook that waits for ContinueServiceDeployment, at most for so many minutes."""
    return {
        "targetType": "PAUSE",
        "lifecycleStages": list(stages),
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action},
    }
