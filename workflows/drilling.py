"""A drill's part of its release: the release is marked bad on purpose, in its monitor window."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import calls

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import AlarmMark, DrillOrder, Finding, RollbackReport
    from lastgood.decisions import drills, findings
    from lastgood.model import DrillSummary, Verdict

if TYPE_CHECKING:
    from workflows.release import Release


class Drilling:
    """Marks one release bad, and knows what came of it."""

    def __init__(self, release: Release, drill: DrillOrder) -> None:
        self._release = release
        self._drill = drill
        self._marked_at: datetime | None = None
        self._flaw: str | None = None
        """Why it was not marked as ordered."""
        self.verdict: Verdict | None = None
        """Set once the release is marked bad, unless an alarm is to tell."""

    @contextmanager
    def armed(self) -> Iterator[None]:
        """While the window lasts, the mark comes at its time."""
        marking = asyncio.create_task(self._mark())
        try:
            yield
        finally:
            marking.cancel()

    async def _mark(self) -> None:
        release = self._release
        await workflow.wait_condition(lambda: release.window_end is not None)
        await workflow.sleep(self._drill.after, summary="DRILL: then it is marked bad")
        if self._drill.alarm:
            await self._set_alarm(self._drill.alarm)
        else:
            self._fire()

    async def _set_alarm(self, name: str) -> None:
        release = self._release
        reason = f"A drill of {release.service}, release {release.order.release.id}"
        mark = AlarmMark(region=release.service.region, name=name, reason=reason)
        self._marked_at = workflow.now()  # the watch may see it before CloudWatch has answered
        try:
            self._marked_at = await calls.set_alarm_state(mark)
        except ActivityError as error:
            if is_cancelled_exception(error):
                return  # the window ended meanwhile
            self._fire(f"Alarm {name} could not be set to ALARM: {calls.why(error)}")
            return
        release.journal.call(f"SetAlarmState: {name} → ALARM", self._marked_at)
        release.journal.note(f"DRILL: alarm {name} is set to ALARM.")

    def _fire(self, flaw: str | None = None) -> None:
        now = workflow.now()
        self._flaw, self._marked_at = flaw, self._marked_at or now
        self.verdict = drills.verdict(self._release.order.release, now, flaw)
        self._release.journal.note(f"DRILL: {self.verdict.reason}")

    def at_the_end(self, finding: Finding | None) -> Finding | None:
        """What the end of a drill's window means: it goes back, seen or not."""
        if finding is not None and finding.kind != "inconclusive":
            return finding
        alarm = self._drill.alarm
        self._fire(f"The window ended, and alarm {alarm} did not fire." if alarm else None)
        return findings.of_trigger(self.verdict) if self.verdict else finding

    @property
    def summary(self) -> DrillSummary | None:
        """What is known of it before it went back."""
        return drills.begun(self._release.order.release, self._marked_at)

    def proved(self, report: RollbackReport, finding: Finding) -> DrillSummary | None:
        """What its rollback proves."""
        prepared = self._release.prepared
        return drills.proved(
            self._release.order.release,
            report,
            finding.verdict,
            prepared.triggers if prepared else (),
            marked_at=self._marked_at,
            flaw=self._flaw,
        )
