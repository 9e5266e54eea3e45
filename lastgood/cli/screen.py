"""Progress on a terminal: steps, rollout, window and triggers, drawn anew each second."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as Drawing
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lastgood.cli.following import Snapshot
from lastgood.cli.live import Latest
from lastgood.cli.output import clock, seconds
from lastgood.contracts import Progress, Step

_NOTES = 6
_STYLES = {"healthy": "green", "unhealthy": "red", "no_data": "yellow", "error": "yellow"}
_MARKS = {"healthy": "ok", "unhealthy": "bad", "no_data": "no data", "error": "error"}


class Screen:
    """Draws snapshots on stderr; used as a context."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._drawing = Drawing(console=self._console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._drawing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._drawing.stop()

    def say(self, text: str) -> None:
        """One line above the drawing."""
        self._console.print(Text(text))

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self._drawing.update(render(snapshot, datetime.now(UTC)), refresh=True)

    def close(self) -> None:
        """Nothing to do: the context ends the drawing."""


def render(snapshot: Snapshot, moment: datetime) -> RenderableType:
    """A snapshot as it is drawn."""
    parts: list[RenderableType] = []
    if snapshot.view.state == "queued":
        parts.append(Text(f"queued: {snapshot.view.position} before it"))
    progress = snapshot.progress
    if progress:
        parts.append(_steps(progress, moment))
        parts += [Text(f"  {note}", style="dim") for note in progress.notes[-_NOTES:]]
    if snapshot.now.rollout:
        parts.append(Text(f"  rollout: {snapshot.now.rollout}"))
    if progress and progress.step == "monitor" and not snapshot.result:
        parts.append(_window(progress, moment))
    parts += [_trigger(one) for one in snapshot.now.triggers]
    if snapshot.trouble:
        parts.append(Text(f"  {snapshot.trouble}", style="yellow"))
    return Group(*parts)


def _steps(progress: Progress, moment: datetime) -> Table:
    table = Table.grid(padding=(0, 2))
    for step in progress.steps:
        mark = Text("done", style="green") if step.finished_at else Text("now", style="bold")
        took = seconds(((step.finished_at or moment) - step.started_at).total_seconds())
        name = Text(step.name, style="" if step.finished_at else "bold")
        table.add_row(clock(step.started_at), mark, name, Text(took, justify="right"), step.text)
    return table


def _window(progress: Progress, moment: datetime) -> RenderableType:
    step: Step | None = next((s for s in reversed(progress.steps) if s.name == "monitor"), None)
    if progress.window_ends_at is None or step is None or step.finished_at:
        return Text("")
    whole = max(0.001, (progress.window_ends_at - step.started_at).total_seconds())
    gone = min(whole, max(0.0, (moment - step.started_at).total_seconds()))
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=whole, completed=gone, width=40, complete_style="cyan")
    grid.add_row("  window", bar, f"{seconds(round(whole - gone))} left")
    return grid


def _trigger(one: Latest) -> Text:
    reading = one.reading or ""
    text = Text("  ")
    mark = "FIRING" if one.firing else _MARKS.get(reading, "waiting")
    text.append(f"{mark:<8}", style="bold red" if one.firing else _STYLES.get(reading, "dim"))
    return text.append(one.line)
