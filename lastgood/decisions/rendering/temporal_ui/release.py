"""A release's workflow in Temporal's UI: what it is, and where it stands.

The rule. What stays the same is in the details: what is released, where, by whom, from which CI
run. What changes is in the current details, the verdict first: what happens now or how it ended,
then the triggers, what it goes back to, the steps with their times, what was noted, and where to
look or what to type next. It costs no history: the UI asks the worker for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from lastgood.contracts import Progress, ReleaseOrder, Step, Tally, WatchedTrigger
from lastgood.decisions.endings import ENDINGS
from lastgood.decisions.rendering.temporal_ui import places
from lastgood.decisions.rendering.temporal_ui.markdown import (
    bullets,
    code,
    link,
    summary,
    text,
    whole,
)
from lastgood.decisions.rendering.temporal_ui.triggers import triggers
from lastgood.decisions.wording import clock, took
from lastgood.messages import guard_id, rollback_id
from lastgood.model import Model, Revision, ServiceRef, Verdict
from lastgood.policy import format_duration

_NOTES = 8
_AT_WORK = {
    "preflight": "Looks whether it may begin; nothing is changed yet",
    "deploy": "Moves the service to the new revision",
    "wait": "ECS rolls it out",
    "smoke test": "Asks it the smoke test's questions",
    "monitor": "Watched",
    "finish": "ECS carries it to its end",
    "cooldown": "Something fired; the next rollback waits for the cooldown's end",
    "hold": "Held for a person",
    "roll back": "**Goes back**",
    "verify": "ECS went back; it is proven whether that helped",
}


class Place(Model):
    """Where a run is in Temporal's UI."""

    ui: str = ""
    """The UI's address; empty where the worker was not told."""
    namespace: str
    workflow_id: str
    run_id: str

    def tab(self, label: str, name: str) -> str:
        """A tab of this run's page."""
        run = places.this_run(self.workflow_id, self.run_id)
        return places.workflow(label, self.ui, self.namespace, run, name)

    def other(self, label: str, workflow_id: str) -> str:
        """Another workflow's page."""
        return places.workflow(label, self.ui, self.namespace, workflow_id)


class ReleaseNow(Model):
    """What is known of a release now."""

    place: Place
    service: ServiceRef
    progress: Progress
    running: Revision | None = None
    """What ran before."""
    released: Revision | None = None
    target: Revision | None = None
    target_reason: str = ""
    triggers: tuple[WatchedTrigger, ...] = ()
    tallies: tuple[Tally, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    at: datetime


def revision(one: Revision) -> str:
    """A revision and its images by their names; `explain` has the digests."""
    images = ", ".join(code(image.image, 200) for image in one.images)
    return f"{code(one.label)} ({images})" if images else code(one.label)


def release_summary(order: ReleaseOrder, service: ServiceRef) -> str:
    """One line for lists and headings."""
    return summary(f"{order.id}: {order.what} → {service}")


def release_details(order: ReleaseOrder, service: ServiceRef) -> str:
    """What does not change while it runs."""
    policy = order.policy
    window, every = policy.monitor.window, policy.monitor.interval
    return whole(
        bullets(
            (
                f"Release {code(order.id)} of {code(order.what)}",
                f"to {code(str(service))} in {text(service.region)}",
                f"asked for by {text(order.actor)}",
                link("CI run", order.ci_url) if order.ci_url else "",
                f"**Forced**: {text(order.forced)}" if order.forced else "",
                f"Watched for {format_duration(window)} after the rollout, a look every "
                f"{format_duration(every)}; the rollout may take "
                f"{format_duration(policy.deploy.timeout)}",
                "" if policy.rollback.enabled else "**Never rolled back by itself**",
                f"Part of the group release {code(order.group)}" if order.group else "",
            )
        )
    )


def release_now(now: ReleaseNow) -> str:
    """Where it stands."""
    return whole(
        [
            *_verdict(now),
            "",
            *triggers(now.triggers, now.tallies, now.verdicts, now.service.region),
            *_live(now),
            *bullets(_revisions(now)),
            *_steps(now.progress.steps),
            *bullets(text(note, 300) for note in _notes(now.progress)),
            *bullets(_next(now)),
        ]
    )


def _verdict(now: ReleaseNow) -> list[str]:
    progress = now.progress
    if progress.result and progress.held:
        until = "Until somebody decides, nothing happens by itself."
        return [f"**HELD for a person**: {text(progress.result.reason)} {until}"]
    if progress.result:
        title, drill = ENDINGS[progress.result.outcome].title, progress.result.drill
        if drill:
            title = "DRILL passed" if drill.passed else f"DRILL not passed: it {title}"
        return [f"**{text(title)}**: {text(progress.result.reason)}"]
    last = progress.steps[-1] if progress.steps else None
    if last is None:
        return ["**Begins**"]
    words = _AT_WORK.get(last.name, text(last.name))
    return [f"**{text(last.name)}** since {clock(last.started_at)}: {words} {text(last.text)}"]


def _live(now: ReleaseNow) -> list[str]:
    """Of when the table is, and where newer values are."""
    told = [tally.measured_at for tally in now.tallies if tally.measured_at]
    lines = [f"The table is of {clock(max(told))}, when a watch last reported."] if told else []
    last = now.progress.steps[-1] if now.progress.steps else None
    if last and not last.finished_at and last.name in ("wait", "monitor", "finish"):
        tab = now.place.tab("Pending Activities", "pending-activities")
        lines.append(f"Live values, a few seconds old: {tab}, under Heartbeat Details.")
    return [" ".join(lines), ""] if lines else []


def _revisions(now: ReleaseNow) -> list[str]:
    target = f"{revision(now.target)}. {text(now.target_reason)}" if now.target else ""
    return [
        f"from {revision(now.running)}" if now.running else "",
        f"to {revision(now.released)}" if now.released else "",
        f"rollback target: {target}" if target else "",
    ]


def _steps(steps: Sequence[Step]) -> list[str]:
    if not steps:
        return []
    return ["Steps: " + " → ".join(map(_step, steps[-12:])), ""]


def _step(step: Step) -> str:
    if step.finished_at is None:
        return f"**{text(step.name)}** since {clock(step.started_at)}"
    return f"{text(step.name)} {_lasted(step.finished_at - step.started_at)}"


def _lasted(duration: timedelta) -> str:
    return took(duration) if duration else "0s"


def _notes(progress: Progress) -> list[str]:
    """What was noted last, without what stands above."""
    told = ("Rollback target: ", "Ended: ")
    return [note for note in progress.notes if not note.startswith(told)][-_NOTES:]


def _next(now: ReleaseNow) -> list[str]:
    """Where to look, and what to type."""
    service, place, progress = str(now.service), now.place, now.progress
    release = progress.release
    ended = progress.result is not None and not progress.held
    went_back = any(step.name in ("roll back", "verify") for step in progress.steps)
    lines = [
        place.other("Rollback", rollback_id(now.service)) if went_back else "",
        place.other("Guard of the service", guard_id(now.service)),
        places.ecs_console(now.service),
        f"Why: {places.command('explain', release)} · as a page: "
        f"{places.command('report', release)}",
    ]
    if progress.held:
        verbs = ("approve", "deny", "resume")
        lines.append(f"To decide: {' or '.join(places.command(v, service, True) for v in verbs)}")
    elif not ended:
        lines.append(f"To step in: {places.command('rollback', service, True)}")
    return lines
