"""Why a release ended as it did: everything that its decisions were made of."""

from __future__ import annotations

from temporalio import workflow

from workflows.release import Release

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import Explanation


def explain(release: Release) -> Explanation:
    """All of it, as the query ``explain`` answers."""
    journal, prepared = release.journal, release.prepared
    target = release.target.model_copy(update={"source": {}}) if release.target else None
    order = release.order.release.model_copy(update={"task_definition_source": None})
    return Explanation(
        release=order,
        progress=journal.progress(),
        target=target,
        target_reason=prepared.target_reason if prepared else None,
        limits=release.limits,
        verdicts=tuple(journal.verdicts.values()),
        decisions=tuple(journal.decisions),
        calls=tuple(journal.calls),
        actions=tuple(release.orders.actions),
    )
