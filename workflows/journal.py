"""What a release did, step by step, for those who look while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import Decided, DeploymentOrder, Finding, Progress, Step, Tally
    from lastgood.model import ChannelFailure, ReleaseResult, Verdict


class Journal:
    """The steps of a release with their times, and what people were told."""

    def __init__(self, order: DeploymentOrder) -> None:
        self._order = order
        self._steps: list[Step] = []
        self._notes: list[str] = []
        self.failures: list[ChannelFailure] = []
        self.from_task_definition: str | None = None
        self.to_task_definition: str | None = None
        self.rollback_target: str | None = None
        self.window_ends_at: datetime | None = None
        self.held = False
        self.calls: list[str] = []
        """What was sent to AWS, with its time."""
        self.verdicts: dict[str, Verdict] = {}
        """The last one of each trigger, by its key."""
        self.tallies: dict[str, Tally] = {}
        """What the last watch of each trigger saw last, by its key."""
        self.decisions: list[Decided] = []
        self.result: ReleaseResult | None = None
        self.show: Callable[[], None] | None = None
        """Brings the Temporal UI's details up to date."""

    @contextmanager
    def step(self, name: str, text: str = "") -> Iterator[None]:
        """Record a step's beginning and end."""
        index = len(self._steps)
        self._steps.append(Step(name=name, started_at=workflow.now(), text=text))
        self.changed()
        try:
            yield
        finally:
            if workflow.in_workflow():  # else this run is only dropped from the worker's memory
                ended = {"finished_at": workflow.now()}
                self._steps[index] = self._steps[index].model_copy(update=ended)
                self.changed()

    def note(self, text: str) -> None:
        """Record something worth saying."""
        self._notes.append(text)
        self.changed()

    def call(self, text: str, at: datetime | None = None) -> None:
        """Record a call that changes something."""
        self.calls.append(f"{at or workflow.now():%Y-%m-%d %H:%M:%S} UTC  {text}")

    def judged(self, *verdicts: Verdict) -> None:
        """Record what triggers conclude."""
        self.verdicts.update({verdict.key or verdict.trigger: verdict for verdict in verdicts})
        self.changed()

    def measured(self, tallies: tuple[Tally, ...]) -> None:
        """Record what watches saw, as of when they ended."""
        self.tallies.update({tally.key: tally for tally in tallies})
        self.changed()

    def decided(self, finding: Finding, do: str, why: str = "") -> None:
        """Record a decision; the same one again is one."""
        if finding.verdict:
            self.judged(finding.verdict)
        decision = Decided(
            at=workflow.now(), finding=finding.kind, reason=finding.reason, do=do, why=why
        )
        self.decisions.append(decision)

    @property
    def now(self) -> str:
        """The step that is under way, or was last."""
        return self._steps[-1].name if self._steps else "preflight"

    def timings(self) -> dict[str, float]:
        """Seconds by step; a step that came again is added up."""
        seconds: dict[str, float] = {}
        for step in self._steps:
            if step.finished_at:
                took = (step.finished_at - step.started_at).total_seconds()
                seconds[step.name] = round(seconds.get(step.name, 0.0) + took, 3)
        return seconds

    def progress(self) -> Progress:
        """All of it, as the query ``progress`` answers."""
        release = self._order.release
        return Progress(
            release=release.id,
            service=str(self._order.service),
            what=release.what,
            step=self.now,
            steps=tuple(self._steps),
            notes=tuple(self._notes),
            from_task_definition=self.from_task_definition,
            to_task_definition=self.to_task_definition,
            rollback_target=self.rollback_target,
            window_ends_at=self.window_ends_at,
            held=self.held,
            result=self.result,
            notification_failures=tuple(self.failures),
        )

    def changed(self) -> None:
        """What the Temporal UI shows of it is not what it shows now."""
        if self.show and workflow.in_workflow():  # else this run is only dropped from memory
            self.show()
