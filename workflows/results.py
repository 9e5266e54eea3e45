"""A release's result, as it is printed, remembered and shown."""

from __future__ import annotations

from temporalio import workflow

from workflows.release import Release

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import DeploymentReport, Finding, Notice, RollbackReport, Thread
    from lastgood.decisions import findings
    from lastgood.model import Outcome, ReleaseResult, RollbackSummary


def result_of(
    release: Release, outcome: Outcome, reason: str, finding: Finding | None = None
) -> ReleaseResult:
    """How the release ends, as of now."""
    info, order, journal = workflow.info(), release.order.release, release.journal
    return ReleaseResult(
        release=order.id,
        workflow_id=info.workflow_id,
        run_id=info.run_id,
        service=str(release.service),
        outcome=outcome,
        reason=reason,
        from_task_definition=journal.from_task_definition,
        to_task_definition=journal.to_task_definition,
        trigger=findings.trigger_of(finding),
        evidence=findings.evidence_of(finding, journal.verdicts.values()),
        timings=journal.timings(),
        started_at=release.started_at,
        finished_at=workflow.now(),
        image=order.image,
        actor=order.actor,
        drill=release.drilling.summary if release.drilling else None,
    )


def after_rollback(release: Release, report: RollbackReport, finding: Finding) -> ReleaseResult:
    """How the release ends after a rollback, ours or ECS's own."""
    reason = findings.reason_after(finding, report)
    result = result_of(release, report.outcome, reason, finding)
    summary = RollbackSummary(
        to=report.to,
        started_at=report.started_at,
        finished_at=report.finished_at,
        verified=report.verified,
    )
    told = {"rollback": summary, "evidence": (*result.evidence, *report.evidence)}
    if release.drilling:
        told["drill"] = release.drilling.proved(report, finding)
    return result.model_copy(update=told)


def report_of(
    release: Release,
    end: ReleaseResult,
    proven: str | None,
    notice: Notice,
    threads: tuple[Thread, ...],
) -> DeploymentReport:
    """The result with what the guard should remember."""
    ordered = release.orders.rollback
    badly = end.outcome in (Outcome.ROLLBACK_FAILED, Outcome.HELD)
    final = {
        "timings": release.journal.timings(),
        "notification_failures": tuple(release.journal.failures),
        "finished_at": workflow.now(),
        "released": release.released,
        "target": release.target,
        "proven": proven,
        "notice": notice if badly else None,
        "threads": threads if badly else (),
        "blamed": not (end.trigger == "manual" and ordered and ordered.group),
    }
    return DeploymentReport.model_validate({**dict(end), **final})
