"""What stands in one panel of a picture: measurements, levels, bands, states, and the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lastgood.decisions.charts import Curve, Level, Moment, Panel
from lastgood.plots import canvas
from lastgood.plots.colours import Colours

_DAY = 86400.0
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
"""Seconds between ticks."""
_WORD = 20.0
"""Points above its line that a level's word takes."""
_LABEL = 16.0
"""Points that half a label needs, beyond the figure's margin."""
_FEW = 90
"""So many buckets are drawn with a dot each."""


def x(at: float) -> float:
    """Where a moment is on the axis: matplotlib counts days since the epoch."""
    return at / _DAY


def draw(axes: Any, panel: Panel, colours: Colours) -> None:
    """Draw all of a panel but its title and its time."""
    axes.set_facecolor("none")
    if panel.stretches:
        _states(axes, panel, colours)
        return
    if panel.log:
        axes.set_yscale("log")
    _band(axes, panel, colours)
    several = len(panel.curves) > 1
    for number, curve in enumerate(panel.curves):
        last = number == len(panel.curves) - 1
        _curve(axes, panel, curve, colours.measured if last else colours.beside, colours)
        if several:
            _name(axes, curve, panel, colours.measured if last else colours.beside)
    _set_range(axes, panel)
    if panel.limit:
        _level(axes, panel.limit, colours.bad, colours, left=True, dashes=(0, (5, 3)))
    if panel.normal:
        lift = _above(axes, panel.normal, panel.limit)
        _level(axes, panel.normal, colours.muted, colours, dashes=(0, (1, 2)), lift=lift)
    axes.grid(axis="y", color=colours.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    _frame(axes, colours)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    if panel.log:
        axes.minorticks_off()
    else:
        axes.yaxis.get_major_locator().set_params(nbins=5)


def _frame(axes: Any, colours: Colours) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colours.muted)
    axes.tick_params(colors=colours.muted, labelsize=11, length=0, axis="y")


def _stairs(
    curve: Curve, period: float
) -> tuple[list[float], list[float], list[float], list[float]]:
    """The curve as stairs, each as long as its bucket; gaps are not bridged. And its highest."""
    buckets = [canvas.Weighted(at, value) for at, value in curve.points]
    end = curve.points[-1][0] + period
    columns, width = canvas.in_columns(buckets, buckets[0].at, end)
    width = width or period
    xs: list[float] = []
    means: list[float] = []
    highest: list[float] = []
    shown = [value for _, value in curve.points]
    before = None
    for one in columns:
        if before is not None and one.at - before > 0.5 * width:
            for some in (xs, means, highest):
                some.append(math.nan)
        xs += [x(one.at), x(one.at + width)]
        means += [one.mean, one.mean]
        highest += [one.highest, one.highest]
        before = one.at + width
    return xs, means, highest, shown


def _curve(axes: Any, panel: Panel, curve: Curve, colour: str, colours: Colours) -> None:
    if not curve.points:
        return
    if panel.period <= 0:
        times, values = [x(at) for at, _ in curve.points], [value for _, value in curve.points]
        few = len(values) <= _FEW
        axes.plot(
            times, values, color=colour, linewidth=1.6, marker="o" if few else None, markersize=4
        )
        return
    xs, means, highest, shown = _stairs(curve, panel.period)
    if len(shown) > canvas.MOST:
        axes.fill_between(xs, means, highest, color=colour, alpha=0.25, linewidth=0)
    if panel.limit and not panel.log:
        above = [not math.isnan(one) and one > panel.limit.value for one in means]
        axes.fill_between(
            xs, panel.limit.value, means, where=above, color=colours.bad, alpha=0.22, linewidth=0
        )
    axes.plot(xs, means, color=colour, linewidth=1.8)
    if len(shown) <= _FEW:
        middle = [x(at + panel.period / 2) for at, _ in curve.points]
        axes.plot(middle, shown, color=colour, linewidth=0, marker="o", markersize=3)


def _name(axes: Any, curve: Curve, panel: Panel, colour: str) -> None:
    if curve.points:
        at, value = curve.points[-1]
        axes.annotate(
            curve.name,
            (x(at + panel.period), value),
            xytext=(4, 0),
            textcoords="offset points",
            color=colour,
            fontsize=11,
            va="center",
        )


def _band(axes: Any, panel: Panel, colours: Colours) -> None:
    if not panel.band:
        return
    xs, low, high = [], [], []
    for at, bottom, top in panel.band:
        xs += [x(at), x(at + panel.period)]
        low += [bottom, bottom]
        high += [top, top]
    axes.fill_between(xs, low, high, color=colours.band, linewidth=0)


def _set_range(axes: Any, panel: Panel) -> None:
    values = [value for curve in panel.curves for _, value in curve.points]
    values += [high for *_, high in panel.band]
    values += [level.value for level in (panel.limit, panel.normal) if level]
    most = max(values, default=1.0)
    if panel.log:
        least = min([*values, 0.1])
        axes.set_ylim(least / 2, max(most, 10.0) * 4)
        return
    axes.set_ylim(min(0.0, *values) if values else 0.0, (most or 1.0) * 1.22)


def _above(axes: Any, normal: Level, limit: Level | None) -> float:
    """How far a level's word must be lifted so that the limit's line does not cross it."""
    if limit is None:
        return 0.0
    bottom, top = axes.get_ylim()
    apart = (limit.value - normal.value) / (top - bottom) * axes.bbox.height
    return float(apart) if 0 <= apart < _WORD else 0.0


def _level(
    axes: Any,
    level: Level,
    colour: str,
    colours: Colours,
    *,
    dashes: Any,
    left: bool = False,
    lift: float = 0.0,
) -> None:
    axes.axhline(level.value, color=colour, linewidth=1.2, linestyle=dashes)
    axes.annotate(
        level.text,
        (0.0 if left else 1.0, level.value),
        xycoords=("axes fraction", "data"),
        xytext=(3 if left else -3, 4.5 + lift),
        textcoords="offset points",
        color=colour,
        fontsize=11,
        ha="left" if left else "right",
        bbox={"facecolor": colours.paper, "edgecolor": "none", "alpha": 0.85, "pad": 0.5},
    )


def _states(axes: Any, panel: Panel, colours: Colours) -> None:
    for one in panel.stretches:
        colour = colours.of(one.tone)
        axes.barh(
            0.5,
            x(one.end) - x(one.begin),
            left=x(one.begin),
            height=0.8,
            color=colour,
            alpha=0.3,
            linewidth=0,
        )
        axes.annotate(
            one.text,
            (x(one.begin), 0.5),
            xytext=(5, 0),
            textcoords="offset points",
            color=colour,
            fontsize=11,
            fontweight="bold",
            va="center",
        )
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    _frame(axes, colours)


def lines(axes: Any, moments: Sequence[Moment], colours: Colours) -> None:
    """A line at each moment."""
    begin, end = axes.get_xlim()
    for one in moments:
        if begin <= x(one.at) <= end:
            axes.axvline(x(one.at), color=colours.of(one.tone), linewidth=1)


def time(axes: Any, colours: Colours, *, shown: bool, most: int) -> None:
    """The time axis, in UTC, with its date at the right; told below the last panel only."""
    first, last = (one * _DAY for one in axes.get_xlim())
    begin = datetime.fromtimestamp(first, UTC)
    step = next((one for one in _STEPS if (last - first) / one <= most), _DAY)
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < _DAY else "%b %d"
    room = _LABEL * (last - first) / axes.bbox.width  # no label beyond the right edge
    until = math.floor((last - room) / step)
    ticks = [n * step for n in range(math.ceil(first / step), until + 1)]
    labels = [format(datetime.fromtimestamp(one, UTC), form) for one in ticks]
    axes.set_xticks([x(one) for one in ticks], labels)
    axes.tick_params(axis="x", colors=colours.muted, labelsize=11, length=3, labelbottom=shown)
    if shown:
        axes.annotate(
            f"{begin:%Y-%m-%d}, UTC",
            (1.0, 0.0),
            xycoords="axes fraction",
            xytext=(0, -30),
            textcoords="offset points",
            color=colours.muted,
            fontsize=11,
            ha="right",
        )
