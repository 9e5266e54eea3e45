"""Which call brings a service back, chosen by what was read immediately before it.

If the service is on its way to the target already (ECS rolled back by itself, or an earlier
attempt of ours was carried out), nothing is sent. If it runs the release that went wrong, it is
moved to the target. If it runs anything else, it is somebody else's and is not touched.
"""

from __future__ import annotations

from typing import Literal

from lastgood.model import Model, ServiceState


class Rung(Model):
    """What to do now, and why."""

    do: Literal["update_service", "wait", "leave", "give_up"]
    reason: str


def choose(state: ServiceState | None, *, target: str, wrong: str, adopt: bool = False) -> Rung:
    """The next call of a rollback.

    Args:
        state: the service now; None if it does not exist.
        target: ARN of the task definition to go back to.
        wrong: ARN of the task definition that went wrong.
        adopt: ECS goes back by itself; send nothing.
    """
    if state is None or state.status != "ACTIVE":
        return Rung(do="give_up", reason="The service does not exist any more.")
    primary = state.primary
    there = primary.task_definition if primary else ""
    if there == target:
        return Rung(do="wait", reason="The service is on its way back already.")
    if there != wrong:
        reason = f"The service runs {there.rsplit('/', 1)[-1] or 'nothing'}: somebody else's."
        return Rung(do="leave", reason=reason)
    if adopt:
        return Rung(do="wait", reason="ECS goes back by itself.")
    return Rung(do="update_service", reason="The service runs the release that went wrong.")
