"""A rollback's workflow in Temporal's UI: what goes back to what, why, and whether it helped.

The rule. The verdict comes first: brought back and verified, or what went wrong and that somebody
is needed. What was sent to ECS is listed with its times.
"""

from __future__ import annotations

from typing import Literal

from lastgood.contracts import RollbackOrder, RollbackReport
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.markdown import (
    bullets,
    code,
    summary,
    text,
    whole,
)
from lastgood.decisions.rendering.temporal_ui.release import Place, revision
from lastgood.decisions.rendering.temporal_ui.triggers import of_verdicts
from lastgood.messages import deployment_id, guard_id
from lastgood.model import Model, Outcome

Phase = Literal["act", "wait", "verify", "finish"]
_PHASES: dict[Phase, str] = {
    "act": "chooses the fastest way that the service's state allows",
    "wait": "waits until the service is steady on the target",
    "verify": "proves that it helped: health checks, and the trigger that fired",
    "finish": "lets ECS carry the way back to its end",
}


class RollbackNow(Model):
    """What is known of a rollback now."""

    place: Place
    order: RollbackOrder
    phase: Phase = "act"
    calls: tuple[str, ...] = ()
    report: RollbackReport | None = None


def rollback_summary(order: RollbackOrder) -> str:
    """One line for lists and headings."""
    return summary(f"{order.service} back to {order.target.label}")


def rollback_details(order: RollbackOrder) -> str:
    """What does not change while it runs."""
    left = order.from_task_definition.rsplit("/", 1)[-1]
    by = f", decided by {text(order.actor)}" if order.actor else ""
    return whole(
        bullets(
            (
                f"{code(str(order.service))} in {text(order.service.region)}",
                f"back to {revision(order.target)}",
                f"from {code(left)}" if left else "",
                f"of release {code(order.release)}{by}",
                f"because: {text(order.reason)}" if order.reason else "",
                "ECS went back by itself: it is followed and verified" if order.adopt else "",
            )
        )
    )


def rollback_now(now: RollbackNow) -> str:
    """Where it stands."""
    order = now.order
    fired = (order.fired,) if order.fired else ()
    evidence = now.report.evidence if now.report else ()
    return whole(
        [
            _verdict(now),
            "",
            *of_verdicts((*fired, *evidence)),
            *bullets(text(call, 300) for call in now.calls[-12:]),
            *bullets(
                (
                    now.place.other("The service's release", deployment_id(order.service)),
                    now.place.other("Guard of the service", guard_id(order.service)),
                    places.ecs_console(order.service),
                )
            ),
        ]
    )


def _verdict(now: RollbackNow) -> str:
    report = now.report
    if report is None:
        return f"**{now.phase}**: {_PHASES[now.phase]}"
    if report.outcome is Outcome.ROLLBACK_FAILED:
        help_wanted = f"Look at the service now: {places.command('status', str(now.order.service))}"
        return f"**THE ROLLBACK FAILED**: {text(report.reason)} {help_wanted}"
    title = "verified" if report.verified else report.outcome.value.replace("_", " ")
    return f"**{title}**: {text(report.reason)}"
