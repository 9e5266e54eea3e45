"""What was seen, turned into why a release does not simply go on; and how releases end."""

from __future__ import annotations

from collections.abc import Iterable

from lastgood.contracts import (
    Finding,
    OperatorRequest,
    RollbackReport,
    RollbackRequest,
    ServiceNews,
)
from lastgood.decisions.verdicts import worst
from lastgood.decisions.wording import sentence
from lastgood.model import Outcome, Status, Verdict
from lastgood.policy import MonitorPolicy

_KINDS = {
    "failed": "rollout",
    "stuck": "rollout",
    "rolled_back_by_ecs": "rolled_back_by_ecs",
    "superseded": "displaced",
    "gone": "lost",
    "scaled_to_zero": "lost",
    "unreadable": "lost",
}


def of_service_news(news: ServiceNews) -> Finding | None:
    """A finding from a service watch; None if all is well."""
    kind = _KINDS.get(news.kind)
    if kind is None:
        return None
    about = {"kind": kind, "reason": news.reason, "to": news.task_definition}
    return Finding.model_validate(about)


def of_trigger(verdict: Verdict) -> Finding:
    """A trigger fired."""
    return Finding(kind="trigger", reason=verdict.reason, verdict=verdict)


def of_operator(request: RollbackRequest) -> Finding:
    """An operator asked for a rollback."""
    return Finding(
        kind="operator",
        reason=f"{request.actor} asked for it: {request.reason}",
        actor=request.actor,
        to=request.to,
    )


def before_any_change(interruption: Finding) -> Finding:
    """What an interruption means that came before anything was changed."""
    nothing = "Nothing had been changed."
    reason = sentence(interruption.reason)
    if nothing not in reason:
        reason = f"{reason} {nothing}"
    kind = "superseded" if interruption.kind == "superseded" else "cancelled"
    return interruption.model_copy(update={"kind": kind, "reason": reason})


def of_hold(request: OperatorRequest) -> Finding:
    """An operator held the release."""
    return Finding(
        kind="hold", reason=f"{request.actor} held it: {request.reason}", actor=request.actor
    )


def of_window(verdicts: Iterable[Verdict], policy: MonitorPolicy) -> Finding | None:
    """What the end of a window means; None: the release is good.

    Dry runs decide nothing: where there is nothing else, all is as good as it can be known to be.
    """
    verdicts = tuple(verdicts)
    verdict = worst(verdicts)
    if verdict is None and verdicts:
        return None
    if verdict is None:
        reason = "Nothing was measured: no trigger reported."
        return None if policy.on_inconclusive == "promote" else _inconclusive(reason)
    if verdict.status is Status.FAIL:
        return of_trigger(verdict)
    if verdict.status is Status.INCONCLUSIVE and policy.on_inconclusive != "promote":
        return _inconclusive(f"{verdict.trigger}: {verdict.reason}", verdict)
    return None


def _inconclusive(reason: str, verdict: Verdict | None = None) -> Finding:
    return Finding(kind="inconclusive", reason=reason, verdict=verdict)


def outcome_without_rollback(finding: Finding) -> Outcome:
    """How a release ends where nothing is rolled back by us."""
    return {
        "refused": Outcome.REFUSED,
        "displaced": Outcome.SUPERSEDED,
        "superseded": Outcome.SUPERSEDED,
        "cancelled": Outcome.CANCELLED,
    }.get(finding.kind, Outcome.HELD)


def trigger_of(finding: Finding | None) -> str | None:
    """The type of the trigger to report: only what really fired."""
    if finding is None:
        return None
    if finding.kind == "operator":
        return "manual"
    return finding.verdict.trigger if finding.kind == "trigger" and finding.verdict else None


def evidence_of(finding: Finding | None, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """What a release's result tells: what decided it, and which dry runs would have.

    Without their records, which ``explain`` tells: a result is printed, sent and remembered.
    """
    would = tuple(one.bare for one in verdicts if one.dry_run and one.status is Status.FAIL)
    return (*((finding.verdict.bare,) if finding and finding.verdict else ()), *would)


def reason_after(finding: Finding, report: RollbackReport) -> str:
    """The one sentence of a release that was rolled back."""
    return f"{sentence(finding.reason)} {report.reason}".strip()


def remedy_needed(finding: Finding, policy: MonitorPolicy) -> bool:
    """Whether a finding calls for a rollback, if the limits allow one."""
    if finding.kind == "inconclusive":
        return policy.on_inconclusive == "rollback"
    return finding.kind in ("trigger", "operator", "rollout", "smoke")


def against_approval(finding: Finding | None) -> Finding | None:
    """What still counts after a person took a release for good; None: it stays good.

    That ECS is slow with it, or gave it up, or that the service is gone, does not: a person has
    looked at it. That something else runs does, and that ECS cannot be told to go on.
    """
    if finding is None or finding.kind in ("rollout", "lost", "trigger"):
        return None
    return finding


def waits_for_a_person(finding: Finding) -> bool:
    """Whether a finding that is not rolled back holds the release until somebody decides."""
    return finding.kind in ("trigger", "operator", "rollout", "smoke", "inconclusive", "hold")
