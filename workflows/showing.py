"""What Temporal's UI shows of a release while it runs, and after its end.

The UI asks the worker for it by a query, so nothing of it is in the history: it is as new as the
last event that the workflow saw.
"""

from __future__ import annotations

from temporalio import workflow

from workflows.release import Release
from workflows.watching import Round

with workflow.unsafe.imports_passed_through():
    from lastgood.decisions.rendering.temporal_ui.release import ReleaseNow, release_now


def show(release: Release, current: Round | None) -> None:
    """Bring it up to date.

    Args:
        release: to be shown.
        current: its last round of watches. What ended it may be one source's news; what the others
            saw until then comes a moment later, when they have been told to end.
    """
    journal, prepared = release.journal, release.prepared
    if current:
        journal.tallies |= {tally.key: tally for tally in current.tallies}
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
