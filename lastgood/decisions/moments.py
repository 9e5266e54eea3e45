"""When what happened to a release: the moments that are marked in the pictures of its triggers."""

from __future__ import annotations

from datetime import datetime

from lastgood.contracts import Explanation, Step
from lastgood.decisions.charts import Moment, Tone
from lastgood.model import Outcome, ReleaseResult, Status, Verdict

_LEFT_ALONE = (Outcome.SUPERSEDED, Outcome.CANCELLED, Outcome.REFUSED)


def deciding(told: Explanation, result: ReleaseResult | None) -> Verdict | None:
    """The verdict that decided: what fired, or what left the window inconclusive.

    None where nothing did: a clean window, an operator, ECS itself.
    """
    counts = [one for one in told.verdicts if not one.dry_run]
    fired = [one for one in counts if one.status is Status.FAIL]
    by_trigger = [one for one in fired if result and one.trigger == result.trigger]
    unclear = [one for one in counts if one.status is Status.INCONCLUSIVE]
    if by_trigger:
        return max(by_trigger, key=lambda one: one.at)
    held = told.progress.held or (result is not None and result.outcome is Outcome.HELD)
    if not held:
        return None
    return max(fired, key=lambda one: one.at) if fired else next(iter(unclear), None)


def moments_of(
    told: Explanation, result: ReleaseResult | None, verdict: Verdict | None = None
) -> tuple[Moment, ...]:
    """What is marked in the picture of a verdict, in the order of time.

    Args:
        told: the release.
        result: how it ended, if it has.
        verdict: whose picture it is: the moment when it fires is marked.
    """
    steps, found = told.progress.steps, []
    deployed = _last(steps, "deploy")
    if deployed and told.progress.to_task_definition:
        found.append(_at(deployed.finished_at or deployed.started_at, "deployed"))
    served = _last(steps, "smoke test") or _last(steps, "monitor")
    if served:
        found.append(_at(served.started_at, "rolled out"))
    if verdict and verdict.status is Status.FAIL:
        found.append(_at(verdict.at, "would fire" if verdict.dry_run else "fires", "bad"))
    found += [_at(one.at, one.verb) for one in told.actions]
    hold = _last(steps, "hold")
    if hold:
        found.append(_at(hold.started_at, "held", "bad"))
    window = _last(steps, "monitor")
    if result and result.outcome is Outcome.HEALTHY and window and window.finished_at:
        found.append(_at(window.finished_at, "window ends", "good"))
    return tuple(sorted([*found, *_back(result)], key=lambda one: one.at))


def _back(result: ReleaseResult | None) -> list[Moment]:
    if result is None or result.rollback is None or result.outcome in _LEFT_ALONE:
        return []
    rollback = result.rollback
    ecs = result.outcome is Outcome.ROLLED_BACK_BY_ECS
    found = [_at(rollback.started_at, "ECS rolls back" if ecs else "rolls back", "bad")]
    if rollback.finished_at:
        good = rollback.verified
        tone: Tone = "good" if good else "bad"
        found.append(_at(rollback.finished_at, "verified" if good else "NOT verified", tone))
    return found


def _last(steps: tuple[Step, ...], name: str) -> Step | None:
    return next((one for one in reversed(steps) if one.name == name), None)


def _at(moment: datetime, text: str, tone: Tone = "plain") -> Moment:
    return Moment(moment.timestamp(), text, tone)
