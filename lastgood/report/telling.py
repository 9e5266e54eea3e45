"""From what a release says of itself to what its page says: the verdict, the picture, the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from lastgood.contracts import Explanation, Progress
from lastgood.decisions import limits, records
from lastgood.decisions.charting import chart_of
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.moments import deciding, moments_of
from lastgood.decisions.wording import day, describe, period, rollback_command, sentence
from lastgood.model import Outcome, ReleaseResult, ServiceRef, Status, Verdict
from lastgood.report import timeline
from lastgood.report.parts import Fact, Judged, Look, ReleasePart, Tone

_CHANNELS = ("slack", "email", "sns", "webhook")
_MARKS: dict[Status, tuple[str, Tone]] = {
    Status.PASS: ("passed", "good"),
    Status.FAIL: ("fired", "critical"),
    Status.INCONCLUSIVE: ("inconclusive", "warning"),
}
_MOST_LOOKS = 30
_NO_RECORD = "Nothing to draw: what it was judged from is not on record."
_COUNTED = "Nothing to draw: it never fired, and its looks were only counted."


def of_release(
    service: ServiceRef, told: Explanation, result: ReleaseResult | None, asked_at: datetime
) -> ReleasePart:
    """All that there is to say of a release.

    Args:
        service: whose release it is.
        told: what it says.
        result: how it ended, if it has.
        asked_at: now, for what goes on.
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
        facts=tuple(_facts(service, told, result)),
        lead=lead,
        phases=timeline.phases(progress.steps, asked_at),
        events=timeline.events(told, result),
        others=tuple(one for one in judged.values() if one is not lead),
        details=tuple((title, lines) for title, lines in _details(told, result) if lines),
    )


def of_result(
    service: str, result: ReleaseResult, remark: str, calls: tuple[str, ...] = ()
) -> ReleasePart:
    """What is left to say where nobody remembers more than how it ended."""
    by_hand = result.release.startswith("rollback")
    named = result.release if by_hand else f"release {result.release}"
    title = ENDINGS[result.outcome].title
    if by_hand and result.outcome is Outcome.ROLLED_BACK:
        title = "was carried out"
    return ReleasePart(
        release=result.release,
        service=service,
        badge=_words(result.outcome),
        tone=timeline.tone_of(result.outcome),
        title=f"{service}: {named} {title}",
        sentence=sentence(result.reason),
        more=(_todo(result),),
        facts=tuple(_of_the_end(result)),
        lead=None,
        phases=(),
        events=(),
        others=tuple(_bare(one) for one in result.evidence),
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
    command = rollback_command(result.service)
    return ENDINGS[result.outcome].next.format(service=result.service, command=command)


# --- Facts -------------------------------------------------------------------------------------


def _facts(service: ServiceRef, told: Explanation, result: ReleaseResult | None) -> Iterator[Fact]:
    release, progress = told.release, told.progress
    yield Fact("image" if release.image else "released", release.what)
    yield Fact("asked for by", release.actor, _link(release.ci_url))
    if release.forced:
        yield Fact("forced", release.forced)
    if release.group:
        yield Fact("part of", release.group)
    before, after = progress.from_task_definition, progress.to_task_definition
    if before or after:
        yield Fact("revision", f"{_label(before)} → {_label(after)}")
    if progress.steps:
        yield Fact("began", _moment(progress.steps[0].started_at))
    if result:
        yield from _how_long(result)
    console = (
        f"https://{service.region}.console.aws.amazon.com/ecs/v2/clusters/{service.cluster}"
        f"/services/{service.name}/health?region={service.region}"
    )
    yield Fact("service", f"{service} in {service.region}", console)


def _of_the_end(result: ReleaseResult) -> Iterator[Fact]:
    if result.image:
        yield Fact("image", result.image)
    if result.actor:
        yield Fact("asked for by", result.actor)
    if result.from_task_definition or result.to_task_definition:
        moved = f"{_label(result.from_task_definition)} → {_label(result.to_task_definition)}"
        yield Fact("revision", moved)
    if result.started_at:
        yield Fact("began", _moment(result.started_at))
    yield from _how_long(result)


def _how_long(result: ReleaseResult) -> Iterator[Fact]:
    if result.started_at and result.finished_at:
        yield Fact("took", timeline.lasted(result.finished_at - result.started_at))
    rollback = result.rollback
    if rollback:
        ended = rollback.finished_at
        within = f" in {timeline.lasted(ended - rollback.started_at)}" if ended else ""
        proved = "verified" if rollback.verified else "NOT verified"
        yield Fact("rollback", f"to {_label(rollback.to)}{within}, {proved}")


def _link(url: str | None) -> str | None:
    return url if url and url.startswith(("https://", "http://")) else None


def _label(task_definition: str | None) -> str:
    return task_definition.rsplit("/", 1)[-1] if task_definition else "unknown"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


# --- Triggers ----------------------------------------------------------------------------------


def _in_order(told: Explanation) -> list[Verdict]:
    """As the policy names them; what decides nothing comes last."""

    def place(one: Verdict) -> tuple[bool, int]:
        position = (one.key or "").split(" ")[0]
        return one.dry_run, int(position) if position.isdecimal() else 0

    return sorted(told.verdicts, key=place)


def _judged(told: Explanation, result: ReleaseResult | None, verdict: Verdict) -> Judged:
    trigger = records.trigger_of(told.release.policy, verdict)
    chart = chart_of(trigger, verdict) if trigger else None
    if chart:
        chart = chart._replace(moments=moments_of(told, result, verdict))
    without = None if chart else _COUNTED if records.why_not(verdict) is None else _NO_RECORD
    return _bare(verdict)._replace(chart=chart, without=without)


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


# --- Details -----------------------------------------------------------------------------------


def _details(
    told: Explanation, result: ReleaseResult | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    actions = (
        f"{_moment(one.at)}  {one.verb} by {one.actor}: {one.reason}" for one in told.actions
    )
    yield "Who did what", tuple(actions) or ("Nobody but Lastgood.",)
    yield "What it would go back to", tuple(_target(told))
    yield "Limits as they stood", tuple(_limits(told))
    yield "Calls to AWS", told.calls or ("None: nothing was changed.",)
    yield "Said meanwhile", told.progress.notes
    yield "Notifications", tuple(_notifications(told, result))
    if result:
        yield "In Temporal", (f"workflow {result.workflow_id}", f"run {result.run_id}")


def _target(told: Explanation) -> Iterator[str]:
    if told.target:
        proven = f": {told.target.proven}" if told.target.proven else ""
        yield describe(told.target) + proven
    if told.target_reason:
        yield told.target_reason


def _limits(told: Explanation) -> Iterator[str]:
    policy, stood = told.release.policy.rollback, limits.stood(told)
    if stood is None:
        return
    yield f"{stood.counted} of {policy.max_rollbacks} rollbacks in {period(policy.per)} before it"
    until = stood.cooldown_until
    yield f"Cooldown until {day(until)}" if until else "No cooldown"
    if not policy.enabled:
        yield "Rollback is off in the policy: a trigger that fires holds the release"


def _notifications(told: Explanation, result: ReleaseResult | None) -> Iterator[str]:
    notify = told.release.policy.notify
    channels = [name for name in _CHANNELS if getattr(notify, name)]
    yield f"Through {', '.join(channels)}" if channels else "No channel in the policy"
    if result and result.outcome is Outcome.HEALTHY and not notify.healthy:
        yield "Nobody is told of a healthy release, as the policy is"
