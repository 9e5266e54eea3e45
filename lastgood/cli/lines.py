"""Progress as plain lines, one per event: for CI logs and files."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from lastgood.cli import github
from lastgood.cli.following import Snapshot
from lastgood.cli.live import Live
from lastgood.cli.output import seconds
from lastgood.contracts import Progress, Step

EVERY = 10.0
"""Seconds between lines with the latest values."""


def latest_line(progress: Progress | None, now: Live, moment: datetime) -> str | None:
    """``3m20s left | 2 of 2 running | error-rate: 0.1 % (threshold 5 %)``; None without news."""
    parts = []
    open_window = progress and progress.steps and not progress.steps[-1].finished_at
    if progress and progress.window_ends_at and progress.step == "monitor" and open_window:
        left = (progress.window_ends_at - moment).total_seconds()
        parts.append(f"{seconds(round(max(0.0, left)))} left")
    if now.rollout:
        parts.append(now.rollout)
    measured = [one for one in now.triggers if one.reading]
    parts += [f"{'FIRING ' if one.firing else ''}{one.line}" for one in measured]
    return " | ".join(parts) or None


class Lines:
    """Says what is new since the last snapshot."""

    def __init__(
        self, write: Callable[[str], None], *, command: Callable[[str], None] | None = None
    ) -> None:
        self._write = write
        self._command = command
        """Where commands to GitHub Actions go: each step is a group. None: there are none."""
        self._open = False
        self._started = 0
        self._finished: set[int] = set()
        self._notes = 0
        self._position: int | None = None
        self._said_at: float | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Say what is new."""
        if snapshot.trouble:
            self._now_and_then(snapshot.trouble)
            return
        if snapshot.view.state == "queued":
            self._queued(snapshot.view.position)
        if snapshot.progress:
            self._steps(snapshot.progress)
        text = latest_line(snapshot.progress, snapshot.now, datetime.now(UTC))
        if text:
            self._now_and_then(text)

    def close(self) -> None:
        """End the last group."""
        if self._open and self._command:
            self._command(github.END_GROUP)
        self._open = False

    def say(self, text: str) -> None:
        """One line with the time; one that a CI system cannot take for a command."""
        line = " ".join(text.split())
        self._write(f"{datetime.now().astimezone():%H:%M:%S}  {line}")

    def _queued(self, position: int) -> None:
        if position != self._position:
            self._position = position
            ahead = "1 release is" if position == 1 else f"{position} releases are"
            self.say(f"queued: {ahead} before it" if position else "queued: it is next")

    def _steps(self, progress: Progress) -> None:
        for index, step in enumerate(progress.steps):
            if index == len(progress.steps) - 1 and not step.finished_at:
                self._say_notes(progress)
            if index >= self._started:
                self._started = index + 1
                self._begin(step)
            if step.finished_at and index not in self._finished:
                self._finished.add(index)
                took = (step.finished_at - step.started_at).total_seconds()
                self.say(f"{step.name}: took {seconds(took)}")
        self._say_notes(progress)

    def _say_notes(self, progress: Progress) -> None:
        """Notes have no time of their own: said before the step under way begins."""
        for note in progress.notes[self._notes :]:
            self.say(note)
        self._notes = len(progress.notes)

    def _begin(self, step: Step) -> None:
        if self._command:
            self.close()
            self._command(github.group(step.name))
            self._open = True
        ago = (datetime.now(UTC) - step.started_at).total_seconds()
        since = f" (began {seconds(ago)} ago)" if ago > EVERY else ""
        self.say(f"{step.name}{since}: {step.text}" if step.text else f"{step.name}{since}")

    def _now_and_then(self, text: str) -> None:
        moment = time.monotonic()
        if self._said_at is None or moment - self._said_at >= EVERY:
            self._said_at = moment
            self.say(text)
