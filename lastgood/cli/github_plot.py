"""A metric against its threshold as a Mermaid chart, which GitHub itself draws in a summary.

A chart of Mermaid's has evenly spaced points, and no gaps: buckets that are missing are drawn
through, and the words below it say how many they are. More points than can be told apart become
the highest of some each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

from lastgood.contracts import Explanation
from lastgood.decisions import moments, records
from lastgood.decisions.charting import chart_of
from lastgood.decisions.charts import Chart, Curve, Panel
from lastgood.model import Status, Verdict

_MOST_PLOTS = 3
_MOST = 80
"""Points of a line."""
_COLOURS = ("#e5484d", "#8c959f", "#2f81f7", "#a371f7")
"""Threshold, what was normal, the measure, a second one; each is seen on white and on black."""
_NAMES = ("red", "grey", "blue", "violet")


class _Line(NamedTuple):
    values: Sequence[float]
    text: str
    colour: int
    """The place of its colour."""


class _Grid(NamedTuple):
    """Evenly spaced columns, each of some buckets."""

    begin: float
    width: float
    columns: int

    def column(self, at: float) -> int:
        """The column of a moment."""
        return min(self.columns - 1, max(0, int((at - self.begin) / self.width + 1e-6)))


def plots(told: Explanation) -> list[tuple[str, list[str]]]:
    """What fired, or left the window inconclusive; else the first that there is a plot of.

    Returns:
        For each the title, and lines of Markdown.
    """
    result = told.progress.result
    decided = moments.deciding(told, result)
    drawn = []
    for verdict in told.verdicts:
        chart = _chart_of(told, verdict)
        if chart is None:
            continue
        marked = chart._replace(moments=moments.moments_of(told, result, verdict))
        if lines := markdown(marked):
            drawn.append((verdict, (chart.title, lines)))
    fired = [plot for verdict, plot in drawn if verdict == decided or _fired(verdict)]
    return fired[:_MOST_PLOTS] or [plot for _, plot in drawn[:1]]


def _chart_of(told: Explanation, verdict: Verdict) -> Chart | None:
    trigger = records.trigger_of(told.release.policy, verdict)
    try:
        return chart_of(trigger, verdict) if trigger else None
    except (ValueError, LookupError):  # a record that a newer or older version wrote
        return None


def _fired(verdict: Verdict) -> bool:
    return verdict.status is Status.FAIL and not verdict.dry_run


def markdown(chart: Chart) -> list[str]:
    """The chart and its words, as lines of Markdown; none if there is nothing to draw."""
    panel = next((one for one in chart.panels if _drawable(one)), None)
    if panel is None:
        return []
    grid = _grid(panel)
    lines = _lines(panel, grid)
    said = "; ".join(f"{_NAMES[one.colour]}: {one.text}" for one in lines[::-1])
    words = _words(said, panel, grid) + _moments(chart, grid)
    return ["```mermaid", *_mermaid(panel, grid, lines), "```", "", " ".join(words)]


def _drawable(panel: Panel) -> bool:
    """Whether it is a measure over time on an even scale."""
    return not panel.log and any(len(curve.points) > 1 for curve in panel.curves)


def _grid(panel: Panel) -> _Grid:
    times = [at for curve in panel.curves for at, _ in curve.points]
    begin, end = min(times), max(times)
    period = panel.period or (end - begin) / max(1, len(set(times)) - 1)
    buckets = round((end - begin) / period) + 1 if period > 0 else 1
    some = ceil(buckets / _MOST)
    return _Grid(begin, period * some or 1.0, ceil(buckets / some))


def _lines(panel: Panel, grid: _Grid) -> list[_Line]:
    """What is drawn, the measure last: over all else."""
    found = []
    for colour, level in enumerate((panel.limit, panel.normal)):
        if level:
            found.append(_Line([level.value] * grid.columns, level.text, colour))
    for place, edge in ((1, "lowest"), (2, "highest")):
        if panel.band:
            edges = Curve(tuple((one[0], one[place]) for one in panel.band))
            found.append(_Line(_drawn_through(_columns(edges, grid)), f"{edge} that is normal", 0))
    curves = [curve for curve in panel.curves if curve.points][:2]
    for colour, curve in enumerate(curves, start=2):
        values = _drawn_through(_columns(curve, grid))
        found.append(_Line(values, curve.name or panel.title, colour))
    return found


def _columns(curve: Curve, grid: _Grid) -> list[float | None]:
    """The highest value of each column."""
    found: list[float | None] = [None] * grid.columns
    for at, value in curve.points:
        place = grid.column(at)
        known = found[place]
        found[place] = value if known is None else max(known, value)
    return found


def _drawn_through(values: Sequence[float | None]) -> list[float]:
    """Without gaps: straight from the last known value to the next one."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    found = []
    for place in range(len(values)):
        left = max((one for one in known if one[0] <= place), default=known[0])
        right = min((one for one in known if one[0] >= place), default=known[-1])
        part = (place - left[0]) / (right[0] - left[0]) if right[0] > left[0] else 0.0
        found.append(left[1] + part * (right[1] - left[1]))
    return found


def _mermaid(panel: Panel, grid: _Grid, lines: Sequence[_Line]) -> list[str]:
    palette = ", ".join(_COLOURS[one.colour] for one in lines)
    settings = {
        "xyChart": {"width": 860, "height": 320, "titleFontSize": 14},
        "themeVariables": {"xyChart": {"plotColorPalette": palette}},
    }
    lasts = grid.width * (grid.columns - 1)
    highest = max(max(one.values) for one in lines)
    begin = datetime.fromtimestamp(grid.begin, UTC)
    return [
        f"%%{{init: {json.dumps(settings)}}}%%",
        "xychart-beta",
        f'  x-axis "seconds after {begin:%H:%M:%S} UTC" 0 --> {max(lasts, 1.0):g}',
        f'  y-axis "{_quoted(panel.title)}" 0 --> {highest * 1.1 or 1.0:.6g}',
        *(f"  line [{', '.join(f'{value:.6g}' for value in one.values)}]" for one in lines),
    ]


def _quoted(text: str) -> str:
    """Text of a Mermaid string: it has no way to escape."""
    return "".join(one if one.isalnum() or one in " ,.:%()/-" else " " for one in text)


def _words(said: str, panel: Panel, grid: _Grid) -> list[str]:
    """What the lines are, and what the picture cannot show."""
    columns = max((_columns(one, grid) for one in panel.curves), key=lambda one: one.count(None))
    missing, some = columns.count(None), round(grid.width / (panel.period or grid.width))
    words = [f"{said[0].upper()}{said[1:]}."]
    if some > 1:
        words.append(f"Each point is the highest of {some} datapoints.")
    if missing:
        of = "points" if some > 1 else "datapoints"
        words.append(f"{missing} of {grid.columns} {of} are missing; the line is drawn through.")
    return words


def _moments(chart: Chart, grid: _Grid) -> list[str]:
    """What happened while it was measured, in seconds as on the axis."""
    ends = grid.begin + grid.width * grid.columns
    within = [one for one in chart.moments if grid.begin <= one.at <= ends]
    said = ", ".join(f"{one.text} at {one.at - grid.begin:.0f} s" for one in within)
    return [f"{said[0].upper()}{said[1:]}."] if said else []
