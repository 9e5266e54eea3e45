"""What Temporal's UI shows of a release while it runs, and after its end.

The UI asks the worker for it by a query, so nothing of it is in the history: it is as new as the
last event that the workflow saw.
"""

from __future__ import annotations

from temporalio import workflow

from workflows.release import Release

with workflow.unsafe.imports_passed_through():
    from lastgood.decisions.rendering.temporal_ui.release import ReleaseNow, release_now


def show(release: Release) -> None:
    """Bring it up to date."""
    journal, prepared = release.journal, release.prepared
    now = ReleaseNow(
        place=release.listed.place,
        service=release.service,
        progress=journal.progress(),
        running=prepared.running if prepared else None,
        released=release.released,
        target=release.target,
        target_reason=prepared.target_reason if prepared else "",
        triggers=prepared.triggers if prepared else (),
        tallies=tuple(journal.tallies.values()),
        verdicts=tuple(journal.verdicts.values()),
        at=workflow.now(),
    )
    workflow.set_current_details(release_now(now))
