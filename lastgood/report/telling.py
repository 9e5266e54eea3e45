"""From what a release says of itself to what its page says: the verdict, the picture, the rest."""

from __future__ import annotations

from datetime import UTC, datetime

from lastgood.contracts import Explanation, Progress
from lastgood.decisions import records
from lastgood.decisions.charting import chart_of
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.moments import deciding, moments_of
from lastgood.decisions.wording import rollback_command, sentence
from lastgood.model import Outcome, ReleaseResult, ServiceRef, Status, Verdict
from lastgood.report import facts, timeline
from lastgood.report.parts import Judged, Look, ReleasePart, Tone

_MARKS: dict[Status, tuple[str, Tone]] = {
    Status.PASS: ("passed", "good"),
    Status.FAIL: ("fired", "critical"),
    Status.INCONCLUSIVE: ("inconclusive", "warning"),
}
_MOST_LOOKS = 30
_UNREADABLE = "Nothing to draw: this version cannot read what it was judged from."
_COUNTED = "Nothing to draw: it never fired, and its looks were only counted."


def of_release(
    service: ServiceRef,
    told: Explanation,
    result: ReleaseResult | None,
    asked_at: datetime,
    latest: tuple[str, ...] = (),
) -> ReleasePart:
    """All that there is to say of a release.

    Args:
        service: whose release it is.
        told: what it says.
        result: how it ended, if it has.
        asked_at: now, for what goes on.
        latest: what its triggers measured last, while it goes on.
    """
    progress = told.progress
    result = result or progress.result
    badge, tone, title = _ending(progress, result)
    decided = deciding(told, result)
    judged = {id(one): _judged(told, result, one) for one in _in_order(told)}
    lead = judged.get(id(decided)) or next((one for one in judged.values() if one.chart), None)
    why, then = _why(progress, result, decided)
    return ReleasePart(
        release=progress.release,
        service=str(service),
        badge=badge,
        tone=tone,
        title=f"{service}: release {progress.release} {title}",
        sentence=why,
        more=(then, _next(progress, result)),
        facts=tuple(facts.of_release(service, told, result)),
        lead=lead,
        phases=timeline.phases(progress.steps, asked_at),
        events=timeline.events(told, result),
        others=tuple(one for one in judged.values() if one is not lead),
        silent=_silent(told, result),
        latest=latest,
        details=tuple((title, lines) for title, lines in facts.details(told, result) if lines),
    )


def of_result(
    service: str, result: ReleaseResult, remark: str, calls: tuple[str, ...] = ()
) -> ReleasePart:
    """What is left to say where nobody remembers more than how it ended."""
    by_hand = result.release.startswith("rollback")
    named = result.release if by_hand else f"release {result.release}"
    badge, tone, title = _end_of(result)
    if by_hand and result.outcome is Outcome.ROLLED_BACK:
        title = "was carried out"
    return ReleasePart(
        release=result.release,
        service=service,
        badge=badge,
        tone=tone,
        title=f"{service}: {named} {title}",
        sentence=sentence(result.reason),
        more=(_todo(result),),
        facts=tuple(facts.of_result(result)),
        lead=None,
        phases=(),
        events=(),
        others=tuple(_bare(one) for one in result.evidence),
        silent="",
        latest=(),
        details=(("Calls to AWS", calls),) if calls else (),
        remark=remark,
    )


# --- The verdict -------------------------------------------------------------------------------


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def _ending(progress: Progress, result: ReleaseResult | None) -> tuple[str, Tone, str]:
    if progress.held:
        return "held", "critical", "is held and needs a decision"
    if result is None:
        return "under way", "plain", "is under way"
    return _end_of(result)


def _end_of(result: ReleaseResult) -> tuple[str, Tone, str]:
    """The badge, how grave it is, and the verdict; a drill's own, as nothing was wrong."""
    if result.drill and result.drill.passed:
        return "drill passed", "good", "was a drill: the way back works"
    if result.drill:
        return "drill not passed", "warning", "was a drill, and has not passed"
    return _words(result.outcome), timeline.tone_of(result.outcome), ENDINGS[result.outcome].title


def _why(
    progress: Progress, result: ReleaseResult | None, decided: Verdict | None
) -> tuple[str, str]:
    """Why, in one sentence; and what came of it, if that is told in the same breath."""
    if result is None:
        return _now(progress), ""
    reason = result.reason
    if decided and reason.startswith(decided.reason) and reason != decided.reason:
        return sentence(decided.reason), sentence(reason[len(decided.reason) :].lstrip(". "))
    return sentence(reason), ""


def _now(progress: Progress) -> str:
    ends = progress.window_ends_at
    until = f", and its window ends at {ends.astimezone(UTC):%H:%M:%S} UTC" if ends else ""
    return f"So far nothing was decided. It is at its step {progress.step}{until}."


def _next(progress: Progress, result: ReleaseResult | None) -> str:
    if progress.held:
        return (
            f"Nothing more happens until somebody decides: lastgood approve, deny or resume "
            f'{progress.service} --reason "…"'
        )
    return _todo(result) if result else ""


def _todo(result: ReleaseResult) -> str:
    if result.drill and result.drill.passed:
        return "Nothing was wrong, and nothing is to be done."
    if result.drill:
        why = f"{sentence(result.drill.why_not)} " if result.drill.why_not else ""
        return f"{why}Find out why before a bad release needs it."
    command = rollback_command(result.service)
    return ENDINGS[result.outcome].next.format(service=result.service, command=command)


# --- Triggers ----------------------------------------------------------------------------------


def _in_order(told: Explanation) -> list[Verdict]:
    """As the policy names them; what decides nothing comes last."""

    def place(one: Verdict) -> tuple[bool, int]:
        position = (one.key or "").split(" ")[0]
        return one.dry_run, int(position) if position.isdecimal() else 0

    return sorted(told.verdicts, key=place)


def _silent(told: Explanation, result: ReleaseResult | None) -> str:
    """Which triggers have no verdict: they watched until another one decided, or watch still."""
    policy, heard = (
        told.release.policy,
        [records.trigger_of(told.release.policy, one) for one in told.verdicts],
    )
    without = [one.type for one in policy.triggers if not any(one is other for other in heard)]
    if not without or told.progress.to_task_definition is None:
        return ""
    names = ", ".join(without)
    return f"Had not concluded: {names}." if result else f"Nothing concluded yet: {names}."


def _judged(told: Explanation, result: ReleaseResult | None, verdict: Verdict) -> Judged:
    trigger = records.trigger_of(told.release.policy, verdict)
    try:
        chart = chart_of(trigger, verdict) if trigger else None
        why = records.why_not(verdict)
        without = f"Nothing to draw: {why}." if why else _COUNTED
    except (ValueError, LookupError):  # a record that a newer or older version wrote
        chart, without = None, _UNREADABLE
    if chart:
        chart = chart._replace(moments=moments_of(told, result, verdict))
    return _bare(verdict)._replace(chart=chart, without=None if chart else without)


def _bare(verdict: Verdict) -> Judged:
    mark, tone = _MARKS[verdict.status]
    if verdict.dry_run:
        mark, tone = "dry run", "plain"
    looks = (
        Look(f"{one.at.astimezone(UTC):%H:%M:%S}", one.reading.value.replace("_", " "), one.text)
        for one in verdict.evidence[-_MOST_LOOKS:]
    )
    return Judged(
        key=verdict.key or verdict.trigger,
        mark=mark,
        tone=tone,
        name=verdict.trigger,
        reason=sentence(verdict.reason),
        message=verdict.message,
        chart=None,
        without=None,
        looks=tuple(looks),
    )
