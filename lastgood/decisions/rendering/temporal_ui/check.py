"""A check in Temporal's UI: would this policy roll back now?"""

from __future__ import annotations

from lastgood.contracts import CheckReport
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.markdown import bullets, code, text, whole
from lastgood.decisions.rendering.temporal_ui.triggers import of_verdicts
from lastgood.model import ServiceRef, Status


def check_details(service: ServiceRef) -> str:
    """What does not change while it runs."""
    return whole(
        [
            f"Measures all triggers of {code(str(service))} in {text(service.region)} once, with "
            "the worker's own permissions. Nothing is changed.",
            "",
            *bullets((places.ecs_console(service),)),
        ]
    )


def check_now(report: CheckReport | None) -> str:
    """What it found."""
    if report is None:
        return "**Measures** each trigger"
    said = {one.status for one in report.verdicts if not one.dry_run}
    verdict = "A release would not be rolled back"
    if Status.FAIL in said:
        verdict = "A release would be ROLLED BACK"
    elif Status.INCONCLUSIVE in said:
        verdict = "Inconclusive: too little is measured"
    return whole(
        [
            f"**{verdict}**",
            "",
            *of_verdicts(report.verdicts),
            *bullets(text(one) for one in report.warnings),
        ]
    )
