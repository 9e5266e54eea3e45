"""An examination in Temporal's UI: is all there that a release will need?"""

from __future__ import annotations

from lastgood.contracts import Examination, Standing
from lastgood.decisions.examining.lines import counted, is_good
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.markdown import bullets, code, text, whole
from lastgood.model import ServiceRef


def doctor_details(service: ServiceRef) -> str:
    """What does not change while it runs."""
    return whole(
        [
            f"Reads everything that a release of {code(str(service))} in {text(service.region)} "
            "will need, with the worker's own permissions. Nothing is changed.",
            "",
            *bullets((places.ecs_console(service),)),
        ]
    )


def doctor_now(examination: Examination | None) -> str:
    """What it found: all that is not fine, with its remedy."""
    if examination is None:
        return "**Reads** what a release will need"
    numbers = counted([examination])
    found = ", ".join(f"{number} {one.value}" for one, number in numbers.items() if number)
    verdict = "Ready to release" if is_good([examination]) else "Not ready"
    ailing = [line for line in examination.lines if line.standing is not Standing.FINE]
    return whole(
        [
            f"**{verdict}**: {found}",
            "",
            *bullets(
                f"**{line.standing.value}** {text(line.what)}: {text(line.found)} "
                f"→ {text(line.remedy or '')}"
                for line in ailing
            ),
        ]
    )
